"""Programs that tell on descriptor 3 what they do (tests/programs/truth.h), and the
log that must hold the same events."""
import json
import os
import re
import subprocess

from lib import *

ADDED = re.compile(r"^malloscope: .* was killed by signal .*\n", re.M)


def told_run(command, timeout=60, **more):
    """Runs a command with descriptor 3 on a fresh file. Returns it and what was told: [(pid, tid, text)]."""
    name = path("truth")
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    os.dup2(descriptor, 3)
    if descriptor != 3:
        os.close(descriptor)
    try:
        got = run(command, pass_fds=(3,), timeout=timeout, **more)
    except subprocess.TimeoutExpired:
        got = subprocess.CompletedProcess(command, 124, "", "does not end")
    os.close(3)
    return got, read_truth(name)


def read_truth(name=path("truth")):
    with open(name) as file:
        return [(int(pid), int(tid), text) for pid, tid, text in
                (line.rstrip("\n").split(" ", 2) for line in file if line.endswith("\n"))]


def status_of(got):
    return got.returncode if got.returncode >= 0 else 128 - got.returncode


def same_run(traced, untraced, what):
    equal(status_of(traced), status_of(untraced), f"{what}: exit status")
    equal(traced.stdout, untraced.stdout, f"{what}: stdout")
    equal(ADDED.sub("", traced.stderr), untraced.stderr, f"{what}: stderr")


def text_of(event):
    return " ".join([event.kind, *event.rest])


def by_thread(lines):
    threads = {}
    for pid, tid, item in lines:
        threads.setdefault((pid, tid), []).append(item)
    return threads


def match(truth, events, what, *, untold=False, killed=False):
    """Compares each thread's events with what it told. Returns the events beyond that.
    untold: threads that tell nothing are not looked at. killed: the last call of a thread may be half told."""
    extra, threads = [], by_thread((e.pid, e.tid, e) for e in events if e.is_heap)
    for key, told in by_thread(truth).items():
        at = 0
        for event in threads.pop(key, []):
            if at < len(told) and text_of(event) == told[at]:
                at += 1
            else:
                extra.append(event)
        missing = told[at:]
        if killed and len(missing) == 1 or untold and not told:
            missing = []
        equal(missing[:3], [], f"{what}: events of thread {key} from number {at} of {len(told)} that are not in the log")
    if not untold:
        extra += [event for thread in threads.values() for event in thread]
    if killed:
        last = {(e.pid, e.tid): e for e in events if e.is_heap}
        extra = [e for e in extra if last[e.pid, e.tid] is not e]
    return extra


def whole(log, what, **expected):
    """The report's own word that nothing is missing."""
    got = run([MALLOSCOPE, "report", "--json", log])
    equal((got.returncode, complaints(got.stderr)), (0, ""), f"{what}: report")
    r = json.loads(got.stdout)
    wanted = {"injected": True, "lost_events": 0, "unmatched_frees": 0, "unseen_frees": 0, "truncated_bytes": 0,
              "missing_chunks": 0, "partial_stacks": 0, "guessed_stacks": 0, **expected}
    equal({name: r["trust"][name] for name in wanted}, wanted, f"{what}: trust")
    equal(live_files(log), [], f"{what}: no live file remains")
    return r
