"""The packed log: what is in it is what happened, whoever is killed whenever; --no-compress
and --max-log; a disk that is full, a log that is removed. The truth is what the program
`steady` has counted in a file of its own."""
import errno
import json
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

SIZE = 7777  # of steady's blocks
ROUNDS = 40 if os.environ.get("TEST_LONG") else 3
MANY = 1_000_000_000  # never done
log, counter = path("log"), path("counter")
steady = program("steady")


def is_packed(name):
    """By the file header's incompatible flags."""
    with open(name, "rb") as file:
        return struct.unpack_from("<Q", file.read(64), 24)[0] == 1


def files():
    return sorted(name for name in os.listdir(WORK) if name.startswith("log"))


def clear():
    for name in files():
        os.unlink(path(name))
    if os.path.exists(counter):
        os.unlink(counter)


def counted():
    """What each process of steady says that it has allocated."""
    with open(counter, "rb") as file:
        return struct.unpack("<16Q", file.read())


def logged():
    """Allocations of steady's size in a log that must be whole."""
    got = run([MALLOSCOPE, "hist", "--json", log])
    if not check(got.returncode == 0, f"hist: exit {got.returncode}: {got.stderr}"):
        return -1
    sizes = json.loads(got.stdout)["top_by_allocations"]
    return sum(row["allocations"] for row in sizes if row["size"] == SIZE)


def matches(what, running=0):
    """Each process that was killed may have logged one more than it could count."""
    told, found = sum(counted()), logged()
    check(told <= found <= told + running, f"{what}: told {told}, logged {found}")


def start(*words, options=(), **more):
    clear()
    return subprocess.Popen([MALLOSCOPE, "record", "-q", "-o", log, "--call-graph", "none", *options, "--", steady, counter,
                             *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                            text=True, **more)


def wait_for(condition, what):
    end = time.monotonic() + 60
    while not condition():
        if time.monotonic() > end:
            check(False, f"{what}: in vain")
            return False
        time.sleep(0.005)
    return True


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]


def gone(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] in "ZX"
    except OSError:
        return True


def begun():
    return os.path.exists(counter) and os.path.getsize(counter) and sum(counted()) > 1000


# --- ordinary runs: packed, not packed, by option and by variable ---
def whole_run(what, *options, env=None):
    clear()
    got = run([MALLOSCOPE, "record", "-q", "-o", log, *options, "--", steady, counter, "300000"], env=env)
    equal((got.returncode, got.stderr), (0, ""), what)
    equal(files(), ["log"], f"{what}: one file is left")


whole_run("packed")
check(is_packed(log), "it is packed")
matches("packed")
events, packed_bytes = report(log)["trust"]["events"], os.path.getsize(log)
for what, options, env in ("--no-compress", ["--no-compress"], {}), ("MALLOSCOPE_COMPRESS=0", [], {"MALLOSCOPE_COMPRESS": "0"}):
    whole_run(what, *options, env=env)
    check(not is_packed(log), f"{what}: it is not packed")
    matches(what)
    check(os.path.getsize(log) > 3 * packed_bytes, f"{what}: {os.path.getsize(log)} bytes, packed {packed_bytes}")
raw = path("raw")
shutil.move(log, raw)
got = run([os.path.join(PROGRAMS, "../unit/test_pack"), raw])
check(got.returncode == 0 and " 0 wrong, " in got.stdout, f"every chunk of a real log is what it was: {got.stdout}")
whole_run("MALLOSCOPE_COMPRESS=1", env={"MALLOSCOPE_COMPRESS": "1"})
check(is_packed(log), "MALLOSCOPE_COMPRESS=1: packed")
got = run([MALLOSCOPE, "record", "-f", "-o", log, "--", steady, counter, "300000"])
told = re.search(r"log of ([\d.]+) KiB, 0\.\d bytes an event", got.stderr)
check(told and abs(float(told.group(1)) - os.path.getsize(log) / 1024) < 1, f"the summary has the packed log's size: {got.stderr}")
clear()
run([steady, counter, "300000"], env={"LD_PRELOAD": SHIM, "MALLOSCOPE_OUTPUT": log})
check(not is_packed(log), "without the CLI logs are as they are")
matches("without the CLI")

# --- what another session has left is left alone ---
clear()
with open(path("log.spool"), "w") as file:
    file.write("of another log")
got = run([MALLOSCOPE, "record", "-q", "-o", log, "--", steady, counter, "10"])
check(got.returncode == 125 and len(got.stderr.splitlines()) == 1 and "log.spool: exists already" in got.stderr and
      files() == ["log.spool"], f"a spool of another log stays: {got.stderr} {files()}")

# --- what a kill may leave: a chunk that is of several, once more ---
recorder = start("400000", "3", options=["-f"])
recorder.communicate(timeout=60)
with open(log, "rb") as file:
    content = file.read()
at, again = 64, b""
while at < len(content) and not again:
    kind, flags, header_bytes, payload_bytes = struct.unpack_from("<4xBBHI", content, at)
    if flags & 2 and struct.unpack_from("<I", content, at + header_bytes + 12)[0] > 1:
        again = content[at:at + header_bytes + payload_bytes]
    at += header_bytes + payload_bytes
if check(again, "the log has a chunk that is of several"):
    ways = ("hist", "--json"), ("dump", "--tsv"), ("report", "--json")
    once = [run([MALLOSCOPE, *way, log]).stdout for way in ways]
    with open(log, "ab") as file:
        file.write(again)
    for way, wanted in zip(ways, once):
        got = run([MALLOSCOPE, *way, log])
        check(got.returncode == 0 and got.stdout == wanted, f"{way} of a log that has it twice: {got.returncode} {got.stderr}")

# --- kills, at random moments ---
for number in range(ROUNDS):
    moment = random.uniform(0, 0.5)
    what = f"record is killed after {moment:.3f} s"
    recorder = start("1500000", "2")
    if wait_for(begun, what):
        tracee = children(recorder.pid)[0]
        time.sleep(moment)
        recorder.kill()
        recorder.wait()
        check(wait_for(lambda: gone(tracee), what), what)
        # On a fast machine the program has ended before: then that is whole, too.
        equal((sum(counted()), logged()), (3_000_000, 3_000_000), what)
        equal(files(), ["log"], f"{what}: the reader has tidied up")

    what = f"the program is killed after {moment:.3f} s"
    recorder = start(str(MANY))
    if wait_for(begun, what):
        tracee = children(recorder.pid)[0]
        time.sleep(moment)
        os.kill(tracee, signal.SIGKILL)
        recorder.communicate(timeout=60)
        equal((recorder.returncode, files()), (128 + 9, ["log"]), what)
        matches(what, running=1)

    what = f"all are killed after {moment:.3f} s"
    recorder = start(str(MANY), "3", start_new_session=True)
    if wait_for(begun, what):
        time.sleep(moment)
        first = children(recorder.pid)
        running = first + [child for pid in first for child in children(pid)]
        os.killpg(recorder.pid, signal.SIGKILL)
        recorder.wait()
        wait_for(lambda: all(gone(pid) for pid in running), what)
        before, told = files(), sum(counted())
        check("log.spool" in before, f"{what}: the spool is left: {before}")
        got = run([MALLOSCOPE, "hist", "--json", log])
        found = logged()
        check(told <= found <= told + 3, f"{what}: told {told}, logged {found}")
        check(json.loads(got.stdout)["trust"]["launcher_died"], f"{what}: {got.stdout[-500:]}")
        equal(files(), ["log"], f"{what}: the reader has tidied up")

# --- a daemon outlives record ---
recorder = start("400000", "3", "daemon", options=["-f"])
recorder.communicate(timeout=60)
equal(recorder.returncode, 0, "a daemon")
if sum(counted()) < 800_000:
    check("log.spool" in files(), f"the spool stays for the daemon: {files()}")
    first = logged()
    check(first <= 800_000, f"read while it runs: {first}")
wait_for(lambda: sum(counted()) == 800_000, "the daemons end")
wait_for(lambda: logged() == 800_000 and files() == ["log"], f"the log is complete by itself in the end: {logged()} {files()}")
equal((logged(), files()), (800_000, ["log"]), "a daemon: all is there, in one file")

# --- a process that begins when the spool is about to go appends to the log itself ---
clear()
close = "printf '\\1' | dd of=log.spool bs=1 seek=72 conv=notrunc 2> /dev/null"
got = run([MALLOSCOPE, "record", "-q", "-o", log, "--", "sh", "-c", f"{close}; exec {steady} {counter} 300000"], cwd=WORK)
equal((got.returncode, got.stderr, files()), (0, "", ["log"]), "a closed spool")
check(os.path.getsize(log) > 1 << 20, f"a closed spool: it has not been through it: {os.path.getsize(log)} bytes")
matches("a closed spool")

# --- --max-log ---
BEYOND = 24 << 10  # what says who was there, and how much is missing; whatever was on its way


def limited(what, most, calls, least=None):
    """calls: so many events at least, and those of the program's start. least: the size of the log, most // 2 where none is given."""
    got = run([MALLOSCOPE, "report", "--json", log])
    equal((got.returncode, files()), (0, ["log"]), f"{what}: reading it is no failure, and one file is left: {got.stderr}")
    trust = json.loads(got.stdout)["trust"]
    size = os.path.getsize(log)
    check((most // 2 if least is None else least) < size <= most + BEYOND, f"{what}: the log has {size} bytes")
    check(trust["lost_reason"] == "the log had reached its limit (--max-log)" and trust["lost_events"] > 0, f"{what}: {trust}")
    got = run([MALLOSCOPE, "leaks", log])
    check(got.returncode == 1 and "events were lost: what they freed shows here" in " ".join(got.stdout.split()), f"{what}: leaks: {got.stdout}")
    check(calls <= trust["events"] + trust["lost_events"] <= calls + 1000, f"{what}: what is not logged is counted: {trust}")
    hist = json.loads(run([MALLOSCOPE, "hist", "--json", log]).stdout)["trust"]
    equal((hist["events"], hist["lost_events"]), (trust["events"], trust["lost_events"]), f"{what}: hist counts the same")
    for command in "report", "hist":
        check("the log had reached its limit (--max-log)" in run([MALLOSCOPE, command, log]).stdout, f"{what}: {command} says so")
    return trust


for what, options, env, most in (("--max-log", ["--max-log", "128K"], {}, 128 << 10),
                                 ("MALLOSCOPE_MAX_LOG", [], {"MALLOSCOPE_MAX_LOG": "131072"}, 128 << 10),
                                 ("--max-log --no-compress", ["--no-compress", "--max-log", "1M"], {}, 1 << 20)):
    clear()
    got = run([MALLOSCOPE, "record", "-q", "-o", log, *options, "--", steady, counter, "3000000"], env=env)
    check(got.returncode == 0 and "events were not logged: the log had reached its limit (--max-log)" in got.stderr and
          len(got.stderr.splitlines()) == 1, f"{what}: {got.stderr}")
    trust = limited(what, most, 6_000_000)
    equal(trust["events"] + trust["lost_events"], events + 2 * 2_700_000, f"{what}: what is not logged is counted")
clear()
got = run([MALLOSCOPE, "record", "-q", "-o", log, "--max-log", "128K", "--", "sh", "-c", f"{steady} {counter} 3000000; {steady} {counter} 10"])
r = report(log)
equal(len(r["processes"]), 3, "a process that begins when the log is full is there")
# Nobody packs any more, and processes go on.
for kill in False, True:
    what = f"--max-log when record {'has been killed' if kill else 'has ended'}"
    recorder = start("3000000", "2", *([] if kill else ["daemon"]), options=["--max-log", "128K"])
    if wait_for(begun, what):
        if kill:
            recorder.kill()
        recorder.communicate(timeout=60)
        calls = 12_000_000 if kill else 6_000_000
        wait_for(lambda: sum(counted()) == calls // 2, what)
        wait_for(lambda: json.loads(run([MALLOSCOPE, "report", "--json", log]).stdout) and files() == ["log"], f"{what}: one file is left")
        # What was in the spool by then counted as it was, not packed: the log may end far below its limit.
        trust = limited(what, 128 << 10, calls, least=0)
        check(trust["events"] > 10000, f"{what}: {trust['events']} events")
# Whoever packs comes to it late: there is far more in the spool then than the log may have.
what = "--max-log when record is slow"
recorder = start("4000000", "2", options=["--max-log", "128K"])
if wait_for(begun, what):
    recorder.send_signal(signal.SIGSTOP)
    wait_for(lambda: sum(counted()) == 8_000_000, what)
    check(os.path.getsize(path("log.spool")) > 4 << 20, f"{what}: the spool has {os.path.getsize(path('log.spool'))} bytes")
    recorder.send_signal(signal.SIGCONT)
    recorder.communicate(timeout=60)
    limited(what, 128 << 10, 16_000_000)
for bad in "", "x", "-1", "0", "63K", "1T":
    got = run([MALLOSCOPE, "record", "--max-log", bad, "touch", path("ran")])
    check(got.returncode == 2 and "--max-log" in got.stderr and len(got.stderr.splitlines()) == 1, f"--max-log {bad}: {got.stderr}")
got = run([MALLOSCOPE, "record", "--no-compress", "--max-log", "127K", "touch", path("ran")])
check(got.returncode == 2 and "128K up with --no-compress" in got.stderr, f"--max-log 127K --no-compress: {got.stderr}")
check(not os.path.exists(path("ran")), "after a usage error nothing runs")
# The least that may be set is enough for events.
for what, options in ("--max-log 64K", ["--max-log", "64K"]), ("--max-log 128K --no-compress", ["--no-compress", "--max-log", "128K"]):
    clear()
    run([MALLOSCOPE, "record", "-q", "-o", log, *options, "--", steady, counter, "3000000"])
    trust = limited(what, 128 << 10 if "--no-compress" in options else 64 << 10, 6_000_000)
    check(trust["events"] > 10000, f"{what}: {trust['events']} events")

# --- the log is removed while it is written ---
recorder = start("1000000")
if wait_for(begun, "a log that is removed"):
    os.unlink(log)
    _, complaint = recorder.communicate(timeout=60)
    check(recorder.returncode == 0 and len(complaint.splitlines()) == 1 and "removed" in complaint,
          f"a log that is removed: exit {recorder.returncode}: {complaint}")

# --- the spool is cut short while it is used ---
what = "the spool is cut short"
recorder = start("8000000")
if wait_for(begun, what):
    recorder.send_signal(signal.SIGSTOP)
    time.sleep(0.05)
    os.truncate(path("log.spool"), 96)
    recorder.send_signal(signal.SIGCONT)
    _, complaint = recorder.communicate(timeout=60)
    check("INCOMPLETE" in complaint and "missing" in complaint and len(complaint.splitlines()) == 1, f"{what}: {complaint}")
    got = run([MALLOSCOPE, "report", log])
    check(got.returncode == 1 and "at least 0 lost" in got.stdout, f"{what}: {got.returncode} {got.stdout[-500:]}")
    check(json.loads(run([MALLOSCOPE, "report", "--json", log]).stdout)["trust"]["events"] > 6_000_000, f"{what}: the rest is there")
    equal(files(), ["log"], f"{what}: one file is left")

# --- a disk that is full ---
def missing_of_full(name, what, calls):
    """calls of steady, and those of the program's start."""
    got = run([MALLOSCOPE, "report", "--json", name])
    trust = json.loads(got.stdout)["trust"]
    check(calls <= trust["events"] + trust["lost_events"] <= calls + 1000, f"{what}: counted: {trust}")
    equal((trust["missing_chunks"], trust["truncated_bytes"]), (0, 0), what)
    return trust


def fill(name):
    """Takes what is left of the disk."""
    with open(name, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass


def full_disk(small):
    name = f"{small}/log"

    def begin(*words, options=()):
        for left in os.listdir(small):
            os.unlink(f"{small}/{left}")
        if os.path.exists(counter):
            os.unlink(counter)
        return subprocess.Popen([MALLOSCOPE, "record", "-q", "-o", name, *options, "--", steady, counter, *words],
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    for what, options in ("a full disk", []), ("a full disk, not packed", ["--no-compress"]):
        # Two processes that do not wait for one another fill it, perhaps faster than it is packed.
        recorder = begin("4000000", "2", options=options)
        _, complaint = recorder.communicate(timeout=60)
        check(recorder.returncode == 0 and ("No space left on device" in complaint and len(complaint.splitlines()) == 1 or
                                            not complaint and not options), f"{what}: {recorder.returncode}: {complaint}")
        equal((sum(counted()), os.listdir(small)), (8_000_000, ["log"]), f"{what}: the program goes on, one file is left")
        trust = missing_of_full(name, what, 16_000_000)
        check(trust["lost_events"] > 1_000_000 or not options, f"{what}: it was full: {trust}")
        if options:
            unpacked = trust["events"]

    # Threads have more in their buffers in the end than the room that is held back.
    what = "a full disk, 40 threads"
    os.unlink(name)
    got = run([MALLOSCOPE, "record", "-q", "-o", name, "--no-compress", "--", program("threads"), "1", "40", "60000"])
    check("No space left on device" in got.stderr and len(got.stderr.splitlines()) == 1, f"{what}: {got.stderr}")
    equal(os.listdir(small), ["log"], f"{what}: one file is left")
    trust = json.loads(run([MALLOSCOPE, "report", "--json", name]).stdout)["trust"]
    equal((trust["missing_chunks"], trust["truncated_bytes"], trust["lost_events"] > 0), (0, 0, True), what)

    # Nobody packs until all room is taken, by others too: what the spool has then fits into the log.
    what = "a full disk when record is slow"
    recorder = begin("4000000", "2")
    if wait_for(begun, what):
        recorder.send_signal(signal.SIGSTOP)
        wait_for(lambda: sum(counted()) == 8_000_000, what)
        fill(f"{small}/filler")
        recorder.send_signal(signal.SIGCONT)
        _, complaint = recorder.communicate(timeout=60)
        check("No space left on device" in complaint and len(complaint.splitlines()) == 1, f"{what}: {complaint}")
        equal(sorted(os.listdir(small)), ["filler", "log"], f"{what}: no other file is left")
        trust = missing_of_full(name, what, 16_000_000)
        check(trust["events"] > unpacked * 3 // 4, f"{what}: {trust['events']} events, not packed {unpacked}")
        usage = os.statvfs(small)
        check(usage.f_bfree * usage.f_bsize > 300_000, f"{what}: what the spool took is free again: {usage}")

    # Processes that have not met the full disk yet go on when packing gives the first room back: it is not theirs.
    what = "a full disk when others go on"
    recorder = begin("4000000", "16")
    if wait_for(lambda: begun() and counted()[0], what):
        first = children(recorder.pid)[0]
        recorder.send_signal(signal.SIGSTOP)
        others = children(first)
        for pid in others:
            os.kill(pid, signal.SIGSTOP)
        wait_for(lambda: counted()[0] == 4_000_000, what)
        fill(f"{small}/filler")
        before = os.path.getsize(name)
        recorder.send_signal(signal.SIGCONT)
        wait_for(lambda: os.path.getsize(name) > before, what)
        for pid in others:
            os.kill(pid, signal.SIGCONT)
        _, complaint = recorder.communicate(timeout=120)
        check("No space left on device" in complaint and len(complaint.splitlines()) == 1, f"{what}: {complaint}")
        equal(sorted(os.listdir(small)), ["filler", "log"], f"{what}: no other file is left")
        equal(len(others), 15, what)
        missing_of_full(name, what, 16 * 8_000_000)

    # ... or record is killed: nothing is lost by that, and as soon as there is room it is one file.
    what = "a full disk when record is killed"
    recorder = begin("4000000", "2")
    if wait_for(begun, what):
        recorder.send_signal(signal.SIGSTOP)
        wait_for(lambda: sum(counted()) == 8_000_000, what)
        fill(f"{small}/filler")
        recorder.kill()
        recorder.communicate(timeout=60)
        time.sleep(0.05)
        fill(f"{small}/filler2")
        before = missing_of_full(name, what, 16_000_000)
        check("log.spool" in os.listdir(small), f"{what}: {os.listdir(small)}")
        os.unlink(f"{small}/filler2")
        equal(missing_of_full(name, what, 16_000_000)["events"], before["events"], what)
        equal(sorted(os.listdir(small)), ["filler", "log"], f"{what}: one file in the end")
        equal(missing_of_full(name, what, 16_000_000)["events"], before["events"], what)


def room_again(small):
    """Who begins when there is room again is recorded, whatever others had lost."""
    what, name = "a full disk, then room", f"{small}/log"
    os.mkfifo(path("go"))
    clear()
    script = f"{steady} {counter} 3000000; read line < {path('go')}; {steady} {path('counter2')} 300000"
    recorder = subprocess.Popen([MALLOSCOPE, "record", "-q", "-o", name, "--", "sh", "-c", script], stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def stopped():
        with open(f"{small}/log.spool", "rb") as file:
            return struct.unpack_from("<I", file.read(96), 76)[0]

    if wait_for(begun, what):
        recorder.send_signal(signal.SIGSTOP)
        fill(f"{small}/filler")
        wait_for(lambda: sum(counted()) == 3_000_000, what)
        fill(f"{small}/filler2")
        recorder.send_signal(signal.SIGCONT)
        wait_for(lambda: stopped() == errno.ENOSPC, f"{what}: the processes are told that it is full")
        os.unlink(f"{small}/filler")
        os.unlink(f"{small}/filler2")
        wait_for(lambda: not stopped(), f"{what}: and that there is room")
    with open(path("go"), "w") as file:
        file.write("on\n")
    recorder.communicate(timeout=60)
    by_process = {p["pid"]: p["allocations"] for p in json.loads(run([MALLOSCOPE, "report", "--json", name]).stdout)["processes"]}
    check(any(300_000 <= count < 301_000 for count in by_process.values()), f"{what}: {by_process}")


def on_disk(megabytes, test):
    small = path("small")
    os.makedirs(small, exist_ok=True)
    if run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", small]).returncode == 0:
        try:
            test(small)
        finally:
            run(["umount", "-l", small])


if os.getuid() == 0:
    on_disk(6, full_disk)
    on_disk(48, room_again)

sys.exit(done())
