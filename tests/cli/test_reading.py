"""What all reading commands have: parts of a log, threads, --jobs, a line of progress,
and Ctrl-C."""
import os
import pty
import re
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

log = path("parts.mscope")
told = path("told")
got = run(["sh", "-c", 'exec "$@" 3>"$0"', told, MALLOSCOPE, "record", "-q", "-f", "-o", log, "--", program("parts")])
equal(got.returncode, 0, f"recording: {got.stderr}")
with open(told) as file:
    main_tid, other_tid = file.read().split()


def read(*options, code=0, file=None):
    got = run([MALLOSCOPE, "report", "--json", *options, file or log])
    equal(got.returncode, code, f"report {options}: {got.stderr}")
    return json.loads(got.stdout) if got.stdout else got.stderr


def sizes(*options):
    """size → (allocations, still allocated) of the sites: each size has one of its own."""
    r = read("-n", "100", *options)
    known = {10: "main", 20: "other", 1000: "main"}
    found = {}
    for site in r["top_sites"]["by_bytes"]:
        for size, function in known.items():
            if site["function"] == function and site["bytes"] == size * site["allocations"]:
                found[size] = site["allocations"], site["leaked_bytes"] // size
    return found, r


EARLY, ONE, TWO = {1000: (7, 4)}, {10: (100, 40)}, {20: (50, 50)}
for options, wanted in (
        ([], {**EARLY, **ONE, **TWO}),
        (["--to", "one"], {1000: (7, 7)}),
        (["--from", "one"], {**ONE, **TWO}),
        (["--from", "two"], TWO),
        (["--from", "one", "--to", "two"], {10: (100, 40)}),
        (["--from", "two", "--to", "one"], TWO), # the second "one" ends it
        (["--to", "two"], {1000: (7, 7), 10: (100, 40)}),
        (["--thread", other_tid], TWO),
        (["--thread", main_tid, "--from", "one"], ONE),
        (["--thread", f"{main_tid},{other_tid}", "--from", "one"], {**ONE, **TWO}),
        (["--thread", other_tid, "--to", "two"], {}),
        (["--from", "0", "--to", "1000s"], {**EARLY, **ONE, **TWO}),
        (["--from", "100min"], {})):
    found, r = sizes(*options)
    equal(found, wanted, f"{options}")
    equal(r["trust"]["unmatched_frees"], 0, f"{options}: unmatched frees")
    if wanted and "--thread" not in options and "--to" in options:
        equal(r["blocks"]["leaked"] >= sum(left for _, left in wanted.values()), True, f"{options}: what lives at the end of the range")
marks = {m["name"]: m["seconds"] for m in reversed(read()["marks"])} # the first of each name
for unit, factor in ("", 1), ("s", 1), ("ms", 1e3), ("us", 1e6), ("ns", 1e9):
    found, _ = sizes("--from", f"{marks['one'] * factor:.9f}{unit}", "--to", f"{marks['two'] * factor:.9f}{unit}")
    equal(found, {10: (100, 40)}, f"a range in {unit or 'seconds'}")
for options, wanted in (
        (["--from", "three"], "has no mark of that name"), (["--from", "two", "--to", "two"], "has no mark of that name after --from"),
        (["--from", "5", "--to", "4"], "--to 4 is not after --from 5"), (["--from", "-1"], "want a time"),
        (["--from", "1x"], "want a time"), (["--to", ""], "want a time"), (["--thread", "1"], "has no such thread"),
        (["--thread", "x"], "--thread x: want a number"), (["--pid", "x"], "--pid x: want a number"),
        (["--jobs", "0"], "--jobs 0"), (["--jobs", "x"], "--jobs x")):
    complaint = read(*options, code=2)
    check(wanted in complaint and len(complaint.splitlines()) == 1, f"{options}: {complaint}")

# --- the same by one thread and by several ---
several = path("several.mscope")
equal(record([program("threads"), "8", "6", "3000"], several).returncode, 0, "recording threads")
for file in log, several:
    for options in [], ["--from", "1ms"]:
        texts = {run([MALLOSCOPE, "report", *how, *options, file]).stdout for how in ([], ["--jobs", "1"], ["--jobs", "7"])}
        check(len(texts) == 1 and len(texts.pop()) > 500, f"{os.path.basename(file)} {options}: one text, however it is read")

# --- progress and Ctrl-C ---
long_log = path("long.mscope")
equal(record([program("steady"), path("counter"), "3000000"], long_log).returncode, 0, "recording something long")


def on_terminal(command, held_after):
    """Runs it with stderr a terminal, and holds it for a good second. Exit code, what the terminal got, stdout."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdout=open(path("out"), "wb"), stderr=theirs, stdin=subprocess.DEVNULL)
    os.close(theirs)
    time.sleep(held_after)
    process.send_signal(signal.SIGSTOP)
    time.sleep(1.1)
    process.send_signal(signal.SIGCONT)
    seen = b""
    try:
        while some := os.read(ours, 4096):
            seen += some
    except OSError: # all have closed it
        pass
    os.close(ours)
    with open(path("out")) as out:
        return process.wait(), seen.decode(), out.read()


slowly = [MALLOSCOPE, "report", "--jobs", "1", long_log]
whole = run(slowly)
equal((whole.returncode, whole.stderr), (0, ""), "nobody is shown progress but a terminal")
for attempt in range(20): # it has to be held while it reads events
    code, seen, out = on_terminal(slowly, 0.02 * (attempt + 1))
    equal((code, out), (0, whole.stdout), "on a terminal")
    if "%" in seen:
        break
check(re.search(r"reading the log: +[0-9]+ %", seen) and seen.endswith("\x1b[K"), f"a line of progress, gone in the end: {seen!r}")


def interrupted():
    process = subprocess.Popen(slowly, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(0.25)
    process.send_signal(signal.SIGINT)
    out, complaint = process.communicate(timeout=60)
    return process.returncode, out, complaint


for attempt in range(10): # one may be too early (before it reads) or too late
    code, out, complaint = interrupted()
    if "interrupted" in complaint:
        break
check(code == 1 and "of the log's beginning only" in complaint and "allocations" in out, f"Ctrl-C: {code}: {complaint}: {out[:200]}")
part, total = (int(re.search(r"allocations +([0-9,]+) ", text).group(1).replace(",", "")) for text in (out, whole.stdout))
check(0 < part < total, f"Ctrl-C: {part} of {total} allocations")
check("Reading was interrupted" in out, "Ctrl-C: the report says so itself")

sys.exit(done())
