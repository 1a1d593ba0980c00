"""How much of the program's stack a hook takes, whatever it has to do: a handler on an alternate stack of
SIGSTKSZ bytes, most of which the kernel's own frame fills where the processor has wide registers, uses the heap
and forks; threads and coroutines have stacks of a page or two."""
import os
import platform
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

# Bytes from the caller's stack pointer on. A call by libunwind, where our own rules do not lead on, is not among them.
LIMITS = {
    "known-code": 448,   # the usual
    "first": 1408,       # of a thread
    "first-free": 1408,
    "new-code": 1408,    # addresses that no stack had before
    "new-library": 1408,
    "failure": 1408,
    "full-chunk": 1408,
    "reopened": 1408,    # somebody has closed our descriptors
    "handler": 1472,     # a signal's, at any instruction of another call
    "child": 1792,       # a forked one's first, which starts recording
    "exec": 2304,
}

command = [program("stack_use"), program("plugin1.so")]
# The allocator is one that handlers may use; and calls that are bound at first use would take more than we do.
environment = {"LD_PRELOAD": program("safe_malloc.so"), "LD_BIND_NOW": "1"}
for options in [], ["--sample", "1000"], ["--call-graph", "none"]:
    log = path("log.mscope")
    got = record(command, log, *options, env=environment)
    equal((got.returncode, got.stderr), (0, ""), f"{options}: run")
    used = {name: int(size) for name, size in (line.split() for line in got.stdout.splitlines())}
    equal(sorted(used), sorted(set(LIMITS) - (set() if platform.machine() == "x86_64" else {"handler"})),
          f"{options}: what was measured")
    for name, size in used.items():
        # Of a sample, the first that is taken there learns the code.
        most = LIMITS["new-code" if "--sample" in options and name == "known-code" else name]
        check(size <= most, f"{options}: {name} takes {size} bytes of the stack, at most {most} are right")
    r = report(log)
    equal({name: r["trust"][name] for name in ("lost_events", "unmatched_frees")}, {"lost_events": 0, "unmatched_frees": 0},
          f"{options}: trust")
sys.exit(done())
