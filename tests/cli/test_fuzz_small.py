"""Fuzzes what reads names of code (tests/fuzz/fuzz_symbols.c), suppressions (fuzz_rules.c) and, in traced processes,
programs and filters (fuzz_exec.c), each for 5 seconds, 60 in the long suite."""
import os
import struct
import subprocess
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), name) for name in ("..", "../fuzz")]
from lib import check, done
from fuzzing import fuzz

if os.environ.get("TEST_SANITIZED"):
    sys.exit(done())  # the fuzzers have sanitizers of their own: once is enough
SECONDS = 60 if os.environ.get("TEST_LONG") else 5


def text(data):
    return bytes([len(data)]) + data


def names(path, build_id):
    """A payload of three places: two inlined functions, none, one without a line."""
    return (text(path) + text(build_id) + bytes([16, 2]) + b"\1" + text(b"f") + b"\1" + text(b"f(int)") + b"\1" + text(b"/a.c") + b"\3\4" +
            b"\2\0\4\7\0" + bytes([48, 0]) + bytes([80, 1]) + b"\2\0\0\0\0")


def symbols():
    payload, mine = names(b"", b""), names(b"/opt/libexample.so", b"0123456789abcdefghij")
    return {
        "names": b"N" + mine,
        "rows": b"R" + 2 * (struct.pack("<I", len(payload)) + payload),
        "cache": b"CMSNAMES\n" + bytes(32),
        "pipe": b"W\5" + struct.pack("<II", 0, len(payload)) + payload + struct.pack("<II", 1, 0),
        "map": b"P10 40 f\n90 10 a b\nzz\n240 1 g\nfffffffffffffff0 20 h\n",
    }


def rules():
    return {
        "function": b"getpwnam_r\n# known\nleak:^getpw*\nleak:*nam*r$\nleak:x\n",
        "module": b"/lib/libc.so.6\nleak:libc\nleak:^/*/lib*.so.6$\n leak:$\n\nrace:x",
    }


def small_elf(like, loader, *entries):
    """A program of this machine: one segment of all, the loader's path, and a dynamic section, with names behind it."""
    dynamic = b"".join(struct.pack("<QQ", tag, value + 0x1000 * (tag == 5)) for tag, value in (*entries, (0, 0)))
    at = 64 + 3 * 56
    names = at + len(loader) + len(dynamic)
    strings = b"\0" + b"xld.so.1\0libasan.so.8\0"
    dynamic = dynamic.replace(struct.pack("<QQ", 5, 0x1000), struct.pack("<QQ", 5, 0x1000 + names))
    segments = ((1, 0, 0x1000, names + len(strings)), (3 if loader else 4, at, 0, len(loader)), (2, at + len(loader), 0, len(dynamic)))
    table = b"".join(struct.pack("<IIQQQQQQ", kind, 4, offset, address, address, size, size, 8) for kind, offset, address, size in segments)
    return like[:32] + struct.pack("<QQIHHHHHH", 64, 0, 0, 64, 56, 3, 0, 0, 0) + table + loader + dynamic + strings


def programs():
    allow, kill = (6, 0, 0, 0x7fff0000), (6, 0, 0, 0)
    code = ((0x20, 0, 0, 0), (0x15, 1, 0, 1), allow, kill, (0x20, 0, 0, 16), (0x25, 1, 0, 7), (5, 0, 0, 1), allow, kill)
    with open("/bin/true", "rb") as file:
        elf = file.read()
    return {
        "script": b"E#! /bin/sh -e\n",
        "elf": b"E" + elf[:4096],
        "small": b"E" + small_elf(elf, b"/lib64/ld-linux-x86-64.so.2\0", (1, 2), (1, 10), (5, 0)),
        "static": b"E" + small_elf(elf, b"", (14, 2), (5, 0)),
        "filter": b"B" + b"".join(struct.pack("<HBBI", *one) for one in code),
    }


def main():
    fuzz("fuzz_symbols", symbols(), ("MSNAMES", r"\xff\xff\xff\x0f"), seconds=SECONDS, max_bytes=4096, runs_per_second=50)
    fuzz("fuzz_rules", rules(), ("leak:", "*", "^", "$"), seconds=SECONDS, max_bytes=400, runs_per_second=100)
    fuzz("fuzz_exec", programs(), (r"\x7fELF", "ld-linux", "#!/"), seconds=SECONDS, max_bytes=8192, runs_per_second=100)


try:
    main()
except subprocess.TimeoutExpired as late:
    check(False, f"{late}")
sys.exit(done())
