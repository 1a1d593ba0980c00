"""The shim built for aarch64 and run under qemu's user mode: the log is the same
format, and this machine's CLI reads it. Stacks are whole: libunwind is not there for
that machine, and not needed."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *
import glob

COMPILER = "aarch64-linux-gnu-gcc"
shim, known = path("libmalloscope.so"), path("known")
sources = [name for part in ("format/*.c", "interpose/hooks.c", "interpose/inside/*.c", "interpose/outside/*.c")
           for name in glob.glob(os.path.join(SOURCE, part))]
built = run([COMPILER, "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror",
             "-Wno-missing-field-initializers", "-fPIC", "-shared", "-fvisibility=hidden", "-fno-omit-frame-pointer",
             "-fno-builtin-malloc", "-fno-builtin-calloc", "-fno-builtin-realloc", "-fno-builtin-free",
             "-fno-strict-aliasing", "-ftls-model=initial-exec", '-DLIBUNWIND_SONAME="libunwind.so.8"', "-I", SOURCE,
             *sources, "-o", shim, f"-Wl,--version-script={SOURCE}/interpose/exports.map", "-ldl", "-lpthread"])
if check(built.returncode == 0, f"{COMPILER} builds the shim: {built.stderr}"):
    built = run([COMPILER, "-O1", "-fno-builtin", os.path.join(SOURCE, "tests/programs/known.c"), "-o", known])
    check(built.returncode == 0, f"{COMPILER} builds known: {built.stderr}")
    for call_graph in ("none", "auto"):
        log = path(f"{call_graph}.mscope")
        ran = run(["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", "-E", f"LD_PRELOAD={shim}", "-E",
                   f"MALLOSCOPE_OUTPUT={log}", "-E", f"MALLOSCOPE_CALL_GRAPH={call_graph}", known])
        equal((ran.returncode, ran.stdout, ran.stderr), (7, "", ""), f"{call_graph}: the program as untraced")
        r = report(log)
        equal(r["counts"]["by_function"], {"malloc": 1060, "realloc": 10, "free": 1000}, f"{call_graph}: calls")
        equal((r["counts"]["failed"], r["bytes"]["leaked"]), (1, 50 * 5000 + 10 * 200000), f"{call_graph}: facts")
        equal((r["trust"]["lost_events"], r["trust"]["unmatched_frees"]), (0, 0), f"{call_graph}: trust")
        equal(r["trust"]["partial_stacks"], 0, f"{call_graph}: stacks are whole")
    equal(r["top_sites"]["by_allocations"][0]["function"], "take", "the caller's name")
sys.exit(done())
