"""Fuzzes what makes a log of a log (tests/fuzz/fuzz_trim.c) for 10 seconds, 120 in the long suite."""
import os
import struct
import subprocess
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), name) for name in ("..", "../fuzz")]
from lib import *
from fuzzing import fuzz

if os.environ.get("TEST_SANITIZED"):
    sys.exit(done())  # the fuzzer has sanitizers of its own: once is enough
SECONDS = 120 if os.environ.get("TEST_LONG") else 10
GENERATE = os.path.join(os.path.dirname(PROGRAMS), "bench", "generate_log")


def seeds():
    """Small logs of each kind, and a part of each."""
    run([program("../unit/test_report"), "--write", path("everything")])
    record([program("known")], path("known"), "--no-compress", "--call-graph=none")
    record([program("forks"), "burst"], path("forks"), "--no-compress", "--max-depth=2")
    run([GENERATE, path("generated"), "150", "3", "20", "5"])
    found = {}
    for name in "everything", "known", "forks", "generated":
        with open(path(name), "rb") as file:
            log = file.read()[:12000]
        for part in (0, 0), (20000, 45000), (50000, 0):
            found[f"{name}{part[0]}"] = struct.pack("<HH", *part) + log
    found["made"] = struct.pack("<HH", 20000, 45000) + b"MADE" + bytes(range(256))
    return found


def main():
    words = ("MSCK", "MADE", r"\xff\xff\xff\xff\x0f", r"\x7f\xff\xff\xff")
    fuzz("fuzz_trim", seeds(), words, seconds=SECONDS, max_bytes=12288, runs_per_second=20)


try:
    main()
except subprocess.TimeoutExpired as late:
    check(False, f"{late}")
sys.exit(done())
