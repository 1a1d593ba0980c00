"""`merge`: sums over several logs, and the peak of their sum, against a plain replay of
their events."""
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *
import jsonschema

GENERATE = os.path.join(os.path.dirname(PROGRAMS), "bench", "generate_log")
with open(os.path.join(SOURCE, "docs/merge.schema.json")) as file:
    schema = json.load(file)
jsonschema.Draft202012Validator.check_schema(schema)


def generate(name, *arguments):
    got = run([GENERATE, path(name), *map(str, arguments)])
    equal(got.returncode, 0, f"generating {arguments}: {got.stderr}")
    return path(name), {line.split()[0]: int(line.split()[1]) for line in got.stdout.splitlines()}


def merge(logs, *options, code=0, complaint=""):
    got = run([MALLOSCOPE, "merge", "--json", *options, *logs])
    equal(got.returncode, code, f"merge {options}: {got.stderr}")
    check(complaint in got.stderr and bool(complaint) == bool(complaints(got.stderr)), f"merge {options} says: {got.stderr}")
    m = json.loads(got.stdout)
    equal(list(jsonschema.Draft202012Validator(schema).iter_errors(m)), [], f"merge {options} against its schema")
    return m


def changes(log, delay):
    """(nanoseconds, change of live bytes) of all events; what is left goes with the last event."""
    live, old, found = {}, {}, []
    for e in (e for e in dump(log) if e.is_heap):
        at = round(e.seconds * 1e9) + delay
        if e.kind == "realloc-begin":
            old[e.tid] = live.pop(e.address)
        elif e.kind == "free":
            found.append((at, -live.pop(e.address)))
        else:
            if e.kind == "realloc-end":
                found.append((at, -old.pop(e.tid)))
            live[e.address] = e.size
            found.append((at, e.size))
    return found + [(found[-1][0] + 1, -sum(live.values()))]


def true_peak(logs, longer=0):
    """longer: nanoseconds that each block lives before and after its time; negative: that it lacks."""
    live = most = at = 0
    merged = sorted(((ns - longer if change > 0 else ns + longer, change) for log, delay in logs for ns, change in changes(log, delay)),
                    key=lambda c: c[0])
    for index, (ns, change) in enumerate(merged):
        live += change
        if live > most and (index + 1 == len(merged) or merged[index + 1][0] != ns): # at one moment: all of it
            most, at = live, ns
    return most, at


# --- generated: overlapping, one after the other, of different widths of buckets ---
for sizes in ([(2000, 0), (3000, 20_000), (500, 50_000)], [(1000, 0), (1000, 10_000_000)], [(20000, 0), (300, 300_000), (4000, 7)], [(1500, 5)],
              [(1500, 0), (1500, 0), (1500, 0)], [(400, 0), (400, 1024), (400, 0)]):
    logs = []
    for number, (events, delay) in enumerate(sizes):
        log, truth = generate(f"rank{number}.mscope", events, 2, 100, 50 + number, 3 + number, "packed", delay)
        logs.append((log, delay, truth))
    m = merge([log for log, _, _ in logs])
    first = min(delay for _, delay, _ in logs)
    for name, key in ("allocations", "allocations"), ("allocated", "allocated_bytes"), ("leaked", "live_bytes"), ("peak", "peak_bytes"):
        equal([l["totals"][name] for l in m["logs"]], [t[key] for _, _, t in logs], f"{name} of each")
        equal(m["sum"]["totals"][name], sum(t[key] for _, _, t in logs), f"{name} in all")
        equal(sum(row["costs"][name] for row in m["rows"]), m["sum"]["totals"][name], f"{name} of all rows")
    equal(m["sum_of_peaks"], sum(t["peak_bytes"] for _, _, t in logs), "the sum of peaks")
    equal((m["sum"]["frees"], m["sum"]["processes"]), (sum(t["frees"] for _, _, t in logs), len(logs)), "frees, processes")
    equal([row["costs"]["allocated"] for row in m["rows"]], sorted((row["costs"]["allocated"] for row in m["rows"]), reverse=True), "sorted")
    most, at = true_peak([(log, delay - first) for log, delay, _ in logs])
    peak = m["aligned_peak"]
    check(peak["at_least"] <= most <= peak["at_most"], f"{sizes}: the peak of the sum: {most} at {at}, said {peak}")
    check(peak["at_most"] - peak["at_least"] < most * 0.15, f"{sizes}: a narrow range: {peak}, is {most}")
    check(peak["at_most"] <= m["sum_of_peaks"], "it is not above the sum of peaks")
    if len(logs) == 3 and not any(delay for _, delay, _ in logs): # of one width: the bound can be told from the rows
        rows = [run([MALLOSCOPE, "timeline", "--tsv", log]).stdout.splitlines()[1:] for log, _, _ in logs]
        sums = [sum(int(r[i].split("\t")[3]) for r in rows if i < len(r)) for i in range(max(map(len, rows)))]
        check(peak["at_most"] <= max(sums), f"no two buckets of one log at one time: {max(sums)}")
    if len(logs) == 1 or sizes[1][1] == 10_000_000: # never at one time: exact
        equal((peak["at_least"], peak["at_most"]), (most, most), f"{sizes}: exact")
        equal(round(peak["seconds"] * 1e9), at, f"{sizes}: and when")

# --- recorded at one time: short blocks, whose sum a coarse timeline could not tell ---
with open(path("spikes.c"), "w") as file:
    file.write("""#include <stdlib.h>
#include <time.h>
static void pause_for(long us) { nanosleep(&(struct timespec){ 0, us * 1000 }, 0); }
int main(int argc, char **argv)
{
    (void)argc;
    srandom((unsigned)atoi(argv[1]));
    for (int i = 0; i < 400; i++) {
        void *volatile spike = malloc((size_t)random() % 10000000);
        pause_for(200 + random() % 200);
        free(spike);
        pause_for(1000 + random() % 1000);
    }
}
""")
must("gcc", "-O1", path("spikes.c"), "-o", path("spikes"))
logs = [path(f"spikes{number}.mscope") for number in range(3)]
running = [subprocess.Popen([MALLOSCOPE, "record", "-q", "-o", log, "--", path("spikes"), str(number)]) for number, log in enumerate(logs)]
equal([one.wait() for one in running], [0, 0, 0], "spikes: run")
m = merge(logs)
first = min(log["began"] for log in m["logs"])
delayed = [(log, round((one["began"] - first) * 1e9)) for log, one in zip(logs, m["logs"])]
most, at = true_peak(delayed)
peak = m["aligned_peak"]
check(peak["at_least"] <= most * 1.01 and peak["at_most"] >= most * 0.99, f"spikes: the peak of the sum: {most} at {at}, said {peak}")
# How narrow it is depends on which of them begin and end within one step; so much it must be, and no more may it claim.
check(peak["bucket_seconds"] < 0.0001, f"spikes: steps of {peak['bucket_seconds']} s")
step = round(peak["bucket_seconds"] * 1e9) + 1000 # times of day have come as floating-point numbers
least, largest = true_peak(delayed, -step)[0], true_peak(delayed, step)[0]
check(least <= peak["at_least"] and peak["at_most"] <= largest, f"spikes: {peak}, with lives a step shorter {least}, longer {largest}")

# --- recorded: one after the other, names over all logs ---
recorded = []
for number in range(3):
    recorded.append(path(f"known{number}.mscope"))
    record([program("known")], recorded[-1])
recorded.append(path("versions.mscope"))
record([program("versions1")], recorded[-1])
m = merge(recorded)
equal((m["sum"]["totals"]["allocations"], m["sum"]["totals"]["leaked"]), (3 * 1070 + 89, 3 * 2250000 + 650), "totals")
equal((m["aligned_peak"]["at_least"], m["aligned_peak"]["at_most"]), (2260000, 2260000), "no two ran at one time")
equal([l["command"].split("/")[-1] for l in m["logs"]], ["known"] * 3 + ["versions1"], "commands")
sites = {row["frames"][0]["function"]: (row["costs"]["allocations"], row["logs"], row["frames"][0]["module"]) for row in m["rows"]}
equal({name: sites.get(name) for name in ("take", "grown")}, {"take": (3180, 3, "known"), "grown": (13, 1, "versions1")}, "sites")
equal(sites["main"], (30, 3, "known"), "a site that another program has, too, by another module")
equal({row["frames"][0]["function"] for row in merge(recorded, "--filter", "versions1")["rows"]}, {"same", "grown", "fewer", "removed", "forgets", "moved"}, "a filter")
equal(merge(recorded, "--cost", "temporary", "-n", "1")["rows"][0]["frames"][0]["function"], "take", "by another cost")
check(any(len(row["frames"]) > 4 for row in merge(recorded, "--stacks")["rows"]), "whole stacks")
merge([recorded[0], recorded[0]], complaint="are of one recording: it counts twice")

# Parts of one recording have it in common, however they were made of it; those of two have not.
whole, _ = generate("whole.mscope", 3000, 2, 100, 50, 3, "packed", 0)
other, _ = generate("other.mscope", 3000, 2, 100, 51, 4, "packed", 0)
half = json.loads(run([MALLOSCOPE, "report", "--json", whole]).stdout)["seconds"]["duration"] / 2


def part(log, new, *options):
    equal(run([MALLOSCOPE, "trim", "-f", "-o", path(new), *options, log]).returncode, 0, f"trim {options}")
    return path(new)


first, second, all_of_it = part(whole, "first", "--to", f"{half:.9f}"), part(whole, "second", "--from", f"{half:.9f}"), part(whole, "all")
again = part(second, "again", "--from", f"{half:.9f}")
for logs in (first, second), (whole, second), (all_of_it, second), (first, again), (whole, again):
    m = merge(logs, complaint="are of one recording: what is in both")
    carried = [json.loads(run([MALLOSCOPE, "report", "--json", log]).stdout)["carried"] for log in logs]
    equal([log["carried"] for log in m["logs"]], carried, "blocks from before the part")
    check(carried[1]["allocations"] > 0 and carried[0] is None, f"which the second part has: {carried}")
merge((first, other))
merge((first, part(other, "other_part", "--from", f"{half:.9f}")))
for command in "merge", "diff":
    got = run([MALLOSCOPE, command, first, second], env={"COLUMNS": "200"}).stdout
    check(re.search(r": [\d,]+ allocations of these, .*, are of blocks from before this part of a log", got), f"{command} says it: {got}")
equal(json.loads(run([MALLOSCOPE, "diff", "--json", first, second]).stdout)["after"]["carried"],
      json.loads(run([MALLOSCOPE, "report", "--json", second]).stdout)["carried"], "diff's JSON, too")

text = run([MALLOSCOPE, "merge", *recorded], env={"LC_ALL": "C"})
equal((text.returncode, text.stderr), (0, ""), "as text")
for wanted in ("4 logs, 4 processes", "Sum of the peaks", "Peak of the sum   2.2 MiB, at ", "known take", "in 3 of 4 logs", "versions.mscope: Trust: 1 process"):
    check(wanted in text.stdout, f"the text says {wanted!r}: {text.stdout}")
small, stopped = path("small.mscope"), path("stopped.mscope")
record([program("known")], small, "--min-size=60")
record([program("paused")], stopped)
text = run([MALLOSCOPE, "merge", small, stopped, recorded[0]]).stdout
check(f"{small}: Allocations under 60 bytes were not recorded" in " ".join(text.split()) and
      f"{stopped}: Recording was paused for some time" in " ".join(text.split()), f"what is not in them: {text}")
equal([(one["sample_bytes"], one["min_size"], one["was_paused"]) for one in merge([small, stopped, recorded[0]])["logs"]],
      [(0, 60, False), (0, 0, True), (0, 0, False)], "and as JSON")
cut = path("cut.mscope")
with open(recorded[0], "rb") as whole, open(cut, "wb") as file:
    file.write(whole.read()[:-300])
equal(merge([cut, recorded[1]], code=1, complaint="damaged")["logs"][1]["totals"]["allocations"], 1070, "a damaged one among them")
for arguments, wanted in (([], "which logs?"), (["--cost", "x", cut], "--cost x")):
    got = run([MALLOSCOPE, "merge", *arguments])
    check(got.returncode == 2 and wanted in got.stderr and len(got.stderr.splitlines()) == 1, f"{arguments}: {got.stderr}")

sys.exit(done())
