"""The ways of running a program that are compared: untraced, under the recorder with
each --call-graph, under heaptrack's preload library where it is installed. One run of
a program gives its CPU time; the log that it left gives bytes an event."""
import collections
import glob
import json
import os
import resource
import subprocess
import tempfile
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(SOURCE, os.environ.get("BUILD", "build"))
MALLOSCOPE = os.path.join(BUILD, "analyze/malloscope")
SHIM = os.path.join(BUILD, "interpose/libmalloscope.so")
_directory = tempfile.TemporaryDirectory(prefix="malloscope-bench-")
LOG = os.path.join(_directory.name, "log.mscope")

# programs: the suffix of the benchmark programs that this way is measured on.
Way = collections.namedtuple("Way", "name label environment programs")


def _ours(call_graph, label, programs=""):
    return Way(call_graph, f"{label} (`--call-graph={call_graph}`)",
               {"LD_PRELOAD": SHIM, "MALLOSCOPE_OUTPUT": LOG, "MALLOSCOPE_CALL_GRAPH": call_graph}, programs)


UNTRACED = Way("untraced", "untraced", {}, "")
UNTRACED_FP = Way("untraced-fp", "untraced, with frame pointers", {}, "-fp")
TRACED = [_ours("none", "no stacks"), _ours("auto", "own unwinder"),
          _ours("fp", "frame pointers", UNTRACED_FP.programs), _ours("libunwind", "libunwind")]
TRACED.append(Way("sample", "a sample (`--sample`)", {**TRACED[1].environment, "MALLOSCOPE_SAMPLE": "524288"}, ""))
_heaptrack = glob.glob("/usr/lib/heaptrack/libheaptrack_preload.so") + \
    glob.glob("/usr/lib/*/heaptrack/libheaptrack_preload.so")
if _heaptrack:
    TRACED.append(Way("heaptrack", "heaptrack's library",
                      {"LD_PRELOAD": _heaptrack[0], "DUMP_HEAPTRACK_OUTPUT": LOG}, ""))


def program(name, way):
    return os.path.join(BUILD, "tests/bench", name + way.programs)


def run(way, command, environment=None):
    """What the program printed, and its CPU seconds. The log of the run before is removed."""
    for name in glob.glob(os.path.join(_directory.name, "*")):
        os.unlink(name)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOSCOPE_", "LD_PRELOAD"))}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    got = subprocess.run(command, env={**inherited, **(environment or {}), **way.environment}, stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return got.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def record(options, command, environment=None):
    """Under `malloscope record -q`; options None: untraced. Seconds: the program's own CPU
    and wall time, and the wall time of it all."""
    for name in glob.glob(os.path.join(_directory.name, "*")):
        os.unlink(name)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOSCOPE_", "LD_PRELOAD"))}
    spent = os.path.join(_directory.name, "spent")
    recorder = [] if options is None else [MALLOSCOPE, "record", "-q", "-o", LOG, *options, "--"]
    start = time.monotonic()
    subprocess.run([*recorder, os.path.join(BUILD, "tests/bench/spent"), spent, *command],
                   env={**inherited, **(environment or {})}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=True)
    whole = time.monotonic() - start
    with open(spent) as file:
        return (*map(float, file.read().split()), whole)


def log_events(log=LOG):
    """The number of events in our log; what the live file still had is in it afterwards."""
    got = subprocess.run([MALLOSCOPE, "report", "--json", log], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(got.stdout)["trust"]["events"]


def log_size(way):
    """Bytes and events of the log that the last run left. heaptrack's is raw text, a line an event."""
    if way.name == "heaptrack":
        got = subprocess.run(["grep", "-c", "^[+-]", LOG], stdout=subprocess.PIPE, text=True, check=True)
        return os.path.getsize(LOG), int(got.stdout)
    events = log_events()
    return os.path.getsize(LOG), events
