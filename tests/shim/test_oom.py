"""A program that the kernel kills for want of memory: all its allocations are in the log. Takes a memory cgroup that
may be made here; else it is skipped, and says so."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

SIZE, LIMIT = 1_000_003, 64 << 20  # an odd size that nothing else asks for; some 60 blocks
EATER = f"""
import ctypes, mmap, os, sys
with open(sys.argv[1], "r+b") as file:
    told = mmap.mmap(file.fileno(), 8)
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
with open(sys.argv[2], "w") as procs:
    procs.write(str(os.getpid()))
for count in range(1, 1000):
    block = libc.malloc({SIZE})
    told[:8] = count.to_bytes(8, "little")
    ctypes.memset(block, 1, {SIZE})
"""


def make_group():
    """A cgroup with this limit and without swap, or None."""
    unified = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
    group = f"/sys/fs/cgroup/{'' if unified else 'memory/'}malloscope-test-{os.getpid()}"
    settings = [("memory.max", LIMIT), ("memory.swap.max", 0)] if unified else [
        ("memory.limit_in_bytes", LIMIT), ("memory.memsw.limit_in_bytes", LIMIT)]
    try:
        os.mkdir(group)
    except OSError:
        return None
    for name, value in settings:
        try:
            with open(f"{group}/{name}", "w") as file:
                file.write(str(value))
        except OSError:
            if name != settings[0][0]:  # where there is no swap there is nothing to forbid
                continue
            os.rmdir(group)
            return None
    return group


group = make_group()
if not group:
    print("skipped: no memory cgroup can be made here")
    sys.exit(done())
try:
    for options in [], ["--no-compress"]:
        log, counter = path("log"), path("told")
        with open(counter, "wb") as file:
            file.write(bytes(8))
        got = record([sys.executable, "-c", EATER, counter, f"{group}/cgroup.procs"], log, *options)
        equal(got.returncode, 128 + 9, f"{options}: killed by the kernel: {got.stderr}")
        with open(counter, "rb") as file:
            told = int.from_bytes(file.read(), "little")
        r = report(log)
        found = sum(event.size == SIZE and event.kind == "malloc" for event in dump(log))
        check(20 < told <= found <= told + 1, f"{options}: told {told}, logged {found}")
        equal([r["trust"][name] for name in ("lost_events", "missing_chunks", "truncated_bytes", "cut_processes")], [0] * 4,
              f"{options}: nothing is missing")
        equal(live_files(log), [], f"{options}: one file is left")
finally:
    os.rmdir(group)
sys.exit(done())
