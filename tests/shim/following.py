"""What the tests of following share: a run with and without the recorder, and who was in it."""
import os
import time

from lib import *
from told import *

LOG, ROOT = path("log.mscope"), os.getuid() == 0
STATIC, PRIVILEGED, MACHINE, LIBC, UNREACHABLE, SANITIZER, STATIC_PASSES = 1, 2, 3, 4, 5, 6, 8
REASONS = [None, "static", "privileged", "machine", "libc", "unreachable", "sanitizer", "sandbox", "static"]


def starts(events):
    """Programs that were recorded, in the order of their beginnings: (pid, how, base name)."""
    return [(e.pid, e.rest[0], os.path.basename(e.rest[3].rstrip(":"))) for e in events if e.kind == "process-start"]


def untraced_programs(events):
    """(reason, base name) of those that the log says were started and are not recorded."""
    last = {}
    for e in events:
        if e.kind == "untraced-program":
            pid, reason = int(e.rest[0]), int(e.rest[2])
            if reason:
                last.setdefault(pid, []).append((reason, os.path.basename(" ".join(e.rest[3:]))))
            else:
                last[pid].pop()
    return [program for programs in last.values() for program in programs]


def await_stragglers():
    """Python's helper for spawned workers may end after its program."""
    end = time.time() + 10
    for pid in {name.split(".live.")[1].split(".")[0] for name in live_files(LOG)}:
        while os.path.exists(f"/proc/{pid}") and time.time() < end:
            time.sleep(0.01)


def followed(command, what, *, follow=None, untold=False, more_untraced=(), **more):
    """The same run with and without the recorder; all that was told is in the log, and nothing of it
    is lost. Returns what was told, the log's events, and the report."""
    untraced, _ = told_run(command, **more)
    options = [f"--follow={follow}"] if follow else []
    traced, truth = told_run([MALLOSCOPE, "record", "-q", "-f", "-o", LOG, "--call-graph=none", *options, "--", *command], **more)
    same_run(traced, untraced, what)
    await_stragglers()
    r = whole(LOG, what)
    events = dump(LOG)
    if follow in (None, "exec", "all"):
        match(truth, events, what, untold=untold)
        equal({pid for pid, _, _ in starts(events)} >= {pid for pid, _, _ in truth}, True, f"{what}: processes")
        equal(sorted(untraced_programs(events)), sorted(more_untraced), f"{what}: programs that are not recorded")
        equal({(u["reason"], os.path.basename(u["path"])) for u in r["untraced_programs"]},
              {(REASONS[reason], name) for reason, name in more_untraced}, f"{what}: programs that the report says are not recorded")
    return truth, events, r
