"""`check` where several save into one baseline at the same time, or somebody edits it meanwhile: nothing of what others wrote is lost."""
import fcntl
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

ONE = program("checked1")
os.mkdir(path("temporary"))
os.environ["TMPDIR"] = path("temporary")
os.environ["XDG_CACHE_HOME"] = path("cache")
os.mkdir(path("files")) # nothing else is there
BASE = path("files/base.json")
SAVE = [MALLOSCOPE, "check", "-r", "1", "--baseline", BASE]


def gate(*arguments, code=0):
    got = run([*SAVE, *arguments])
    equal(got.returncode, code, f"check {arguments}: {got.stdout}{got.stderr}")
    return got


def names():
    with open(BASE) as file:
        return list(json.load(file)["platforms"])


def meanwhile(change):
    """A program, during whose run somebody else changes the file: Python's text, with its name as BASE."""
    with open(path("edit.py"), "w") as file:
        file.write(f"BASE = {BASE!r}\n{change}\n")
    return ["sh", "-c", f"env -u LD_PRELOAD {sys.executable} {path('edit.py')}; exec {ONE}"]


# --- all at the same time, without a file before and with one ---
for start in 0, 6:
    all = [subprocess.Popen([*SAVE, "--platform", f"p{start + i}", "--save-baseline", "--", ONE], stdout=subprocess.DEVNULL) for i in range(6)]
    equal([one.wait(timeout=120) for one in all], [0] * 6, "all say that they have saved")
    equal(names(), sorted(f"p{i}" for i in range(start + 6)), "and what each has saved is there")
equal(os.listdir(path("files")), ["base.json"], "nothing is left beside it")

# --- an edit during the run ---
with open(BASE) as file:
    before = file.read()
gate("--platform", "p3", "--update", "--", *meanwhile("text = open(BASE).read().replace('\"p5\": {', '\"p5\": {  ', 1)\nopen(BASE, 'w').write(text)"))
with open(BASE) as file:
    check('"p5": {  ' in file.read(), "an edit of another platform's part stays")
gate("--platform", "new", "--save-baseline", "--", *meanwhile(f"open(BASE, 'w').write({before!r})"))
equal(names(), ["new", *sorted(f"p{i}" for i in range(12))], "and the whole file, when it was made anew")
got = gate("--platform", "other", "--save-baseline", code=64, *["--", *meanwhile(f"open(BASE, 'w').write({before!r}.replace('p0', 'other'))")])
check("meanwhile; --update replaces it" in got.stderr and "Saved" not in got.stdout, f"what another one has saved stays: {got.stderr}")
got = gate("--platform", "p3", "--update", code=64, *["--", *meanwhile("open(BASE, 'w').write('<<<<<<< HEAD')")])
check("conflict markers" in got.stderr, f"what cannot be read is told: {got.stderr}")
with open(BASE) as file:
    equal(file.read(), "<<<<<<< HEAD", "and stays as it is")

# --- a lock that somebody holds: it waits ---
os.unlink(BASE)
held = os.open(path("files"), os.O_RDONLY)
fcntl.flock(held, fcntl.LOCK_EX)
saving = subprocess.Popen([*SAVE, "--save-baseline", "--", ONE], stdout=subprocess.DEVNULL)
time.sleep(1.5)
check(saving.poll() is None and not os.path.exists(BASE), "it waits")
os.close(held)
equal((saving.wait(timeout=60), len(names())), (0, 1), "and goes on")
sys.exit(done())
