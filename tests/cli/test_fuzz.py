"""Fuzzes the log reader (tests/fuzz/fuzz_log.c) for a while: 20 seconds, 120 in the
long suite. Needs clang and its fuzzer runtime, which scripts/test installs."""
import glob
import os
import re
import shutil
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import SOURCE, WORK, check, done, path, run

if os.environ.get("TEST_SANITIZED"):
    sys.exit(done())  # the fuzzer has sanitizers of its own: once is enough
SECONDS = 120 if os.environ.get("TEST_LONG") else 20
FLAGS = ["-g", "-O1", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=undefined", "-D_GNU_SOURCE", "-I."]


def build():
    if not check(shutil.which("clang"), "clang is not installed: install clang and libclang-rt-14-dev"):
        return None
    sources = [name for pattern in ("tests/fuzz/fuzz_log.c", "format/*.c", "analyze/util.c", "analyze/log/*.c",
                                    "analyze/model/*.c") for name in sorted(glob.glob(pattern, root_dir=SOURCE))]
    fuzzer = path("fuzz_log")
    built = run(["clang", *FLAGS, *sources, "-o", fuzzer, "-lpthread"], cwd=SOURCE, timeout=300)
    major = re.search(r"version (\d+)", run(["clang", "--version"]).stdout)
    package = f"libclang-rt-{major.group(1) if major else 14}-dev"
    missing = "libclang_rt.fuzzer" in built.stderr or "libclang_rt.asan" in built.stderr
    why = f"clang has no fuzzer runtime: install {package}" if missing else f"the fuzzer builds: {built.stderr[-2000:]}"
    return fuzzer if check(built.returncode == 0, why) else None


def example():
    """The log in docs/format.md."""
    with open(os.path.join(SOURCE, "docs/format.md")) as document:
        lines = document.read().split("```hex\n")[1].split("```")[0].splitlines()
    return bytes.fromhex("".join(re.match(r"[0-9a-f]{4}  ((?:[0-9a-f]{2} ?)+)", line).group(1) for line in lines))


def seeds(directory):
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

    found = {
        "example": log,
        "records": records,
        "threads": head + b"".join(chunk(1, pid, stream, sequence, records) for pid, stream, sequence in
                                   ((1, 0, 1), (1, 0, 0), (1, 1, 0), (2, 0, 0), (2, 0, 2))) + session,
        "live": head + chunk(1, nobody, 0, 0, records) + slot(0, 1) + slot(1, 0) + session,
        "torn": head + chunk(1, 1, 0, 0, records)[:100] + chunk(1, 1, 0, 0, records) + session[:70],
    }
    os.mkdir(directory)
    for name, data in found.items():
        with open(os.path.join(directory, name), "wb") as file:
            file.write(data)


def main():
    fuzzer = build()
    if not fuzzer:
        return
    seeds(path("corpus"))
    with open(path("words"), "w") as file:
        file.write('"MSCK"\n"\\x8fMSCOPE\\x0a"\n"\\xff\\xff\\xff\\xff\\x0f"\n"\\x7f\\xff\\xff\\xff"\n')
    ended = run([fuzzer, f"-max_total_time={SECONDS}", "-max_len=8192", "-len_control=0", "-timeout=20", "-rss_limit_mb=2560",
                 "-print_final_stats=1", f"-dict={path('words')}", f"-artifact_prefix={WORK}/", path("corpus")],
                env={"TMPDIR": WORK}, timeout=SECONDS * 3 + 120, cwd=WORK)
    # With a crash comes its input in base64, by which it can be repeated.
    check(ended.returncode == 0, f"the fuzzer found a crash:\n{ended.stderr[-6000:]}")
    runs = re.search(r"stat::number_of_executed_units: *(\d+)", ended.stderr)
    check(runs and int(runs.group(1)) >= 20 * SECONDS, f"it ran often enough: {runs.group(1) if runs else ended.stderr[-500:]}")
    check(not glob.glob(path("fuzz_log-*")), "it leaves no files")


try:
    main()
except subprocess.TimeoutExpired as late:
    check(False, f"{late}")
sys.exit(done())
