"""Programs that can have no live file: they run as ever, and the report knows of each that nothing of it is here."""
import json
import os
import shutil
import stat
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import MALLOSCOPE, WORK, check, done, equal, files_in_memory, path, program, record, report, run  # noqa: E402

ROOT = os.geteuid() == 0
home = path("home")
os.mkdir(home)
log = os.path.join(home, "log")
own = os.path.join(WORK, "sizes")  # a program with a name of its own, where another user may execute it
shutil.copy(shutil.which("true"), own)
os.chmod(WORK, 0o755)
os.chmod(home, 0o755)


def unrecorded_files(of=log):
    return files_in_memory(of, "unrecorded")  # of this session alone: others may be recorded meanwhile


def known(what, got, programs, named=True):
    """The report counts so many, says so on stderr, and exits with 1; nothing is left behind."""
    equal(got.returncode, 0, f"{what}: exit status of the program ({got.stderr})")
    equal(unrecorded_files(), [], f"{what}: no file is left in memory")
    told = run([MALLOSCOPE, "report", "--json", log])
    equal(told.returncode, 1, f"{what}: exit code of report: {told.stderr}")
    check(f"{programs} program" in told.stderr and "could not be recorded" in told.stderr, f"{what}: {told.stderr!r}")
    check("INCOMPLETE: " in got.stderr and "could not be recorded" in got.stderr, f"{what}: record says {got.stderr!r}")
    facts = json.loads(told.stdout)
    equal(facts["trust"]["untraced_programs"], programs, f"{what}: untraced_programs")
    equal(facts["trust"]["lost_events"], 0, f"{what}: lost events")
    if named:
        names = [entry["path"] for entry in facts["untraced_programs"] for _ in range(entry["count"])]
        equal(len(names), programs, f"{what}: each is named: {names}")
        check(own in names, f"{what}: {names}")
    else:
        equal([(entry["reason"], entry["count"]) for entry in facts["untraced_programs"]], [("untold", programs)], f"{what}: counted")
    text = run([MALLOSCOPE, "report", log])
    check("that could not be recorded" in text.stdout, f"{what}: the trust line: {text.stdout[-600:]}")
    short = path("short")
    trimmed = run([MALLOSCOPE, "trim", "-o", short, log])
    again = run([MALLOSCOPE, "report", "--json", short])
    equal((again.returncode, json.loads(again.stdout or "{}").get("trust", {}).get("untraced_programs")), (1, programs),
          f"{what}: trimmed {trimmed.stderr} {again.stderr}")
    os.unlink(short)


FILL = f"""
import os, subprocess
file = open({home!r} + "/filler", "wb", 0)
try:
    while True:
        file.write(b"x" * 4096)
except OSError:
    pass
for i in range(3):
    subprocess.run([{own!r}])
os.posix_spawn({own!r}, ["x"], os.environ)
os.wait()
"""


def is_mounted(options):
    return ROOT and run(["mount", "-t", "tmpfs", "-o", options, "none", home]).returncode == 0


if is_mounted("size=1m"):
    try:
        known("a full disk", record(["/usr/bin/python3", "-c", FILL], log), 4)
    finally:
        run(["umount", "-l", home])
    if is_mounted("size=4m,nr_inodes=5"):
        try:
            known("no inodes", record(["bash", "-c", f"{own}; {own} & wait; {own}; true"], log), 3)
        finally:
            run(["umount", "-l", home])
else:
    print("skipped: a full disk, no inodes (mount)")

# --- where the log is, but not for everybody -----------------------------------------
if ROOT and shutil.which("setpriv"):
    known("rights that an exec takes", record(["setpriv", "--reuid=65534", "--clear-groups", own], log), 1)
    if run(["unshare", "-m", "true"]).returncode == 0:
        known("read-only", record(["unshare", "-m", "sh", "-c", f"mount -o bind,ro {home} {home}; {own}; true"], log), 1)
    if shutil.which("runuser"):
        known("another user's directory",
              record(["sh", "-c", f"chmod 666 {log}*; runuser -u nobody {own}; true"], log), 1)
else:
    print("skipped: other users, a read-only directory")

# --- limits: the notes themselves find no place --------------------------------------
known("no file may be written", record(["sh", "-c", f"ulimit -f 0; {own}; {own}; true"], log), 2, named=False)

# --- an exec that fails is none ----------------------------------------------------------
got = record(["sh", "-c", f"ulimit -f 0; {home}/nothing; exec {home}/nothing; true"], log)
check(run([MALLOSCOPE, "report", "--json", log]).returncode == 0, f"a failed exec: {got.stderr}")

# --- nothing special ------------------------------------------------------------------------
record(["sh", "-c", f"{own}; {own}; true"], log)
equal(report(log)["trust"]["untraced_programs"], 0, "all are recorded")
equal(unrecorded_files(), [], "no file is left in memory")

got = record(["sh", "-c", f"mv {log} {log}.moved; (ulimit -f 0; {own}; true)"], log)
check("was removed or replaced" in got.stderr, f"moved: {got.stderr}")
equal(unrecorded_files(log + ".moved"), [], "a log that is moved: no file is left in memory")
os.rename(log + ".moved", log)
got = run([MALLOSCOPE, "report", "--json", log])
equal(json.loads(got.stdout)["trust"]["untraced_programs"], 1, "a log that is moved: and moved back")

# --- the launcher is killed; while the session runs, and afterwards ----------------------------
started = path("started")
launcher = subprocess.Popen([MALLOSCOPE, "record", "-q", "-f", "-o", log, "--", "sh", "-c",
                             f"(ulimit -f 0; {own}; true); {own}; echo > {started}; read x"], stdin=subprocess.PIPE)
for _ in range(600):
    if os.path.exists(started):
        break
    time.sleep(0.05)
files = unrecorded_files()
equal(len(files), 1, "a file in memory")
for file in files:
    equal(stat.S_IMODE(os.stat(file).st_mode), 0o622, "its mode")
entry = (4711).to_bytes(4, "little") + (9).to_bytes(4, "little") + own.encode()
for file in files:  # as a program does that has no place
    with open(file, "ab") as to:
        to.write(entry.ljust(256, b"\0"))
launcher.kill()
launcher.wait()
got = run([MALLOSCOPE, "report", "--json", log])
equal((got.returncode, json.loads(got.stdout)["trust"]["untraced_programs"]), (1, 2), f"while it runs: {got.stderr}")
equal(len(unrecorded_files()), 1, "it stays while the session runs")
launcher.stdin.close()
for _ in range(100):
    got = run([MALLOSCOPE, "report", "--json", log])
    if not unrecorded_files():
        break
    time.sleep(0.1)
equal(json.loads(got.stdout)["trust"]["untraced_programs"], 2, "afterwards")
equal(unrecorded_files(), [], "and then it goes")

# --- the launcher is killed, and nobody reads the log: the next one tidies up after those that are over -----------


def killed(name):
    """A session whose launcher is killed, and that goes on until its standard input ends."""
    its = os.path.join(home, name)
    process = subprocess.Popen([MALLOSCOPE, "record", "-q", "-o", its, "--", "sh", "-c", f"echo > {its}.started; read x"],
                               stdin=subprocess.PIPE)
    for _ in range(600):
        if os.path.exists(its + ".started"):
            break
        time.sleep(0.05)
    with open(f"/proc/{process.pid}/task/{process.pid}/children") as children:
        return process, [int(pid) for pid in children.read().split()], its


def end(process, children):
    process.stdin.close()
    for _ in range(600):
        if not any(os.path.exists(f"/proc/{pid}") for pid in children):
            break
        time.sleep(0.05)


def left(its):
    """After as many more sessions as it may take, where others have left something, too."""
    for _ in range(20):
        equal(record([own], path("next")).returncode, 0, "the next session")
        if not unrecorded_files(its):
            break
    return len(unrecorded_files(its))


process, children, its = killed("runs")
equal(left(its), 1, "it stays while the launcher runs")
process.kill()
process.wait()
equal(left(its), 1, "and while a program of it does")
for file in unrecorded_files(its):
    with open(file, "ab") as to:
        to.write(entry.ljust(256, b"\0"))
end(process, children)
equal(left(its), 1, "and while it tells what is not in the log")
got = run([MALLOSCOPE, "report", "--json", its])
equal((json.loads(got.stdout)["trust"]["untraced_programs"], unrecorded_files(its)), (1, []), "which the reader has of it")

process, children, its = killed("over")
owned = unrecorded_files(its)
if ROOT:
    os.chown(owned[0], 65534, 65534)  # now: as soon as it is over, whoever else records may remove it
process.kill()
process.wait()
end(process, children)
if ROOT:
    equal(left(its), 1, "another user's stays")
    os.chown(owned[0], 0, 0)
equal(left(its), 0, "else it goes")
os.unlink(its)
sys.exit(done())
