"""Where not everything is recorded: what is in the log is exactly what the rule says. A pause, a least size, a
sample; and of a sample, that the estimates from it are right on average."""
import math
import os
import re
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *
from told import told_run

LOG = path("log.mscope")
SYSTEM = ("ld-linux", "libc.so", "libc-2")


def recorded(name, *arguments, options=()):
    """Runs a program of ours; returns what it told and the log's events but for the system's own."""
    got, truth = told_run([MALLOSCOPE, "record", "-q", "-f", "-o", LOG, *options, "--", program(name), *arguments])
    truth = [text for _, _, text in truth]
    equal((got.returncode, got.stderr), (0, ""), f"{name} {options}: run")
    events, theirs = [], set()
    for e in dump(LOG, stacks=True):
        if e.frames and e.frames[0].split(" ")[1].startswith(SYSTEM):
            theirs.add(e.address)
        elif e.kind == "free" and e.address in theirs:
            theirs.discard(e.address)
        else:
            events.append(e)
    r = report(LOG)
    trust = {key: r["trust"][key] for key in ("lost_events", "unmatched_frees", "unseen_frees", "truncated_bytes")}
    equal(trust, dict.fromkeys(trust, 0), f"{name} {options}: trust")
    return got, truth, events


def heap(events):
    return [" ".join([e.kind, *e.rest]) for e in events if e.is_heap]


# --- pauses ---
for options, arguments in (((), ()), (("--toggle-signal", "USR2"), (str(int(signal.SIGUSR2)),)),
                           (("--toggle-signal", "RTMIN+1"), (str(int(signal.SIGRTMIN) + 1),)),
                           (("--start-paused",), ("0", "off")),
                           (("--start-paused", "--toggle-signal", "sigusr2"), (str(int(signal.SIGUSR2)), "off"))):
    got, truth, events = recorded("paused", *arguments, options=options)
    what = f"paused {' '.join(options)}"
    equal(got.stdout, "errno 77\n", what)
    log = heap(events)
    wrong = [(i, a, b) for i, (a, b) in enumerate(zip(log, truth)) if a != b]
    equal((wrong[:1], len(log)), ([], len(truth)), f"{what}: events")
    equal([e.rest[0] for e in events if e.kind == "mark"], ["begin", "on", "off"], f"{what}: marks")
    switches = [e.rest[0] for e in events if e.kind == "recording"]
    check(len(switches) > 500 and all(a != b for a, b in zip(switches, switches[1:])), f"{what}: {len(switches)} switches")
got = run([program("paused")])
equal((got.returncode, got.stdout), (0, "errno 77\n"), "paused untraced")


# Without the launcher the library itself reads the signal's name.
for name, number in ("usr2", signal.SIGUSR2), ("SIGRTMAX-2", signal.SIGRTMAX - 2), ("12", 12):
    got, _ = told_run([program("paused"), str(int(number))], env={"LD_PRELOAD": SHIM, "MALLOSCOPE_TOGGLE_SIGNAL": name,
                                                                  "MALLOSCOPE_OUTPUT": path("plain.mscope")})
    equal((got.returncode, got.stdout), (0, "errno 77\n"), f"signal {name} without record: run")
    check(sum(e.kind == "recording" for e in dump(path("plain.mscope"))) > 500, f"signal {name} without record: no switches")
    os.remove(path("plain.mscope"))

# All signals that the shell knows, by its names.
known = dict(re.findall(r"(\d+)\) (\S+)", run(["bash", "-c", "kill -l"]).stdout))
check(len(known) > 60, f"kill -l: {known}")
for number, name in known.items():
    for form in name, name.removeprefix("SIG").lower():
        got = run([MALLOSCOPE, "record", "-q", "-f", "-o", LOG, "--toggle-signal", form, "--", "sh", "-c",
                   "echo $MALLOSCOPE_TOGGLE_SIGNAL"])
        if name in ("SIGKILL", "SIGSTOP"):
            check(got.returncode == 2 and "can be handled" in got.stderr, f"{form}: {got.returncode} {got.stderr}")
        else:
            equal((got.returncode, got.stdout), (0, number + "\n"), f"--toggle-signal {form}: {got.stderr}")
for wrong in "RTMIN-1", "RTMAX+1", "RTMIN+100", "RTMIN+", "USR", "USR22", "", "0", "33", "65", "-1":
    got = run([MALLOSCOPE, "record", "-q", "-f", "-o", LOG, "--toggle-signal=" + wrong, "--", "true"])
    equal((got.returncode, len(got.stderr.splitlines())), (2 if wrong else 0, int(wrong != "")), f"--toggle-signal {wrong}: {got.stderr}")


# --- malloscope.h in either dialect of the assembler, and in a vfork child, which is not to pause its parent ---
with open(path("vforked.c"), "w") as file:
    file.write("""#include <malloscope.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    for (int i = 0; i < 2; i++) {
        pid_t child = vfork();
        if (child == 0) {
            if (i)
                kill(getpid(), SIGUSR2);
            else
                malloscope_stop();
            _exit(0);
        }
        waitpid(child, NULL, 0);
        malloscope_mark("after");
        free(malloc(4321));
    }
    malloscope_stop();
    free(malloc(1234));
    malloscope_start();
    return 3;
}
""")
dialects = [[]] + ([["-masm=intel"]] if os.uname().machine == "x86_64" else [])
for compiler in "gcc", "clang":
    for options in dialects:
        for more in ["-O2", "-fno-builtin"], ["-O0", "-fno-pie", "-no-pie"], ["-O2", "-fPIC", "-static-pie"]:
            what = f"{compiler} {options} {more}"
            got = run([compiler, "-Wall", "-Werror", *options, *more, "-I", os.path.join(SOURCE, "interpose"), path("vforked.c"),
                       "-o", path("vforked")])
            if not check(got.returncode == 0, f"{what}: {got.stderr}") or "-static-pie" in more:
                continue
            got = record([path("vforked")], LOG, "--toggle-signal", "USR2")
            equal((got.returncode, got.stderr), (3, ""), f"{what}: runs")
            events = dump(LOG)
            equal([e.rest[0] for e in events if e.kind == "mark"], ["after", "after"], f"{what}: marks")
            equal(len([e for e in events if e.kind == "recording"]), 2, f"{what}: only the parent's own call pauses it")
            equal([e.size for e in events if e.kind == "malloc" and e.size in (4321, 1234)], [4321, 4321], f"{what}: events")


# --- a least size ---
def at_least(truth, least):
    """What of the told events is to be in the log."""
    live, wanted, begun = set(), [], None
    for text in truth:
        kind, address, size = (text.split(" ") + ["-"])[:3]
        if kind == "realloc-begin":
            begun = (text, address, address in live)
            live.discard(address)
        elif kind == "free":
            if address in live:
                wanted.append(text)
            live.discard(address)
        elif kind in ("realloc-end", "reallocarray-end"):
            large = int(size) >= least
            wanted += [begun[0]] if begun[2] else []
            wanted += [text] if begun[2] and large else ["realloc-freed - -"] if begun[2] else \
                [text.replace("-end", "")] if large else []
            if large:
                live.add(address)
        elif kind == "realloc-freed":
            wanted += [begun[0], text] if begun[2] else []
        elif kind in ("realloc-failed", "reallocarray-failed") and begun:
            wanted += [begun[0], text] if begun[2] else []
            if begun[2]:
                live.add(begun[1])
        elif kind.endswith("-failed"):
            wanted.append(text)
        elif int(size) >= least:
            wanted.append(text)
            live.add(address)
        if kind != "realloc-begin":
            begun = None
    return wanted


for least in 1, 50, 1000, 10 ** 9:
    got, truth, events = recorded("random", "5", "30000", options=("--min-size", str(least)))
    log, wanted = heap(events), at_least(truth, least)
    wrong = [(i, a, b) for i, (a, b) in enumerate(zip(log, wanted)) if a != b]
    equal((wrong[:1], len(log)), ([], len(wanted)), f"at least {least} bytes: events")

# --- forked children are there, also those of which nothing is recorded ---
run([MALLOSCOPE, "record", "-q", "-f", "-o", LOG, "--min-size", "1M", "--", program("forks"), "fork"], pass_fds=())
equal(len(report(LOG)["processes"]), 7, "at least 1 MiB: processes")

# --- a sample ---
ALLOCATES = ("malloc", "calloc", "realloc", "reallocarray", "posix_memalign", "aligned_alloc", "memalign", "valloc", "pvalloc",
             "realloc-end", "reallocarray-end")


def left(lines):
    """The blocks that are live at the end: address → size."""
    live, begun = {}, None
    for text in lines:
        kind, address, size = (text.split(" ") + ["-"])[:3]
        if kind == "free":
            live.pop(address, None)
        elif kind == "realloc-begin":
            begun = address, live.pop(address, None)
        elif kind in ("realloc-failed", "reallocarray-failed") and begun and begun[1]:
            live[begun[0]] = begun[1]
        elif kind in ALLOCATES and address != "-":
            live[address] = size
    return live


RATE, RUNS = 4096, 40 if os.environ.get("TEST_LONG") else 12
counts, sizes = 0.0, 0.0
for i in range(RUNS):
    got, truth, events = recorded("random", "7", "20000", options=("--sample", str(RATE)))
    log = heap(events)
    told = set(truth)
    allocations = [text for text in log if text.split(" ")[0] in ALLOCATES]
    strange = [text for text in allocations if text not in told and text.replace("realloc ", "realloc-end ", 1) not in told and
               text.replace("reallocarray ", "reallocarray-end ", 1) not in told]
    equal(strange[:2], [], "sample: allocations that the program did not make")
    live = left(truth)
    equal([item for item in left(log).items() if live.get(item[0]) != item[1]][:2], [], "sample: no free of a recorded block is missing")
    for text in allocations:
        size = int(text.split(" ")[2])
        weight = 1 / (1 - math.exp(-(size + 1) / RATE))
        counts += weight
        sizes += weight * size
true = [int(text.split(" ")[2]) for text in truth if text.split(" ")[0] in ALLOCATES]
# Not estimated from the sample: one that is too small by chance would give too small an error as well.
variances = [1 / (1 - math.exp(-(size + 1) / RATE)) - 1 for size in true]
variance_of_count, variance_of_bytes = RUNS * sum(variances), RUNS * sum(v * size * size for v, size in zip(variances, true))
for name, estimate, truth_of_it, variance in (("allocations", counts, len(true), variance_of_count),
                                              ("bytes", sizes, sum(true), variance_of_bytes)):
    off = (estimate - RUNS * truth_of_it) / math.sqrt(variance)
    check(abs(off) < 5, f"sample: {name}: {estimate / RUNS:.0f} on average of {RUNS} runs, {truth_of_it} in truth, {off:.1f} standard errors")
check(math.sqrt(variance_of_count) / counts < 0.1, "sample: large enough to tell")

# --- a sample of many that each allocate little: each thread and each process draws for itself, from the first on ---
MANY = 300
for how in "threads", "forks":
    got = record([program("sampled"), how, str(MANY)], LOG, "--sample", str(RATE))
    equal((got.returncode, got.stderr), (0, ""), f"sampled {how}: run")
    events = [e for e in dump(LOG) if e.kind == "malloc"]
    for size in 1009, 2017, 4051:
        share = 1 - math.exp(-(size + 1) / RATE)
        found = sum(e.size == size for e in events)
        off = (found - MANY * share) / math.sqrt(MANY * share * (1 - share))
        # By chance beyond 6 once in 10^8 runs. If all drew the same, none or all would be there: more than 9.
        check(abs(off) < 6, f"sampled {how}: {found} of {MANY} blocks of {size} bytes, {MANY * share:.0f} on average: {off:.1f} standard errors")
sys.exit(done())
