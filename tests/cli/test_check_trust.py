"""`check` where what it measures is less than all: it says so, and never passes it."""
import json
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

ONE = program("checked1")
os.mkdir(path("temporary"))
os.environ["TMPDIR"] = path("temporary")
os.environ["XDG_CACHE_HOME"] = path("cache")


def gate(*arguments, code=0, **more):
    """`malloscope check ARGUMENTS`, which must exit with the code."""
    got = run([MALLOSCOPE, "check", *arguments], **more)
    equal(got.returncode, code, f"check {arguments}: {got.stdout}{got.stderr}")
    return got


def values(got):
    """metric → its value"""
    return {m["name"]: m["value"] for m in json.loads(got.stdout)["metrics"]}


def write(name, text, mode=0o644):
    with open(path(name), "w") as file:
        file.write(text)
    os.chmod(path(name), mode)
    return path(name)


def build(name, source, *options, compiler="gcc", ending="c"):
    write(f"{name}.{ending}", source)
    must(compiler, "-O1", "-g", "-fno-builtin", "-fno-optimize-sibling-calls", *options, "-o", path(name), path(f"{name}.{ending}"))
    return path(name)


def changed(name, file, change):
    """A copy of a baseline, whose platform's part change() has been at."""
    with open(file) as old:
        all = json.load(old)
    change(next(iter(all["platforms"].values())))
    return write(name, json.dumps(all))


base = path("base.json")
gate("--baseline", base, "--save-baseline", "--", ONE)

# --- logs that are none ---
junk = write("junk.sh", "#!/bin/sh\nfor f in $TMPDIR/malloscope-check.*/run.mscope; do rm -f $f; echo hello > $f; done\n", 0o755)
for options in ["--max", "allocations=10"], ["--baseline", base], ["--baseline", path("new.json"), "--save-baseline"]:
    got = gate(*options, "--", junk, code=3)
    check("run 1 of 3: its log cannot be read" in got.stderr and "Within" not in got.stdout, f"no log: {got.stderr}")
check(not os.path.exists(path("new.json")), "nothing was saved")
gate("--baseline", changed("none.json", base, lambda part: part.update(runs=0)), "--", ONE, code=64)

sys.exit(done())
