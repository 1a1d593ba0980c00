"""What the library takes of libc is libc's: a program's own functions of the same names, and those of libraries
that are preloaded before it, are not called by it; and what it loads itself it loads only where that is needed."""
import glob
import os
import platform
import re
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

LOG = path("log.mscope")

plain = run([program("own_functions")])
equal((plain.returncode, plain.stdout.split()[:2], plain.stderr), (7, ["1", "1"], ""), "own_functions runs untraced")
for options in ([], ["--call-graph=none"], ["--sample=1000"]):
    got = record([program("own_functions")], LOG, *options)
    equal((got.returncode, got.stdout, got.stderr), (plain.returncode, plain.stdout, ""), f"own_functions, {options}: as untraced")
    r = report(LOG)
    check(options or r["counts"]["allocations"] >= 10, f"own_functions is recorded: {r['counts']}")
    check(all(p["allocator"].endswith("/libc.so.6") for p in r["processes"]), "and libc is its allocator")

# --- a preloaded library in front of ours, whose dlopen waits for a lock that its malloc holds ---
if check(shutil.which("heaptrack"), "heaptrack is not installed"):
    command = f"heaptrack -o {path('heaptrack')} {program('known')}; echo $?"
    got = record(["sh", "-c", command], LOG, timeout=60)
    check(got.returncode == 0 and got.stdout.rstrip().split("\n")[-1] == "7" and "stats:" in got.stdout + got.stderr,
          f"heaptrack in front of us works: {got}")

# --- an allocator that has the old versions only that programs are linked with ---
debugging = glob.glob("/lib/*-linux-gnu/libc_malloc_debug.so.0")
if debugging:
    environment = {"LD_PRELOAD": "libc_malloc_debug.so.0"}
    got = record([program("known")], LOG, env=environment)
    equal(report(LOG)["processes"][0]["allocator"].rsplit("/", 1)[-1], "libc_malloc_debug.so.0", "glibc's debugging malloc is the allocator")

# --- libunwind: only where a stack needs it ---
if platform.machine() == "x86_64":
    equal(run([program("by_rbx")]).stdout, "0 0\n", "by_rbx loads nothing itself")
    got = record([program("by_rbx"), "0"], LOG, "--call-graph=none")
    equal(got.stdout, "0 0\n", "without stacks libunwind is not there")
    got = record([program("known")], LOG)
    equal(report(LOG)["trust"]["fallback_stacks"], 0, "known needs no libunwind")
    got = record([program("by_rbx"), "50"], LOG)
    before, after = map(int, got.stdout.split())
    equal((got.returncode, before, after > 0, got.stderr), (0, 0, True, ""), "it comes with the first stack that needs it")
    r = report(LOG)
    taken = (r["trust"]["fallback_stacks"], r["trust"]["partial_stacks"], r["trust"]["lost_events"])
    check(taken in ((51, 0, 0), (50, 1, 0)), f"and all stacks are whole, but perhaps on a small one: {taken}")
    got = run([MALLOSCOPE, "report", LOG])
    check("through_rbx" in got.stdout and "main" in got.stdout, "through the function")
    got = record([program("by_rbx"), "5", "aside"], LOG)
    before, after = map(int, got.stdout.split())
    equal((got.returncode, before, after > 0, got.stderr), (0, 0, True, ""), "a signal's handler on another stack needs it first")
    r = report(LOG)
    equal((r["trust"]["fallback_stacks"], r["trust"]["partial_stacks"]), (6, 1),
          "it is not loaded there, and that stack is partial; once it is there, such a stack is whole")
    got = run([MALLOSCOPE, "dump", "--stacks", LOG])
    stacks = dict(re.findall(r" malloc 0x\S+ (100[123])\n((?:\t.*\n)+)", got.stdout))
    check("through_rbx" in stacks["1002"] and "main" not in stacks["1002"], f"the partial one is the first: {stacks['1002']}")
    check("through_rbx" in stacks["1003"] and "main" in stacks["1003"], f"the last is whole: {stacks['1003']}")
    # A child of a fork has the loader as it was in its parent then: it is not to be at work for us.
    directory = path("libraries")
    os.mkdir(directory)
    fifo = f"{directory}/libunwind.so.8"
    os.mkfifo(fifo)
    amid = ["env", "LD_LIBRARY_PATH=" + directory, program("fork_amid_load")]
    got = record([*amid, "amid", fifo], LOG, timeout=60)
    equal((got.stdout, got.stderr), ("1\n", ""), "a fork waits until libunwind is loaded")
    got = record([*amid, "long", fifo], LOG, timeout=60)
    waited, first, second = map(int, got.stdout.split())
    check(not waited and got.stderr == "" and 500 <= first < 2000 and second < 250,
          f"half a second at most, and once: {got.stdout} {got.stderr}")
    equal(run([*amid, "amid", fifo]).stdout, "0\n", "untraced it does not wait")
    got = record([program("fork_amid_load"), "first"], LOG, timeout=60)
    equal((got.stdout, got.stderr), ("0 1\n", ""), "while a thread forks it is not loaded; but later")
    equal([report(LOG)["trust"][name] for name in ("fallback_stacks", "partial_stacks", "lost_events")], [1, 1, 0],
          "the stack amid the fork is partial")
    got = record([program("by_rbx"), "5"], LOG, "--call-graph=libunwind")
    check(int(got.stdout.split()[0]) > 0, "where all stacks are its, it is there from the start")
sys.exit(done())
