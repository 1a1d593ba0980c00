"""`diff`: two builds of a program whose allocations are known (tests/programs/versions.c)."""
import json
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *
import jsonschema

with open(os.path.join(SOURCE, "docs/diff.schema.json")) as file:
    schema = json.load(file)
jsonschema.Draft202012Validator.check_schema(schema)
one, again, two, renamed = (path(name + ".mscope") for name in ("one", "again", "two", "renamed"))
os.mkdir(path("new"))
shutil.copy(program("versions2"), path("new/versions1")) # a later build under the same name
for command, log in (program("versions1"), one), (program("versions1"), again), (path("new/versions1"), two), (program("versions2"), renamed):
    equal(record([command], log).returncode, 0, f"recording {command}")


def diff(old, new, *options, code=0):
    got = run([MALLOSCOPE, "diff", "--json", *options, old, new])
    equal(got.returncode, code, f"diff {options}: {got.stderr}")
    d = json.loads(got.stdout)
    equal(list(jsonschema.Draft202012Validator(schema).iter_errors(d)), [], f"diff {options} against its schema")
    # What changed explains how the totals did, in every cost.
    for cost in d["before"]["totals"] if "--filter" not in options and "-n" not in options and not d["after"]["sample_bytes"] else ():
        if cost == "temporary" and None in (d["before"]["totals"][cost], d["after"]["totals"][cost]):
            continue
        equal(sum(row["after"][cost] - row["before"][cost] for row in d["rows"]), d["after"]["totals"][cost] - d["before"]["totals"][cost],
              f"diff {options}: rows against totals, {cost}")
    return d


def sites(old, new, *options, code=0):
    return diff(old, new, "--sites", *options, code=code)


def rows(d):
    """function → (change, allocations before, after, bytes before, after, leaked before, after)"""
    return {row["frames"][0]["function"]: (row["change"], *(row[side][cost] for cost in ("allocations", "allocated", "leaked")
                                                            for side in ("before", "after"))) for row in d["rows"]}


WANTED = {"grown": ("changed", 13, 15, 650, 900, 650, 900), "fewer": ("changed", 40, 10, 320, 80, 0, 0),
          "removed": ("only_before", 5, 0, 5000, 0, 0, 0), "added": ("only_after", 0, 7, 0, 14000, 0, 14000),
          "forgets": ("changed", 6, 6, 180, 180, 0, 180)}
OWN = {"versions1", "versions2"}

# --- the same program twice: nothing differs, wherever it was loaded ---
d = diff(one, again)
equal((d["rows"], d["warnings"], d["counts"]["changed"]), ([], [], 0), "two runs of one program")
check(d["counts"]["unchanged"] >= 4, f"its sites: {d['counts']}")
equal(sites(one, again)["rows"], [], "and their sites")
equal(diff(one, again, "--stacks")["by"], "stack", "stacks are the default")
equal(diff(one, again, "--by", "line")["rows"], [], "and their lines")

# --- a later version, by call sites ---
for new, others in (two, []), (renamed, ["other commands were recorded", "versions1 and versions2 are taken for one program"]):
    d = sites(one, new)
    equal(rows(d), WANTED, "what has changed")
    equal([row["frames"][0]["function"] for row in d["rows"]], ["added", "removed", "grown", "fewer", "forgets"], "the largest change first")
    equal(d["counts"], {"changed": 3, "only_before": 1, "only_after": 1, "unchanged": 2}, "counts")
    totals = {side: (d[side]["totals"]["allocations"], d[side]["totals"]["allocated"], d[side]["totals"]["leaked"], d[side]["totals"]["temporary"])
              for side in ("before", "after")}
    equal(totals, {"before": (89, 8200, 650, 76), "after": (63, 17210, 15080, 35)}, "totals")
    equal({row["frames"][0]["module"] for row in d["rows"]}, {"versions1"}, "one module")
    equal(len(d["warnings"]), len([text for text in others if text != "other commands were recorded"]) + 1, f"warnings: {d['warnings']}")
    for text in others:
        check(any(text in warning for warning in d["warnings"]), f"it says {text}: {d['warnings']}")
# --- what is as before, on request: all there is in the two, nothing twice ---
d, every = sites(one, two), sites(one, two, "--unchanged")
equal(every["rows"][:5], d["rows"], "what has changed comes first")
equal([(row["change"], row["before"] == row["after"]) for row in every["rows"][5:]], [("unchanged", True)] * 2, "then what has not")
equal((every["counts"], every["warnings"]), (d["counts"], d["warnings"]), "the same counts and notes")
for cost in "allocations", "allocated", "leaked", "temporary":
    for side in "before", "after":
        equal(sum(row[side][cost] for row in every["rows"]), every[side]["totals"][cost], f"all rows have all {cost} {side}")
equal(len(diff(one, again, "--unchanged")["rows"]), diff(one, again)["counts"]["unchanged"], "two runs of one program: all of it")
text = run([MALLOSCOPE, "diff", "--sites", "--unchanged", one, two]).stdout
equal(len(re.findall(r"^ +\d  as before$", text, re.M)), 2, f"in text: {text}")
d = sites(two, one)
equal(rows(d)["removed"], ("only_after", 0, 5, 0, 5000, 0, 0), "the other way round")

# --- costs, filters, parts ---
for cost, order in ("allocations", ["fewer", "added", "removed", "grown", "forgets"]), ("leaked", ["added", "grown", "forgets", "removed", "fewer"]), \
        ("temporary", ["fewer", "forgets", "removed", "added", "grown"]), ("allocated", ["added", "removed", "grown", "fewer", "forgets"]):
    d = sites(one, two, "--cost", cost)
    equal([row["frames"][0]["function"] for row in d["rows"]], order, f"by {cost}")
    equal([row["frames"][0]["function"] for row in sites(one, two, "--cost", cost, "-n", "2")["rows"]], order[:2], f"two by {cost}")
equal(set(rows(sites(one, two, "--filter", "^(grown|added)$"))), {"grown", "added"}, "a filter")
equal(set(rows(sites(one, two, "--filter", "other"))), {"grown"}, "a filter that a caller matches")
equal(rows(sites(one, two, "--filter", "nothing of that name")), {}, "a filter that nothing matches")
d = sites(one, two, "--filter", "other")
equal((rows(d)["grown"][1:3], d["before"]["totals"]["allocations"]), ((3, 0), 89), "totals stay whole")

# --- stacks ---
d = diff(one, two, "--stacks")
stacks = {tuple(f["function"] for f in row["frames"] if f["module"] in OWN): (row["change"], row["before"]["allocations"], row["after"]["allocations"])
          for row in d["rows"]}
equal(stacks, {("grown", "main", "_start"): ("changed", 10, 15), ("grown", "other", "main", "_start"): ("only_before", 3, 0),
               ("fewer", "main", "_start"): ("changed", 40, 10), ("removed", "main", "_start"): ("only_before", 5, 0),
               ("added", "main", "_start"): ("only_after", 0, 7), ("forgets", "main", "_start"): ("changed", 6, 6),
               ("moved", "early", "main", "_start"): ("changed", 4, 1), ("moved", "late", "main", "_start"): ("changed", 1, 4)}, "stacks")
check("moved" not in rows(sites(one, two)), "what callers do more and less is nothing to their site")

# --- lines: what has moved is another place ---
by_line = diff(one, two, "--by", "line")
equal({(row["frames"][0]["function"], row["change"]) for row in by_line["rows"] if row["frames"][0]["function"] in ("same", "grown")},
      {(name, change) for name in ("same", "grown") for change in ("only_before", "only_after")}, "moved lines")
check(all(row["frames"][0]["file"].endswith("/versions.c") and row["frames"][0]["line"] for row in by_line["rows"]), "source lines")

# --- text ---
got = run([MALLOSCOPE, "diff", "--sites", one, two], env={"LC_ALL": "C"})
equal((got.returncode, got.stderr), (0, ""), "as text")
for wanted in ("allocations                   89              63             -26  -29.2 %", "3 call sites changed, 1 only before, 1 only after, 2 as before",
               "   1  +13.7 KiB, +7 allocations  only after", "   3  +250 B  +38.5 %, +2 allocations", "650 B -> 900 B, in 13 -> 15 allocations",
               "versions1 grown", " +180 B still allocated, -6 temporary", "180 B, in 6 allocations", "still allocated 0 B -> 180 B; temporary 6 -> 0", "from  versions1 main", "Before: Trust: 1 process", "After:  Trust: 1 process", "Note: other commands were recorded"):
    check(wanted in got.stdout, f"the text says {wanted!r}: {got.stdout}")
check(got.stdout.isascii(), "in ASCII")
check("... and 4 more (-n)" in run([MALLOSCOPE, "diff", "--sites", "-n", "1", one, two]).stdout, "-n")
text = run([MALLOSCOPE, "diff", one, two], env={"LC_ALL": "C"}).stdout
check("5 stacks changed, 2 only before, 1 only after" in text and "from  versions1 early" in text and "from  versions1 main" in text and "_start" not in text, f"stacks: {text}")
text = run([MALLOSCOPE, "diff", "--depth", "1", one, two], env={"LC_ALL": "C"}).stdout
check("... 1 more frame (--depth)" in text and "versions1 main" not in text, f"--depth 1: {text}")
check(all(len(line) <= 80 for line in text.splitlines() if not line.startswith(("Note", "Before:", "After:"))), f"80 columns: {text}")

# --- not comparable, damaged, wrong ---
sampled, paused = path("sampled.mscope"), path("paused.mscope")
record([program("versions1")], sampled, "--sample=100")
record([program("versions1")], paused, "--min-size=60")
check(any("sampled differently" in w for w in diff(one, sampled)["warnings"]), "a sample and all of it")
check(any("both are samples" in w for w in diff(sampled, sampled)["warnings"]), "two samples")
d = diff(one, paused)
check(any("small allocations" in w for w in d["warnings"]), "small ones left out")
equal((d["after"]["totals"]["temporary"], d["rows"][0]["after"]["temporary"]), (None, None), "temporary is not known")
equal(rows(diff(sampled, sampled)), {}, "a sample against itself")
cut = path("cut.mscope")
with open(two, "rb") as whole, open(cut, "wb") as file:
    file.write(whole.read()[:-300])
d = diff(one, cut, code=1)
check(any("the second log is incomplete" in w for w in d["warnings"]), f"a cut log: {d['warnings']}")
for arguments, wanted in (([one], "which two logs?"), ([one, two, again], "not also"), (["--cost", "x", one, two], "--cost x: want"),
                          (["--by", "x", one, two], "--by x"), (["--filter", "(", one, two], "--filter ("), (["-n", "x", one, two], "-n x"), (["--depth", "0", one, two], "--depth 0")):
    got = run([MALLOSCOPE, "diff", *arguments])
    check(got.returncode == 2 and wanted in got.stderr and len(got.stderr.splitlines()) == 1, f"{arguments}: {got.stderr}")
got = run([MALLOSCOPE, "diff", one, path("none")])
check(got.returncode == 1 and "cannot open" in got.stderr and not got.stdout, f"a log that is not there: {got.stderr}")

sys.exit(done())
