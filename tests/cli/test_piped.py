"""Logs that come through a pipe, and logs that are still being written."""
import json
import mmap
import os
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

log, plain = path("known.mscope"), path("plain.mscope")
record([program("known")], log)
record([program("known")], plain, "--no-compress")


def shell(script, *arguments, **more):
    return run(["bash", "-c", script, MALLOSCOPE, *arguments], **more)


def without_name(text):
    return "\n".join(line for line in text.splitlines() if "hist " not in line)


# --- from a pipe ---
for file in log, plain:
    wanted = run([MALLOSCOPE, "report", file])
    for script in ('cat "$1" | "$0" report -', 'cat "$1" | "$0" report /dev/stdin', '"$0" report - < "$1"', '"$0" report <(cat "$1")',
                   'mkfifo "$2"; cat "$1" > "$2" & "$0" report "$2"; rm "$2"',
                   '(head -c 1000 "$1"; sleep 0.2; tail -c +1001 "$1") | "$0" report -', 'zstd -qc "$1" | zstdcat | "$0" report -'):
        got = shell(script, file, path("fifo"))
        equal((got.returncode, got.stderr, without_name(got.stdout)), (0, "", without_name(wanted.stdout)), script)
    for command in (["hist", "--json"], ["dump", "--stacks"], ["timeline", "--tsv"], ["report", "--json"]):
        equal(shell(f'cat "$1" | "$0" {" ".join(command)} -', file).stdout, run([MALLOSCOPE, *command, file]).stdout, f"{command} from a pipe")
equal([name for name in os.listdir(WORK) if name.startswith("malloscope-")], [], "nothing is left in TMPDIR")
temporary = path("tmp")
os.mkdir(temporary)
equal(shell('cat "$1" | "$0" report -', log, env={"TMPDIR": temporary}).returncode, 0, "with TMPDIR")
equal(os.listdir(temporary), [], "nothing is left in TMPDIR")
for script, wanted in (('zstd -qc "$1" | "$0" report -', "standard input: is compressed as a file (zstd)"),
                       ('gzip -c "$1" | "$0" report -', "(gzip); unpack it first, as in `zcat LOG"),
                       ('head -c 5000000 /dev/zero | "$0" report -', "standard input: not a malloscope log"),
                       ('"$0" report - < /dev/null', "standard input: empty at offset 0"),
                       ('head -c 30 "$1" | "$0" report -', "standard input: truncated at offset 30"),
                       ('"$0" report - <&-', "standard input: cannot open"),
                       ('"$0" report - < /', "standard input: is a directory"),
                       ('cat "$1" | TMPDIR=/nonexistent "$0" report -', "/nonexistent: cannot make a file"),
                       ('"$0" report "$(dirname "$1")"', "is a directory, not a log file")):
    got = shell(script, log)
    check(got.returncode == 1 and wanted in got.stderr and len(got.stderr.splitlines()) == 1 and not got.stdout, f"{script}: {got.stderr}")
cut = shell('head -c $(($(stat -c %s "$1") / 2)) "$1" | "$0" report -', plain)
check(cut.returncode == 1 and "damaged at offset" in cut.stderr and "read it where it lies" in cut.stderr and cut.stdout, f"a cut one: {cut.stderr}")
equal(shell('"$0" report - -', log).returncode, 2, "twice the same pipe is wrong usage")
for command in "diff", "merge":
    for script in (f'cat "$1" | "$0" {command} - -', f'cat "$1" | "$0" {command} /dev/stdin -', f'cat "$1" | "$0" {command} - /dev/fd/0', f'"$0" {command} - /dev/stdin < "$1"'):
        got = shell(script, log)
        equal((got.returncode, got.stdout, got.stderr), (2, "", f"malloscope: {command}: only one log can be read from standard input; see `malloscope {command} --help`\n"), script)
    for script in f'cat "$1" | "$0" {command} - "$1"', f'cat "$1" | "$0" {command} "$1" -':
        got = shell(script, log)
        check(got.returncode == 0 and got.stdout, f"{script}: {got.stderr}")
got = shell('cat "$1" | "$0" merge "$1" - "$1" -', log)
check(got.returncode == 2 and not got.stdout and len(got.stderr.splitlines()) == 1, f"also with others: {got.stderr}")

# A file system without room: as root in a name space of our own, where that is allowed.
small = path("small")
os.mkdir(small)
got = shell('unshare -Urm sh -c \'mount -t tmpfs -o size=1m none "$2" || exit 77; (cat "$1"; cat /dev/zero) | TMPDIR="$2" "$0" report -\' "$0" "$1" "$2"',
            log, small)
if got.returncode != 77 and "unshare" not in got.stderr:
    check(got.returncode == 1 and "has no room for a log of more than" in got.stderr and "set TMPDIR" in got.stderr, f"no room: {got.stderr}")

# --- while it is being written ---
COUNT, PROCESSES = 800000, 3


def counts(counter):
    if not os.path.exists(counter) or os.path.getsize(counter) < 8 * PROCESSES:
        return [0] * PROCESSES
    with open(counter, "rb") as file:
        return list(struct.unpack(f"{PROCESSES}Q", file.read(8 * PROCESSES)))


for packing in [], ["--no-compress"]:
    live, counter = path("live.mscope"), path(f"counter{len(packing)}")
    recording = subprocess.Popen([MALLOSCOPE, "record", "-q", "-f", *packing, "-o", live, "--", program("steady"), counter,
                                  str(COUNT), str(PROCESSES)], stderr=subprocess.PIPE, text=True)
    while not sum(counts(counter)):
        time.sleep(0.005)
    looks, running, last = 0, 0, 0
    ended = False
    while not ended:
        ended = recording.poll() is not None
        command = (["report", "--json"], ["report", "--json", "--jobs", "1"], ["hist", "--json"])[looks % 3]
        before = counts(counter)
        got = run([MALLOSCOPE, *command, live])
        after = counts(counter)
        r = json.loads(got.stdout) if got.stdout else {}
        equal((got.returncode, got.stderr), (0, ""), f"look {looks} {command}")
        trust = r["trust"]
        equal((trust["truncated_bytes"], trust["missing_chunks"], trust["lost_events"], trust["launcher_died"]), (0, 0, 0, False),
              f"look {looks}: nothing is damaged, missing or lost")
        allocations = r["counts"]["allocations"] if "counts" in r else sum(row["allocations"] for row in r["histogram"])
        check(sum(before) <= allocations <= sum(after) + PROCESSES, f"look {looks}: {sum(before)} <= {allocations} <= {sum(after)}")
        if "counts" in r:
            equal(trust["unmatched_frees"], 0, f"look {looks}: unmatched frees")
        running += trust["processes_running"] > 0
        looks += 1
    equal(recording.wait(), 0, f"the recording: {recording.stderr.read()}")
    check(looks >= (1 if os.environ.get("TEST_SANITIZED") else 3) and running >= 1, f"{looks} looks, {running} while it ran")
    last = report(live)
    equal((last["counts"]["allocations"], last["counts"]["frees"], last["trust"]["processes_running"]), (COUNT * PROCESSES, COUNT * PROCESSES, 0),
          "the whole of it, in the end")
    equal([name for name in os.listdir(WORK) if name.startswith("live.mscope.")], [], "and nothing beside it")
slow = subprocess.Popen([MALLOSCOPE, "record", "-q", "-f", "-o", live, "--", "sh", "-c", "cat"], stdin=subprocess.PIPE)
for _ in range(200):
    got = run([MALLOSCOPE, "report", live])
    if "still ran when the log was read" in got.stdout:
        break
    time.sleep(0.02)
check(got.returncode == 0 and "still ran when the log was read" in got.stdout, f"a report says what runs: {got.stdout} {got.stderr}")
slow.stdin.close()
equal(slow.wait(), 0, "the program has seen nothing of all that")

sys.exit(done())
