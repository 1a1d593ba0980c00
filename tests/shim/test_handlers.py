"""Signal handlers that use the heap while their thread is inside one of our hooks, at any instruction: every
call of theirs and of the program is in the log, once, whether they return, fork, leave by siglongjmp or end the
thread. The allocator below us is one that allows it."""
import os
import platform
import sys
from collections import Counter

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *
from told import told_run

SAFE = program("safe_malloc.so")
LONG = bool(os.environ.get("TEST_LONG"))


def known(words):
    """What identifies an event: pid, thread, kind and block; of an allocation also or only the size."""
    pid, tid, kind, address, size = words[:5]
    return (pid, tid, kind, address if size == "-" else size)


def compare(truth, events, what):
    """The events are those that were told, and of those that may be, some."""
    sure = Counter(known(words) for words in truth if not words[2].startswith("maybe-"))
    maybe = Counter(known([*words[:2], words[2][6:], *words[3:]]) for words in truth if words[2].startswith("maybe-"))
    logged = Counter(known([str(e.pid), str(e.tid), e.kind, *e.rest]) for e in events if e.is_heap)
    missing, extra = sure - logged, logged - sure - maybe
    equal(list(missing)[:3], [], f"{what}: {missing.total()} of {sure.total()} events are not in the log")
    # What libc and the test's start allocate: malloc(1), and what a new thread or its forced end needs.
    own = [e for e in events if e.is_heap and known([str(e.pid), str(e.tid), e.kind, *e.rest]) in extra]
    own = [e for e in own if e.size != 1 and not (e.frames and e.frames[0].split(" ")[1].startswith(("ld-linux", "libc.so", "libgcc_s")))]
    freed = {e.address for e in events if e.kind == "malloc" and e.size == 1} | \
            {e.address for e in events if e.frames and e.frames[0].split(" ")[1].startswith(("ld-linux", "libc.so", "libgcc_s"))}
    own = [e for e in own if not (e.kind == "free" and e.address in freed)]
    equal([" ".join([e.kind, *e.rest]) for e in own[:3]], [], f"{what}: {len(own)} events that nobody made")
    return sure.total()


def case(mode, operations, streams, least):
    """streams: at most so many for each process; contexts that were left behind are used again."""
    what, log = f"handlers {mode} {operations}", path("log.mscope")
    for graph in "auto", "none":
        got, truth = told_run([MALLOSCOPE, "record", "-q", "-f", "-o", log, "--call-graph", graph, "--",
                               program("handlers"), mode, str(operations)],
                              timeout=300, env={"LD_PRELOAD": SAFE})
        truth = [[str(pid), str(tid), *text.split()] for pid, tid, text in truth]
        equal((got.returncode, got.stderr), (0, ""), f"{what}, {graph}: run")
        check("status" not in got.stdout and "no " not in got.stdout, f"{what}, {graph}: {got.stdout}")
        r = report(log)
        trust = {name: r["trust"][name] for name in ("lost_events", "unmatched_frees", "truncated_bytes", "missing_chunks")}
        equal(trust, dict.fromkeys(trust, 0), f"{what}, {graph}: trust")
        check(r["trust"]["streams"] <= streams * r["trust"]["processes"], f"{what}, {graph}: {r['trust']['streams']} streams")
        events = dump(log, stacks=True) if graph == "auto" else dump(log)
        if graph == "auto":
            told = compare(truth, events, what)
            check(told >= least, f"{what}: {told} events were told")
            check(all(e.frames for e in events if e.kind in ("malloc", "calloc", "realloc-end")), f"{what}: each has a stack")


if platform.machine() == "x86_64":  # one instruction at a time
    case("step", 100 if LONG else 10, 2, 50000)
    case("deepbind", 1, 2, 500)
    case("fork", 6 if LONG else 1, 2, 500)
    case("child", 300 if LONG else 160, 2, 500)
case("storm", 30000 if LONG else 4000, 9, 10000)
case("jump", 200000 if LONG else 40000, 4, 10000)  # what is left behind fills the allocator's 64 GiB at 290,000
case("exit", 300 if LONG else 40, 6, 200)
# A child comes back from the handler into its parent's call, also where that was writing the log.
for options in [], ["--no-compress"]:
    got = record([program("forking_handler"), "300"], log := path("forking.mscope"), *options)
    equal((got.returncode, got.stdout), (0, "0 children failed\n"), f"forking_handler {options}: {got.stderr}")
    trust = report(log)["trust"]
    equal({name: trust[name] for name in ("lost_events", "unmatched_frees", "truncated_bytes", "missing_chunks")},
          {"lost_events": 0, "unmatched_frees": 0, "truncated_bytes": 0, "missing_chunks": 0}, f"forking_handler {options}: trust")
    check(trust["processes"] > 290, f"forking_handler {options}: {trust['processes']} processes")
sys.exit(done())
