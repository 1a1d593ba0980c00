"""Fuzzes the log reader (tests/fuzz/fuzz_log.c) for a while: 15 seconds, 120 in the
long suite."""
import os
import re
import struct
import subprocess
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), name) for name in ("..", "../fuzz")]
from lib import MALLOSCOPE, SOURCE, check, done, path, program, run
from fuzzing import fuzz

if os.environ.get("TEST_SANITIZED"):
    sys.exit(done())  # the fuzzer has sanitizers of its own: once is enough
VIEWS = 7  # tests/fuzz/views.h
SECONDS = 120 if os.environ.get("TEST_LONG") else 15


def example():
    """The log in docs/format.md."""
    with open(os.path.join(SOURCE, "docs/format.md")) as document:
        lines = document.read().split("```hex\n")[1].split("```")[0].splitlines()
    return bytes.fromhex("".join(re.match(r"[0-9a-f]{4}  ((?:[0-9a-f]{2} ?)+)", line).group(1) for line in lines))


def seeds():
    """Small logs of each kind. fuzz_log puts their checksums right."""
    log = example()
    payload_bytes, = struct.unpack_from("<I", log, 64 + 8)
    head, header, records, session = log[:64], log[64:128], log[128:128 + payload_bytes], log[128 + payload_bytes:]
    nobody = 0x7fffffff

    def chunk(kind, pid, stream, sequence, payload):
        return (header[:4] + bytes([kind]) + header[5:8] + struct.pack("<IIQII", len(payload), pid, 1, stream, sequence) +
                header[32:] + payload)

    def slot(stream, sequence):
        return chunk(0xf0, 0, 0, 0, struct.pack("<QQ", len(records), 0) + chunk(1, nobody, stream, sequence, records))

    def spool(consumed, limit, payload):
        return header[:4] + bytes([0xf1]) + header[5:8] + struct.pack("<IIQIIQQ", len(payload), 0, 0, 0, 0, consumed, limit) + bytes(16) + payload

    run([program("../unit/test_report"), "--write", path("everything")])
    with open(path("everything"), "rb") as file:
        everything = file.read()
    subprocess.run([MALLOSCOPE, "record", "-q", "-o", path("packed"), "--call-graph", "none", program("known")], check=False)
    with open(path("packed"), "rb") as file:
        packed = file.read()
    check(packed[64 + 5] & 2 or packed.count(b"MSCK") > 1, "a packed log")
    subprocess.run([MALLOSCOPE, "record", "-q", "-o", path("named"), "--no-compress", "--embed-symbols", program("inlined")], check=False)
    with open(path("named"), "rb") as file:
        named = file.read()
    at = 64
    while at < len(named) and named[at + 4] != 3:
        at += sum(struct.unpack_from("<HI", named, at + 6))
    check(at < len(named), "a log with names")
    logs = {
        "named": named,
        "names": named[at + 64:][:struct.unpack_from("<I", named, at + 8)[0]],
        "packed": packed,
        "columns": struct.pack("<18H", 40, 3, 1, 0, 0, 8, *[2] * 12) + bytes([0, 0xe1, 0xe3, 24]) + records,
        "everything": everything,
        "example": log,
        "records": records,
        "threads": head + b"".join(chunk(1, pid, stream, sequence, records) for pid, stream, sequence in
                                   ((1, 0, 1), (1, 0, 0), (1, 1, 0), (2, 0, 0), (2, 0, 2))) + session,
        "live": head + chunk(1, nobody, 0, 0, records) + slot(0, 1) + slot(1, 0) + session,
        "torn": head + chunk(1, 1, 0, 0, records)[:100] + chunk(1, 1, 0, 0, records) + session[:70],
    }
    spooled = chunk(1, 1, 0, 1, records) + chunk(1, 1, 1, 0, records)
    logs["spooled"] = head + chunk(1, 1, 0, 0, records) + spool(0, 0, spooled + spooled[:90]) + session
    logs["limited"] = head + spool(96 + len(spooled) // 2, 1000, spooled) + slot(0, 1) + session
    run_of_chunks = b"".join(chunk(1, 1, 0, sequence, records * 4) for sequence in range(4))
    logs["run"] = head + spool(0, 0, run_of_chunks + run_of_chunks[:90]) + session
    logs["run limited"] = head + spool(0, 500, run_of_chunks) + slot(0, 4) + session
    for view in range(1, VIEWS):
        logs[f"part{view}"] = everything[:13] + bytes([view, 0xa2]) + everything[15:]
        logs[f"everything{view}"] = everything[:13] + bytes([view]) + everything[14:]
    return logs


def main():
    words = ("MSCK", r"\x8fMSCOPE\x0a", r"\xff\xff\xff\xff\x0f", r"\x7f\xff\xff\xff")
    fuzz("fuzz_log", seeds(), words, seconds=SECONDS, max_bytes=8192, runs_per_second=20)


try:
    main()
except subprocess.TimeoutExpired as late:
    check(False, f"{late}")
sys.exit(done())
