"""`check` where processes live longer than the program: it waits for their end, and names one that does not come to it."""
import json
import os
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

os.mkdir(path("temporary"))
os.environ["TMPDIR"] = path("temporary")
os.environ["XDG_CACHE_HOME"] = path("cache")
with open(path("late.c"), "w") as file:
    file.write("""#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
extern char **environ;
static void *volatile sink;
static void plant(int n) { for (int i = 0; i < n; i++) sink = malloc(24); }
static void say_pid(const char *file) { int fd = open(file, O_WRONLY | O_CREAT | O_APPEND, 0600); char text[16]; write(fd, text, sprintf(text, "%d\\n", getpid())); close(fd); }
int main(int argc, char **argv)
{
    plant(5);
    if (strcmp(argv[1], "planted") == 0) {
        plant(100);
    } else if (strcmp(argv[1], "spawns") == 0) {
        char *other[] = { argv[0], "planted", NULL };
        pid_t pid;
        posix_spawn(&pid, argv[0], NULL, NULL, other, environ);
        _exit(0);
    } else if (fork() == 0) {
        close(0); close(1); close(2);
        if (argc > 2) { say_pid(argv[2]); plant(50); sleep(60); }
        usleep(500000);
        plant(100);
        _exit(0);
    } else if (argc > 2) {
        while (access(argv[2], F_OK) != 0) usleep(1000);
        usleep(100000); /* it has allocated */
    }
    return 0;
}
""")
LATE = path("late")
must("gcc", "-O1", "-g", "-fno-builtin", "-o", LATE, path("late.c"))
LIMIT = ["--max", "allocations=1000"]


def counted(*command):
    """What `check` counts of one run."""
    got = run([MALLOSCOPE, "check", "--json", "-r", "1", *LIMIT, "--", *command])
    equal(got.returncode, 0, f"{command}: {got.stdout}{got.stderr}")
    return next((m["value"] for m in json.loads(got.stdout)["metrics"] if m["name"] == "allocations"), None)


def end_all(file):
    with open(file) as pids:
        for pid in pids:
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass


# --- it comes to its end ---
equal(counted(LATE, "forks"), 105, "a fork that nobody waits for")
for _ in range(10): # in some of them it has not begun to record when the program has ended
    equal(counted(LATE, "spawns"), 110, "a program that nobody waits for")
must("bash", "-c", "true")
for _ in range(3):
    got = run([MALLOSCOPE, "check", "-r", "1", "--max", "allocations=100000", "--", "bash", "-c", f"{LATE} planted > >(sleep 0.1; cat > /dev/null)"])
    equal(got.returncode, 0, f"a shell's process substitution: {got.stdout}{got.stderr}")

# --- it does not: a log of it, which is read at once ---
try:
    with open(path("said"), "w") as said:
        subprocess.run([MALLOSCOPE, "record", "-q", "-o", path("late.mscope"), "--", LATE, "stays", path("pids")], stdin=subprocess.DEVNULL,
                       stdout=said, stderr=said, timeout=60, check=True)
    pid = int(open(path("pids")).read())
    got = run([MALLOSCOPE, "check", *LIMIT, path("late.mscope")])
    equal(got.returncode, 3, f"it runs: {got.stdout}{got.stderr}")
    check(f"is still being recorded: process {pid} (late) still runs; wait for its end, or say --allow-incomplete" in got.stderr, f"named: {got.stderr}")
    got = run([MALLOSCOPE, "check", "--json", "--allow-incomplete", *LIMIT, path("late.mscope")])
    equal(got.returncode, 0, f"it may: {got.stdout}{got.stderr}")
    found = json.loads(got.stdout)
    equal([m["value"] for m in found["metrics"] if m["name"] == "allocations"], [55], "what there is by then")
    check(any(f"process {pid} (late) still ran when the log was read" in note for note in found["notes"]), f"a note: {found['notes']}")
finally:
    end_all(path("pids"))

# --- Ctrl-C ends the waiting ---
with open(path("said"), "w") as said:
    checking = subprocess.Popen([MALLOSCOPE, "check", *LIMIT, "--", LATE, "stays", path("waited")], stdin=subprocess.DEVNULL, stdout=said, stderr=said)
try:
    while not os.path.exists(path("waited")) and checking.poll() is None:
        time.sleep(0.01)
    time.sleep(0.5)
    checking.send_signal(signal.SIGINT)
    begin = time.monotonic()
    equal(checking.wait(timeout=60), -signal.SIGINT, f"it ends by it: {open(path('said')).read()}")
    check(time.monotonic() - begin < 5, "at once")
    equal(os.listdir(path("temporary")), [], "nothing is left behind")
finally:
    end_all(path("waited"))

# --- nor in 10 seconds ---
if os.environ.get("TEST_LONG"):
    for options, code in ([], 3), (["--allow-incomplete"], 0):
        try:
            begin = time.monotonic()
            got = run([MALLOSCOPE, "check", "-r", "1", *options, *LIMIT, "--", LATE, "stays", path("stayed")])
            check(time.monotonic() - begin >= 10, "it was waited for")
            equal(got.returncode, code, f"{options}: {got.stdout}{got.stderr}")
            check(re.search(r"process \d+ \(late\) still r", got.stderr + got.stdout), f"named: {got.stdout}{got.stderr}")
        finally:
            end_all(path("stayed"))
            os.remove(path("stayed"))

sys.exit(done())
