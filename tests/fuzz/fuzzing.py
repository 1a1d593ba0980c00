"""Builds a libFuzzer target of this directory and runs it for a while. Needs clang
and its fuzzer runtime, which scripts/test installs."""
import glob
import os
import re
import shutil

from lib import SOURCE, WORK, check, path, run

FLAGS = ["-g", "-O1", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=undefined", "-D_GNU_SOURCE", "-I."]


def build(name, *patterns):
    """tests/fuzz/NAME.c with these sources; the program, or None."""
    if not check(shutil.which("clang"), "clang is not installed: install clang and libclang-rt-14-dev"):
        return None
    sources = [found for pattern in (f"tests/fuzz/{name}.c", *patterns) for found in sorted(glob.glob(pattern, root_dir=SOURCE))]
    fuzzer = path(name)
    built = run(["clang", *FLAGS, *sources, "-o", fuzzer, "-lpthread", "-lzstd", "-ljansson", "-lm"], cwd=SOURCE, timeout=300)
    major = re.search(r"version (\d+)", run(["clang", "--version"]).stdout)
    package = f"libclang-rt-{major.group(1) if major else 14}-dev"
    missing = "libclang_rt.fuzzer" in built.stderr or "libclang_rt.asan" in built.stderr
    why = f"clang has no fuzzer runtime: install {package}" if missing else f"the fuzzer builds: {built.stderr[-2000:]}"
    return fuzzer if check(built.returncode == 0, why) else None


def fuzz(fuzzer, seeds, words, *, seconds, max_bytes, runs_per_second):
    """seeds: name -> bytes. words: of the dictionary, as libFuzzer wants them."""
    os.mkdir(path("corpus"))
    for name, data in seeds.items():
        with open(path(f"corpus/{name}"), "wb") as file:
            file.write(data)
    with open(path("words"), "w") as file:
        file.write("".join(f'"{word}"\n' for word in words))
    ended = run([fuzzer, f"-max_total_time={seconds}", f"-max_len={max_bytes}", "-len_control=0", "-timeout=20",
                 "-rss_limit_mb=2560", "-print_final_stats=1", f"-dict={path('words')}", f"-artifact_prefix={WORK}/",
                 path("corpus")], env={"TMPDIR": WORK}, timeout=seconds * 3 + 120, cwd=WORK)
    # With a crash comes its input in base64, by which it can be repeated.
    check(ended.returncode == 0, f"the fuzzer found a crash:\n{ended.stderr[-6000:]}")
    runs = re.search(r"stat::number_of_executed_units: *(\d+)", ended.stderr)
    check(runs and int(runs.group(1)) >= runs_per_second * seconds,
          f"it ran often enough: {runs.group(1) if runs else ended.stderr[-500:]}")
