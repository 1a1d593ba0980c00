"""The CLI and its unit tests under valgrind's memcheck: no error, nothing definitely lost, whatever is in a log.
Every command that --help lists is run; one that is not known here, with the log as its argument."""
import concurrent.futures
import glob
import os
import random
import re
import resource
import shutil
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), name) for name in ("", "cli")]
from lib import *

BUILD = os.path.dirname(os.path.dirname(os.path.dirname(MALLOSCOPE + "/")))
MEMCHECK = ["valgrind", "--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite"]
WRONG = re.compile(r"ERROR SUMMARY: [1-9]|definitely lost: [1-9]")
# Others are run with the log alone.
ARGUMENTS = {
    "report": [["report"], ["report", "--json"]],
    "hist": [["hist"], ["hist", "--json"]],
    "dump": [["dump", "--stacks"], ["dump", "--tsv"]],
    "plot": [["plot", "-o", path("plot.svg")]],
    "doctor": [["doctor"], ["doctor", "--json"], ["doctor", "--", "/bin/true"], ["doctor", "/nonexistent"]],
    "record": [["record", "-q", "-f", "-o", path("again.mscope"), "--", program("exits"), "return"],
               ["record", "-f", "-o", path("again.mscope"), "--call-graph=fp", "--", "/bin/true"],
               ["record", "--", "/nonexistent"]],
}
# Not run: they execute programs for other machines, which valgrind itself must do then, or take too long.
LEFT_OUT = ("test_target", "test_cfi_real")


def memcheck(command, what, number=[0]):
    number[0] += 1
    name = path(f"valgrind.{number[0]}")
    got = run([*MEMCHECK, f"--log-file={name}.%p", *command], timeout=600)
    problems = []
    for one in glob.glob(name + ".*"):
        with open(one, errors="replace") as file:
            text = file.read()
        if WRONG.search(text):
            problems.append(text)
        os.remove(one)
    return what, got, problems


def checked(jobs):
    """Runs memcheck for each (command, what), two at a time."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for what, got, problems in pool.map(lambda job: memcheck(*job), jobs):
            check(not problems and got.returncode >= 0, f"{what}: exit {got.returncode}: {got.stderr[-300:]}" +
                  "".join(problems)[:2000])


def commands():
    text = run([MALLOSCOPE, "--help"]).stdout
    names = re.findall(r"^ +(\w+)  +\w", text, re.M)
    check({"record", "report", "hist", "dump", "plot"} <= set(names), f"the commands of --help: {names}")
    return names


def on_log(log, names, what):
    for name in names:
        for arguments in ARGUMENTS.get(name, [[name]]):
            yield [MALLOSCOPE, *arguments, log], f"{' '.join(arguments)}, {what}"


names = [name for name in commands() if name not in ("record", "doctor", "run", "help")]
jobs = [([MALLOSCOPE, *arguments], " ".join(arguments)) for arguments in
        [[], ["--help"], ["help", "record"], ["nonsense"], ["report"], ["report", "/nonexistent"], ["hist", "--nonsense"],
         *ARGUMENTS["record"], *ARGUMENTS["doctor"]]]

# --- logs that are whole, of many processes, and left by a kill ---
small, forked, killed = path("small.mscope"), path("forked.mscope"), path("killed.mscope")
record([program("threads"), "1", "3", "60"], small)
record([program("forks"), "fork"], forked)
run([program("exits"), "killed"], env={"LD_PRELOAD": SHIM, "MALLOSCOPE_OUTPUT": killed})
check(glob.glob(killed + ".live.*"), "a kill leaves a live file")
for log in small, forked:
    jobs += on_log(log, names, os.path.basename(log))
jobs += on_log(killed, ["report"], "killed.mscope with its live file")

# --- cut and damaged ones ---
with open(small, "rb") as file:
    whole = file.read()
chance = random.Random(1)
lengths = [0, 1, 8, 63, 64, 65, 127, 128, 129, len(whole) - 1, *(chance.randrange(len(whole)) for _ in range(4))]
damaged = {f"cut at {length}": whole[:length] for length in lengths}
for number in range(10):
    data = bytearray(whole)
    for _ in range(chance.choice((1, 3, 100))):
        data[chance.randrange(64, len(data))] = chance.randrange(256)
    damaged[f"damaged {number}"] = bytes(data)
for number, (what, data) in enumerate(damaged.items()):
    log = path(f"damaged{number}.mscope")
    with open(log, "wb") as file:
        file.write(data)
    jobs += on_log(log, [name for name in names if name != "plot"], what)
checked(jobs)

# --- what is right by its checksums and wrong all the same: in the unit tests ---
checked([([test], os.path.basename(test)) for test in sorted(glob.glob(f"{BUILD}/tests/unit/test_*"))
         if os.path.isfile(test) and os.access(test, os.X_OK) and os.path.basename(test) not in LEFT_OUT])
sys.exit(done())
