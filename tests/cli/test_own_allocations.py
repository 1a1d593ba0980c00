#!/usr/bin/env python3
"""The project's own gate: what `malloscope hist` allocates for a log of 200,000 events, against tests/hist.budget.json.

The budget holds on any machine: it counts what malloscope's own code asks for, whatever the C library, zstd and
jansson do for themselves in this version or that, and on one core, as each worker has memory of its own. A loop that
begins to allocate for each of the log's chunks, or events, is far beyond it. Who lowers the figure lowers the budget."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import MALLOSCOPE, PROGRAMS, SOURCE, check, done, equal, must, path, run

if os.environ.get("TEST_SANITIZED"):  # a sanitizer's runtime is the allocator
    sys.exit(done())

GENERATE = os.path.join(os.path.dirname(PROGRAMS), "bench", "generate_log")
log = path("fixed.mscope")
must(GENERATE, log, "200000", "4", "1000", "500", "42", "packed")
core = min(os.sched_getaffinity(0))


def gate(*options):
    return run([MALLOSCOPE, "check", *options, "--", MALLOSCOPE, "hist", log], preexec_fn=lambda: os.sched_setaffinity(0, {core}))


got = gate("--budget", os.path.join(SOURCE, "tests/hist.budget.json"))
check(got.returncode == 0, f"malloscope hist allocates more than its budget:\n{got.stdout}{got.stderr}")

# That it is measured: always the same, in each module, and not within less.
verdict = json.loads(gate("--json", "--metrics", "modules", "--max", "modules.malloscope.allocations=1M", "--max", "allocations=1M").stdout)
metrics = {metric["name"]: metric for metric in verdict["metrics"]}
own, whole = metrics["modules.malloscope.allocations"], metrics["allocations"]
equal(own["spread"], 0, f"the same in each run: {own}")
check(50 <= own["value"], f"its allocations: {own['value']}")
equal(sum(metric["value"] for metric in verdict["metrics"] if metric["scope"] == "module"), whole["value"], "all modules are the whole")
got = gate("--max", f"modules.malloscope.allocations={own['value'] - 1}")
check(got.returncode == 2 and "cmd_hist" in got.stdout, f"one less is too little: {got.returncode}: {got.stdout}")

sys.exit(done())
