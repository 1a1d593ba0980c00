"""Fuzzes the reader of unwind tables (tests/fuzz/fuzz_cfi.c) for a while: 10 seconds,
60 in the long suite."""
import os
import platform
import struct
import subprocess
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), name) for name in ("..", "../fuzz")]
from lib import check, done
from fuzzing import fuzz

SECONDS = 60 if os.environ.get("TEST_LONG") else 10
SP, FP, RA = (31, 29, 30) if platform.machine() == "aarch64" else (7, 6, 16)
AS_IS = 1


def entry(body):
    return struct.pack("<I", len(body)) + body


def module(instructions, *, augmentation=b"zR", data=b"\x1b", fde_data=b"", common=bytes((0x0c, SP, 8, 0x80 | RA, 1)),
           count=1, functions=1, flags=0, wide=False):
    """A header of one or more functions, their CIE, their FDEs; then the fuzzer's own bytes."""
    cie = bytes(4) + b"\x01" + augmentation + b"\0\x01\x78" + bytes((RA,)) + bytes((len(data),)) + data + common
    tables, table = entry(cie), b""
    first = 12 + 8 * functions
    for i in range(functions):
        at = first + len(tables)
        table += struct.pack("<ii", 1000 + 64 * i, at)
        length = 12 if wide else 4
        body = (struct.pack("<Ii", at + length - first, 1000 + 64 * i - (at + length + 4)) + struct.pack("<I", 64) +
                bytes((len(fde_data),)) + fde_data + instructions)
        tables += struct.pack("<IQ", 0xffffffff, len(body)) + body if wide else entry(body)
    header = b"\x01\x1b\x03\x3b" + struct.pack("<iI", first - 4, count * functions)
    return header + table + tables + struct.pack("<BBHi", flags, 0, 0, 1000)


def expression(*operations):
    return bytes((len(operations), *operations))


def seeds():
    breg_sp, breg_fp, breg_ra = 0x70 + SP, 0x70 + FP, 0x70 + RA
    push = bytes((0x41, 0x0e, 16, 0x80 | FP, 2, 0x43, 0x0d, FP, 0x02, 20, 0x0a, 0x0c, SP, 8, 0xc0 | FP, 0x41, 0x0b))
    plt = b"\x0e\x10\x46\x0e\x18\x4a\x0f" + expression(breg_sp, 8, breg_ra, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22)
    aligned = b"\x45\x0f" + expression(breg_fp, 0x78, 6) + bytes((0x10, FP)) + expression(breg_fp, 0)
    signal = b"\x0f" + expression(breg_sp, 0xa0, 1, 6) + b"".join(
        bytes((0x10, reg)) + expression(breg_sp, 0xa8, n) for n, reg in enumerate((FP, RA, 3)))
    rare = bytes((0x05, FP, 2, 0x11, FP, 0x7e, 0x2f, FP, 3, 0x12, SP, 0x7e, 0x13, 0x7d, 0x09, FP, 3, 0x14, 3, 1, 0x15, 3, 1, 0x16, 3, 1,
                  0x30, 0x07, FP, 0x08, FP, 0x06, RA, 0x2e, 16, 0x2d, 0x03, 1, 0, 0x04, 1, 0, 0, 0, 0x01, 0, 4, 0, 0, 0x07, RA))
    return {
        "push": module(push), "as-is": module(push, flags=AS_IS), "many": module(push, functions=9, flags=AS_IS),
        "plt": module(plt), "aligned": module(aligned), "rare": module(rare), "wide": module(push, wide=True),
        "signal": module(signal, augmentation=b"zRS"),
        "personality": module(push, augmentation=b"zPLR", data=b"\x9b\1\2\3\4\x1b\x1b", fde_data=b"\1\2\3\4"),
        "none": module(push, count=0),
    }


def main():
    words = (r"\xff\xff\xff\xff", r"\x01\x1b\x03\x3b", "zPLRS", r"\x80\x80\x80\x80\x08", r"\x0f\x03\x76\x78\x06")
    fuzz("fuzz_cfi", seeds(), words, seconds=SECONDS, max_bytes=600, runs_per_second=500)


try:
    main()
except subprocess.TimeoutExpired as late:
    check(False, f"{late}")
sys.exit(done())
