"""The memory that readers of a log take: it grows with live blocks and distinct stacks, and not by more for each than
the headers of analyze/model/ and analyze/render/ say.

The logs are generated. On one of 16 million events of gcc's cc1, whose tree has 250,000 nodes and inverted 810,000, `report`
takes 30 MB, `tree` and `flame` 34, and with --inverted 50."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

GENERATE = os.path.join(os.path.dirname(os.path.dirname(MALLOSCOPE)), "tests/bench/generate_log")


def generate(name, events, streams, live, stacks, processes=1):
    log = path(name + ".mscope")
    got = run([GENERATE, log, *(str(number) for number in (events, streams, live, stacks, 1, "plain", 0, processes))])
    equal(got.returncode, 0, f"generating {name}: {got.stderr}")
    return log


def peak(log, *command):
    """The most memory that it ever had, in MB."""
    process = subprocess.Popen([MALLOSCOPE, *command, log], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    equal(process.returncode, 0, f"{command}")
    return usage.ru_maxrss / 1024


def within(log, most, *command):
    got = peak(log, *command)
    check(5 < got < most, f"{' '.join(command)} {os.path.basename(log)}: {got:.1f} MB, want at most {most}")


if os.environ.get("TEST_SANITIZED"):  # sanitizers need their own
    sys.exit(done())
# 80,000 nodes from the outermost callers down, inverted 500,000.
stacks = generate("stacks", 1_000_000, 1, 1_000, 60_000)
within(stacks, 24, "report", "--no-cache")
within(stacks, 26, "tree", "--no-cache")
within(stacks, 26, "flame", "--no-cache")
within(stacks, 42, "flame", "--no-cache", "--inverted")
within(stacks, 28, "tree", "--no-cache", "--json")
within(stacks, 26, "leaks", "--no-cache")
# What is printed does not count, of JSON neither: 76, 71, 51 and 30 MB.
kept = generate("kept", 300_000, 1, 60_000, 60_000)
within(kept, 62, "diff", "--no-cache", "--json", stacks)
within(kept, 62, "merge", "--no-cache", "--json", "--stacks", stacks)
within(kept, 28, "leaks", "--no-cache", "--json")
within(kept, 28, "report", "--no-cache", "--json", "-n", "1000000")
live = generate("live", 3_000_000, 4, 1_000_000, 2_000)
within(live, 64, "report", "--no-cache")
# Threads that live together, each in the middle of a chunk of its own.
threads = generate("threads", 8_000_000, 2_000, 1_000, 500)
within(threads, 60, "report", "--no-cache")
within(threads, 110, "trim", "-f", "-o", path("part"))
# Processes of one program, each with its stacks: what they share is there once, and what was theirs alone goes with them.
few, many = (generate(f"processes-{count}", 20_000, 1, 2_000, 5_000, count) for count in (20, 120))
for command in ("report", "leaks", "tree", "sites"):
    within(many, peak(few, command, "--no-cache") + 2, command, "--no-cache")
part = path("part")
within(many, peak(few, "trim", "-f", "-o", part) + 2, "trim", "-f", "-o", part)
sys.exit(done())
