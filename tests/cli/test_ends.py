"""A process has its blocks until it ends, not until its last event: peak, timeline, ages and the peak of several
logs' sum. What is asked of a part of a log is cut at the same moment for all that is told."""
import json
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

CHILDREN, BYTES = 3, 1000000


def asked(*command, code=0):
    got = run([MALLOSCOPE, *command])
    equal((got.returncode, complaints(got.stderr) if code == 0 else ""), (code, ""), f"{command}")
    return json.loads(got.stdout)


def peak_at_once(r, what):
    """Beside the blocks there is little, and what /bin/true allocates."""
    check(CHILDREN * BYTES <= r["bytes"]["peak"] < CHILDREN * BYTES + 100000, f"{what}: peak {r['bytes']['peak']}")


def start(log, *command):
    """Runs it until it says that it is ready."""
    p = subprocess.Popen([MALLOSCOPE, "record", "-q", "-f", "-o", log, "--", program("ends"), *command], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, text=True)
    equal(p.stdout.readline(), "ready\n", f"{command}")
    return p


def finish(*processes):
    for p in processes:
        p.stdin.close()
        equal(p.wait(timeout=60), 0, "its exit status")
        p.stdout.close()


# --- however they end ---
log = path("log")
for how in "exit", "exit in a thread", "_exit", "_Exit", "quick_exit", "exec", "handler":
    equal(record([program("ends"), how], log).returncode, 0, how)
    r = asked("report", "--json", log)
    peak_at_once(r, how)
    equal(r["trust"]["lost_events"], 0, f"{how}: nothing is lost")
    ends = {p["end"] for p in asked("leaks", "--json", log)["processes"] if p["blocks"] and p["bytes"] >= BYTES}
    if how == "handler": # that may come where there is no place for a record
        check("left" in ends and ends <= {"left", "unknown"} and r["trust"]["ends_unknown"] < CHILDREN, f"{how}: {ends}")
        continue
    equal((ends, r["trust"]["ends_unknown"]), ({{"_exit": "left", "_Exit": "left", "quick_exit": "left", "exec": "exec"}.get(how, "exit")}, 0), f"{how}: how they ended")
    status = {p["wait_status"] for p in r["processes"] if p["start"] == "fork" and p["leaked_bytes"] >= BYTES}
    equal(status, {3 << 8 if how in ("_exit", "_Exit") else None}, f"{how}: with what status")
    text = run([MALLOSCOPE, "report", log]).stdout
    check("ended unseen" not in text, f"{how}: nothing is amiss")
equal(record([program("ends"), "aborted quick_exit"], log).returncode, 0, "a handler that ends it otherwise")
equal({p["end"] for p in asked("leaks", "--json", log)["processes"] if p["bytes"] == BYTES}, {"unknown"}, "quick_exit did not end it")
equal(record([program("ends"), "kill"], log).returncode, 0, "kill")
equal(asked("report", "--json", log)["trust"]["ends_unknown"], CHILDREN, "killed children: nobody has seen when")
check("3 processes ended unseen" in run([MALLOSCOPE, "report", log]).stdout, "the report says so")

# --- a vfork child's _exit is not its parent's; the program that is awaited ---
p = start(log, "vfork", str(BYTES))
time.sleep(0.3)
p.stdin.close()
p.wait(timeout=60)
p.stdout.close()
equal([e.kind for e in dump(log)].count("process-end"), 1, "a vfork child's end is no record")
equal(asked("leaks", "--json", log)["processes"][0]["end"], "exit", "nor its parent's end")
age = max(place["age_seconds"] for place in asked("leaks", "--json", log)["places"])
check(age >= 0.3, f"a block lives until its process ends: {age}")
killed = path("killed")
p = subprocess.Popen([MALLOSCOPE, "record", "-q", "-f", "-o", killed, "--", "sh", "-c", f"exec {program('ends')} hold {BYTES}"],
                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
equal(p.stdout.readline(), "ready\n", "to be killed")
pid = asked("report", "--json", killed)["processes"][-1]["pid"]
time.sleep(0.3)
os.kill(pid, 9)
equal(p.wait(timeout=60), 137, "killed")
p.stdin.close()
p.stdout.close()
r = asked("timeline", "--json", killed)
check(r["totals"]["seconds"] >= 0.3 and r["rows"][-1]["live_bytes"] >= BYTES and
      r["rows"][-1]["seconds"] + r["row_seconds"] >= r["totals"]["seconds"], f"a killed program has its blocks until it is: {r['totals']}, {r['rows'][-1]}")

# --- while they run ---
p = start(log, "_exit", "wait")
time.sleep(0.3)
r, leaks = asked("report", "--json", log), asked("leaks", "--json", log)
peak_at_once(r, "while they run")
check(min(place["age_seconds"] for place in leaks["places"] if place["bytes"] == CHILDREN * BYTES) >= 0.3, f"their age: {leaks['places']}")
equal({p["end"] for p in leaks["processes"]}, {"running"}, "they run")
text = run([MALLOSCOPE, "report", log]).stdout
check(re.search(r"\n  still allocated .* blocks, when the log was read\n", text) and "at exit" not in text, f"no exit of theirs is told of: {text}")
part = path("part")
run([MALLOSCOPE, "trim", log, "-f", "-o", part])
finish(p)
got = asked("report", "--json", part)
peak_at_once(got, "a copy of a log that is being written")
check(got["seconds"]["duration"] >= 0.3, f"it reaches to when it was made: {got['seconds']}")

# --- the timeline reaches to the end, and so does the peak of the sum ---
logs = path("a"), path("b")
first = start(logs[0], "hold", str(10 * BYTES))
time.sleep(0.2)
second = start(logs[1], "hold", str(6 * BYTES))
time.sleep(0.1)
finish(first, second)
for log, bytes in zip(logs, (10 * BYTES, 6 * BYTES)):
    r = asked("timeline", "--json", log)
    last = r["rows"][-1]
    check(last["live_bytes"] == bytes and last["seconds"] <= r["totals"]["seconds"] <= last["seconds"] + r["row_seconds"] + 1e-9,
          f"the last row: {last} of {r['totals']}")
m = asked("merge", "--json", *logs)
peak = m["aligned_peak"]
check(16 * BYTES <= peak["at_least"] == peak["at_most"] < 16 * BYTES + 10000, f"both at one time: {peak}")

# --- what a part says does not depend on how it is read ---
log = path("crowd")
equal(record([program("ends"), "crowd"], log).returncode, 0, "a crowd")


def shown(*command):
    """Without what is of the file that was read."""
    got = run([MALLOSCOPE, *command])
    equal(got.returncode, 0, f"{command}: {got.stderr}")
    if "--json" in command:
        r = json.loads(got.stdout)
        return {key: value for key, value in r.items() if key not in ("trust", "part")}
    lines = got.stdout.split("\nTrust: ")[0].strip().splitlines()
    return "\n".join(line.replace(part, log) for line in lines if not line.startswith("Part of the log: ")).strip()


for times, words in ([], "at exit"), (["--to", "m10"], "at the end of the part"):
    text = run([MALLOSCOPE, "report", *times, log]).stdout
    check(re.search(f"\n  still allocated .* blocks?, {words}\n", text), f"{times}: {words}: {text}")
for name in "m0", "m10", "m33":
    run([MALLOSCOPE, "trim", log, "-f", "-o", part, "--to", name])
    for command in ["report", "--json", "-n", "1000", "--threads"], ["report", "--threads"], ["leaks", "--json"], ["leaks"], ["timeline", "--tsv"], ["timeline"]:
        wanted = shown(*command, "--to", name, "--jobs", "1", log)
        for jobs in "2", "8", "8", "8":
            equal(shown(*command, "--to", name, "--jobs", jobs, log), wanted, f"{command} --to {name} --jobs {jobs}")
        equal(shown(*command, part), wanted, f"{command} of the part to {name}")
    r = asked("report", "--json", "--to", name, log)
    number = int(name[1:])
    equal([m["name"] for m in r["marks"]], [f"m{i}" for i in range(number + 1)], "marks until then")
    forks = (number + 3) // 4
    equal((r["threads"], len(r["processes"])), (1 + 4 * (number + 1) + forks, 1 + forks), "threads and processes until then")

# --- what a part cannot know is no failure ---
run([MALLOSCOPE, "trim", logs[0], "-f", "-o", part, "--to", "0.1"])
for command in ["leaks", "--fail", "--to", "0.1", logs[0]], ["leaks", "--fail", part]:
    got = run([MALLOSCOPE, *command])
    check(got.returncode == 0 and "Alive at 0.100 s: 10,000,000 bytes" in got.stdout and "\nLeaked by then: nothing\n" in got.stdout and
          "went on" in got.stdout and "exit status" not in got.stdout, f"{command}: {got.stdout}, {got.stderr}")
equal(run([MALLOSCOPE, "leaks", "--fail", logs[0]]).returncode, 1, "the whole does leak")

sys.exit(done())
