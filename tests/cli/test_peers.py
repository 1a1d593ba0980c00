"""The same run of the same program under other tools: where they define a figure as we do, it is the same.

valgrind's DHAT counts a realloc as we do, one more block and its new bytes; but to the stack that made the block
at first, where we count it to that of the realloc: so with reallocs only sums are the same. Its t-gmax is our peak, and what is
allocated at t-end is what we call still allocated. It intercepts malloc by functions of its own, whose frames stand
where ours have none; the loader's and the C library's own start are named by other tools in other ways. So stacks
are compared from main inwards.

heaptrack sees one allocation more: what the loader allocates when libheaptrack itself is loaded (in no stack
with main). Its calls of `realloc` are compared in the flame graph's test; here the program makes none."""
import collections
import csv
import io
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

peers = program("peers")


def from_main(names):
    """A stack's functions, main first; None: main is not in it."""
    names = [name.split(" (")[0] for name in names]
    return tuple(names[names.index("main"):]) if "main" in names else None


def ours(words):
    """stack → [allocations, bytes, bytes at the peak, bytes left], and the report."""
    log, stacks = path("peers.mscope"), collections.defaultdict(lambda: [0] * 4)
    equal(record([peers, *words], log).returncode, 0, f"peers {words}")
    got = run([MALLOSCOPE, "sites", "--stacks", log])
    equal(got.returncode, 0, f"sites: {got.stderr}")
    for row in csv.DictReader(io.StringIO(got.stdout), delimiter="\t", quoting=csv.QUOTE_NONE):
        stack = from_main(row["stack"].split(";"))
        for i, column in enumerate(("allocations", "bytes", "peak_bytes", "leaked_bytes")):
            stacks[stack][i] += int(row[column])
    return stacks, report(log)


def dhat(words):
    out, stacks = path("dhat.out"), collections.defaultdict(lambda: [0] * 4)
    got = run(["valgrind", "--tool=dhat", f"--dhat-out-file={out}", peers, *words])
    if not check(got.returncode == 0, f"valgrind: {got.stderr}"):
        return None
    with open(out) as file:
        data = json.load(file)
    names = [name.split(": ", 1)[-1] for name in data["ftbl"]]
    for point in data["pps"]:
        stack = from_main([names[frame] for frame in reversed(point["fs"])][:-1])  # the last is DHAT's own malloc
        for i, column in enumerate(("tbk", "tb", "gb", "eb")):
            stacks[stack][i] += point[column]
    return stacks


def heaptracks():
    """stack → allocations."""
    stacks = collections.Counter()
    data = heaptrack([peers], "heaptrack")
    if not data:
        return None
    got = run(["heaptrack_print", "-f", data, "-F", path("folded"), "--flamegraph-cost-type", "allocations"])
    equal(got.returncode, 0, f"heaptrack_print: {got.stderr}")
    with open(path("folded")) as file:
        for line in file:
            frames, _, count = line.rpartition(" ")
            stacks[from_main(frames.rstrip(";").split(";"))] += int(count)
    return stacks


for words in [], ["realloc"]:
    what = f"peers {' '.join(words)}".strip()
    mine, r = ours(words)
    theirs = dhat(words)
    if theirs:
        if not words:
            equal(dict(mine), dict(theirs), f"{what}: stacks of DHAT")
        equal(len(theirs), 5, f"{what}: DHAT saw the program: {dict(theirs)}")
        sums = [sum(column) for column in zip(*theirs.values())]
        equal([r["counts"]["allocations"], r["bytes"]["allocated"], r["bytes"]["peak"], r["bytes"]["leaked"]], sums, f"{what}: DHAT's sums")
    if not words and (counts := heaptracks()):
        counts.pop(None, None)
        equal({stack: costs[0] for stack, costs in mine.items()}, dict(counts), f"{what}: stacks of heaptrack")
sys.exit(done())
