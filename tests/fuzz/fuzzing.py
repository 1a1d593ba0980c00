"""Builds a libFuzzer target of this directory and runs it for a while, beginning with its corpus: what earlier
runs found worth keeping. Needs clang and its fuzzer runtime, which scripts/test installs."""
import base64
import concurrent.futures
import glob
import io
import os
import re
import shutil
import tarfile
import zlib

from lib import SOURCE, WORK, check, path, run

FLAGS = ["-g", "-O1", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=undefined"]
DEFINED = ["-D_GNU_SOURCE", '-DMALLOSCOPE_VERSION="fuzzed"', "-I."]
LIBRARIES = ["-lpthread", "-lzstd", "-ljansson", "-lm"]

# What each of them is made of, beside tests/fuzz/NAME.c.
SOURCES = {
    "fuzz_log": ("tests/fuzz/views.c", "format/*.c", "analyze/util.c", "analyze/hash*.c", "analyze/log/*.c", "analyze/model/*.c",
                 "analyze/render/*.c", "!analyze/render/plot_sizes.c", "analyze/symbols/spelling.c"),
    "fuzz_trim": ("tests/fuzz/made_log.c", "format/*.c", "analyze/util.c", "analyze/hash*.c", "analyze/log/*.c", "analyze/model/*.c"),
    "fuzz_cfi": ("interpose/inside/cfi*.c",),
    "fuzz_symbols": ("format/*.c", "analyze/util.c", "analyze/hash*.c", "analyze/symbols/*.c", "!analyze/symbols/resolve.c", "!analyze/symbols/worker.c"),
    "fuzz_rules": ("analyze/util.c", "analyze/render/suppressions.c", "analyze/symbols/spelling.c", "format/record.c"),
    "fuzz_exec": ("interpose/outside/exec_target.c", "interpose/outside/filter.c", "interpose/inside/process.c"),
}
LIBRARIES_OF = {"fuzz_symbols": ["-lelf", "-ldw", "-ldeflate", "-llzma", "-liberty"]}


def corpus_path(name):
    return os.path.join(SOURCE, f"tests/fuzz/corpus/{name}/corpus.tar.xz")


def corpus(name):
    """The committed one: name -> bytes."""
    with tarfile.open(corpus_path(name), "r:xz") as archive:
        return {entry.name: archive.extractfile(entry).read() for entry in archive if entry.isfile()}


def write_corpus(name, inputs):
    """The same inputs make the same file."""
    os.makedirs(os.path.dirname(corpus_path(name)), exist_ok=True)
    with tarfile.open(corpus_path(name), "w:xz", format=tarfile.USTAR_FORMAT) as archive:
        for one, data in sorted(inputs.items()):
            entry = tarfile.TarInfo(one)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


def sources_of(name):
    found = [f"tests/fuzz/{name}.c"]
    for pattern in SOURCES[name]:
        if pattern.startswith("!"):
            found.remove(pattern[1:])
        else:
            found += sorted(glob.glob(pattern, root_dir=SOURCE))
    return found


def build(name):
    """The program, or None."""
    if not check(shutil.which("clang"), "clang is not installed: install clang and libclang-rt-14-dev"):
        return None
    objects = path(f"{name}-objects")
    os.mkdir(objects)

    def compiled(source):
        made = os.path.join(objects, source.replace("/", "_") + ".o")
        return made, run(["clang", *FLAGS, *DEFINED, "-c", source, "-o", made], cwd=SOURCE, timeout=300)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = list(pool.map(compiled, sources_of(name)))
    bad = [got.stderr for _, got in parts if got.returncode]
    if not check(not bad, f"the fuzzer compiles: {''.join(bad)[-2000:]}"):
        return None
    fuzzer = path(name)
    linked = run(["clang", *FLAGS, *(made for made, _ in parts), "-o", fuzzer, *LIBRARIES, *LIBRARIES_OF.get(name, [])], timeout=300)
    shutil.rmtree(objects)
    major = re.search(r"version (\d+)", run(["clang", "--version"]).stdout)
    package = f"libclang-rt-{major.group(1) if major else 14}-dev"
    missing = "libclang_rt.fuzzer" in linked.stderr or "libclang_rt.asan" in linked.stderr
    why = f"clang has no fuzzer runtime: install {package}" if missing else f"the fuzzer builds: {linked.stderr[-2000:]}"
    return fuzzer if check(linked.returncode == 0, why) else None


def crash_inputs():
    """By which it can be repeated, as text."""
    found = []
    for name in glob.glob(path("crash-*")) + glob.glob(path("timeout-*")) + glob.glob(path("oom-*")):
        with open(name, "rb") as file:
            found.append("base64.b64decode and zlib.decompress give its input: " + base64.b64encode(zlib.compress(file.read(), 9)).decode())
    return "\n".join(found)


def fuzz(name, seeds, words, *, seconds, max_bytes, runs_per_second):
    """seeds: name -> bytes, beside the corpus. words: of the dictionary, as libFuzzer wants them."""
    fuzzer = build(name)
    if not fuzzer:
        return
    directory, kept = path(f"{name}.inputs"), corpus(name)
    os.mkdir(directory)
    check(len(kept) > 3, f"{name} has a corpus")
    for one, data in {**kept, **{f"seed-{one}": data for one, data in seeds.items()}}.items():
        with open(os.path.join(directory, one), "wb") as file:
            file.write(data)
    with open(path("words"), "w") as file:
        file.write("".join(f'"{word}"\n' for word in words))
    # All of the corpus comes first, however long that takes.
    ended = run([fuzzer, f"-max_total_time={seconds}", f"-max_len={max_bytes}", "-len_control=0", "-timeout=20",
                 "-rss_limit_mb=2560", "-print_final_stats=1", f"-dict={path('words')}", f"-artifact_prefix={WORK}/",
                 directory], env={"TMPDIR": WORK}, timeout=seconds * 3 + 300, cwd=WORK)
    check(ended.returncode == 0, f"{name} found a crash:\n{ended.stderr[-6000:]}\n{crash_inputs()}")
    runs = re.search(r"stat::number_of_executed_units: *(\d+)", ended.stderr)
    wanted = max(runs_per_second * seconds, len(kept))
    check(runs and int(runs.group(1)) >= wanted, f"{name} ran often enough: {runs.group(1) if runs else ended.stderr[-500:]} of {wanted}")
    check(not glob.glob(path(f"{name}-??????")), "it leaves no files")
