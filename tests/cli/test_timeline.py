"""`timeline`, and the exactness of report, on logs whose content is known because it was
generated (tests/bench/generate_log.c), and on recorded ones."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *
import jsonschema

GENERATE = os.path.join(os.path.dirname(PROGRAMS), "bench", "generate_log")
UTF8, ASCII = {"LC_ALL": "C.UTF-8", "COLUMNS": "80"}, {"LC_ALL": "C", "COLUMNS": "80"}


def generate(name, *arguments):
    got = run([GENERATE, path(name), *map(str, arguments)])
    equal(got.returncode, 0, f"generating {arguments}: {got.stderr}")
    return path(name), {line.split()[0]: int(line.split()[1]) for line in got.stdout.splitlines()}


def timeline(log, *options, code=0, env=UTF8):
    got = run([MALLOSCOPE, "timeline", *options, log], env=env)
    equal(got.returncode, code, f"timeline {options}: {got.stderr}")
    return got.stdout if not code else got.stderr


def rows_of(text):
    lines = [line.split("\t") for line in text.splitlines()]
    equal(lines[0], "seconds live_bytes live_blocks most_live allocations bytes frees".split(), "the header line")
    return [dict(zip(lines[0], [float(line[0]), *map(int, line[1:])])) for line in lines[1:]]


def sums(rows):
    return {name: sum(row[name] for row in rows) for name in ("allocations", "bytes", "frees")}


with open(os.path.join(SOURCE, "docs/timeline.schema.json")) as file:
    schema = json.load(file)
jsonschema.Draft202012Validator.check_schema(schema)

# --- what was generated is what is reported ---
for arguments in ([200000], [50000, 1, 10, 3, 7], [100000, 30, 5000, 20000, 3, "packed"]):
    log, truth = generate("generated.mscope", *arguments)
    got = run([MALLOSCOPE, "report", "--json", "-n", "100000", log])
    equal(got.returncode, 0, f"report: {got.stderr}")
    r = json.loads(got.stdout)
    equal({"events": r["trust"]["events"], "allocations": r["counts"]["allocations"], "allocated_bytes": r["bytes"]["allocated"],
           "frees": r["counts"]["frees"], "reallocs": r["counts"]["by_function"]["realloc"], "peak_bytes": r["bytes"]["peak"],
           "peak_blocks": r["blocks"]["peak"], "peak_ns": round(r["seconds"]["peak"] * 1e9), "live_bytes": r["bytes"]["leaked"],
           "live_blocks": r["blocks"]["leaked"], "sites": len(r["top_sites"]["by_bytes"]),
           "top_site_allocations": r["top_sites"]["by_allocations"][0]["allocations"],
           "duration_ns": round(r["seconds"]["duration"] * 1e9)}, truth, f"the report of {arguments}")
    for name, total in ("allocations", truth["allocations"]), ("bytes", truth["allocated_bytes"]), ("leaked_bytes", truth["live_bytes"]):
        equal(sum(site[name] for site in r["top_sites"]["by_bytes"]), total, f"{name} of all sites")

    for options in [], ["--buckets", "1024"], ["--buckets", "100"], ["--buckets", "7"], ["--buckets", "1"]:
        rows = rows_of(timeline(log, "--tsv", *options))
        most = int(options[1]) if options else 1024
        check(most / 2 <= len(rows) <= most or most == 1024 and len(rows) > 100, f"{options}: {len(rows)} rows")
        equal(sums(rows), {"allocations": truth["allocations"], "bytes": truth["allocated_bytes"], "frees": truth["frees"]},
              f"{options}: sums over rows")
        equal(max(row["most_live"] for row in rows), truth["peak_bytes"], f"{options}: the largest row")
        equal((rows[-1]["live_bytes"], rows[-1]["live_blocks"]), (truth["live_bytes"], truth["live_blocks"]), f"{options}: the end")
        widths = {round((b["seconds"] - a["seconds"]) * 1e6) for a, b in zip(rows, rows[1:])}
        check(len(widths) <= 1, f"{options}: one width: {widths}")
        at_peak = [row for row in rows if row["seconds"] * 1e9 <= truth["peak_ns"]][-1]
        equal(at_peak["most_live"], truth["peak_bytes"], f"{options}: the row of the peak")
    parsed = json.loads(timeline(log, "--json", "--buckets", "50"))
    equal(list(jsonschema.Draft202012Validator(schema).iter_errors(parsed)), [], "--json against its schema")
    equal(sums(parsed["rows"]), {"allocations": parsed["totals"]["allocations"], "bytes": parsed["totals"]["bytes"],
                                 "frees": parsed["totals"]["frees"]}, "--json: sums over rows")
    equal((parsed["totals"]["allocations"], parsed["peak"]["bytes"]), (truth["allocations"], truth["peak_bytes"]), "--json: totals")

# --- bucket by bucket, against the events themselves ---
log, truth = generate("small.mscope", 3000, 3, 200)
rows, live, at, blocks = rows_of(timeline(log, "--tsv", "--buckets", "40")), 0, -1, {}
width = rows[1]["seconds"]
wanted = [dict(allocations=0, bytes=0, frees=0, most_live=0, live_bytes=0) for _ in rows]
old = {}
for event in (e for e in dump(log) if e.is_heap):
    bucket = wanted[int(event.seconds / width + 1e-9)]
    while at < wanted.index(bucket): # what lives when it begins
        at += 1
        wanted[at]["most_live"] = wanted[at]["live_bytes"] = live
    if event.kind == "realloc-begin":
        old[event.tid] = blocks.pop(event.address)
        continue
    if event.kind in ("free", "realloc-end"):
        live -= old.pop(event.tid) if event.kind == "realloc-end" else blocks.pop(event.address)
        bucket["frees"] += 1
    if event.kind != "free":
        blocks[event.address] = event.size
        live += event.size
        bucket["allocations"] += 1
        bucket["bytes"] += event.size
    bucket["most_live"] = max(bucket["most_live"], live)
    bucket["live_bytes"] = live
equal([{name: row[name] for name in wanted[0]} for row in rows], wanted, "each row")

# --- parts of a log, marks, sampled logs, nothing at all ---
log = path("parts.mscope")
equal(run(["sh", "-c", 'exec "$@" 3>/dev/null', "-", MALLOSCOPE, "record", "-q", "-f", "-o", log, "--", program("parts")]).returncode,
      0, "recording parts")
whole = json.loads(timeline(log, "--json"))
equal([m["name"] for m in whole["marks"]], ["one", "two", "one"], "its marks")
first, second = whole["marks"][0]["seconds"], whole["marks"][1]["seconds"]
part = json.loads(timeline(log, "--json", "--from", "one", "--to", "two"))
equal((part["totals"]["allocations"], sums(part["rows"])["allocations"]), (100, 100), "between two marks")
check(abs(part["rows"][0]["seconds"] - first) < 2e-6 and part["rows"][-1]["seconds"] <= second, "the part begins at its mark, and ends at the other")
third = whole["marks"][2]["seconds"]
for command in "timeline", "report":
    text = run([MALLOSCOPE, command, "--from", f"{first:.9f}", "--to", f"{second:.9f}", log]).stdout
    check(re.search(rf"^(Totals over )?{second - first:.3f} s", text, re.M), f"{command}: how long the part is: {text}")
for times, inside in ((["--from", "one", "--to", "two"], ["one", "two"]), (["--from", f"{second + 1e-6:.9f}"], ["one"]), (["--to", f"{second - 1e-6:.9f}"], ["one"]),
                      (["--from", f"{third + 1e-6:.9f}"], [])):
    shown = timeline(log, *times)
    equal(re.findall(r"\n  [a-z]  [0-9.]+ s  (\w+)", shown), sorted(set(inside)), f"{times}: the chart names the marks that are in it: {shown}")
    equal("marks  " in shown, bool(inside), f"{times}: and without any has no line for them")
    for command in "timeline", "report":
        got = json.loads(run([MALLOSCOPE, command, "--json", *times, log]).stdout)
        equal([m["name"] for m in got["marks"]], inside, f"{command} {times}: marks of the part")
check(part["row_seconds"] < whole["row_seconds"] or len(whole["rows"]) < 100, "a part is shown more finely")
shown = timeline(log)
check("marks  " in shown and re.search(r"\n  a  [0-9.]+ s  one  \(2 times, the last at [0-9.]+ s\)\n  b  [0-9.]+ s  two\n\n", shown), f"marks in the chart: {shown}")
fine = json.loads(timeline(log, "--json", "--buckets", "60"))
line = next(line for line in timeline(log, "--buckets", "60").splitlines() if line.startswith("      marks  "))
wanted = {13 + int(mark["seconds"] / fine["row_seconds"]) for mark in fine["marks"]}
equal({at for at, c in enumerate(line) if c in "abc*" and at >= 13}, wanted, f"marks stand where they were set: {line}")

sampled = path("sampled.mscope")
record([program("known")], sampled, "--sample=2000")
s = json.loads(timeline(sampled, "--json", "--buckets", "33"))
r = report(sampled)
equal(sums(s["rows"]), {"allocations": r["counts"]["allocations"], "bytes": r["bytes"]["allocated"], "frees": r["counts"]["frees"]},
      "rows of a sample add up, rounded as they are")
check("Sampled" in timeline(sampled) and s["sampled"], "a sample says so")
nothing = path("nothing.mscope")
equal(record(["/bin/true"], nothing, "--start-paused").returncode, 0, "recording nothing")
check("Trust" in timeline(nothing), "nothing at all")
equal(rows_of(timeline(nothing, "--tsv")), [], "no rows of nothing")

# --- the chart ---
log, truth = generate("chart.mscope", 100000)
for env, columns in ({**UTF8, "COLUMNS": "80"}, 80), ({**UTF8, "COLUMNS": "132"}, 132), ({**ASCII, "COLUMNS": "60"}, 60):
    chart = timeline(log, env=env)
    lines = [line for line in chart.splitlines() if line[11:13] in (" │", " ┤", " |", " └", " +")]
    check(len(lines) == 13 and max(map(len, lines)) <= columns, f"{columns} columns: {[len(line) for line in lines]}")
    check(max(map(len, lines)) > columns * 0.6, f"{columns} columns are used")
    check(chart.isascii() == (env["LC_ALL"] == "C"), f"Unicode or not: {env}")
    check(f"peak at {truth['peak_ns'] / 1e9:.3f} s" in chart and "^" in chart, "the peak is marked")
    top, full = lines[0], "#" if env["LC_ALL"] == "C" else "█"
    caret = next(line for line in chart.splitlines() if "^" in line).index("^")
    equal(top[caret], full, "above the mark of the peak the chart is full")
for options, wanted in (["--buckets", "0"], "--buckets 0"), (["--buckets", "1025"], "--buckets 1025"), (["--tsv", "--json"], "not both"):
    complaint = timeline(log, *options, code=2)
    check(wanted in complaint and len(complaint.splitlines()) == 1, f"{options}: {complaint}")

sys.exit(done())
