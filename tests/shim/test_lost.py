"""A log that ended early says how many events it lacks, exactly: it and they are as many as the whole recording has."""
import glob
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

LOG = path("log.mscope")
ROUNDS = 2000
FULL = ("--max-log=128K", "--no-compress")


def trust_of(how, options, rounds, first, preload=None):
    """What the report says of one run, and how many events the program says that it has made."""
    command = [program("stopped"), how, str(rounds), str(first)]
    got = record(command, LOG, *options, env={"LD_PRELOAD": preload} if preload else {})
    what = f"{how} {options} {preload}"
    check(got.returncode == 0, f"{what}: exit {got.returncode}: {got.stderr}")
    said = [int(number) for number in got.stdout.split()]
    trust = json.loads(run([MALLOSCOPE, "report", "--json", LOG]).stdout)["trust"]
    equal([trust[key] for key in ("unmatched_frees", "unseen_frees", "truncated_bytes")], [0, 0, 0], f"{what}: trust")
    return trust, said


def events(how, options, rounds=ROUNDS, first=3000, preload=None):
    trust, said = trust_of(how, options, rounds, first, preload)
    return trust["events"], trust["lost_events"], said


def case(how, options=(), preload=None, names=None):
    what = f"{names or preload or 'libc'}: {how} {' '.join(options)}"
    whole, lost, said = events(how, options, preload=preload)
    equal(lost, 0, f"{what}: nothing is lost without a limit")
    base, _, _ = events(how, options, rounds=0, preload=preload)
    if not options:
        equal(whole - base, said[0], f"{what}: events of the rounds")
    elif options[0].startswith("--min-size"):
        equal(whole - base, said[1], f"{what}: events of the rounds")
    some, lost, _ = events(how, (*options, *FULL), preload=preload)
    check(lost > whole / 4, f"{what}: {lost} of {whole} events are lost by the limit")
    equal(some + lost, whole, f"{what}: what is there and what is lost")


for how in "on", "thread", "child":
    case(how)
    case(how, ("--min-size=1000",))

# A sample: about as many as there would be.
for how in "on", "thread", "child":
    options = ("--sample=5000",)
    whole, _, _ = events(how, options, rounds=20000)
    some, lost, _ = events(how, (*options, *FULL), rounds=20000)
    check(lost > whole / 4 and abs(some + lost - whole) < whole / 10, f"sample, {how}: {some} and {lost} lost of {whole}")

# Allocators call themselves in other ways.
for name in "jemalloc.so.2", "tcmalloc.so.4", "tcmalloc_minimal.so.4", "mimalloc.so.2*":
    for library in glob.glob(f"/usr/lib/*/lib{name}")[:1]:
        for how in "on", "thread", "child":
            case(how, preload=library, names=name)

# A forked child that begins with a reallocarray, which glibc's passes on to realloc.
trust, said = trust_of("child", (), 1, 0)
base, _ = trust_of("child", (), 0, 0)
equal(trust["events"] - base["events"], said[0], "a child's first event is reallocarray's")

sys.exit(done())
