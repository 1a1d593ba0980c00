"""The whole way from a program to the answer: what `record` and `report` take in CPU time
above the untraced program, against heaptrack and heaptrack_print where they are installed;
and how fast and in how much memory a log is read."""
import collections
import ctypes
import glob
import os
import resource
import shutil
import subprocess
import tempfile
import time

import ways

HEAPTRACK = shutil.which("heaptrack") if shutil.which("heaptrack_print") else None
PR_SET_CHILD_SUBREAPER = 36

Taken = collections.namedtuple("Taken", "cpu wall rss output")  # seconds, seconds, bytes


def take(command, environment=None):
    """Runs it, and waits for all that it leaves behind: heaptrack's script does not wait for
    its interpreter. What they took together; rss is the largest process's."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOSCOPE_", "LD_PRELOAD"))}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, env={**inherited, **(environment or {})}, stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        while True:
            try:
                os.wait()
            except ChildProcessError:
                break
        wall = time.monotonic() - start
        out.seek(0)
        errors.seek(0)
        if process.returncode != 0:
            raise subprocess.CalledProcessError(process.returncode, command, None, errors.read())
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return Taken(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall, usage.ru_maxrss * 1024,
                     out.read().decode(errors="replace"))


def ours(directory, command, environment, *options):
    """CPU seconds of `record`, and of `report` that finds all names anew. The log stays."""
    log = os.path.join(directory, "raw" if options else "ours")
    recorded = take([ways.MALLOSCOPE, "record", "-q", "-f", "-o", log, *options, "--", *command], environment)
    return recorded.cpu, take([ways.MALLOSCOPE, "report", "--no-cache", log]).cpu


def ours_not_packed(directory, command, environment):
    return ours(directory, command, environment, "--no-compress")


def heaptracks(directory, command, environment):
    """The same of heaptrack. None, and no log, where its interpreter ended early, as 1.4.0's
    does on some big runs: the program then dies of a broken pipe."""
    log = os.path.join(directory, "heaptrack")
    for name in glob.glob(log + ".*"):
        os.unlink(name)
    try:
        recorded = take([HEAPTRACK, "-o", log, *command], environment)
        return recorded.cpu, take(["heaptrack_print", "-f", glob.glob(log + ".*")[0]]).cpu
    except (subprocess.CalledProcessError, IndexError):
        for name in glob.glob(log + ".*"):
            os.unlink(name)
        return None


def whole_way(rounds, directory, command, environment=None):
    """The untraced program's CPU seconds, then (what recording adds, reading) of ours, packed and not, and of
    heaptrack, None where there is none. The least of the rounds, taken in turn."""
    ways_there = [ours, ours_not_packed, *([heaptracks] if HEAPTRACK else [])]
    untraced, found = [], {way: [] for way in (ours, ours_not_packed, heaptracks)}
    for _ in range(rounds):
        untraced.append(take(command, environment).cpu)
        for way in ways_there:
            found[way].append(way(directory, command, environment))
    own, both = min(untraced), []
    for runs in found.values():
        runs = [run for run in runs if run]
        both.append((min(recorded for recorded, _ in runs) - own, min(read for _, read in runs)) if runs else None)
    return own, *both


def _least(rounds, command, environment=None):
    """Wall seconds and bytes."""
    runs = [take(command, environment) for _ in range(rounds)]
    return min(run.wall for run in runs), max(run.rss for run in runs)


def reading(rounds, directory):
    """Of the logs that whole_way() left: events, then (wall seconds, bytes) of `report` with the
    names in its cache and of heaptrack_print; None where there is no such log."""
    log, cache = os.path.join(directory, "ours"), {"XDG_CACHE_HOME": os.path.join(directory, "cache")}
    take([ways.MALLOSCOPE, "report", log], cache)
    theirs = glob.glob(os.path.join(directory, "heaptrack.*"))
    return (ways.log_events(log), _least(rounds, [ways.MALLOSCOPE, "report", log], cache),
            _least(rounds, ["heaptrack_print", "-f", theirs[0]]) if theirs else None)


def generated(rounds, directory, events, *words):
    """Bytes of a log that generate_log makes, then wall seconds and bytes of `report`."""
    log = os.path.join(directory, "generated")
    take([os.path.join(ways.BUILD, "tests/bench/generate_log"), log, str(events), *words])
    found = os.path.getsize(log), *_least(rounds, [ways.MALLOSCOPE, "report", log])
    os.unlink(log)
    return found


def reap_orphans():
    """So that take() waits for them, and their time is counted."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
