"""`malloscope record` between its parent and the program: descriptors, signals, stops, exit status, what lies at the
log's name."""
import json
import os
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

known = program("known")


def recorder(log, script, *options, **more):
    """Popen of `record` of a shell script, whose pid is its first line on stdout where it prints it."""
    return subprocess.Popen([MALLOSCOPE, "record", "-f", "-o", path(log), *options, "--", "sh", "-c", script], cwd=WORK, **more)


# --- who reads the program's stdout sees when the program closes it, and likewise for its stdin ---
wait = "i=0; while [ ! -e go ] && [ $i -lt 240 ]; do i=$((i + 1)); sleep 0.05; done"
running = recorder("eof.mscope", f"echo a; exec >&-; exec <&-; {wait}; exit 5", "-q",
                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
begin = time.monotonic()
equal(running.stdout.read(), "a\n", "what the program wrote")
check(time.monotonic() - begin < 10, "the reader sees the end when the program closes its stdout")
try:
    for _ in range(200):
        running.stdin.write("x" * 4096)
        running.stdin.flush()
        time.sleep(0.01)
    check(False, "the writer sees that the program closed its stdin")
except BrokenPipeError:
    check(True, "stdin")
open(path("go"), "w").close()
equal(running.wait(timeout=30), 5, "its exit status")

# --- standard descriptors that are closed stay closed for the program, and the log is not one of them ---
listing = 'for i in 0 1 2; do [ -e /proc/self/fd/$i ] && echo "open $i" >>closed.txt; done; : >>closed.txt; exit 7'
for closed in ("2>&-", ">&-", "<&-", "<&- >&- 2>&-", ">&- 2>&-"):
    with open(path("closed.txt"), "w"):
        pass
    got = run(["sh", "-c", f"exec {MALLOSCOPE} record -f -o closed.mscope -- sh -c '{listing}' {closed}"], cwd=WORK)
    equal(got.returncode, 7, f"{closed}: exit status; {got.stderr}")
    checked = run([MALLOSCOPE, "report", "--json", path("closed.mscope")])
    equal((checked.returncode, complaints(checked.stderr)), (0, ""), f"{closed}: the log is sound")
    with open(path("closed.txt")) as file:
        opened = {int(line.split()[1]) for line in file}
    equal(opened & {fd for fd in range(3) if f"{'<' if fd == 0 else '>' if fd == 1 else '2>'}&-" in closed.split()}, set(),
          f"{closed}: what was closed is closed")

# --- the limit of file sizes: SIGXFSZ is the program's as it would be without us ---
big = ["sh", "-c", 'ulimit -f 4; exec dd if=/dev/zero of="$0" bs=4096 count=4 2>/dev/null', path("big")]
ignored = ["grep", "SigIgn", "/proc/self/status"]
for trap in "", "trap '' XFSZ; ":
    for command in big, ignored:
        got = [run(["sh", "-c", trap + 'exec "$@"', "sh", *before, *command]) for before in ([], [MALLOSCOPE, "record", "-q", "-f", "-o", path("xfsz.mscope"), "--"])]
        ends = [one.returncode if one.returncode >= 0 else 128 - one.returncode for one in got]
        equal((ends[1], got[1].stdout), (ends[0], got[0].stdout), f"{trap}{command}: {got[1].stderr}")
        equal(ends[0], (1 if trap else 128 + signal.SIGXFSZ) if command is big else 0, f"{trap}{command}: without us")
got = run([MALLOSCOPE, "check", "-r", "1", "--show-output", "--max", "allocations=1M", "--", *ignored])
check(got.returncode == 0 and run(ignored).stdout in got.stderr, f"and check's: {got}")

# --- nobody reads the summary: the exit status is the program's all the same ---
read_end, write_end = os.pipe()
os.close(read_end)
running = recorder("pipe.mscope", "exit 6", stdin=subprocess.DEVNULL, stdout=write_end, stderr=write_end, restore_signals=True)
os.close(write_end)
equal(running.wait(timeout=60), 6, "the exit status where stderr is a pipe without reader")

# --- every signal that can be caught is the program's, one that it does not know included ---
passed_on = [s for s in range(1, signal.SIGRTMAX + 1) if s not in (9, 19, 17, 11, 7, 4, 8, 5, 31, 20, 21, 22, 32, 33)]
with open(path("caught.py"), "w") as file:
    file.write("""import signal, sys
caught = []
for s in range(1, signal.SIGRTMAX + 1):
    try:
        signal.signal(s, lambda number, frame: caught.append(number))
    except (OSError, ValueError):
        pass
print("ready", flush=True)
for line in sys.stdin:
    print(*caught, flush=True)
    if line == "end\\n":
        sys.exit(4)
""")
running = subprocess.Popen([MALLOSCOPE, "record", "-q", "-f", "-o", "signals.mscope", "--", "/usr/bin/python3", "caught.py"],
                           cwd=WORK, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
running.stdout.readline()
for number in passed_on:
    running.send_signal(number)
end, answer = time.monotonic() + 20, ""
while len(set(answer.split())) < len(passed_on) and time.monotonic() < end and running.poll() is None:
    time.sleep(0.05)
    try:
        running.stdin.write("\n")
        running.stdin.flush()
    except BrokenPipeError:
        break
    answer = running.stdout.readline()
equal(sorted(map(int, answer.split())), passed_on, "what the program got of what record was sent")
try:
    running.communicate("end\n", timeout=30)
except BrokenPipeError:
    pass
equal(running.wait(timeout=30), 4, "and record ends with it")
running = recorder("default.mscope", "echo; read line", "-q", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
running.stdout.readline()
running.send_signal(signal.SIGVTALRM)
equal(running.wait(timeout=20), 128 + signal.SIGVTALRM, "a signal that the program does not catch ends it, and then record")
equal((report(path("default.mscope"))["processes"][0]["wait_status"] or 0) & 0x7f, signal.SIGVTALRM, "and the log says so")

# A timer that is set before exec would have been the program's.
running = recorder("alarm.mscope", "read line", "-q", stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                   preexec_fn=lambda: signal.setitimer(signal.ITIMER_REAL, 1))
equal(running.wait(timeout=30), 128 + signal.SIGALRM, "a timer of who executed record")

# --- -f replaces all that a dead session has left at a name, and nothing where it refuses ---
def kill_session(log):
    """A recording whose record and program are killed: its spool and its live file stay."""
    running = recorder(log, "echo $$; exec sleep 30", "-q", stdout=subprocess.PIPE, text=True)
    pid = int(running.stdout.readline())
    running.kill()
    os.kill(pid, signal.SIGKILL)
    running.wait()
    running.stdout.close()


def beside(log):
    return sorted(name for name in os.listdir(WORK) if name.startswith(log))


equal(run([MALLOSCOPE, "record", "-q", "-f", "-o", "good.mscope", known], cwd=WORK).returncode, 7, "a good log")
kill_session("dead.mscope")
check(len(beside("dead.mscope")) >= 2, f"a dead session leaves files: {beside('dead.mscope')}")
shutil.copy(path("good.mscope"), path("dead.mscope"))
got = run([MALLOSCOPE, "record", "-q", "-f", "-o", "dead.mscope", known], cwd=WORK)
equal((got.returncode, got.stderr), (7, ""), "-f at a name beside which another session's spool lies")
equal(beside("dead.mscope"), ["dead.mscope"], "its leftovers are gone")
equal(report(path("dead.mscope"))["counts"]["allocations"], 1070, "the new log")
kill_session("dead.mscope")
os.unlink(path("dead.mscope"))
got = run([MALLOSCOPE, "record", "-q", "-o", "dead.mscope", known], cwd=WORK)
check(got.returncode == 125 and "use -f" in got.stderr and len(beside("dead.mscope")) >= 1, f"without -f they stay: {got}")
equal(run([MALLOSCOPE, "record", "-q", "-f", "-o", "dead.mscope", known], cwd=WORK).returncode, 7, "-f where the log has gone")
equal(beside("dead.mscope"), ["dead.mscope"], "the leftovers of a log that has gone are gone")

shutil.copy(path("good.mscope"), path("kept.mscope"))
with open(path("kept.mscope.spool"), "w") as file:
    file.write("mine")
got = run([MALLOSCOPE, "record", "-q", "-f", "-o", "kept.mscope", "touch", path("ran")], cwd=WORK)
check(got.returncode == 125 and "kept.mscope.spool" in got.stderr, f"a strange file is no spool: {got}")
os.unlink(path("kept.mscope.spool"))
equal(report(path("kept.mscope"))["counts"]["allocations"], 1070, "where -f refuses, the old log stays")
running = recorder("moved.mscope", "echo $$; read line", "-q", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                   stderr=subprocess.DEVNULL, text=True)
running.stdout.readline()
os.rename(path("moved.mscope"), path("elsewhere.mscope"))
shutil.copy(path("good.mscope"), path("moved.mscope"))
got = run([MALLOSCOPE, "record", "-q", "-f", "-o", "moved.mscope", "touch", path("ran")], cwd=WORK)
check(got.returncode == 125 and "still runs" in got.stderr, f"another session runs at this name: {got}")
equal(open(path("moved.mscope"), "rb").read(), open(path("good.mscope"), "rb").read(), "and the log there stays")
check(not os.path.exists(path("ran")), "nothing ran")
running.communicate("\n", timeout=30)

# --- the log is emptied in mid-run: what comes after is there, and record says that something is not ---
for options in [], ["--no-compress"]:
    for write in ":", "echo mine":
        log, what = path("emptied.mscope"), f"{options} {write} > log"
        got = run([MALLOSCOPE, "record", "-q", "-f", *options, "-o", log, "--", "sh", "-c",
                   f"{known}; {write} >{log}; exit 3"], cwd=WORK)
        equal(got.returncode, 3, f"{what}: the program's exit status")
        lines = got.stderr.splitlines()
        check(len(lines) == 1 and "INCOMPLETE" in lines[0] and "emptied" in lines[0], f"{what}: one line: {got.stderr}")
        equal(beside("emptied.mscope"), ["emptied.mscope"], f"{what}: nothing is left beside it")
        got = run([MALLOSCOPE, "report", "--json", log])
        equal(got.returncode, 1, f"{what}: the log says so, too: {got.stderr}")
        ends = [p["wait_status"] for p in json.loads(got.stdout)["processes"]]
        check(3 << 8 in ends, f"{what}: what came later is in it: {ends}")

# --- where the program stops, record stops, so that a shell knows; whoever is continued, both go on ---
def state_of(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()[0]


def wait_for_stop(process):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        pid, status = os.waitpid(process.pid, os.WNOHANG | os.WUNTRACED)
        if pid:
            return os.WIFSTOPPED(status) and os.WSTOPSIG(status)
        time.sleep(0.01)
    return None


def stopping(script):
    """Such a recording, in a process group that a terminal's signals would stop, and its program's pid."""
    running = recorder("stop.mscope", script, "-q", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                       preexec_fn=os.setpgrp)
    return running, int(running.stdout.readline())


for to_program in False, True:
    running, program_pid = stopping("echo $$; kill -STOP $$; exit 3")
    equal(wait_for_stop(running), signal.SIGSTOP, "the program stops itself")
    os.kill(program_pid if to_program else running.pid, signal.SIGCONT)
    equal(running.wait(timeout=20), 3, f"continued {'by its own pid' if to_program else 'by the pid of record'}")
running, program_pid = stopping("echo $$; read line; exit 3")
running.send_signal(signal.SIGTSTP)
equal(wait_for_stop(running), signal.SIGTSTP, "SIGTSTP to record stops both")
equal(state_of(program_pid), "T", "the program")
running.send_signal(signal.SIGCONT)
for _ in range(30):  # whatever the order in which these and what record does about them come
    os.kill(program_pid, signal.SIGSTOP)
    time.sleep(0.003)
    os.kill(program_pid, signal.SIGCONT)
running.communicate("\n", timeout=30)
equal(running.returncode, 3, "stopped and continued many times")

sys.exit(done())
