"""What the Python tests share: checks that count, recording, reading dumps.

A test file is a program: it makes its checks and ends with `sys.exit(done())`,
which prints 'N passed, N failed'. Paths come from the environment that
tests/run sets: MALLOSCOPE (the CLI), SHIM (libmalloscope.so), PROGRAMS (the
directory of the built test programs)."""
import glob
import json
import os
import re
import subprocess
import sys
import tempfile
import traceback

MALLOSCOPE = os.path.abspath(os.environ.get("MALLOSCOPE", "build/analyze/malloscope"))
SHIM = os.path.abspath(os.environ.get("SHIM", "build/interpose/libmalloscope.so"))
PROGRAMS = os.path.abspath(os.environ.get("PROGRAMS", "build/tests/programs"))
SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
passed = failed = 0
_directory = tempfile.TemporaryDirectory(prefix="malloscope-test-")
WORK = _directory.name


def check(condition, what):
    """Counts one check; says what failed."""
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        caller = traceback.extract_stack(limit=2)[0]
        print(f"{os.path.basename(caller.filename)}:{caller.lineno}: FAILED: {what}", flush=True)
    return condition


def equal(got, wanted, what):
    return check(got == wanted, f"{what}: got {str(got)[:400]!r}, wanted {str(wanted)[:400]!r}")


def done():
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def run(command, *, env=None, timeout=120, cwd=None, stdin=subprocess.DEVNULL, **more):
    """Runs a command (list), returns CompletedProcess with text output. env is added to ours."""
    return subprocess.run(command, env={**os.environ, **(env or {})}, timeout=timeout, cwd=cwd, stdin=stdin,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", **more)


def path(name):
    """A file in this test's own directory, which goes at the end."""
    return os.path.join(WORK, name)


def program(name):
    return os.path.join(PROGRAMS, name)


def record(command, log, *options, **more):
    """`malloscope record -q -f -o LOG OPTIONS -- COMMAND`."""
    return run([MALLOSCOPE, "record", "-q", "-f", "-o", log, *options, "--", *command], **more)


def unfolded(text):
    """A report's rows of processes, each in one line."""
    return re.sub(r"\n[ │]{20,}(?![ │├└])", " ", text)


def files_in_memory(log, kind="*"):
    """What a log's session has in memory; other sessions have theirs."""
    with open(log, "rb") as file:
        session = file.read(48)[32:].hex()
    return sorted(glob.glob(f"/dev/shm/malloscope.{session}.{kind}"))


def live_files(log):
    """Those beside a log, and where its file system does not suit them in memory."""
    return sorted(glob.glob(log + ".live.*")) + files_in_memory(log, "live.*")


def must(*command, **more):
    """What it prints; where it fails, there is nothing more to test."""
    got = run(list(command), **more)
    if not check(got.returncode == 0, f"{command}: {got.stderr}"):
        raise SystemExit(done())
    return got.stdout


def complaints(text):
    """What a command says on stderr, but that a generated log's program is nowhere, and a distribution's one stripped."""
    return "".join(line for line in text.splitlines(True)
                   if "/generated/program: no such file" not in line and "malloscope: no debug file for " not in line)


def report(log):
    """The JSON report of a log that must be whole."""
    got = run([MALLOSCOPE, "report", "--json", log])
    if not check(got.returncode == 0, f"report {log}: exit {got.returncode}: {got.stderr}"):
        raise SystemExit(done())
    return json.loads(got.stdout)


def heaptrack(command, name):
    """Where the data of a run under heaptrack are; None, after a failed check. Debian's 1.4.0 loses its interpreter now
    and then (a broken pipe, of which the traced program dies): then it runs again."""
    for _ in range(3):
        got = run(["heaptrack", "-o", path(name), *command], cwd=WORK)
        files = glob.glob(path(name) + ".*")
        if got.returncode == 0 and len(files) == 1:
            return files[0]
        for file in files:
            os.remove(file)
    check(False, f"heaptrack {command}: exit {got.returncode}: {got.stdout[-300:]}{got.stderr[-300:]}")
    return None


class Event:
    """A line of `malloscope dump`: time, pid, tid, kind, address, size, alignment; or other's text."""

    def __init__(self, line):
        fields = line.split(" ")
        self.seconds, self.pid, self.tid, self.kind = float(fields[0]), int(fields[1]), int(fields[2]), fields[3]
        self.rest = fields[4:]
        self.frames = []
        self.address = self.size = self.alignment = None
        if len(fields) >= 6 and fields[4].startswith(("0x", "-")):
            self.address = None if fields[4] == "-" else int(fields[4], 16)
            self.size = None if fields[5] == "-" else int(fields[5])
            self.alignment = int(fields[6]) if len(fields) > 6 else None


HEAP = ("malloc", "calloc", "realloc", "reallocarray", "posix_memalign", "aligned_alloc", "memalign", "valloc",
        "pvalloc", "free", "cfree", "free_sized", "free_aligned_sized", "new", "delete")


def dump(log, stacks=False, incomplete=False):
    """All events of a log; heap events have is_heap. incomplete: it says itself that some are missing."""
    got = run([MALLOSCOPE, "dump", *(["--stacks"] if stacks else []), log])
    check(got.returncode == int(incomplete), f"dump {log}: exit {got.returncode}: {got.stderr}")
    events = []
    for line in got.stdout.splitlines():
        if line.startswith("\t"):
            frame = line[1:].split("\t")  # what is real, without where in the source it is
            if frame[-1] != "inlined":
                events[-1].frames.append(frame[0])
            continue
        event = Event(line)
        event.is_heap = event.kind.split("-")[0] in HEAP
        events.append(event)
    return events


def schema_validator(name):
    """Of docs/NAME.schema.json."""
    import jsonschema  # few tests need it

    with open(os.path.join(SOURCE, f"docs/{name}.schema.json")) as file:
        return jsonschema.Draft202012Validator(json.load(file))
