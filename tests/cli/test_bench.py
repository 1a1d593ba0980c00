"""tests/bench/run works and prints every row; its programs are as deep as they say. How
long anything takes is not judged."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

BUILD = os.path.dirname(os.path.dirname(MALLOSCOPE))
bench = os.path.join(SOURCE, "tests/bench/run")


def stacks(call_graph, name, *arguments):
    """Of the benchmark program's own calls of malloc, the frames inward of main or of a thread's start."""
    log = path("bench.mscope")
    got = record([os.path.join(BUILD, "tests/bench", name), *arguments], log, "--call-graph", call_graph)
    equal(got.returncode, 0, f"{name} {arguments}: {got.stderr}")
    check(re.fullmatch(r"\d+\.\d\d \d+\.\d\d\n", got.stdout),
          f"{name} {arguments} prints CPU and wall time: {got.stdout!r}")
    found = []
    for event in dump(log, stacks=True):
        names = [frame.split(" ")[-1] for frame in event.frames]
        outermost = [names.index(name) for name in ("start", "main") if name in names]
        if event.kind == "malloc" and outermost and event.frames[0].startswith(f"#0 {name}+"):
            found.append(tuple(event.frames[:outermost[0]]))
    return found


def tables(output):
    """Title → column names and rows: name → cells."""
    found, rows = {}, None
    for line in output.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            rows = None
        elif rows is None:
            rows = {}
            found[cells[0]] = cells[1:], rows
        elif cells[0] != "---":
            rows[cells[0]] = cells[1:]
    return found


if not os.environ.get("TEST_SANITIZED"):
    for call_graph, suffix in (("auto", ""), ("fp", "-fp")):
        for depth in (5, 60):
            found = stacks(call_graph, "pairs" + suffix, "same", "300", str(depth))
            equal((len(found), {len(frames) for frames in found}), (303, {depth}),
                  f"pairs{suffix} same is {depth} deep")
            equal(len(set(found)), 1, f"pairs{suffix} same has one stack")
            found = stacks(call_graph, "pairs" + suffix, "varied", "3000", str(depth))
            equal({len(frames) for frames in found}, {depth, depth + 1}, f"pairs{suffix} varied is {depth} deep")
            check(len({frames[0] for frames in found}) > 900, f"pairs{suffix} varied has many leaves")
            equal(len({frames[2:] for frames in found if len(frames) > depth}), 1, "and one stem")
        found = stacks(call_graph, "paths" + suffix, "3000", "20", "1000")
        equal({len(frames) for frames in found}, {20}, f"paths{suffix} is 20 deep")
        check(len(set(found)) > 900, f"paths{suffix} has many paths")
        changed = sum(a[18] != b[18] for a, b in zip(found, found[1:])) / len(found)
        check(changed > 0.7, f"paths{suffix}: frames differ from near main on: {changed}")
    found = stacks("auto", "threads", "4000", "2")
    equal((len(found), {len(frames) for frames in found if len(frames) > 1}), (4001, {20, 21}), "threads is 20 deep")

    tiny = {"BUILD": BUILD, "BENCH_SCALE": "0.002", "TMPDIR": WORK, "BENCH_CFILE": ""}
    before = sorted(os.listdir(WORK))
    got = run([bench, "1"], env=tiny)
    equal((got.returncode, complaints(got.stderr)), (0, ""), "tests/bench/run 1")
    equal(sorted(os.listdir(WORK)), before, "it leaves no file behind")
    check(re.match(r"\S.*, \d+ cores, Linux .*; 1 round\n\n\|", got.stdout),
          f"one line on the machine: {got.stdout[:300]}")
    found = tables(got.stdout)
    equal(len(found), 15, "its tables")
    for title in [title for title in found if title.startswith(("the whole way", "reading, ", "`report` of made-up"))]:
        columns, cells = found.pop(title)
        equal(len(cells), 4 if "made-up" in title else 3, f"rows of {title}")
        for name, row in cells.items():
            check(len(row) == len(columns) and all(row[:2]) and all(
                re.fullmatch(r"(-?\d+(\.\d+)?( million| [+/] -?\d+\.\d+)?)?|its interpreter failed", cell) for cell in row),
                f"{title}, {name}: figures: {row}")
    rows = ["untraced", "no stacks (`--call-graph=none`)", "own unwinder (`--call-graph=auto`)",
            "frame pointers (`--call-graph=fp`)", "libunwind (`--call-graph=libunwind`)", "a sample (`--sample`)"]
    if any(os.path.exists(f"/usr/lib/{name}heaptrack/libheaptrack_preload.so")
           for name in ("", "x86_64-linux-gnu/", "aarch64-linux-gnu/")):
        rows.append("heaptrack's library")
    for title, (columns, cells) in found.items():
        wanted = ["`hist`", "`report`"] if title.startswith(("reading", "the log of", "the same, packed")) else rows
        if title.endswith("seconds, least / median"):
            wanted = ["untraced", "`record --no-compress`", "`record`"]
        equal([name.replace(", not added", "") for name in cells], wanted, f"rows of {title}")
        for name, row in cells.items():
            log = [""] if name.startswith("untraced") and "log" in columns[-1] else []
            check(len(row) == len(columns) and row[len(row) - len(log):] == log and
                  all(re.fullmatch(r"×?-?\d+(\.\d+)?( million| / \d+\.\d+)?", cell) for cell in row[:len(row) - len(log)]),
                  f"{title}, {name}: a figure in each column: {row}")

    only = tables(run([bench, "1", "paths", "read"], env=tiny).stdout)
    equal([title.split(" ")[0] for title in only], ["1,000", "reading", "the", "the"], "parts of it")
    with open(path("big.c"), "w") as file:
        file.write("int f(int x)\n{\n    return x;\n}\nint g(void);\n")
    got = run([bench, "1", "real"], env={**tiny, "BENCH_CFILE": path("big.c")})
    check("| cc1 -O1 on 4 lines of big.c:" in got.stdout, f"BENCH_CFILE: {got.stdout[:300]} {got.stderr}")
    if os.environ.get("TEST_LONG"): # all files of this project, as one
        sys.path.insert(0, os.path.dirname(bench))
        import big_file
        got = run(["gcc", "-fsyntax-only", "-w", *big_file.FLAGS, "-x", "c", "-"], stdin=None, input=big_file.make(1), timeout=600)
        equal((got.returncode, got.stderr), (0, ""), "the big C file")
    got = run([bench, "--help"])
    check(got.returncode == 0 and "[ROUNDS]" in got.stdout, "--help")
    got = run([bench, "1", "nothing"])
    check(got.returncode == 1 and len(got.stderr.splitlines()) == 1 and "nothing" in got.stderr,
          f"no such part: {got.stderr}")
sys.exit(done())
