"""What the reading commands say about a program whose allocations are known."""
import json
import math
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *
from log_bytes import EVENTS, chunks, with_payload

log = path("known.mscope")
equal(record([program("known")], log).returncode, 7, "exit status of the program")

# (size, how many allocations), as known.c says; a successful realloc is an allocation
SIZES = {10: 600, 99: 300, 100: 100, 5000: 50, 64: 10, 200000: 10}
COUNT = sum(SIZES.values())
BYTES = sum(size * count for size, count in SIZES.items())
LEAKED = 50 * 5000 + 10 * 200000


def hist(*options):
    got = run([MALLOSCOPE, "hist", *options, log])
    equal(got.returncode, 0, f"hist {options} exit: {got.stderr}")
    return got.stdout


# --- report ---
r = report(log)
equal(r["schema"], "malloscope-report/1", "schema")
equal(r["counts"]["allocations"], COUNT, "allocations")
equal(r["counts"]["frees"], 600 + 300 + 100 + 10, "frees")
equal(r["counts"]["failed"], 1, "failed")
equal(r["counts"]["temporary"], 900, "temporary")
equal(r["counts"]["by_function"], {"malloc": 1060, "realloc": 10, "free": 1000}, "by function")
equal(r["bytes"], {"allocated": BYTES, "peak": LEAKED + 100 * 100, "leaked": LEAKED}, "bytes")
equal(r["blocks"], {"peak": 160, "leaked": 60}, "blocks")
equal(r["sizes"], {"threshold": 100, "small_allocations": 910, "small_bytes": 600 * 10 + 300 * 99 + 640, "distinct": 6},
      "sizes")
equal(r["threads"], 1, "threads")
trust = r["trust"]
equal((trust["injected"], trust["lost_events"], trust["unmatched_frees"], trust["truncated_bytes"], trust["streams"]),
      (True, 0, 0, 0, 1), "trust")
equal(trust["events"], COUNT + 1010, "events")
equal([s["allocations"] for s in r["top_sites"]["by_allocations"]][:2], [1060, 10], "top sites by allocations")
equal(r["top_sites"]["by_allocations"][0]["function"], "take", "name of the site")
equal(os.path.basename(r["top_sites"]["by_bytes"][0]["module"]), "known", "module of the site")
equal(r["processes"][0]["wait_status"], 7 << 8, "wait status")
equal(json.loads(run([MALLOSCOPE, "report", "--json", "--threshold", "99", log]).stdout)["sizes"]["small_allocations"],
      610, "threshold 99")

import jsonschema
with open(os.path.join(SOURCE, "docs/report.schema.json")) as file:
    schema = json.load(file)
jsonschema.Draft202012Validator.check_schema(schema)
errors = list(jsonschema.Draft202012Validator(schema).iter_errors(r))
equal(errors, [], "the report against its schema")
broken = {**r, "counts": {**r["counts"], "frees": -1}}
check(list(jsonschema.Draft202012Validator(schema).iter_errors(broken)), "the schema refuses a negative count")

text = run([MALLOSCOPE, "report", log]).stdout
for wanted in ("1,070", "failed                         1", "temporary                    900", "85.0 % of the allocations",
               "exit status 7", "0 lost", "Top 2 call sites by bytes"):
    check(wanted in text, f"report says {wanted!r}")
check(re.search(r"take  (known\+0x[0-9a-f]+|programs/known\.c:\d+)\n", text), f"report says where: {text}")
check("call site" not in run([MALLOSCOPE, "report", "-n", "0", "--no-advice", log]).stdout, "report -n 0: no empty lists")

# --- hist ---
h = json.loads(hist("--json"))
equal((h["allocations"], h["bytes"], h["distinct"]), (COUNT, BYTES, 6), "hist totals")
rows = {(row["low"], row["high"]): (row["allocations"], row["bytes"]) for row in h["histogram"] if row["allocations"]}
equal(rows, {(8, 15): (600, 6000), (64, 127): (410, 29700 + 10000 + 640), (4096, 8191): (50, 250000),
             (131072, 262143): (10, 2000000)}, "power-of-two rows")
below = {row["limit"]: row["allocations"] for row in h["below"]}
equal(below, {32: 600, 64: 600, 100: 910, 128: 1010, 256: 1010, 512: 1010, 1024: 1010, 4096: 1010, 16384: 1060,
              131072: 1060}, "cumulative table")
equal([q["by_allocations"] for q in h["quantiles"]], [10, 99, 100, 5000, 5000, 200000, 200000], "quantiles by count")
equal([q["by_bytes"] for q in h["quantiles"]], [200000] * 7, "quantiles by bytes")
equal([t["size"] for t in h["top_by_allocations"]], [10, 99, 100, 5000, 64, 200000], "top sizes")
equal([t["size"] for t in h["top_by_bytes"]], [200000, 5000, 99, 100, 10, 64], "top sizes by bytes")
linear = json.loads(hist("--json", "--linear", "1"))["histogram"]
equal(len(linear), 101, "linear 1: a row for each byte below 100, and the rest")
equal((linear[99]["low"], linear[99]["high"], linear[99]["allocations"]), (99, 99, 300), "linear 1: row 99")
equal((linear[100]["low"], linear[100]["high"], linear[100]["allocations"]), (100, None, 160), "linear 1: the rest")
equal([row["allocations"] for row in json.loads(hist("--json", "--linear", "50000"))["histogram"]],
      [1060, 0, 0, 0, 10], "linear 50000")
tsv = [line.split("\t") for line in hist("--tsv").splitlines()]
equal(tsv[0], ["low", "high", "allocations", "bytes"], "tsv header")
equal(sum(int(row[2]) for row in tsv[1:]), COUNT, "tsv sum")
equal({name: h["trust"][name] for name in ("injected", "processes", "streams", "events", "lost_events", "unmatched_frees",
                                             "partial_stacks", "truncated_bytes")},
      {"injected": True, "processes": 1, "streams": 1, "events": COUNT + 1010, "lost_events": 0, "unmatched_frees": None,
       "partial_stacks": 0, "truncated_bytes": 0}, "hist's trust; it reads without order")
equal((h["trust"]["allocator"], h["sampled"], h["min_size"]), ("libc.so.6", None, 0), "allocator, nothing sampled")
text = hist()
for wanted in ("1,070 allocations", "a realloc is a free", "parted at 100 bytes", "8 - 15", "85.0", "2,080 events", "0 lost, unmatched frees not checked, 0 partial"):
    check(wanted in text, f"hist says {wanted!r}")
check("█" in text, "bars in a UTF-8 locale")
plain = run([MALLOSCOPE, "hist", log], env={"LC_ALL": "C"}).stdout
check("####" in plain and plain.isascii(), "bars in the C locale are ASCII")
check("2.0 MiB" not in hist("--linear", "1").split("Small and large")[0], "--linear shows counts")
check("bytes       %    cum %" in hist("--bytes"), "--bytes has another heading")
check(all(len(line) <= 84 for line in text.splitlines()), "hist fits the usual terminal")

# --- dump ---
events = [e for e in dump(log, stacks=True) if e.is_heap]
equal(len(events), COUNT + 1010 + 1, "lines of dump: a line for each event")
check(all(a.seconds <= b.seconds for a, b in zip(events, events[1:])), "dump is in time order")
equal([e.kind for e in events if "failed" in e.kind], ["malloc-failed"], "the failed malloc")
first = events[0]
equal((first.kind, first.size), ("malloc", 100), "the first event")
check(len(first.frames) >= 3 and first.frames[0].startswith("#0 known+0x"), f"frames: {first.frames}")
tsv = run([MALLOSCOPE, "dump", "--tsv", log]).stdout.splitlines()
equal(len(tsv), COUNT, "dump --tsv: a line for each allocation")
check(all(len(line.split("\t")) == 2 and len(line.split("\t")[0].split(".")[1]) == 6 for line in tsv), "dump --tsv form")
equal(sum(int(line.split("\t")[1]) for line in tsv), BYTES, "dump --tsv bytes")

# --- processes ---
family = path("family.mscope")
got = record(["sh", "-c", f"{program('known')} & {program('known')}; wait; exec {program('known')}"], family)
equal(got.returncode, 7, f"a family: {got.stderr}")
r = report(family)
equal(list(jsonschema.Draft202012Validator(schema).iter_errors(r)), [], "its report against the schema")
processes = r["processes"]
known = [i for i, p in enumerate(processes) if os.path.basename(p["exe"]) == "known"]
equal(len(known), 3, "three of them ran")
shell = processes[0]["pid"]
equal(sum(p["pid"] == shell for p in processes), 2, "the shell becomes the last one")
last = next(i for i in known if processes[i]["pid"] == shell)
equal((processes[last]["start"], processes[last]["parent"], processes[last]["wait_status"]), ("exec", 0, 7 << 8),
      "which is under the shell")
for i in known:
    up = i
    while processes[up]["parent"] is not None:
        check(processes[up]["parent"] < up, "a parent comes first")
        up = processes[up]["parent"]
    equal(up, 0, "all descend from the shell")
for name, total in (("allocations", r["counts"]["allocations"]), ("allocated_bytes", r["bytes"]["allocated"]),
                    ("leaked_blocks", r["blocks"]["leaked"]), ("leaked_bytes", r["bytes"]["leaked"])):
    equal(sum(p[name] for p in processes), total, f"the processes' {name} add up")
text = run([MALLOSCOPE, "report", family]).stdout
check("└─ " in text and "exec: known" in text and re.search(r";\s+exit status 7\n", text), f"the tree: {text[:1500]}")
check("|- " in run([MALLOSCOPE, "report", family], env={"LC_ALL": "C"}).stdout, "the tree in the C locale")
check(run([MALLOSCOPE, "report", family], env={"LC_ALL": "C"}).stdout.isascii(), "is ASCII")


def of_pids(*pids):
    """The allocations of these processes as each command has them."""
    options = [word for pid in pids for word in ("--pid", str(pid))]
    hist_got = json.loads(run([MALLOSCOPE, "hist", "--json", *options, family]).stdout)["allocations"]
    dump_got = run([MALLOSCOPE, "dump", "--tsv", *options, family]).stdout.count("\n")
    report_got = json.loads(run([MALLOSCOPE, "report", "--json", *options, family]).stdout)["counts"]["allocations"]
    plot_got = run([MALLOSCOPE, "plot", "sizes", *options, family, "-o", path("pids.png")]).stdout
    return {hist_got, dump_got, report_got, int(plot_got.split(": ")[1].split(" ")[0].replace(",", ""))}


other = next(processes[i]["pid"] for i in known if processes[i]["pid"] != shell)
equal(of_pids(other), {sum(p["allocations"] for p in processes if p["pid"] == other)}, "--pid of one")
equal(of_pids(shell), {sum(p["allocations"] for p in processes if p["pid"] == shell)}, "--pid: all programs of that pid")
both = {sum(p["allocations"] for p in processes if p["pid"] in (shell, other))}
equal(of_pids(shell, other), both, "--pid twice")
equal(of_pids(f"{other},{shell}"), both, "--pid with a comma")
equal(of_pids(*{p["pid"] for p in processes}), {r["counts"]["allocations"]}, "all pids are all")
for command in (["report"], ["hist"], ["dump"], ["plot", "sizes"]):
    got = run([MALLOSCOPE, *command, "--pid", str(other), "--pid", "1", family])
    check(got.returncode == 2 and not got.stdout and len(got.stderr.splitlines()) == 1 and
          all(str(pid) in got.stderr for pid in (shell, other)), f"{command}: an unknown pid: {got.stderr}")
    for bad in ("", "x", "1,", "-1", ",1", "1;2", "99999999999"):
        got = run([MALLOSCOPE, *command, "--pid", bad, family])
        check(got.returncode == 2 and "--pid" in got.stderr and len(got.stderr.splitlines()) == 1, f"--pid {bad!r}: {got.stderr}")

# --- what was not recorded ---
everything = path("everything.mscope")
equal(run([program("../unit/test_report"), "--write", everything]).returncode, 0, "a log with one of everything")
r = report(everything)
equal(list(jsonschema.Draft202012Validator(schema).iter_errors(r)), [], "its report against the schema")
ones = [1 / (1 - math.exp(-(size + 1) / 4096)) for size in (100, 10000)]
equal((r["counts"]["allocations"], r["bytes"]["leaked"], r["counts"]["temporary"]), (round(sum(ones)), round(100 * ones[0]), None),
      "estimates")
errors = r["sampled"].pop("standard_errors")
equal((r["sampled"], r["min_size"], r["was_paused"]), ({"bytes": 4096, "allocations_recorded": 2}, 64, True), "sampled")
equal(errors["allocations"], round(math.sqrt(sum(w * (w - 1) for w in ones))), "the standard error")
equal([u["reason"] for u in r["untraced_programs"]], ["unknown", "libc", "unreachable"], "untraced programs")
h = json.loads(run([MALLOSCOPE, "hist", "--json", everything]).stdout)
equal((h["allocations"], h["bytes"], h["min_size"], h["sampled"]["standard_errors"]["allocations"]),
      (r["counts"]["allocations"], r["bytes"]["allocated"], 64, errors["allocations"]), "hist estimates the same")
sampled = "Sampled: 1 in 4,096 bytes on average; all figures are estimates from 2 recorded allocations"
for command in (["report"], ["hist"], ["plot", "sizes", "-o", path("sampled.svg")]):
    text = run([MALLOSCOPE, *command, everything], env={"COLUMNS": "200"}).stdout
    for wanted in (sampled + "\n", "Allocations under 64 bytes were not recorded\n", "Recording was paused for some time",
                   "≈42 ±" if command == ["report"] else "≈42 allocations"):
        check(wanted in text, f"{command} says {wanted!r}: {text}")
got = run([MALLOSCOPE, "record", "-f", "-o", path("short"), "--sample", "64", program("steady"), path("short-count"), "5000"])
check(re.search(r"still allocated at exit (≈|~)\S+ \S+ in \1\d", got.stderr), f"in a summary all estimates are marked: {got.stderr}")
with open(path("sampled.svg"), encoding="utf-8") as file:
    picture_text = file.read()
check("Sampled: 1 in 4,096 bytes" in picture_text and "(estimated)" in picture_text, "the picture says so")
got = run([MALLOSCOPE, "hist", "--tsv", everything])
check(sampled in got.stderr and "Sampled" not in got.stdout and got.returncode == 0, f"hist --tsv says it on stderr: {got.stderr}")
check("Sampled" not in run([MALLOSCOPE, "hist", log]).stdout, "nothing of the kind where all was recorded")

# --- usage ---
for command in (["hist"], ["report"], ["dump"], ["plot", "sizes"], ["plot", log], ["hist", "--linear", "0", log],
                ["hist", "--threshold", "x", log], ["hist", "--nonsense", log], ["hist", log, log], ["record"],
                ["record", "--call-graph", "magic", "true"], ["record", "--max-depth", "0", "true"], ["record", "-o"], ["help", "nothing"],
                ["dump", "--tsv", "--stacks", log], ["hist", "--json", "--tsv", log], ["report", "-n", "-1", log], []):
    got = run([MALLOSCOPE, *command])
    equal(got.returncode, 2, f"{command}: exit")
    check(got.stdout == "" and got.stderr, f"{command}: message on stderr")
    if command:
        equal(len(got.stderr.splitlines()), 1, f"{command}: one line: {got.stderr}")
for command in ("record", "run", "hist", "plot", "report", "dump", "doctor"):
    for words in ([command, "--help"], ["help", command]):
        got = run([MALLOSCOPE, *words])
        check(got.returncode == 0 and got.stdout.startswith("malloscope ") and not got.stderr, f"{words}")
check("log format version 1" in run([MALLOSCOPE, "--version"]).stdout, "--version")
got = run([MALLOSCOPE, "--help"])
check(got.returncode == 0 and all(c in got.stdout for c in ("record", "hist", "plot", "report", "dump", "doctor")), "--help")
for command in (f"dump {log}", f"report --json {log}", f"leaks --json {log}", f"diff --json --unchanged {log} {log}", f"merge --json {log} {log}"):
    got = run(["sh", "-c", f"{MALLOSCOPE} {command} > /dev/full"])
    check(got.returncode == 1 and "cannot write the output: No space left on device" in got.stderr, f"{command}: full disk for the output: {got.stderr}")
    got = run(["bash", "-c", f'ulimit -f 0; exec "{MALLOSCOPE}" {command} > "$0"', path("limited")])
    check(got.returncode == 1 and "cannot write the output: File too large" in got.stderr, f"{command}: a limit of file sizes: {got}")

# --- plot ---
picture = path("sizes.png")
got = run([MALLOSCOPE, "plot", "sizes", log, "-o", picture])
equal((got.returncode, got.stderr), (0, ""), "plot")
for wanted in ("sizes.png: 1,070 allocations, 2.2 MiB", "Trust: library loaded in 1 process (allocator libc.so.6)", "0 lost"):
    check(wanted in got.stdout, f"plot says {wanted!r}: {got.stdout}")
with open(picture, "rb") as file:
    check(file.read(8) == b"\x89PNG\r\n\x1a\n", "plot makes a PNG")

import shutil
os.mkdir(path("kept"))
shutil.copy(log, path("kept/sizes.gp"))
for words in (["-o", path("kept/sizes.gp")], ["-o", picture, "--keep-script", path("kept")]):
    got = run([MALLOSCOPE, "plot", "sizes", path("kept/sizes.gp"), *words])
    check(got.returncode == 2 and "is the log itself" in got.stderr, f"plot over its log: {got.stderr}")
equal(run([MALLOSCOPE, "hist", path("kept/sizes.gp")]).returncode, 0, "the log is as it was")
got = run([MALLOSCOPE, "report", "a\nb"])
equal(got.stderr.splitlines(), ["malloscope: a?b: cannot open: No such file or directory"], "a name with a newline")
for words in ["report", ""], ["dump", ""], ["diff", "", log], ["symbolize", ""]:
    got = run([MALLOSCOPE, *words])
    equal((got.returncode, got.stderr), (1, "malloscope: '': cannot open: No such file or directory\n"), f"{words}: no name")

# --- bad logs ---
with open(log, "rb") as file:
    whole = file.read()


def reads(data, name):
    bad = path(name)
    with open(bad, "wb") as file:
        file.write(data)
    return {command: run([MALLOSCOPE, *command.split(), bad]) for command in ("hist", "report", "dump", "plot sizes -o " + picture)}


def refused(data, name, word):
    for command, got in reads(data, name).items():
        check(got.returncode == 1 and len(got.stderr.splitlines()) == 1 and word in got.stderr and not got.stdout,
              f"{name}, {command}: exit {got.returncode}, {got.stderr!r}")


refused(b"", "empty", "empty")
refused(b"hello world, this is no log at all, but long enough to be one, perhaps", "text", "not a malloscope log")
refused(whole[:5], "five", "not a malloscope log")
refused(b"\x8fMSLIVE\n" + bytes(4096), "run.live.12.3", f": is not a log but a live file, which belongs to one: read the log, {path('run')}, with")
refused(b"\x8fMSLIVE\n" + bytes(4096), "run.live.x", ": read the log, LOG, with")
got = run([MALLOSCOPE, "report", path("run.live.7")])
check(got.returncode == 1 and f"which takes it in; read the log, {path('run')}\n" in got.stderr, f"a live file that was taken in: {got.stderr}")
refused(whole[:40], "header", "truncated at offset 40")
newer = bytearray(whole)
newer[8] = 9
import subprocess
digest = subprocess.run(["xxhsum", "-H1"], input=bytes(newer[:56]), stdout=subprocess.PIPE).stdout.split()[0]
newer[56:64] = bytes.fromhex(digest.decode())[::-1]
refused(bytes(newer), "newer", "newer")
flipped = bytearray(whole)
flipped[20] ^= 1
refused(bytes(flipped), "header-flip", "damaged file header")
for command in ("hist", "report", "dump"):
    got = run([MALLOSCOPE, command, WORK])
    check(got.returncode == 1 and "directory" in got.stderr, f"{command} of a directory: {got.stderr}")
    got = run([MALLOSCOPE, command, path("absent")])
    check(got.returncode == 1 and "No such file" in got.stderr, f"{command} of nothing: {got.stderr}")
    got = run([MALLOSCOPE, command, "/dev/null"])
    check(got.returncode == 1 and "not a log" in got.stderr, f"{command} of a device: {got.stderr}")


def cut(whole, events, packed):
    """Cut anywhere: said, with exit code 1, and every event whose bytes are there is shown; of a packed
    log, every one whose chunk is."""
    for command, got in reads(whole[:len(whole) - 3], "torn").items():
        check(got.returncode == 1 and "damaged at offset" in got.stderr, f"torn, {command}: {got.stderr}")
    torn = run([MALLOSCOPE, "report", "--json", path("torn")])
    equal(json.loads(torn.stdout)["counts"]["allocations"], COUNT, "torn in the last chunk: all events are still there")
    size_of = [e.size for e in events if e.kind in ("malloc", "realloc-end")]
    end_chunk = whole.rfind(b"MSCK")  # the launcher's last one; all that the program did is before it
    last = 0
    for cut in [64, 100, 130, *range(200, len(whole) - 160, len(whole) // 37), *range(len(whole) - 160, len(whole))]:
        with open(path("cut"), "wb") as file:
            file.write(whole[:cut])
        got = run([MALLOSCOPE, "dump", "--tsv", path("cut")])
        seen = [int(line.split("\t")[1]) for line in got.stdout.splitlines()]
        if cut == end_chunk:
            equal((got.returncode, got.stderr), (0, ""), "cut before the launcher's last words: nothing is missing")
            text = run([MALLOSCOPE, "report", path("cut")]).stdout
            check("of the processes here all is there" in text, f"and the report says so: {text[-500:]}")
            equal(report(path("cut"))["trust"]["launcher_died"], True, "in JSON, too")
        else:
            check(got.returncode == 1 and f"{path('cut')}: " in got.stderr and "offset" in got.stderr,
                  f"cut at {cut}: exit {got.returncode}, {got.stderr!r}")
        check(seen == size_of[:len(seen)] and len(seen) >= last, f"cut at {cut}: {len(seen)} allocations, before {last}")
        last = len(seen)
    equal(last, COUNT, "cut in the last chunk, which has no events")
    check(len(run([MALLOSCOPE, "dump", "--tsv", path("cut")]).stdout) > 0, "cut")
    with open(path("cut"), "wb") as file:
        file.write(whole[:len(whole) // 2])
    half = len(run([MALLOSCOPE, "dump", "--tsv", path("cut")]).stdout.splitlines())
    check(packed or COUNT // 5 < half < COUNT, f"half a log has about half of its events: {half}")


cut(whole, events, packed=True)
equal(record([program("known")], log, "--no-compress").returncode, 7, "exit status of the program")
with open(log, "rb") as file:
    raw = file.read()
check(len(raw) > 2 * len(whole), f"the log is packed: {len(whole)} bytes, else {len(raw)}")
cut(raw, dump(log), packed=False)

# --- cut between two chunks of a session of several processes: only the launcher's end may go unmissed ---
shell = "for i in 1 2 3; do (a=(1 2 3); kill -9 $BASHPID); done; kill -9 $$"  # so all is in live files
equal(record(["bash", "-c", shell], log).returncode, 137, "a shell and its children")
with open(log, "rb") as file:
    many = file.read()
edges, offset = [], 64
while offset < len(many):
    edges.append(offset)
    offset += int.from_bytes(many[offset + 6:offset + 8], "little") + int.from_bytes(many[offset + 8:offset + 12], "little")
unmissed = []
for offset in edges:
    with open(path("cut"), "wb") as file:
        file.write(many[:offset])
    if run([MALLOSCOPE, "report", "--json", path("cut")]).returncode == 0:
        unmissed.append(offset)
check(len(edges) > 9, f"a chunk and a sum for each process: {edges}")
equal(unmissed, edges[-1:], f"cuts at chunks' edges {edges} that are taken for the end")

middle = bytearray(whole)
middle[len(whole) // 2] ^= 0x10
for command, got in reads(bytes(middle), "flip").items():
    check(got.returncode == 1 and "damaged at offset" in got.stderr, f"flip, {command}: {got.stderr}")
for command, got in reads(whole[:64], "bare").items():
    check(got.returncode == 1 and "no events after the header" in got.stderr, f"bare header, {command}: {got.stderr}")
# --- a chunk whose checksums are right and whose bytes are no record: where is said, by all alike ---
chunk = max((chunk for chunk in chunks(raw) if chunk[1] == EVENTS), key=lambda chunk: chunk[3])
end = chunk[0] + chunk[2] + chunk[3]
garbled = with_payload(raw, chunk, raw[chunk[0] + chunk[2]:end] + b"\0" * 20)
for command, got in reads(garbled, "no-record").items():
    said = f"1 chunk holds bytes that are no event, the first at offset {end}"
    check(got.returncode == 1 and said in got.stderr, f"no record, {command}: {got.stderr}")
sys.exit(done())
