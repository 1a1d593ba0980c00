"""`check` with a baseline that git has merged without a word: the totals are of one change, functions and sites of two."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

os.mkdir(path("temporary"))
os.environ["TMPDIR"] = path("temporary")
os.environ["XDG_CACHE_HOME"] = path("cache")
os.environ.update({f"GIT_{who}_{what}": "x@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")})
os.environ.update({"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"})
NAMES = "aa", "bb", "cc", "dd", "ee", "ff", "gg", "zz"
FUNCTION = "__attribute__((noinline)) static void %s(int n) { while (n-- > 0) { sink = malloc(8); free(sink); } }\n"


def build(name, **counts):
    calls = "".join(f"{function}({counts.get(function, 5)}); " for function in NAMES)
    with open(path(name + ".c"), "w") as file:
        file.write("#include <stdlib.h>\nstatic void *volatile sink;\n" + "".join(FUNCTION % name for name in NAMES) + f"int main(void) {{ {calls}return 0; }}\n")
    must("gcc", "-fno-builtin", "-o", path(name), path(name + ".c"))
    return path(name)


def git(*arguments):
    must("git", "-C", path("repository"), *arguments)


def gate(*arguments, code=0):
    got = run([MALLOSCOPE, "check", "-r1", "--baseline", BASE, *arguments])
    equal(got.returncode, code, f"check {arguments}: {got.stdout}{got.stderr}")
    return got


BASE = path("repository/base.json")
os.mkdir(path("repository"))
git("init", "-q", "-b", "main")
gate("--save-baseline", "--", build("first"))
git("add", "base.json")
git("commit", "-qm", "first")
for change, said in (1, "41 allocations, and its sites come to 42"), (-1, "39 allocations, and its functions come to 38"):
    git("checkout", "-q", "-B", "one", "main")
    gate("--update", "--", build("one", aa=5 + change))
    git("commit", "-qam", "one")
    git("checkout", "-q", "-B", "other", "main")
    gate("--update", "--", build("other", zz=5 + change))
    git("commit", "-qam", "other")
    git("merge", "-q", "--no-edit", "one")
    both = build("both", aa=5 + change, zz=5 + change)
    with open(BASE) as file:
        part, = json.load(file)["platforms"].values()
    equal((part["metrics"]["allocations"]["least"], sum(site["allocations"] for site in part["sites"])), (40 + change, 40 + 2 * change), "what git has made")
    got = gate("--", both, code=64)
    check(said in got.stderr and "merged" in got.stderr and "--update" in got.stderr, f"it is told: {got.stderr}")
    gate("--save-baseline", "--platform", "other", "--", both) # of another platform it says nothing
    gate("--platform", "other", "--", both)
    gate("--", both, code=64)
    gate("--update", "--", both)
    gate("--fail-on-improvement", "--", both)
    git("checkout", "-qf", "main")
sys.exit(done())
