"""What is said of a log is the same each time, byte for byte, though each run hashes with another key (analyze/hash.h),
finds its blocks in another order and has two threads: of a made-up log, of a recorded one and of a sample."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

GENERATE = os.path.join(os.path.dirname(PROGRAMS), "bench", "generate_log")
MADE, OTHER, REAL, SAMPLE = path("made"), path("other"), path("real"), path("sample")
RUNS = 3

for log, seed in ((MADE, 1), (OTHER, 2)):
    run([GENERATE, log, "200000", "4", "20000", "3000", str(seed), "packed"], timeout=60)
for log, options in ((REAL, []), (SAMPLE, ["--sample=2K"])):
    got = record([sys.executable, "-c", "import json, subprocess; kept = [str(i) * (i % 90) for i in range(30000)]; "
                                        "subprocess.run(['/bin/sh', '-c', 'ls / | sort']); import os; os._exit(0)"], log, *options)
    equal(got.returncode, 0, f"recorded: {got.stderr}")

COMMANDS = [["report"], ["report", "--json"], ["hist", "--json"],
            ["leaks"], ["leaks", "--json"], ["tree", "--min-share", "0.1%"], ["tree", "--inverted", "--json"],
            ["flame", "--cost", "leaked"], ["sites"], ["sites", "--stacks", "--json"], ["timeline"], ["info"]]
for log in (MADE, REAL, SAMPLE):
    for command in COMMANDS:
        said = {(got.returncode, got.stdout, got.stderr) for got in (run([MALLOSCOPE, *command, log]) for _ in range(RUNS))}
        check(len(said) == 1 and len(next(iter(said))[1]) > 100, f"{command} {os.path.basename(log)}: {len(said)} answers")
for command in (["diff", "--by", "line"], ["diff", "--stacks", "--json"], ["merge"], ["merge", "--json"]):
    for logs in ((MADE, OTHER), (REAL, SAMPLE)):
        said = {(got.returncode, got.stdout, got.stderr) for got in (run([MALLOSCOPE, *command, *logs]) for _ in range(RUNS))}
        check(len(said) == 1 and len(next(iter(said))[1]) > 100, f"{command} {logs}: {len(said)} answers")
part = [path(f"part{i}") for i in range(RUNS)]
for to in part:
    equal(run([MALLOSCOPE, "trim", "--from", "2ms", "--to", "6ms", MADE, "-o", to]).returncode, 0, "trimmed")
check(len({open(to, "rb").read()[64:] for to in part}) == 1, "trim writes the same behind the file header, which has the session's number")
sys.exit(done())
