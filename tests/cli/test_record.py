"""`malloscope record` itself: its options, what it refuses, what it passes through."""
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

known = program("known")


def call(*words, **more):
    return run([MALLOSCOPE, *words], cwd=WORK, **more)


def one_line(got, code, *words):
    caller = f"{got.args}: exit {got.returncode}, {got.stderr!r}"
    check(got.returncode == code, f"exit {code}: {caller}")
    check(len(got.stderr.splitlines()) == 1 and all(w in got.stderr for w in words), f"one line with {words}: {caller}")


def logs():
    return sorted(name for name in os.listdir(WORK) if ".mscope" in name)


# --- the ordinary way ---
got = call("record", known)
equal(got.returncode, 7, "the program's exit status")
equal(got.stdout, "", "nothing on stdout")
lines = got.stderr.splitlines()
check(1 <= len(lines) <= 4 and all(line.startswith("malloscope: ") for line in lines), f"a short summary: {lines}")
for wanted in ("1,070 allocations", "under 100 bytes: 85.0 %", "peak ", "still allocated at exit", "bytes an event",
               " report known.", "Trust: 1 process (libc.so.6), 1 stream, 2,080 events; 0 lost, 0 unmatched frees, 0 partial"):
    check(wanted in got.stderr, f"summary says {wanted!r}")
check(len(logs()) == 1 and re.fullmatch(r"known\.\d+\.mscope", logs()[0]), f"default name, and nothing else: {logs()}")
equal(stat.S_IMODE(os.stat(path(logs()[0])).st_mode), 0o600, "mode of the log")
next_command = lines[-1].split("Next: ")[1].split()
equal(call(*next_command[1:]).returncode, 0, "the next command works as printed")
os.unlink(path(logs()[0]))
equal(call(known).returncode, 7, "bare `malloscope PROGRAM` records")
equal(call("run", "-q", "-o", "r.mscope", known).returncode, 7, "alias run")
equal(call("-q", "-o", "bare.mscope", "--", known).returncode, 7, "bare with options")
check({"r.mscope", "bare.mscope"} <= set(logs()), "named logs")
equal(call("record", "-q", "-o", "q.mscope", known).stderr, "", "-q is quiet")
got = call("record", "-q", "-o", "%e-%h-%p-%%-%n.mscope", known)
equal(got.returncode, 7, "a name from a template")
host = os.uname().nodename
check(any(re.fullmatch(rf"known-{re.escape(host)}-\d+-%-1\.mscope", name) for name in logs()), f"%e %h %p %% %n: {logs()}")
call("record", "-q", "-o", "n%n.mscope", known)
call("record", "-q", "-o", "n%n.mscope", known)
check({"n1.mscope", "n2.mscope"} <= set(logs()), "%n counts up")

# --- the program sees what it would see ---
got = call("record", "-q", "-o", "cat.mscope", "cat", stdin=None, input="through the pipe\n")
equal((got.returncode, got.stdout), (0, "through the pipe\n"), "stdin and stdout")
got = call("record", "-q", "-o", "args.mscope", "--", "sh", "-c", 'echo "$# $1"; exit 3', "sh", "-f", "--", "x y")
equal((got.returncode, got.stdout), (3, "3 -f\n"), "the program's own options are its own")
got = call("record", "-q", "-o", "env.mscope", "env", env={"LD_PRELOAD": "libdl.so.2"})
equal([line for line in got.stdout.splitlines() if line.startswith("LD_PRELOAD=")], [f"LD_PRELOAD={SHIM}:libdl.so.2"],
      "an LD_PRELOAD that is set is kept")
for name, number in (("SEGV", signal.SIGSEGV), ("KILL", signal.SIGKILL), ("TERM", signal.SIGTERM)):
    got = call("record", "-q", "-o", f"{name}.mscope", "sh", "-c", f"kill -{name} $$")
    one_line(got, 128 + number, f"signal {int(number)}")
    equal(report(path(f"{name}.mscope"))["processes"][0]["wait_status"] & 0x7f, number, f"{name} in the report")

# --- variables do what options do ---
got = call("record", known, env={"MALLOSCOPE_OUTPUT": "var.mscope", "MALLOSCOPE_QUIET": "1"})
check(got.stderr == "" and "var.mscope" in logs(), "MALLOSCOPE_OUTPUT, MALLOSCOPE_QUIET")
equal(call("record", known, env={"MALLOSCOPE_OUTPUT": "var.mscope", "MALLOSCOPE_FORCE": "1"}).returncode, 7,
      "MALLOSCOPE_FORCE")
got = call("record", "-f", "-o", "t.mscope", known, env={"MALLOSCOPE_THRESHOLD": "64"})
check("under 64 bytes: 56.1 %" in got.stderr, f"MALLOSCOPE_THRESHOLD: {got.stderr}")
check("under 64 bytes" in call("record", "-f", "-o", "t.mscope", "--threshold", "64", known).stderr, "--threshold")
for words, env in ((["--call-graph", "none"], {}), ([], {"MALLOSCOPE_CALL_GRAPH": "none"})):
    call("record", "-q", "-f", "-o", "none.mscope", *words, known, env=env)
    check(not any(e.frames for e in dump(path("none.mscope"), stacks=True)), f"no stacks: {words} {env}")

# --- how stacks are taken: checked here, told to the program's recorder ---
def environment_of_program(*words, env=None):
    got = call("record", "-q", "-f", "-o", "stacks.mscope", *words, "env", env=env)
    equal(got.returncode, 0, f"{words} {env}: {got.stderr}")
    return dict(line.split("=", 1) for line in got.stdout.splitlines() if line.startswith("MALLOSCOPE_"))


for mode in ("auto", "libunwind", "fp", "none"):
    equal(environment_of_program("--call-graph", mode).get("MALLOSCOPE_CALL_GRAPH"), mode, f"--call-graph {mode}")
    equal(environment_of_program(env={"MALLOSCOPE_CALL_GRAPH": mode}).get("MALLOSCOPE_CALL_GRAPH"), mode,
          f"MALLOSCOPE_CALL_GRAPH={mode}")
check(not {"MALLOSCOPE_CALL_GRAPH", "MALLOSCOPE_MAX_DEPTH"} & set(environment_of_program()), "neither is set by default")
for depth, told in (("1", "1"), ("64", "64"), ("1024", "1024"), ("1K", "1024")):
    equal(environment_of_program("--max-depth", depth).get("MALLOSCOPE_MAX_DEPTH"), told, f"--max-depth {depth}")
    equal(environment_of_program(env={"MALLOSCOPE_MAX_DEPTH": depth}).get("MALLOSCOPE_MAX_DEPTH"), told,
          f"MALLOSCOPE_MAX_DEPTH={depth}")
equal(environment_of_program("--max-depth", "5", env={"MALLOSCOPE_MAX_DEPTH": "x"}).get("MALLOSCOPE_MAX_DEPTH"), "5",
      "the option goes before the variable")
for depth in ("0", "1025", "2K", "-1", "x", "5x", ""):
    one_line(call("record", "--max-depth", depth, "touch", path("ran-deep")), 2, "--max-depth", "from 1 to 1024")
    one_line(call("record", "touch", path("ran-deep"), env={"MALLOSCOPE_MAX_DEPTH": depth}), 2, "--max-depth",
             "from 1 to 1024")
for mode in ("FP", "magic", ""):
    one_line(call("record", "touch", path("ran-deep"), env={"MALLOSCOPE_CALL_GRAPH": mode}), 2, "--call-graph", "fp or none")
check(not os.path.exists(path("ran-deep")), "after a usage error nothing runs")

# --- nothing is overwritten ---
with open(path("taken.mscope"), "w") as file:
    file.write("mine")
one_line(call("record", "-o", "taken.mscope", known), 125, "taken.mscope", "exists", "-f")
with open(path("taken.mscope")) as file:
    equal(file.read(), "mine", "the existing file is as it was")
equal(call("record", "-q", "-f", "-o", "taken.mscope", known).returncode, 7, "-f replaces it")
equal(report(path("taken.mscope"))["counts"]["allocations"], 1070, "the new log")

# --- nor is the log of a session that runs ---
waiting = ["sh", "-c", "echo $$; exec 9>&-; trap '' HUP; read line"]  # a process that is recorded


def is_refused(what):
    before = logs()
    one_line(call("record", "-f", "-o", "busy.mscope", "touch", path("ran-busy")), 125, "busy.mscope", "still runs", "-o")
    equal(logs(), before, f"{what}: nothing is touched")


for what, options in ("record runs", []), ("record runs, not packed", ["--no-compress"]):
    for lacks_live in False, True:
        recorder = subprocess.Popen([MALLOSCOPE, "record", "-q", "-f", *options, "-o", "busy.mscope", *waiting], cwd=WORK,
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        recorder.stdout.readline()
        if lacks_live:  # then only record's own lock says so
            os.unlink(live_files(path("busy.mscope"))[0])
        is_refused(what)
        recorder.communicate("\n", timeout=30)
recorder = subprocess.Popen([MALLOSCOPE, "record", "-q", "-f", "-o", "busy.mscope", *waiting], cwd=WORK,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
recorder.stdout.readline()
recorder.kill()
recorder.wait()
is_refused("record was killed, and its program runs")
check(not os.path.exists(path("ran-busy")), "where the log is refused nothing runs")
recorder.communicate("\n")
end = time.monotonic() + 30
while call("record", "-q", "-f", "-o", "busy.mscope", known).returncode != 7 and time.monotonic() < end:
    time.sleep(0.02)
equal(report(path("busy.mscope"))["counts"]["allocations"], 1070, "when all have ended -f replaces it")
equal([name for name in logs() if name.startswith("busy")], ["busy.mscope"], "and what was beside it")

# --- what cannot be recorded is said before anything runs ---
ran = path("ran")
touch = ["touch", ran]
one_line(call("record", "-o", "no/such/dir/x.mscope", *touch), 125, "no/such/dir", "No such file")
one_line(call("record", "-f", "-o", WORK, *touch), 125, "no regular file")
one_line(call("record", "-f", "-o", "/dev/null", *touch), 125, "no regular file")
one_line(call("record", "-o", "%z.mscope", *touch), 125, "%z")
got = run(["sh", "-c", f"ulimit -f 0; exec {MALLOSCOPE} record -o limit.mscope {' '.join(touch)}"], cwd=WORK)
one_line(got, 125, "limit.mscope", "File too large")
for limit in 4, 5, 6:
    got = run(["sh", "-c", f"ulimit -n {limit}; exec {MALLOSCOPE} record -o limit.mscope {' '.join(touch)}"], cwd=WORK,
              env={"ASAN_OPTIONS": "detect_leaks=0"}) # the sanitizer's own search takes descriptors
    one_line(got, 125, "Too many open files", "ulimit -n")
got = run(["sh", "-c", f"ulimit -f 32; exec {MALLOSCOPE} record -o limit.mscope {' '.join(touch)}"], cwd=WORK)
one_line(got, 125, "limit.mscope", "File too large")
if not os.environ.get("TEST_SANITIZED"): # whose shadow is data
    got = run(["sh", "-c", f"ulimit -d 40000; exec {MALLOSCOPE} record -o limit.mscope {' '.join(touch)}"], cwd=WORK)
    one_line(got, 125, "only 40000 KiB of data (ulimit -d)", "allow 64 MiB")
check("limit.mscope" not in logs(), "no half log is left")
one_line(call("record", "-o", "", *touch), 125, "empty")
one_line(call("record", "-o", "x" * 246, *touch), 125, "too long")
if os.getuid() == 0:
    os.mkdir(path("small"))
    if run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", path("small")]).returncode == 0:
        try:
            one_line(call("record", "-o", "small/x.mscope", *touch), 125, "small/x.mscope", "No space")
            equal(os.listdir(path("small")), [], "no half log is left on a full disk")
        finally:
            run(["umount", path("small")])
else:
    os.mkdir(path("locked"), 0o500)
    one_line(call("record", "-o", "locked/x.mscope", *touch), 125, "Permission denied")
check(not os.path.exists(ran), "the program did not run")

one_line(call("record", "./absent"), 127, "absent")
one_line(call("record", "no-such-program-anywhere"), 127, "no-such-program-anywhere")
with open(path("plain"), "w") as file:
    file.write("#!/bin/sh\n")
one_line(call("record", "./plain"), 126, "plain")
one_line(call("record", WORK), 126, WORK)
with open(path("static.c"), "w") as file:
    file.write("int main(void) { return 0; }\n")
before = logs()
for flags, word in ((["-static"], "static"), (["-static-pie"], "static"), (["-m32"], "32-bit")):
    if check(run(["gcc", *flags, "static.c", "-o", "static"], cwd=WORK).returncode == 0, f"gcc {flags} builds"):
        one_line(call("record", "./static"), 125, "./static", word)
if check(run(["musl-gcc", "static.c", "-o", "musl"], cwd=WORK).returncode == 0, "musl-gcc builds"):
    one_line(call("record", "./musl"), 125, "musl")
with open(path("script"), "w") as file:
    file.write("#!" + path("static") + "\n")
os.chmod(path("script"), 0o755)
one_line(call("record", "./script"), 125, "script", "32-bit")
if os.getuid() == 0:
    import shutil
    shutil.copy("/bin/true", path("suid"))
    os.chown(path("suid"), 65534, 65534)
    os.chmod(path("suid"), 0o4755)
    one_line(call("record", "./suid"), 125, "suid", "set-user-ID")
equal(logs(), before, "refused programs leave no log")

# --- who may do anything cuts the live file short: that kills the program, and is said ---
if os.getuid() == 0:
    for events, words in (0, "all is lost"), (20000, "INCOMPLETE: the end of 1 of its processes"):
        code = f"l = [str(i) for i in range({events})]; " \
               "print('ready', flush=True); input(); l += [str(i) for i in range(20000)]; print('end')"
        process = subprocess.Popen([MALLOSCOPE, "record", "-q", "-f", "-o", "cut.mscope", "--", sys.executable, "-c", code], cwd=WORK,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, "PYTHONMALLOC": "malloc" if events else "pymalloc"})
        equal(process.stdout.readline(), "ready\n", "it has begun")
        for name in live_files(path("cut.mscope")):
            os.truncate(name, 0)
        out, err = process.communicate("\n", timeout=60)
        equal((process.returncode, out), (135, ""), "a live file that is cut short kills its program, and its status is passed on")
        check("was killed by signal 7" in err and words in err and "never loaded" not in err, f"a live file that is cut short: {err}")

# --- the library was never loaded, although the program ran ---
with open(path("none.c"), "w") as file:
    file.write("int none;\n")
run(["gcc", "-shared", "-fPIC", "none.c", "-o", "none.so"], cwd=WORK)
got = call("record", "-o", "never.mscope", "echo", "ran", env={"MALLOSCOPE_SHIM": path("none.so")})
check(got.returncode == 125 and got.stdout == "ran\n" and "never loaded" in got.stderr, f"never loaded: {got}")
check("never.mscope" not in logs(), "no empty log is left")
LOADER = [line.split()[0] for line in run(["ldd", "/bin/sh"]).stdout.splitlines() if "/ld-linux" in line]
if check(LOADER, "the loader is known by what ldd says"):
    one_line(call("record", *LOADER, "--inhibit-rpath", "x", "--list", "/bin/sh"), 125, "--list", "nothing to record")
    one_line(call("record", *LOADER, "--verify", "/bin/sh"), 125, "--verify", "nothing to record")
one_line(call("record", "-o", "never.mscope", "echo", env={"MALLOSCOPE_SHIM": path("absent.so")}), 125, "absent.so")

# --- a program that allocates nothing at all is recorded all the same ---
with open(path("nothing.c"), "w") as file:
    file.write("int main(void) { return 4; }\n")
run(["gcc", "nothing.c", "-o", "nothing"], cwd=WORK)
equal(call("record", "-q", "-o", "nothing.mscope", "./nothing").returncode, 4, "a program without allocations")
equal(report(path("nothing.mscope"))["counts"]["allocations"], 0, "no allocations")

# --- signals go to the program; the log is finished ---
import subprocess
import time
for how in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    log = path(f"passed-{int(how)}.mscope")
    running = subprocess.Popen([MALLOSCOPE, "record", "-q", "-o", log, "--", "sh", "-c", f"trap 'echo got; exit 9' {how.name[3:]}; echo ready; while :; do sleep 0.02; done"],
                               stdout=subprocess.PIPE, text=True)
    running.stdout.readline()
    running.send_signal(how)
    out, _ = running.communicate(timeout=30)
    equal((running.returncode, out), (9, "got\n"), f"{how.name} is passed on")
    equal(report(log)["trust"]["lost_events"], 0, f"{how.name}: the log is whole")


# --- the launcher is killed: nothing of what the program recorded is missing, and the report says what is ---
def has_ended(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] in "ZX"
    except FileNotFoundError:
        return True


for with_program in (False, True):
    log = path(f"orphan-{int(with_program)}.mscope")
    running = subprocess.Popen([MALLOSCOPE, "record", "-q", "-o", log, "--", "sh", "-c",
                                f"{known}; echo $$; read line; {known}; exit 0"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    pid = int(running.stdout.readline())
    running.kill()
    running.wait()
    got = run([MALLOSCOPE, "report", "--json", log])
    equal((got.returncode, json.loads(got.stdout)["trust"]["launcher_died"]), (0, False), "as long as the program runs")
    if with_program:
        os.kill(pid, signal.SIGKILL)
    running.stdin.close()
    deadline = time.monotonic() + 30
    while not has_ended(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    r = report(log)
    equal(r["trust"]["launcher_died"], True, f"the launcher was killed, {with_program}")
    equal(sum(p["allocations"] for p in r["processes"] if p["exe"] == known), 1070 * (1 if with_program else 2),
          "all that was recorded is there")
    check("of the processes here all is there" in run([MALLOSCOPE, "report", log]).stdout, "the note")
    running.stdout.close()
sys.exit(done())
