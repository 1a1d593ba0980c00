"""Stacks are exact. tests/programs/torture.cpp tells the stack of each of its
allocations, as the C++ runtime's unwinder sees it, and the log must have the same;
with MALLOSCOPE_CHECK_STACKS the recorder compares every stack of real programs with
libunwind's. What cannot be exact is marked, and nothing else is."""
import collections
import os
import platform
import random
import re
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

LOG, TRUTH = path("log.mscope"), path("truth")
LIBRARIES = [program("torture1.so"), program("torture2.so")]
LONG = bool(os.environ.get("TEST_LONG"))
DEPTH_MAX = 1024
CHECKED = {"MALLOSCOPE_CHECK_STACKS": "1"}


def read_truth():
    """What the last program told: {tid: [(size, [frame ...])]}."""
    truth = collections.defaultdict(list)
    with open(TRUTH) as file:
        for tid, size, *frames in map(str.split, file):
            truth[int(tid)].append((int(size), frames))
    return truth


def told(command, *options, **more):
    """Records a program that tells its stacks on descriptor 3. {tid: [(size, [frame ...])]}"""
    descriptor = os.open(TRUTH, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    os.dup2(descriptor, 3)
    if descriptor != 3:
        os.close(descriptor)
    got = record(command, LOG, *options, pass_fds=(3,), **more)
    os.close(3)
    equal((got.returncode, got.stderr), (0, ""), f"{command}: runs as ever")
    return read_truth()


def logged(kind="memalign"):
    """{tid: [(size, [frame ...], [function ...])]} of one kind of allocation."""
    got = run([MALLOSCOPE, "dump", "--stacks", LOG])
    equal(got.returncode, 0, f"dump: {got.stderr}")
    events, frames = collections.defaultdict(list), None
    for line in got.stdout.splitlines():
        if line.startswith("\t"):
            what, *where = line[1:].split("\t")  # where: in the source, and whether it is inlined
            if frames is not None and where[-1:] != ["inlined"]:
                fields = what.split(None, 2)
                frames[0].append(fields[1])
                frames[1].append(fields[2] if len(fields) > 2 else "")
            continue
        fields = line.split(" ")
        frames = None
        if fields[3] == kind:
            frames = [], []
            events[int(fields[2])].append((int(fields[5]), *frames))
    return events


def compare(truth, events, what, limit=DEPTH_MAX, leave_out=lambda frame: False):
    """Every told stack is the logged one, but for the innermost frame: that is the address of another call."""
    wrong = compared = 0
    for tid, told_stacks in truth.items():
        equal([s[0] for s in events[tid]], [s[0] for s in told_stacks], f"{what}: thread {tid} allocated in this order")
        for (size, frames), (_, got, names) in zip(told_stacks, events[tid]):
            frames = [f for f in frames[1:] if not leave_out(f)][:limit - 1]
            got = [f for f in got[1:] if not leave_out(f)]
            compared += 1
            if frames != got:
                wrong += 1
                if wrong <= 3:
                    print(f"{what}: {size} bytes, told:\n  {frames}\nlogged:\n  {got}")
    check(compared > 100, f"{what}: {compared} stacks compared")
    equal(wrong, 0, f"{what}: wrong stacks of {compared}")
    return compared


def trusted(what, **expected):
    r = report(LOG)
    wanted = {"lost_events": 0, "unmatched_frees": 0, "partial_stacks": 0, "guessed_stacks": 0, "fallback_stacks": 0,
              "differing_stacks": 0, **expected}
    for name, value in wanted.items():
        if value is not None:
            equal(r["trust"][name], value, f"{what}: {name}")
    return r


# --- a program of all shapes, compiled in all ways ---
seeds = range(1, 5) if LONG else (1,)
rounds = "250" if LONG else "60"
for build in "O0", "O2", "O2_frame_pointers", "O3":
    for seed in seeds:
        what, torture = f"torture_{build}, seed {seed}", [program(f"torture_{build}"), str(seed), rounds]
        truth = told([*torture, *LIBRARIES])
        compare(truth, logged(), f"{what}, libraries come and go")
        trusted(what, cut_stacks=4)  # at every 2,500th level of 10,000

        # What a signal may interrupt: the middle of a prologue has rules that follow other registers. The program sees to
        # it that libunwind is there by then: on a signal's stack it is not loaded, and the stack would be partial.
        truth = told([*torture, "interrupt"])
        compare(truth, logged(), f"{what}, interrupted")
        r = trusted(f"{what}, interrupted", fallback_stacks=None)
        check(platform.machine() != "x86_64" or r["trust"]["fallback_stacks"], f"{what}: libunwind took the first stack")
        check(r["trust"]["fallback_stacks"] <= r["counts"]["allocations"] / 20,
              f"{what}: {r['trust']['fallback_stacks']} stacks of {r['counts']['allocations']} fell back to libunwind")

        for more in LIBRARIES, ["interrupt"]:
            told([*torture, *more], env=CHECKED)
            r = trusted(f"{what}, {more}, checked", fallback_stacks=None)
            equal(r["processes"][0]["call_graph"], "auto, checked", f"{what}: each stack was compared with libunwind's")

# The return of a signal's handler is code of libc's with rules of its own, where signals come, too: at its two instructions.
if platform.machine() == "x86_64":
    got = record([program("interrupted_return")], LOG)
    taken = {size: " ".join(names) for stacks in logged("malloc").values() for size, _, names in stacks}
    check(int(got.stdout) >= 2, f"interrupted_return: {got.stdout} instructions")
    for size in range(1001, 1001 + int(got.stdout)):
        check("on_trap" in taken[size] and "main" in taken[size], f"interrupted_return, instruction {size - 1000}: {taken[size]}")
    trusted("interrupted_return")

# --- the other ways to take a stack ---
torture = [program("torture_O2_frame_pointers"), "3", "40"]
# Code of the C and C++ libraries has no frame pointers: stacks through it are not compared.
truth = told(torture, "--call-graph", "fp")
events = logged()
own = {tid: [(s, f) for s, f in stacks if all(x == "-" or x.startswith("torture") for x in f[:-4])]
       for tid, stacks in truth.items()}
right = sum(frames[1:-4] == got[1][1:len(frames) - 4] for tid, stacks in truth.items()
            for (size, frames), got in zip(stacks, events[tid])
            if all(x == "-" or x.startswith("torture") for x in frames[:-4]))
of = sum(map(len, own.values()))
check(of > 100 and right >= of * 0.95, f"--call-graph=fp: {right} of {of} stacks in own code are right")
compare(told(torture, "--call-graph", "libunwind"), logged(), "--call-graph=libunwind")

for depth in 1, 2, 7, 1024:
    truth = told(torture, "--max-depth", str(depth))
    events = logged()
    if depth > 1:
        compare(truth, events, f"--max-depth {depth}", limit=depth)
    deeper = sum(len(frames) > depth for stacks in truth.values() for _, frames in stacks)
    cut = report(LOG)["trust"]["cut_stacks"]
    check(cut >= deeper > 0, f"--max-depth {depth}: {cut} cut stacks, {deeper} of the told ones")
    equal(max(len(got) for stacks in events.values() for _, got, _ in stacks), depth, f"--max-depth {depth}: frames")
for value in "0", "1025", "few":
    got = record(["true"], LOG, "--max-depth", value)
    check(got.returncode == 2 and "--max-depth" in got.stderr, f"--max-depth {value} is refused: {got.stderr}")

# --- without the loader's index of modules, as in older C libraries ---
with open(os.path.join(SOURCE, "interpose/meson.build")) as file:
    sources = [s if s.startswith("format") else f"interpose/{s}" for s in re.findall(r"'([\w/]+\.c)'", file.read())]
sources += [f"format/{name}.c" for name in ("checksum", "chunk", "decode", "encode", "output_name", "record")]
old_shim = path("libmalloscope.so")
built = run(["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-fPIC", "-shared", "-fvisibility=hidden",
             "-fno-omit-frame-pointer", "-fno-builtin-malloc", "-fno-builtin-calloc", "-fno-builtin-realloc",
             "-fno-builtin-free", "-fno-strict-aliasing", "-ftls-model=initial-exec", "-DMALLOSCOPE_NO_FIND_OBJECT",
             '-DLIBUNWIND_SONAME="libunwind.so.8"', "-I", SOURCE, *[os.path.join(SOURCE, s) for s in sources], "-o",
             old_shim, f"-Wl,--version-script={SOURCE}/interpose/exports.map", "-ldl", "-lpthread"])
if check(built.returncode == 0, f"the shim without _dl_find_object is built: {built.stderr[:2000]}"):
    what = "without _dl_find_object"
    descriptor = os.open(TRUTH, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    os.dup2(descriptor, 3)
    if os.path.exists(LOG):
        os.remove(LOG)
    got = run([program("torture_O2"), "5", "40", *LIBRARIES], pass_fds=(3,),
              env={"LD_PRELOAD": old_shim, "MALLOSCOPE_OUTPUT": LOG})
    equal((got.returncode, got.stderr), (0, ""), f"{what}: the program runs")
    os.close(3)
    compare(read_truth(), logged(), what)
    trusted(what)

# --- code that no tables describe ---
got = record([program("jit"), LIBRARIES[0]], LOG)
equal((got.returncode, got.stdout, got.stderr), (0, "", ""), "jit: the library comes to the same place")
stacks = collections.defaultdict(set)
for thread in logged("malloc").values():
    for size, frames, names in thread:
        stacks[size].add(tuple(names if all(names) else [n or f.split("+")[0] for n, f in zip(names, frames)]))
OUTER = ("main", "__libc_start_call_main", "__libc_start_main", "_start")
equal(stacks[1001], {("take", "?", "run_made", *OUTER)}, "jit: made code with a frame pointer is stepped over")
equal({s[:2] for s in stacks[1002]}, {("take", "?")}, "jit: without, the stack ends there")
equal({len(s) for s in stacks[1002]}, {2}, "jit: and does not go astray")
equal(stacks[1003], {("take", "inner", "call_through", "call_library", *OUTER)}, "jit: a library")
equal({s[:2] for s in stacks[1004]}, {("take", "?")}, "jit: a copy of its code has no name")
equal(stacks[1005], stacks[1003], "jit: the library again, where the copy was")
r = report(LOG)
equal((r["trust"]["partial_stacks"], r["trust"]["guessed_stacks"] >= 10, r["trust"]["fallback_stacks"]), (10, True, 0),
      "jit: what is not sure is marked")

# --- stacks that the program switches by hand ---
got = record([program("switched")], LOG)
equal((got.returncode, got.stderr), (0, ""), "switched: runs as ever")
stacks = collections.defaultdict(set)
for size, frames, names in next(iter(logged("malloc").values())):
    stacks[size].add(tuple(names))
equal(stacks[2001], {("take", "switch_by_frame_pointer", *OUTER)}, "switched: back to the first stack by the frame pointer")
equal({s[:2] for s in stacks[2002]}, {("take", "switch_unsaid")}, "switched: what the tables hide")
equal(stacks[2004], {("take", "switch_unsaid")}, "switched: a return address of 0 is an end")
equal(stacks[2005], {("take", "switch_unsaid", "take")}, "switched: where it was another, there is more")
r = report(LOG)
equal((r["trust"]["partial_stacks"], r["trust"]["fallback_stacks"]), (30, 0), "switched: and where it is partial")
got = record([program("switched")], LOG, "--call-graph", "fp")
equal((got.returncode, got.stderr), (0, ""), "switched, --call-graph=fp: runs as ever")

# --- unwind tables that are rubbish: the program must not suffer ---
with open(LIBRARIES[0], "rb") as file:
    whole = file.read()
sections = {name: (int(offset, 16), int(size, 16)) for name, offset, size in
            re.findall(r"\] (\.eh_frame\S*) +\S+ +[0-9a-f]+ ([0-9a-f]+) ([0-9a-f]+)",
                       run(["readelf", "-SW", LIBRARIES[0]]).stdout)}
equal(sorted(sections), [".eh_frame", ".eh_frame_hdr"], "the library has unwind tables")
garbled = path("garbled.so")
for seed in range(400 if LONG else 60):
    chance, library = random.Random(seed), bytearray(whole)
    for name, (offset, size) in sections.items():
        if name == ".eh_frame_hdr" and seed % 3:
            continue
        every = range(size) if seed % 5 == 0 else [chance.randrange(size) for _ in range(chance.randrange(1, 12))]
        for i in every:
            library[offset + i] = chance.randrange(256)
    with open(garbled, "wb") as file:
        file.write(library)
    got = record([program("jit"), garbled], LOG)
    equal((got.returncode, got.stderr), (0, ""), f"unwind tables garbled, seed {seed}: the program runs")

# --- real programs, each stack compared with libunwind's ---
small = path("small.cc")
with open(small, "w") as file:
    file.write("#include <map>\n#include <string>\n#include <stdexcept>\n#include <vector>\n#include <algorithm>\n"
               "int main() { std::map<std::string, std::vector<int>> m;\n"
               "for (int i = 0; i < 9; i++) try { if (i % 3) throw std::runtime_error(\"x\"); m[\"a\"].push_back(i); }\n"
               "catch (const std::exception &e) { m[e.what()].push_back(i); }\n"
               "for (auto &p : m) std::sort(p.second.begin(), p.second.end()); return m.size() > 9; }\n")
cc1, cc1plus = (run(["gcc", f"-print-prog-name={name}"]).stdout.strip() for name in ("cc1", "cc1plus"))
SCRIPT = """
import collections, json, re, sqlite3
d = json.loads(json.dumps([{"a": i, "b": str(i)} for i in range(2000)]))
c = collections.Counter(str(x) for x in d)
m = [re.sub("a+(b|c)*", "x", "aab" * i) for i in range(50)]
class A:
    def __init__(self, n): self.n = [A(n - 1) for i in range(2)] if n else []
A(8)
"""
programs = {
    "cc1": [cc1, "-quiet", "-O2", "-I", SOURCE, "-imultiarch", "x86_64-linux-gnu", "-D_GNU_SOURCE",
            os.path.join(SOURCE, "format/decode.c"), "-o", "/dev/null"],
    "cc1plus": [cc1plus, "-quiet", "-O1", "-imultiarch", "x86_64-linux-gnu", "-D_GNU_SOURCE", small, "-o", "/dev/null"],
    "python3": ["/usr/bin/python3", "-c", SCRIPT],
    "bash": ["bash", "-c", "f() { local a=($(seq 200)); for i in ${a[@]}; do x=$x$i; b[$i]=$x; done; echo ${#x}; }; f; f | cat"],
    "perl": ["perl", "-e", "my %h; $h{$_} = 'x' x ($_ % 50) for 1 .. 3000; my @a = map { join '', sort split //, \"q$_\" } 1 .. 300;"],
    "git": ["git", "--no-pager", "-c", "safe.directory=*", "-C", SOURCE, "log", "--no-merges", "--stat", "-20"],
    "node": ["node", "-e", "let a = []; for (let i = 0; i < 30000; i++) a.push({ i, s: 'x' + i });"
             "console.log(JSON.stringify(a).length, require('zlib').gzipSync('x'.repeat(1e5)).length)"],
}
for name, command in programs.items():
    command[0] = shutil.which(command[0]) or command[0]
    got = record(command, LOG, env={**CHECKED, "PYTHONMALLOC": "malloc"}, timeout=300)
    equal(got.returncode, 0, f"{name}: runs: {got.stderr[:300]}")
    jit = name == "node"
    r = trusted(name, **({"partial_stacks": None, "guessed_stacks": None} if jit else {}))
    n = r["counts"]["allocations"]
    check(n > 1000, f"{name}: {n} allocations")
    equal(r["processes"][0]["call_graph"], "auto, checked", f"{name}: each stack was compared with libunwind's")
    if jit:
        check(r["trust"]["partial_stacks"] < n / 100, f"node: {r['trust']['partial_stacks']} partial stacks of {n}")
        check(0 < r["trust"]["guessed_stacks"] < n / 4, f"node: {r['trust']['guessed_stacks']} guessed stacks of {n}")
    if name == "cc1":
        check(r["trust"]["recorder_thread_bytes"] <= 1 << 20, f"memory: {r['trust']['recorder_thread_bytes']} a thread")
sys.exit(done())
