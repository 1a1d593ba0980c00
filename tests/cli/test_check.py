"""`check`: programs that allocate what is known (tests/programs/checked.c), against baselines and limits."""
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *
import jsonschema

ONE, TWO, MOVED = program("checked1"), program("checked2"), program("checked3")
SOURCE_FILE = os.path.join(SOURCE, "tests/programs/checked.c")
with open(SOURCE_FILE) as file:
    PLANTED = next(number for number, line in enumerate(file, 1) if line.rstrip().endswith("/* planted */"))
TEMPORARY = path("temporary")
os.mkdir(TEMPORARY)
os.environ["TMPDIR"] = TEMPORARY
os.environ["XDG_CACHE_HOME"] = path("cache")
with open(os.path.join(SOURCE, "docs/baseline.schema.json")) as file:
    schema = json.load(file)
with open(os.path.join(SOURCE, "docs/budget.schema.json")) as file:
    budget_schema = json.load(file)
for one in schema, budget_schema:
    jsonschema.Draft202012Validator.check_schema(one)
TOTALS = {"allocations": 113, "bytes": 1910, "peak": 160, "leaked": 60, "leaked_blocks": 1, "temporary": 107, "reallocations": 5}


def gate(*arguments, code=0, **more):
    """`malloscope check ARGUMENTS`, which must exit with the code."""
    got = run([MALLOSCOPE, "check", *arguments], **more)
    equal(got.returncode, code, f"check {arguments}: {got.stdout}{got.stderr}")
    return got


def rows(text):
    """metric → its figures, and its state"""
    table = {}
    for line in text.splitlines():
        got = re.fullmatch(r"  (\S+)((?: +[-+\d,]+)+)(?:  (\D.*))?", line)
        if got:
            table[got[1]] = ([int(word.replace(",", "")) if word != "-" else None for word in got[2].split()], got[3])
    return table


def baseline(name, *command, options=()):
    gate("--baseline", path(name), "--save-baseline", *options, "--", *command)
    with open(path(name)) as file:
        got = json.load(file)
    equal(list(jsonschema.Draft202012Validator(schema).iter_errors(got)), [], f"{name} against its schema")
    return path(name)


def one_line(got, *words):
    """It says one line on stderr, with these in it."""
    lines = got.stderr.splitlines()
    equal(len(lines), 1, f"one line: {got.stderr}")
    for word in words:
        check(word in got.stderr, f"it says {word}: {got.stderr}")


# --- a baseline, and the same again ---
base = baseline("base.json", ONE)
with open(base) as file:
    text = file.read()
first = json.loads(text)
platform, = first["platforms"]
check(platform.startswith("linux/") and platform.endswith("/glibc"), f"the platform: {platform}")
part = first["platforms"][platform]
equal({name: (m["least"], m["most"]) for name, m in part["metrics"].items()}, {name: (n, n) for name, n in TOTALS.items()}, "its metrics")
equal([(site["stack"], site["allocations"]) for site in part["sites"]],
      [(["grow", "main"], 6), (["parse", "main"], 100), (["serve", "main"], 7)], "its sites")
for kind in TOTALS: # what sites have is what there is
    equal(sum(site.get(kind, 0) for site in part["sites"]), TOTALS[kind], f"all sites' {kind}")
got = gate("--baseline", base, "--", ONE)
equal({name: figures for name, (figures, state) in rows(got.stdout).items()}, {name: [n, n, 0, n] for name, n in TOTALS.items()}, "the same again")
equal((got.stderr, "Within limits." in got.stdout), ("", True), "nothing to complain of")
gate("--baseline", base, "--", MOVED)

# What is outside of main() is the C library's: whether that has names or not, the sites are the same.
other = baseline("unnamed.json", ONE, options=["--no-cache", "--debug-paths", path("nowhere")])
equal(json.load(open(other))["platforms"][platform]["sites"], part["sites"], "without debug files of the C library")

# --- more: found, named with the line ---
got = gate("--baseline", base, "--", TWO, code=2)
table = rows(got.stdout)
equal(table["allocations"], ([113, 123, 10, 113], "regression"), "allocations")
equal(table["bytes"], ([1910, 2150, 240, 1910], "regression"), "bytes")
equal((table["leaked_blocks"], table["temporary"][1]), (([1, 11, 10, 1], "regression"), None), "leaked blocks, temporary")
culprits = re.search(r"^allocations: regression: .*\n((?: .*\n)+)", got.stdout, re.M)[1].splitlines()
check(re.fullmatch(rf"    \+10 calls \(0 -> 10\)  parse  .*checked\.c:{PLANTED}", culprits[0]), f"the culprit: {culprits}")
check(len(culprits) == 2 and re.search(r"from  main  .*checked\.c:\d+$", culprits[1]), f"and nobody else: {culprits}")
got = gate("--baseline", baseline("moved.json", MOVED), "--", TWO, code=2) # lines have moved: the new one is found all the same
check(re.search(rf"\+10 calls \(0 -> 10\)  parse  .*checked\.c:{PLANTED}\n", got.stdout), f"the line: {got.stdout}")

# --- less ---
better = baseline("two.json", TWO)
got = gate("--baseline", better, "--", ONE)
equal(rows(got.stdout)["allocations"], ([123, 113, -10, 123], "improvement"), "an improvement")
gate("--baseline", better, "--fail-on-improvement", "--", ONE, code=4)
gate("--baseline", better, "--fail-on-improvement", "--", TWO)
gate("--baseline", better, "--fail-on-improvement", "--max", "bytes=1000", "--", ONE, code=2)
gate("--baseline", better, "--fail-on-improvement", "--tolerance", "all=100%+100", "--", ONE)

# --- under load, never a failure ---
busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 2)]
try:
    for i in range(20):
        gate("--baseline", base, "--fail-on-improvement", "--", ONE)
finally:
    for process in busy:
        process.kill()
        process.wait()


# --- what is not the same in each run: run N of it has N * times allocations more than 113, from `first` on ---
def unsteady(first, times=1): # first: modulo 256; 255 is -1
    with open(path("run"), "wb") as file:
        file.write(bytes([first]))
    return ["--", ONE, "unsteady", path("run"), str(times)]


got = gate("--baseline", base, "--metrics", "allocations", *unsteady(0), code=3)
one_line(got, "allocations is not the same in each run", "differ by 2", "unsteady at checked.c:", "--tolerance", "--allow-unstable")
check(re.search(r"0 to 2 calls  unsteady  .*checked\.c:\d+", got.stdout), f"the unstable site: {got.stdout}")
got = gate("--baseline", base, "--metrics", "allocations", "--tolerance", "allocations=2", *unsteady(0))
equal(rows(got.stdout)["allocations"][0], [113, 113, 0, 2, 117], "baseline, now, change, spread, and the spread on top of the tolerance")
gate("--baseline", base, "--metrics", "allocations", "--tolerance", "allocations=1", *unsteady(0), code=3)
gate("--baseline", base, "--metrics", "allocations", "--tolerance", "allocations=2%", *unsteady(0))
gate("--baseline", base, "--metrics", "allocations", "-r", "2", *unsteady(0)) # 1 is one per cent of 113
gate("--baseline", base, "--metrics", "allocations", "--tolerance", "allocations=6", *unsteady(8)) # 121 is 113 + 6 + 2
gate("--baseline", base, "--metrics", "allocations", "--tolerance", "allocations=6", *unsteady(30), code=2)
gate("--baseline", base, "--metrics", "allocations", "--allow-unstable", *unsteady(0))
gate("--baseline", base, "--metrics", "reallocations,temporary", *unsteady(0))
gate("--max", "allocations=1000", *unsteady(0)) # beyond doubt
gate("--max", "allocations=114", *unsteady(0), code=3)
gate("--max", "allocations=110", *unsteady(0), code=2)
gate("--max", "allocations=150", "--allow-unstable", *unsteady(253, -100)) # 413, 313, 213, and then, measured again, 113
# Its own baseline remembers what its runs differed by.
baseline("unsteady.json", *unsteady(0)[1:])
equal(json.load(open(path("unsteady.json")))["platforms"][platform]["metrics"]["allocations"], {"least": 113, "most": 115}, "a range")
got = gate("--baseline", path("unsteady.json"), "--metrics", "allocations", "--", ONE, code=3)
check("the baseline's 3 runs differ by 2" in got.stderr, f"the baseline's: {got.stderr}")
gate("--baseline", path("unsteady.json"), "--metrics", "allocations", "--tolerance", "allocations=2", "-r", "1", *unsteady(4)) # 117 is 113 + 2 + 2
# Warm-ups do not count: the first two runs would have 113 and 123.
got = gate("--max", "allocations=1000", "-r", "1", "-w", "2", *unsteady(0, 10))
equal(rows(got.stdout)["allocations"][0], [133, 1000], "after two warm-ups")

# --- threads that race: refused, or tolerated ---
racing = baseline("threads.json", ONE, "threads")
stacks = [frame for site in json.load(open(racing))["platforms"][platform]["sites"] for frame in site["stack"]]
check(any(re.search(r" \((libc|ld-\S+)\.so\)$", frame) for frame in stacks), f"libraries without their versions: {stacks}")
for _ in range(3):
    got = run([MALLOSCOPE, "check", "--baseline", racing, "--", ONE, "threads"])
    check(got.returncode in (0, 3), f"threads: {got.returncode}: {got.stdout}{got.stderr}")
    check(got.returncode == 0 or "contend at checked.c:" in got.stderr or "baseline's" in got.stderr, f"it names them: {got.stderr}")
    gate("--baseline", racing, "--tolerance", "all=0%+1G", "--", ONE, "threads")

# --- built anew, elsewhere, stripped with a debug file ---
os.makedirs(path("elsewhere/far"))
shutil.copy(SOURCE_FILE, path("elsewhere/other.c"))
for version, name in (1, "built1"), (2, "built2"):
    must("gcc", "-O1", "-g", "-fno-builtin", "-fno-optimize-sibling-calls", "-fno-omit-frame-pointer", "-Wl,-z,norelro", f"-DVERSION={version}", "-I" + SOURCE,
         "-Wl,-Ttext-segment=0x600000", "-no-pie", "-o", path(f"elsewhere/far/{name}"), path("elsewhere/other.c"), "-lpthread")
gate("--baseline", base, "--", path("elsewhere/far/built1"))
got = gate("--baseline", base, "--", path("elsewhere/far/built2"), code=2)
check(re.search(rf"\+10 calls \(0 -> 10\)  parse  .*other\.c:{PLANTED}\n", got.stdout), f"built anew: {got.stdout}")
os.mkdir(path("stripped"))
for version, code in (1, 0), (2, 2):
    file = path(f"stripped/checked{version}")
    shutil.copy(program(f"checked{version}"), file)
    must("objcopy", "--only-keep-debug", file, file + ".debug")
    must("objcopy", "--strip-all", "--add-gnu-debuglink=" + file + ".debug", file)
    got = gate("--baseline", base, "--no-cache", "--", file, code=code)
check(re.search(rf"\+10 calls \(0 -> 10\)  parse  .*checked\.c:{PLANTED}\n", got.stdout), f"stripped: {got.stdout}")

# --- what cannot be measured ---
for mode, words in ("fails", ["run 1 of 3", "exit status 7", "--ignore-failure"]), ("nothing", ["not one allocation", "doctor"]):
    one_line(gate("--baseline", base, "--", ONE, mode, code=3), *words)
got = gate("--baseline", base, "--", ONE, "aborts", code=3)
check("killed by signal 6" in got.stderr, f"a signal: {got.stderr}")
gate("--baseline", base, "--ignore-failure", "--", ONE, "fails")
got = gate("--baseline", base, "--", "no-such-program", "argument", code=3)
one_line(got, "no-such-program: not found")
check(got.stdout.startswith("check: no-such-program argument: 0 runs"), f"what it was to be: {got.stdout}")
one_line(gate("--baseline", base, "--within", "nobody", "--", ONE, code=3), "--within", "none", "nobody")
none = baseline("none.json", ONE, options=["--mark", "ready"])
one_line(gate("--baseline", none, "--mark", "ready", "--", ONE, "nothing", code=3), "not one allocation")
with open(path("within.json"), "w") as file: # as if `parse` had been `serve` once
    file.write(text.replace('"runs": 3,', '"runs": 3,\n "scope": {"within": "gone"},'))
one_line(gate("--baseline", path("within.json"), "--within", "gone", "--", ONE, code=3), "no recorded stack has a function")
with open(path("most.json"), "w") as file: # a mark with nothing in it
    file.write(text.replace('"runs": 3,', '"runs": 3,\n "scope": {"mark": "done"},'))
one_line(gate("--baseline", path("most.json"), "--mark", "done", "--", ONE, code=3), "no allocation was measured in run 1", "--update")
with open(path("static.c"), "w") as file:
    file.write("#include <stdlib.h>\nint main(void) { return !malloc(1); }\n")
must("gcc", "-static", "-o", path("static"), path("static.c"))
one_line(gate("--baseline", base, "--", path("static"), code=3), "static")
one_line(gate("--baseline", base, "--platform", "other", "--", ONE, code=3), "no baseline of other", platform, "--save-baseline")
got = gate("--baseline", base, "--compiler", "gcc-1", "--", ONE, code=3)
one_line(got, f"no baseline of {platform}/gcc-1")

# --- logs ---
logs = [path(f"run{i}.mscope") for i in range(3)]
for log in logs:
    equal(record([ONE], log).returncode, 0, f"recording {log}")
equal(record([TWO], path("two.mscope")).returncode, 0, "recording two")
equal(rows(gate("--baseline", base, *logs).stdout)["allocations"], ([113, 113, 0, 113], None), "three logs")
gate("--baseline", base, path("two.mscope"), code=2)
gate("--baseline", base, "--metrics", "allocations", logs[0], path("two.mscope"), code=3)
r = report(logs[0])
equal({"allocations": r["counts"]["allocations"], "bytes": r["bytes"]["allocated"], "peak": r["bytes"]["peak"], "leaked": r["bytes"]["leaked"],
       "leaked_blocks": r["blocks"]["leaked"], "temporary": r["counts"]["temporary"], "reallocations": r["counts"]["by_function"]["realloc"]},
      TOTALS, "the same that a report has")
with open(logs[0], "rb") as file:
    whole = file.read()
with open(path("cut.mscope"), "wb") as file:
    file.write(whole[:-100])
got = gate("--baseline", base, path("cut.mscope"), code=3)
check("events are missing in the log" in got.stderr, f"a cut log: {got.stderr}")
for options in ["--sample", "100"], ["--min-size", "20"]:
    equal(record([ONE], path("part.mscope"), *options).returncode, 0, f"recording {options}")
    one_line(gate("--baseline", base, path("part.mscope"), code=3), options[0], "estimates are no gate")
one_line(gate("--baseline", base, base, code=64), "not a malloscope log", "behind --")
one_line(gate("--baseline", base, path("nowhere"), code=64), "nowhere: cannot open")

# --- limits and budgets ---
equal(rows(gate("--max", "allocations=113", "--max", "leaked=1K", "--", ONE).stdout)["allocations"], ([113, 113], None), "as many as it may")
got = gate("--max", "allocations=112", "--", ONE, code=2)
check(re.search(r"\n    100 calls  parse  .*checked\.c:\d+\n", got.stdout), f"who allocates: {got.stdout}")
gate("--max", "leaked_blocks=0", "--", ONE, code=2)
gate("--max", "sites.parse.allocations=100", "--max", "modules.checked1.bytes=1910", "--max", "marks.ready.allocations=7", "--max",
     "sites.main.allocations=0", "--", ONE)
for limit in "sites.parse.allocations=99", "modules.checked1.bytes=1909", "marks.ready.allocations=6", "sites.grow.reallocations=4":
    got = gate("--max", limit, "--", ONE, code=2)
    equal(rows(got.stdout)[limit.split("=")[0]], ([int(limit.split("=")[1]) + 1, int(limit.split("=")[1])], "regression (--max)"), limit)
one_line(gate("--max", "marks.never.allocations=1", "--", ONE, code=3), "did not set the mark never")
got = gate("--max", "modules.libc.allocations=100", "--max", "allocations=1K", "--", ONE)
equal(rows(got.stdout)["modules.libc.allocations"], ([0, 100], None), "libc by its short name")


def budget(value):
    with open(path("budget.json"), "w") as file:
        file.write(value if isinstance(value, str) else json.dumps(value))
    return ["--budget", path("budget.json")]


good = {"allocations": 113, "sites": {"parse": {"allocations": 100}}, "modules": {"checked1": {"bytes": "1MiB"}}, "marks": {"ready": {"leaked": 0}}}
equal(list(jsonschema.Draft202012Validator(budget_schema).iter_errors(good)), [], "a budget against its schema")
gate(*budget(good), "--", ONE)
got = gate(*budget({**good, "sites": {"parse": {"allocations": 99}}}), "--", ONE, code=2)
equal(rows(got.stdout)["sites.parse.allocations"], ([100, 99], "regression (budget)"), "a budget that is exceeded")
for bad, word in ("", "is empty"), ("{", "is no JSON"), ("[]", "no object"), ({}, "has no limits"), ({"alocations": 1}, "alocations"), \
        ({"sites": {"f": {"x": 1}}}, "sites.f.x"), ({"sites": 3}, "sites"), ({"bytes": -1}, "bytes"), ({"bytes": "1 elephant"}, "bytes"), \
        ({"marks": {"": {"bytes": 1}}}, "marks"), ({"schema": "malloscope-budget/9", "bytes": 1}, "malloscope-budget/9"):
    one_line(gate(*budget(bad), "--", ONE, code=64), word, "budget.json")

# --- a part of the program ---
for options, allocations in (["--within", "parse"], 100), (["--within", "main"], 113), (["--mark", "ready"], 7), \
        (["--mark", "done"], 0), (["--exclude-module", "libm"], 113), (["--within", "grow", "--mark", "ready"], 0):
    equal(rows(gate(*options, "--max", "allocations=1000", "--", ONE).stdout)["allocations"], ([allocations, 1000], None), f"{options}")
equal(rows(gate("--mark", "ready", "--max", "allocations=1000", *unsteady(5)).stdout)["allocations"], ([7, 1000], None), "up to the next mark")
gate("--baseline", base, "--", ONE, env={"MALLOSCOPE_SAMPLE": "100", "MALLOSCOPE_MIN_SIZE": "20"})
one_line(gate("--mark", "never", "--max", "bytes=1", "--", ONE, code=3), "--mark never", "did not set")
gate("--baseline", baseline("serve.json", ONE, options=["--within", "serve"]), "--within", "serve", "--", TWO)
gate("--baseline", base, "--metrics", "sites,modules", "--", ONE)
got = gate("--baseline", base, "--metrics", "sites", "--", TWO, code=2)
equal({name: state for name, (figures, state) in rows(got.stdout).items()},
      {"sites.grow.allocations": None, "sites.parse.allocations": "regression", "sites.serve.allocations": None}, "each function")

# --- the program's input and output ---
with open(path("words"), "w") as file:
    file.write("3 good words\n")
reader = ["sh", "-c", "read a b; echo \"got $a\"; echo wrong >&2; [ \"$a\" = 3 ]"]
got = gate("--max", "allocations=1M", "--input", path("words"), "--show-output", "-r", "1", "--", *reader)
check("got 3\nwrong\n" in got.stderr and "got" not in got.stdout.replace(str(reader[2]), ""), f"its output: {got.stdout} {got.stderr}")
got = gate("--max", "allocations=1M", "-r", "1", "--", *reader, code=3)
check("got" not in got.stderr and got.stderr.startswith("wrong\n"), f"away, but why it failed: {got.stderr}")
got = gate("--max", "allocations=1M", "--input", path("words"), "-r", "1", "--", *reader)
equal(got.stderr, "", "what it says is not shown where all is well")
with open(path("error"), "w") as error: # whatever standard error is, the program finds the same
    kind = ["sh", "-c", "[ -f /dev/stderr ] && [ /dev/stdout -ef /dev/null ] && [ /dev/stdin -ef /dev/null ]"]
    gate("--max", "allocations=1M", "-r", "1", "--", *kind)
    equal(subprocess.run([MALLOSCOPE, "check", "--max", "allocations=1M", "-r", "1", "--", *kind], stderr=error, stdout=error).returncode, 0, "a file")

# --- saving ---
odd = '{ "platforms" : {\n\t"aa" :{"runs":1,"metrics":{"allocations":{"least":5, "most":5}},\n "sites":[ ] , "x": "}\\"{"},"zz":  %s  }\n,\n "schema":"' \
      'malloscope-baseline/1", "note": [1,2] }' % '{"runs": 2, "metrics":{"allocations":{"most":7,"least":7}}, "sites": [] }'
with open(path("odd.json"), "w") as file:
    file.write(odd)
os.chmod(path("odd.json"), 0o640)
before, after = odd.index('"zz"'), odd[odd.index('"zz"'):]
got = gate("--baseline", path("odd.json"), "--save-baseline", "--", ONE)
with open(path("odd.json")) as file:
    saved = file.read()
check(saved.startswith(odd[:before]) and saved.endswith(after), f"the others byte for byte: {saved}")
equal(list(json.loads(saved)["platforms"]), ["aa", platform, "zz"], "in order")
equal(os.stat(path("odd.json")).st_mode & 0o777, 0o640, "its mode")
one_line(gate("--baseline", path("odd.json"), "--save-baseline", "--", ONE, code=64), "--update")
got = gate("--baseline", path("odd.json"), "--update", "--", TWO)
with open(path("odd.json")) as file:
    updated = file.read()
check(updated.startswith(odd[:before]) and updated.endswith(after), f"the others byte for byte: {updated}")
equal(json.loads(updated)["platforms"][platform]["metrics"]["allocations"]["least"], 123, "and this one anew")
# What it prints is a patch.
os.mkdir(path("tree"))


def apply(printed, old, new, file):
    patch = printed[printed.index("--- "):printed.index("\ncheck: ")] + "\n"
    with open(path("tree/" + file), "w") as to:
        to.write(old if old.endswith("\n") else old + "\n") # git wants the last newline
    applied = subprocess.run(["git", "apply", "-p0"], cwd=path("tree"), input=patch.replace(path(file), file), text=True, capture_output=True)
    equal(applied.returncode, 0, f"git apply: {applied.stderr}\n{patch}")
    with open(path("tree/" + file)) as got:
        equal(got.read(), new if new.endswith("\n") else new + "\n", f"the patch applied:\n{patch}")


apply(got.stdout, saved, updated, "odd.json")
baseline("many.json", program("versions1"))
for command in [program("versions2")], [program("versions1")], [ONE], [TWO], [ONE, "threads"], [program("versions2")], ["sh", "-c", "exit 0"], [ONE]:
    with open(path("many.json")) as file:
        old = file.read()
    got = gate("--baseline", path("many.json"), "--update", "--", *command)
    with open(path("many.json")) as file:
        apply(got.stdout, old, file.read(), "many.json")
check("is as it was" in gate("--baseline", path("odd.json"), "--update", "--", TWO).stdout, "nothing to change")
with open(path("odd.json")) as file:
    equal(file.read(), updated, "not a byte")
gate("--baseline", path("odd.json"), "--update", "--", ONE, "fails", code=3)
with open(path("odd.json")) as file:
    equal(file.read(), updated, "what failed is not saved")
equal([name for name in os.listdir(WORK) if name.startswith((".malloscope-", "odd.json."))], [], "nothing beside it")

# --- hostile baselines ---
# A merge in git: what to do is said; a link stays one, though nothing is there yet; what is read-only stays as it is.
with open(path("merged.json"), "w") as file:
    file.write(text.replace('      "runs"', '<<<<<<< HEAD\n      "runs"', 1))
for action in [], ["--update"]:
    got = gate("--baseline", path("merged.json"), *action, "--", ONE, code=64)
    one_line(got, "conflict markers (line 6)", "git checkout --theirs", "--update")
with open(path("merged_budget.json"), "w") as file:
    file.write("<<<<<<< HEAD\n")
one_line(gate("--budget", path("merged_budget.json"), "--", ONE, code=64), "conflict markers (line 1)", "resolve")
os.mkdir(path("linked"))
os.symlink("linked/second.json", path("first.json"))
os.symlink("third.json", path("linked/second.json"))
gate("--baseline", path("first.json"), "--save-baseline", "--", ONE)
check(os.path.islink(path("first.json")) and os.path.islink(path("linked/second.json")) and os.path.isfile(path("linked/third.json")), "links stay")
gate("--baseline", path("first.json"), "--", ONE)
os.symlink("loop.json", path("loop.json"))
one_line(gate("--baseline", path("loop.json"), "--save-baseline", "--", ONE, code=64), "loop.json", "symbolic links")
os.chmod(path("linked/third.json"), 0o444)
with open(path("first.json"), "rb") as file:
    before = file.read()
one_line(gate("--baseline", path("first.json"), "--update", "--", TWO, code=64), "first.json: is read-only", "chmod u+w")
with open(path("first.json"), "rb") as file:
    check(file.read() == before, "what is read-only stays as it is")
for option in "--compiler", "--platform":
    for _ in range(2):
        one_line(gate("--baseline", path("names.json"), "--update", option, b"g\xff", "--", ONE, code=64), option, "UTF-8")
check(not os.path.exists(path("names.json")), "no name that would not come back")

for bad, *words in ("", "is empty"), (" \n", "is empty"), ("\0\1\2", "is no JSON"), (text[:300], "is no JSON"), ("[1]", "no object"), ("{}", "schema"), \
        (text.replace("baseline/1", "baseline/2"), "malloscope-baseline/2", "reads malloscope-baseline/1"), \
        (text.replace("baseline/1", "diff/1"), "malloscope-diff/1"), ('{"schema": "malloscope-baseline/1"}', "platforms"), \
        (text.replace("113", "-113"), "allocations"), (text.replace("113", "1.5"), "allocations"), (text.replace("113", '"113"'), "allocations"), \
        (text.replace('"least": 113', '"least": 114'), "allocations"), (text.replace('"metrics"', '"metric"'), "metrics"), \
        (text.replace('"stack"', '"stock"'), "stack"), (text.replace('"sites"', '"sight"'), "sites"), (text.replace('["serve"', '["parse"'), "once"), \
        (text.replace('"parse", "main"', ""), "stack"), (text.replace('"leaked":', '"bytes":', 1), "duplicate"), ("[" * 100000, "is no JSON"):
    with open(path("bad.json"), "w") as file:
        file.write(bad)
    one_line(gate("--baseline", path("bad.json"), logs[0], code=64), "bad.json", *words)
with open(path("bad.json"), "w") as file:
    file.write(text.replace("113", "-113"))
gate("--baseline", path("bad.json"), "--update", logs[0]) # what is replaced may be anything
gate("--baseline", path("bad.json"), logs[0])
with open(path("bad.json"), "w") as file: # as large as numbers are: no sum runs over
    file.write(text.replace('"least": 113, "most": 113', '"least": 9000000000000000000, "most": 9223372036854775807')
               .replace('"parse": {"allocations": 100', '"parse": {"allocations": [100, 9223372036854775807]'))
equal(rows(gate("--baseline", path("bad.json"), "--metrics", "allocations", "--tolerance", "all=1000000%+8000000000G", logs[0]).stdout)["allocations"][0][-1],
      2**63 - 1, "the largest limit")
one_line(gate("--baseline", WORK, logs[0], code=64), "no regular file")
one_line(gate("--baseline", path("nowhere.json"), logs[0], code=64), "no such file", "--save-baseline")
dice = random.Random(5)
for i in range(150):
    bytes_now = bytearray(text.encode())
    for _ in range(dice.randrange(1, 4)):
        at = dice.randrange(len(bytes_now))
        if dice.random() < 0.5:
            bytes_now[at] = dice.randrange(256)
        else:
            del bytes_now[at:at + dice.randrange(1, 40)]
    with open(path("bad.json"), "wb") as file:
        file.write(bytes_now)
    got = run([MALLOSCOPE, "check", "--baseline", path("bad.json"), *(["--update"] if i % 3 == 0 else []), logs[0]])
    check(got.returncode in (0, 2, 3, 64) and "Sanitizer" not in got.stderr, f"{bytes(bytes_now)}: {got.returncode}: {got.stderr}")
    check(got.returncode != 64 or len(got.stderr.splitlines()) == 1, f"one line: {got.stderr}")

# --- usage ---
for arguments, word in ([], "which program"), (["--", "ls"], "compared with what"), (["--max", "allocation=1", "--", "ls"], "no such metric"), \
        (["--max", "bytes=1T", "--", "ls"], "--max bytes=1T"), (["--tolerance", "bytes=-1", "--", "ls"], "--tolerance"), (["--foo"], "--foo"), \
        (["--metrics", "sizes", "--", "ls"], "--metrics"), (["-r", "0", "--", "ls"], "--runs 0"), (["--update", "--", "ls"], "--baseline"), \
        (["--max", "bytes=1", "--input", path("nowhere"), "--", "ls"], "nowhere: cannot be read"), \
        (["--exclude-module", "(", "--", "ls"], "regular expression"), (["--max"], "needs a value"):
    one_line(gate(*arguments, code=64), word, "check --help")
text = gate("--help").stdout
check("Exit codes: 0" in text and all(len(line) <= 80 for line in text.splitlines()), "--help fits a terminal")
with open(os.path.join(SOURCE, "docs/man/malloscope.1")) as file:
    manual = file.read().replace("\\-", "-")
for option in set(re.findall(r"--[a-z][a-z-]+", text)):
    check(option in manual, f"check {option} is in the manual page")

# --- lambdas: one more renumbers the others, which have not changed ---
LAMBDAS = """#include <cstdlib>
static void *volatile kept;
int main() {
%s    auto first = [](int n) { for (int i = 0; i < n; i++) kept = malloc(16); };
    auto second = [](int n) { for (int i = 0; i < n; i++) kept = malloc(17); };
    first(100 + MORE); second(40);
}
"""
NEW = "    auto start = [](int n) { for (int i = 0; i < n; i++) kept = malloc(5); }; start(1);\n"
for name, new, flags in ("before", "", ["-O0"]), ("after", NEW, ["-O0"]), ("faster", NEW, ["-O2"]), ("more", NEW, ["-O0", "-DMORE=5"]):
    os.mkdir(path(name))
    with open(path(f"{name}/lambdas.cpp"), "w") as file:
        file.write(LAMBDAS % new)
    got = run(["g++", "-g", "-fno-builtin", "-DMORE=0" if len(flags) < 2 else "-w", *flags, "-o", path(f"{name}/lambdas"), path(f"{name}/lambdas.cpp")])
    equal(got.returncode, 0, f"building {name}: {got.stderr}")
numbered = baseline("lambdas.json", path("before/lambdas"))
for compiler_flags in "after", "faster", "more":
    got = gate("--baseline", numbered, "--metrics", "sites", "--json", "--", path(f"{compiler_flags}/lambdas"), code=2)
    regressions = {metric["name"]: [(culprit["frames"][0]["line"], culprit["before"], culprit["now"]) for culprit in metric["culprits"]]
                   for metric in json.loads(got.stdout)["metrics"] if metric["state"] == "regression"}
    lines = [(5, 100, 105), (4, 0, 1)] if compiler_flags == "more" else [(4, 0, 1)]
    equal(regressions, {"sites.main::{lambda(int)}::operator().allocations": lines}, f"{compiler_flags}: what has changed")
gate("--max", "sites.main::{lambda(int)#1}::operator().allocations=1", "--", path("after/lambdas"))
gate("--max", "sites.main::{lambda(int)#2}::operator().allocations=99", "--", path("after/lambdas"), code=2)
gate("--max", "sites.main::{lambda(int)}::operator().allocations=140", "--", path("after/lambdas"), code=2)
gate("--baseline", numbered, "--metrics", "sites", "--", path("before/lambdas"))

# --- nothing stays, whatever ends it ---
for number in signal.SIGTERM, signal.SIGHUP, signal.SIGINT:
    process = subprocess.Popen([MALLOSCOPE, "check", "--max", "bytes=1M", "--", ONE, "sleeps"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for _ in range(600):
        if any(live_files(log) for log in glob.glob(TEMPORARY + "/*/run.mscope")):
            break
        time.sleep(0.02)
    time.sleep(0.1)
    process.send_signal(number)
    process.communicate(timeout=60)
    equal(process.returncode, -number, "it ends by the signal")
equal(os.listdir(TEMPORARY), [], "no logs are left")
sys.exit(done())
