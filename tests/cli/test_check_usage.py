"""`check` that is called wrongly (exit status 64): what an earlier run has left in its outputs does not stay, and nothing else is touched."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

ONE = program("checked1")
os.environ["XDG_CACHE_HOME"] = path("cache")
FILES = {"--junit": path("o.xml"), "--markdown": path("o.md"), "--benchmark-json": path("o.json")}
OUTPUTS = [word for pair in FILES.items() for word in pair]
with open(path("bad.json"), "w") as file:
    file.write("{}")
good = ["--max", "allocations=1000"]


def stale(*files):
    for file in files:
        with open(file, "w") as to:
            to.write("STALE")


def contents(*files):
    got = []
    for file in files:
        with open(file) as it:
            got.append(it.read())
    return got


for wrong in ["--max", "allocations=x"], ["--nonsense"], ["--json", "--tap", *good], ["--metrics", "no", *good], ["--update", *good], ["-r", "0", *good], \
        ["--budget", path("missing.json")], ["--baseline", path("bad.json")], ["--input", path("missing"), *good], ["--exclude-module", "(", *good], []:
    for words in [*OUTPUTS, *wrong, "--", ONE], [*wrong, *OUTPUTS, "--", ONE], [*OUTPUTS, *wrong, "--max"]:
        stale(*FILES.values())
        got = run([MALLOSCOPE, "check", *words])
        equal((got.returncode, len(got.stderr.splitlines())), (64, 1), f"{words}: {got.stderr}")
        equal(contents(*FILES.values()), [""] * 3, f"{words}: what is left")

# --- inputs, and what is not there ---
for option in "--baseline", "--budget", "--input", "--suppressions":
    stale(path("input"), *FILES.values())
    got = run([MALLOSCOPE, "check", *OUTPUTS, option, path("input"), "--junit", path("input"), "--max", "x", "--", ONE])
    equal((got.returncode, contents(path("input"))), (64, ["STALE"]), f"{option}: an input stays: {got.stderr}")
for words in [path("input")], ["--", path("input")], ["--", "cat", path("input")]:
    got = run([MALLOSCOPE, "check", "--junit", path("input"), "--markdown", path("new.md"), "--max", "x", *words])
    equal((got.returncode, contents(path("input"))), (64, ["STALE"]), f"{words}: a log, a program and what it reads stay: {got.stderr}")
check(not os.path.exists(path("new.md")), "nothing is made")
stale(*FILES.values())
equal((run([MALLOSCOPE, "check", *OUTPUTS, "--help"]).returncode, contents(*FILES.values())), (0, ["STALE"] * 3), "--help runs nothing")
equal(run([MALLOSCOPE, "check", *OUTPUTS, *good, "--", ONE]).returncode, 0, "what is right runs")
check("STALE" not in "".join(contents(*FILES.values())) and all(contents(*FILES.values())), "and is written")

# --- logs and a program ---
equal(record([ONE], path("one.mscope")).returncode, 0, "recording")
for words in [path("one.mscope"), *good, "--", ONE], [*good, path("one.mscope"), path("one.mscope"), "--", ONE]:
    got = run([MALLOSCOPE, "check", *words])
    equal((got.returncode, f"{path('one.mscope')}: a program behind --, or logs" in got.stderr), (64, True), f"{words}: {got.stderr}")
equal(run([MALLOSCOPE, "check", *good, "--", "sh", "-c", 'test "$1" = --', "sh", "--"]).returncode, 0, "a program's own --")
equal(run([MALLOSCOPE, "check", path("one.mscope"), *good]).returncode, 0, "logs alone")
sys.exit(done())
