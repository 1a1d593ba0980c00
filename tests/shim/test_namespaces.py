"""Processes of other pid namespaces, as containers have them: equal pids there are other processes, in the tree
of the report, in the log's streams, and beside the log."""
import glob
import json
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *
from told import whole

LOG = path("log.mscope")
ROUNDS = 4


def command_of(processes, place):
    return None if place is None else processes[place]["command"]


if run(["unshare", "-pf", "--mount-proc", "true"]).returncode != 0:
    print("skipped: unshare does not work here (it takes root, and a kernel with namespaces)")
    sys.exit(done())

# Several at the same time, in each a shell with pid 1 that starts a program, and becomes another.
inner = "; ".join(f"unshare -pf --mount-proc sh -c '/bin/echo child {i}; /usr/bin/env sleep 0.2; exec /bin/echo last {i}' &"
                  for i in range(ROUNDS)).replace("&;", "&") + " wait"
got = record(["sh", "-c", inner], LOG)
equal((got.returncode, got.stderr, sorted(got.stdout.split("\n")[:-1])),
      (0, "", sorted(f"{what} {i}" for what in ("child", "last") for i in range(ROUNDS))), "namespaces: run")
processes = whole(LOG, "namespaces")["processes"]
for i in range(ROUNDS):
    last = [p for p in processes if p["command"] == f"/bin/echo last {i}"]
    equal([(p["pid"], p["start"]) for p in last], [(1, "exec")], f"namespaces: the last program of {i}")
    shell = command_of(processes, last[0]["parent"]) if last else None
    check(shell and shell.startswith("sh -c /bin/echo child") and shell.endswith(f"last {i}"),
          f"namespaces: who executed the last program of {i}: {shell}")
    child = [p for p in processes if p["command"] == f"/bin/echo child {i}"]
    equal(len(child), 1, f"namespaces: the child of {i}")
    up = processes[child[0]["parent"]]
    if up["command"] == child[0]["command"]:
        up = processes[up["parent"]]
    check(up["command"].startswith("sh -c") and up["command"].endswith(f"last {i}"), f"namespaces: whose child that of {i} is: {up}")
equal(sum(p["pid"] == 1 and p["parent"] is None for p in processes), ROUNDS, "namespaces: their first programs' parents cannot be seen")

# Where /proc is the parent's namespace's, it can.
got = record(["unshare", "-pf", "/bin/echo", "x"], LOG)
processes = whole(LOG, "namespaces, the same /proc")["processes"]
parents = [command_of(processes, p["parent"]) for p in processes if p["pid"] == 1]
equal(parents[:1], ["unshare -pf /bin/echo x"], "namespaces, the same /proc: the parent of the first program")

# A reader outside, who knows no such pid, comes when a process's live file has just been made.
STRACE = ["strace", "-f", "-o", os.devnull, "-e", "trace=flock", "-e", "inject=flock:delay_enter=400000:when=1"]
if shutil.which("strace") and run([*STRACE, "true"]).returncode == 0:
    os.remove(LOG)
    with subprocess.Popen(["unshare", "-pf", "--mount-proc", "sh", "-c", "echo 30000 > /proc/sys/kernel/ns_last_pid; exec \"$@\"", "sh",
                           *STRACE, "-E", "LD_PRELOAD=" + SHIM, "-E", "MALLOSCOPE_OUTPUT=" + LOG,
                           program("hostile"), "nothing"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, text=True) as process:
        end = time.time() + 20
        while process.poll() is None and time.time() < end:
            if os.path.exists(LOG):
                run([MALLOSCOPE, "report", LOG])
            time.sleep(0.02)
        out, err = process.communicate(timeout=60)
    equal((process.returncode, out, err), (3, "done\n", ""), "a reader outside: run")
    r = report(LOG)
    equal([r["trust"]["lost_events"], r["trust"]["events"]], [0, 14000], "a reader outside: all events are there")
    equal(glob.glob(LOG + ".live.*"), [], "a reader outside: no live file remains")
else:
    print("skipped: a reader that comes at the wrong moment (it takes strace)")

# --- /proc is not there, or goes: programs are known by what was executed ---
WITHOUT_PROC = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh"]
if run(WITHOUT_PROC + ["true"]).returncode == 0:
    with open(path("script"), "w") as file:
        file.write("#! /bin/sh -e\nexec /bin/ls /proc\n")
    os.chmod(path("script"), 0o755)
    shutil.copy("/bin/true", path("relative"))
    loader = next(word for word in run(["ldd", "/bin/ls"]).stdout.split() if "/ld-linux" in word)
    got = record([*WITHOUT_PROC, "sh", "-c", f"./script; ./relative; {loader} /bin/true; {loader} /bin/ls /proc"], LOG, cwd=WORK)
    equal((got.returncode, got.stdout, got.stderr), (0, "", ""), "without /proc: run")
    r = run([MALLOSCOPE, "report", "--json", LOG])
    exes = {os.path.basename(p["exe"]) for p in json.loads(r.stdout)["processes"] if p["command"] == ""}
    equal(exes, {"sh", "ls", "relative", ""}, "without /proc: names")
    r = run([MALLOSCOPE, "report", "--no-cache", LOG])
    check("(not known)" in r.stdout, f"without /proc: a program that the loader was given: {r.stdout}")
    check("malloscope: :" not in r.stderr and r.stderr.count("in the log without a path") == 1, f"without /proc: complaints: {r.stderr}")
    for words in ["record", "-o", LOG + "2", "--", "true"], ["doctor"]:
        got = run([*WITHOUT_PROC, MALLOSCOPE, *words], env={"MALLOSCOPE_SHIM": ""})
        check(got.returncode == 125 and "/proc is not mounted" in got.stdout + got.stderr, f"without /proc: {words}: {got}")
else:
    print("skipped: a place without /proc (it takes mount namespaces)")
sys.exit(done())
