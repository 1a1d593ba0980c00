"""Of a part of a log alive is what processes have that live when it ends; what others had left by then is told apart, by
how they ended. All commands say the same of it, and a log that was trimmed to it does too. And what is said of the end of
a process is the same everywhere."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

# Children that end one after the other, each in its own way, then another program, then the moment that is asked about.
with open(path("p.c"), "w") as file:
    file.write("""#include "malloscope.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
void *volatile kept;
int main(int argc, char **argv)
{
    (void)argv;
    if (argc == 1) {
        kept = malloc(50000000);
        malloscope_mark("child");
        execl("/proc/self/exe", "p", "again", (char *)0);
    }
    for (int i = 0; i < 3; i++) {
        if (fork() == 0) {
            kept = malloc(30000000 + i);
            if (i == 0)
                kill(getpid(), SIGKILL);
            if (i == 1)
                _exit(0);
            exit(0);
        }
        wait(0);
    }
    kept = malloc(7000000);
    malloscope_mark("then");
    free(kept);
    kept = malloc(90000000);
    free(kept);
    return 0;
}
""")
equal(run(["gcc", "-O0", "-g", "-I", os.path.join(SOURCE, "interpose"), "p.c", "-o", "p"], cwd=WORK).returncode, 0, "compiling")
log, part = path("log"), path("part")
equal(run([MALLOSCOPE, "record", "-q", "-f", "-o", log, path("p")]).returncode, 0, "recording")
equal(run([MALLOSCOPE, "trim", "-f", log, "-o", part, "--to", "then"]).returncode, 0, "trimming")
ALIVE, EXITED, OTHERS = 7000000, 30000002, 50000000 + 30000000 + 30000001


def said(*command):
    got = run([MALLOSCOPE, *command])
    equal((got.returncode, complaints(got.stderr)), (0, ""), f"{command}")
    return got.stdout


def asked(*command):
    return json.loads(said(*command))


for options in ["--to", "then", log], [part]:
    r = asked("report", "--json", *options)
    equal((r["bytes"]["leaked"], r["blocks"]["leaked"]), (ALIVE, 1), f"report {options}: alive")
    equal((r["left"]["bytes"], r["left"]["blocks"]), (EXITED + OTHERS, 4), f"report {options}: left")
    check(r["bytes"]["leaked"] <= r["bytes"]["peak"], f"report {options}: no more than the peak: {r['bytes']}")
    text = said("report", *options)
    check(re.search(r"\n  still allocated +6\.7 MiB   in 1 block, at the end of the part\n  left by then +133\.5 MiB   in 4 blocks, by processes that had ended\n",
                    text), f"report {options}: {text}")
    l = asked("leaks", "--json", *options)
    equal([l[name]["bytes"] for name in ("alive", "leaked_at_end", "leaked", "not_ended")], [ALIVE, EXITED, ALIVE + EXITED, OTHERS], f"leaks {options}")
    equal(sorted(p["end"] for p in l["processes"]), ["exec", "exit", "later", "left", "unknown"], f"leaks {options}: ends")
    text = said("leaks", *options)
    check(f"Alive at " in text and " s: 7,000,000 bytes in 1 block, from 1 place\n" in text and
          "\nLeaked by then: 30,000,002 bytes in 1 block, from 1 place\n" in text and "\nNo leaks: 110,000,001 bytes in 3 blocks" in text and
          "   of these leaked by then: 30,000,002 bytes in 1 block\n" in text, f"leaks {options}: {text}")
    equal(sum(s["leaked_bytes"] for s in asked("sites", "--json", *options)["sites"]), ALIVE, f"sites {options}")
    equal(sum(int(line.rsplit(" ", 1)[1]) for line in said("flame", "--cost", "leaked", *options).splitlines()), ALIVE, f"flame {options}")
    check(re.search(r"\b7,000,000\b|\b6\.7 MiB", said("tree", "--cost", "leaked", *options)), f"tree {options}")
    rows = [line.split("\t") for line in said("timeline", "--tsv", *options).splitlines() if not line.startswith("#")]
    equal(int(rows[-1][rows[0].index("live_bytes")]), ALIVE, f"timeline {options}: at its end")

# Of the whole the four leaks of ended processes stay what they are.
r, l = asked("report", "--json", log), asked("leaks", "--json", log)
equal((r["bytes"]["leaked"], r["left"]), (EXITED + OTHERS, None), "report: of the whole")
equal((l["leaked"]["bytes"], l["not_ended"]["bytes"], l["alive"]), (EXITED, OTHERS, None), "leaks: of the whole")

# --- how a process ended is said in the same words ---
equal(sorted(p["end"] for p in r["processes"]), ["exec", "exit", "exit", "left", "unknown"], "report: ends")
equal(sorted((p["pid"], p["end"]) for p in r["processes"]), sorted((p["pid"], p["end"]) for p in l["processes"]), "report and leaks: ends")
wide = {**os.environ, "COLUMNS": "300"}
words = {command: sorted(re.findall(r"^ +(\d+) .*?; (.*)$", run([MALLOSCOPE, command, log], env=wide).stdout.split("program", 1)[1].split("\n\n")[0], re.M))
         for command in ("report", "leaks")}
equal(words["report"], words["leaks"], "report and leaks: in words")
equal(sorted(text for _, text in words["leaks"]), ["_exit status 0", "ended unseen", "executed another program", "exit status 0", "exited"], "in words")

# --- a mark that one process sets is a moment of all ---
children = [p["pid"] for p in l["processes"] if p["end"] in ("exit", "left") and p["bytes"] > ALIVE]
equal(len(children), 2, f"the children that lived to an end: {l['processes']}")
for pid in map(str, children):
    for options, allocations in (["--from", "child"], 1), (["--to", "then"], 1), (["--from", "child", "--to", "then"], 1):
        equal(asked("report", "--json", "--pid", pid, *options, log)["counts"]["allocations"], allocations, f"--pid {pid} {options}")
    equal(run([MALLOSCOPE, "trim", "-f", log, "-o", part, "--pid", pid, "--to", "then"]).returncode, 0, f"trim --pid {pid}")
    equal(asked("report", "--json", part)["counts"]["allocations"], 1, f"the part of {pid}")

# --- dump of a part is these lines of the whole; TSV is what sites writes ---
every = said("dump", "--stacks", log)
events = re.findall(r"^\S.*\n(?:\t.*\n)*", every, re.M)
at = {name: float(next(e for e in events if f" mark {name}" in e).split()[0]) for name in ("child", "then")}
between = said("dump", "--stacks", "--from", "child", "--to", "then", log)
equal(between, "".join(e for e in events if at["child"] <= float(e.split()[0]) <= at["then"]), "dump --from --to")
tid = events[-2].split()[2]
equal(said("dump", "--stacks", "--thread", tid, log), "".join(e for e in events if e.split()[2] == tid), "dump --thread")
equal(said("dump", "--tsv", "--to", "then", log), "".join(line for line in said("dump", "--tsv", log).splitlines(True)
                                                          if float(line.split()[0]) <= at["then"]), "dump --tsv --to")
for options, words in (["--thread", "1"], "has no such thread"), (["--from", "1000s"], "nothing comes after that"):
    got = run([MALLOSCOPE, "dump", *options, log])
    check(got.returncode == 2 and words in got.stderr, f"dump {options}: {got.returncode}, {got.stderr}")
equal(said("sites", "--tsv", log), said("sites", log), "sites --tsv")

# --- numbers, places and reasons as a reader expects them ---
for command in ("report", "leaks", "timeline", "info", "sites", "tree"):
    equal(re.findall(r"\d+\.\d{16,}", said(command, "--json", log)), [], f"{command}: no double's last digits")
with open(log, "rb") as file:
    got = run([MALLOSCOPE, "symbolize", "-"], stdin=file)
check(got.returncode == 2 and "name a file" in got.stderr and "No such file" not in got.stderr, f"symbolize -: {got.stderr}")
os.makedirs(path("empty"), exist_ok=True)
got = run([MALLOSCOPE, "report", "--no-cache", "--sysroot", path("empty"), log])
check("no such file in the --sysroot" in got.stderr and "says where" not in got.stderr, f"--sysroot: {got.stderr}")
with open(path("i.c"), "w") as file:
    file.write("""#include <stdlib.h>
void *volatile kept;
static inline __attribute__((always_inline)) void within(size_t n) { kept = malloc(n); }
int main(void) { within(100); return 0; }
""")
equal(run(["gcc", "-O1", "-g", "i.c", "-o", "i"], cwd=WORK).returncode, 0, "compiling")
equal(run([MALLOSCOPE, "record", "-q", "-f", "-o", path("inlined"), path("i")]).returncode, 0, "recording")
check(re.search(r"\n      within  \S+i\.c:3 \(inlined\)\n      main  \S+i\.c:4\n", said("leaks", path("inlined"))), "leaks: inlined frames")
sys.exit(done())
