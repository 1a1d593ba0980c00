"""`trim`: a part of a log says of that part what the whole log says of it, and is a log like
any other."""
import json
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

GENERATE = os.path.join(os.path.dirname(PROGRAMS), "bench", "generate_log")


def trim(log, new, *options, code=0):
    got = run([MALLOSCOPE, "trim", log, "-o", new, *options])
    equal(got.returncode, code, f"trim {options} {os.path.basename(log)}: {got.stderr}")
    return got.stderr


def read(log, *options, code=0):
    got = run([MALLOSCOPE, "report", "--json", "-n", "100000", *options, log])
    equal(got.returncode, code, f"report {options}: {got.stderr}")
    return json.loads(got.stdout)


def without(r, *names, trust=()):
    """What may differ: how much was read for it, and from which file."""
    r = {**r, "trust": {name: value for name, value in r["trust"].items() if name not in ("events", "trimmed", "recovered_bytes", *trust)}}
    return {name: value for name, value in r.items() if name not in ("part", *names)}


SEVERAL = ("threads", "forks", "random", "shell", "killed")


def comparable(name, value):
    """Stamps become nanoseconds: what several threads did in one of them may come in another order, by which a peak may be
    another, and lifetimes in allocations."""
    if name not in SEVERAL:
        return value
    if isinstance(value, dict):
        return {key: comparable(name, one) for key, one in value.items() 
                if "peak" not in key and "lifetime" not in key and key not in ("growth", "most_live", "least_live")}
    return [comparable(name, one) for one in value] if isinstance(value, list) else value


def text(seconds):
    return f"{seconds * 1e9:.0f}ns"


def asked(*command):
    got = run([MALLOSCOPE, *command])
    equal((got.returncode, complaints(got.stderr)), (0, ""), f"{command}")
    return json.loads(got.stdout)


def alike(name, log, part, times, begin):
    """What other commands say of the part and of the whole."""
    for command in ["leaks", "--json", "--no-default-suppressions"], ["timeline", "--json"]:
        whole, got = asked(*command, *times, log), asked(*command, *(times[:2] if begin else []), part)
        for r in whole, got:
            r.pop("trust")
            r.pop("part")
            if "processes" in r:
                r["processes"] = [p for p in r["processes"] if p["blocks"]]
        equal(comparable(name, got), comparable(name, whole), f"{name} {times}: {command[0]}")


new = path("new.mscope")

# --- a log as a whole is copied: every event, every stack ---
logs = {}
for name, command, *options in (("known", [program("known")]), ("plain", [program("known")], "--no-compress"),
                                ("threads", [program("threads"), "4", "3", "800"]), ("random", [program("random"), "5", "4000"]),
                                ("killed", ["sh", "-c", "sh -c 'ls /; kill -9 $$'; sleep 0.05; ls /; sh -c 'kill -9 $$'; sleep 0.05; ls /"]),
                                ("parts", [program("parts")]), ("forks", [program("forks"), "burst"]),
                                ("shell", ["sh", "-c", "ls / | sort | head -3; (sleep 0.05; ls /)"]), ("sampled", [program("known")], "--sample=300"),
                                ("cut", ["/usr/bin/python3", "-c", "[].sort()"], "--max-depth=6"),
                                ("python", ["/usr/bin/python3", "-c", "import json; json.loads(json.dumps(list(range(2000))))"])):
    logs[name] = path(name + ".mscope")
    record(command, logs[name], *options)
for name, arguments in ("generated", [20000]), ("many", [12000, 40, 1500, 2000, 9, "packed"]):
    logs[name] = path(name + ".mscope")
    equal(run([GENERATE, logs[name], *map(str, arguments)]).returncode, 0, f"generating {name}")
# Recorded without the launcher.
for name, command, code in (("alone", [program("known")], 7), ("alone, killed", ["/usr/bin/python3", "-c", "import os; os.kill(os.getpid(), 9)"], -9)):
    logs[name] = path(name + ".mscope")
    equal(run(command, env={"LD_PRELOAD": SHIM, "MALLOSCOPE_OUTPUT": logs[name]}).returncode, code, f"{name}: run")


def dumped(log, *options):
    got = run([MALLOSCOPE, "dump", *options, log])
    equal(got.returncode, 0, f"dump: {got.stderr}")
    return got.stdout


for name, log in logs.items():
    options = ["-f"] if os.path.exists(new) else []
    equal(trim(log, new, *options), "", f"trimming {name}")
    # What happened in one nanosecond, on several threads, may come in another order.
    a, b = (sorted(text.split("\n")) if name in SEVERAL else text.split("\n")
            for text in (dumped(log), dumped(new)))
    equal(sorted(set(b) - set(a))[:3], [], f"{name}: all events are there, and no others")
    equal(len(a), len(b), f"{name}: as many events")
    if len(a) < 20000:
        equal(sorted(dumped(log, "--stacks").split("\n")), sorted(dumped(new, "--stacks").split("\n")), f"{name}: stacks")
    whole, part = read(log), read(new)
    equal(comparable(name, without(part)), comparable(name, without(whole)), f"{name}: its report")
    equal(part["trust"]["events"], whole["trust"]["events"], f"{name}: events")
    equal((whole["trust"]["trimmed"], part["trust"]["trimmed"]), (None, {"from_seconds": 0, "to_seconds": None, "processes_left_out": 0,
                                                                         "incomplete": False}), f"{name}: it says what it is")
    with open(log, "rb") as one, open(new, "rb") as other:
        a, b = one.read(), other.read()
    equal(a[24], b[24], f"{name}: packed or not, as the log is")
    check(a[32:48] != b[32:48], f"{name}: a session of its own")
    # Of several threads other chunks lie side by side.
    check(len(b) < len(a) * (1.15 if name == "threads" else 1.05) + 1000, f"{name}: {len(b)} bytes of {len(a)}")
    equal(json.loads(run([MALLOSCOPE, "hist", "--json", new]).stdout)["histogram"],
          json.loads(run([MALLOSCOPE, "hist", "--json", log]).stdout)["histogram"], f"{name}: hist")

# --- parts: report --from of the part is report --from --to of the whole ---
for name, log in logs.items():
    end = read(log)["seconds"]["duration"]
    for begin, stop in (0.3, 0.6), (0, 0.5), (0.5, None), (0.05, 0.1), (0.7, 0.7002):
        times = [*(["--from", text(begin * end)] if begin else []), *(["--to", text(stop * end)] if stop else [])]
        trim(log, new, "-f", *times)
        wanted, got = read(log, *times), read(new, *times[:2 if begin else 0])
        if not got["processes"]: # before the first: not even how it was recorded is known
            equal((got["counts"]["allocations"], wanted["counts"]["allocations"]), (0, 0), f"{name} {times}: nothing")
            continue
        there = {p["pid"] for p in got["processes"]}
        for r in wanted, got:
            r["by_function"] = {k: v for k, v in r["counts"]["by_function"].items() if v}
        # What the trust is about: the part, and all of the log.
        loose = ("processes", "streams", "allocator", "unmatched_frees", "inherited_frees")
        equal(comparable(name, without(got, trust=loose)), comparable(name, without(wanted, trust=loose)), f"{name} {times}")
        check(got["trust"]["unmatched_frees"] <= wanted["trust"]["unmatched_frees"], f"{name} {times}: frees without blocks")
        check(not got["trust"]["launcher_died"], f"{name} {times}: nobody was killed")
        equal(got["marks"], wanted["marks"], f"{name} {times}: marks")
        alike(name, log, new, times, begin)
    # Of processes that had ended before the part there are no blocks in it.
    if name == "shell":
        last = {}
        for e in dump(log):
            last[e.pid] = e.seconds
        trim(log, new, "-f", "--from", text(0.9 * end))
        gone = {pid for pid, seconds in last.items() if seconds < 0.9 * end}
        equal((len(gone) > 2, {p["pid"]: p["allocations"] for p in read(new)["processes"] if p["pid"] in gone and p["allocations"]}), (True, {}),
              "processes that had ended")
    # The live bytes at each moment of the part are those of the whole.
    trim(log, new, "-f", "--from", text(0.4 * end), "--to", text(0.8 * end))
    if name == "generated": # blocks from before are allocations here, too: how many is said
        before = [e for e in dump(new) if e.size is not None and e.kind != "free" and not e.kind.endswith("-failed") and
                  e.seconds < 0.4 * end]
        told, short = run([MALLOSCOPE, "report", new]).stdout, run([MALLOSCOPE, "report", "--from", text(0.4 * end), new]).stdout
        equal(read(new)["carried"], {"allocations": len(before), "bytes": sum(e.size for e in before)}, f"{name}: from before the part")
        equal(read(new, "--from", text(0.4 * end))["carried"], None, f"{name}: with --from")
        equal(read(log)["carried"], None, f"{name}: the whole has nothing from before")
        check(len(before) > 100 and f"of these{len(before):24,}  " in told and "of these" not in short, f"{name}: it says so: {told[:1500]}")
    if name in ("generated", "known", "parts"):
        def live(file):
            now, most, blocks, old = 0, [], {}, {}
            for e in (e for e in dump(file) if e.is_heap and e.kind != "malloc-failed"):
                if e.kind == "realloc-begin":
                    old[e.tid] = blocks.pop(e.address)
                    continue
                if e.kind == "free":
                    now -= blocks.pop(e.address)
                else:
                    now += e.size - (old.pop(e.tid) if e.kind == "realloc-end" else 0)
                    blocks[e.address] = e.size
                if 0.4 * end <= e.seconds <= 0.8 * end:
                    most.append((e.seconds, now))
            return most
        equal(live(new), live(log), f"{name}: live bytes at each moment")
    check(os.path.getsize(new) < os.path.getsize(log) * 0.9 or os.path.getsize(log) < 50000 or name == "python",
          f"{name}: smaller: {os.path.getsize(new)} of {os.path.getsize(log)}")

# --- marks, processes, trimming again, other commands ---
trim(logs["parts"], new, "-f", "--from", "one", "--to", "two")
r = read(new, "--from", "one")
equal((r["counts"]["allocations"], r["counts"]["frees"]), (100, 60), "between marks")
equal(read(new)["counts"]["allocations"] >= 107, True, "the blocks from before are in the part's own totals")
check("Trimmed: a part of a longer log, from " in run([MALLOSCOPE, "report", new]).stdout, "report says that it is trimmed")
check("Trimmed: a part of a longer log, from " in run([MALLOSCOPE, "hist", new]).stdout, "hist says so, too")
gone, named = path("gone"), path("named.mscope")
shutil.copy(program("known"), gone)
equal(record([gone], named, "--embed-symbols").returncode, 7, "recording with names")
os.unlink(gone)
trim(named, new, "-f", "--from", "1us")
equal(read(new)["top_sites"]["by_allocations"][0]["function"], "take", "names in the log are in its part")
twice = path("twice.mscope")
trim(logs["generated"], new, "-f", "--from", "200us")
trim(new, twice, "--to", "600us")
trim(logs["generated"], new, "-f", "--from", "200us", "--to", "600us")
equal(sorted(dumped(twice).split("\n")), sorted(dumped(new).split("\n")), "first the one end, then the other")
equal(read(twice)["trust"]["trimmed"], read(new)["trust"]["trimmed"], "and it knows both")
for command in (["timeline", "--tsv"], ["hist"], ["dump", "--stacks"], ["diff", logs["generated"]], ["merge"]):
    got = run([MALLOSCOPE, *command, new])
    equal((got.returncode, complaints(got.stderr)), (0, ""), f"{command} of a part")
pids = [p["pid"] for p in read(logs["shell"])["processes"]]
trim(logs["shell"], new, "-f", "--pid", str(pids[1]))
r = read(new)
equal({p["pid"] for p in r["processes"]}, {pids[1]}, "one process")
equal(r["counts"], read(logs["shell"], "--pid", str(pids[1]))["counts"], "what it allocated")
equal(r["trust"]["trimmed"]["processes_left_out"], len([pid for pid in pids if pid != pids[1]]), "the others are left out")

# --- beyond the end there is nothing: said as `report` says it ---
for log in logs["known"], logs["shell"], new:
    before = set(os.listdir(WORK))
    beyond = run([MALLOSCOPE, "trim", log, "-o", path("x"), "--from", "100min"])
    asked_too = run([MALLOSCOPE, "report", log, "--from", "100min"])
    check(beyond.returncode == asked_too.returncode == 2 and "--from 100min: nothing comes after that: " + log + " ends at " in beyond.stderr,
          f"trim --from beyond the end: {beyond.stderr}")
    equal((beyond.stderr.replace("trim", "report"), set(os.listdir(WORK))), (asked_too.stderr, before), "in the same words, and nothing is written")

trim(logs["generated"], new, "-f", "--from", "500us")
got = run([MALLOSCOPE, "report", new, "--to", "400us"])
check(got.returncode == 2 and f"--to 400us: nothing comes before that: {new} is a part of a log, which begins at 0.000500 s" in got.stderr,
      f"before a part: {got.stderr}")
equal(run([MALLOSCOPE, "report", new, "--to", "600us"]).returncode, 0, "and in it")

# --- never overwrites, never leaves anything half ---
before = set(os.listdir(WORK))
for arguments, wanted in (([logs["known"]], "-o NEW: which name"), ([logs["known"], "-o", new], "exists already; use -f"), ([logs["known"], "-o", ""], "which name"),
                          ([logs["known"], "-f", "-o", logs["known"]], "is the log that is to be trimmed"), (["-o", path("x")], "which log?"),
                          ([logs["known"], "-f", "-o", WORK], "no regular file"), ([logs["parts"], "--from", "nine", "-o", path("x")], "has no mark"),
                          ([logs["known"], "--from", "2", "--to", "1", "-o", path("x")], "is not after")):
    got = run([MALLOSCOPE, "trim", *arguments])
    check(got.returncode == 2 and wanted in got.stderr and len(got.stderr.splitlines()) == 1, f"{arguments}: {got.stderr}")
got = run([MALLOSCOPE, "trim", logs["known"], "-o", path("none/x")])
check(got.returncode == 1 and "cannot be written: No such file" in got.stderr, f"no directory: {got.stderr}")
limited = run(["bash", "-c", 'ulimit -f 4; exec "$0" trim "$1" -o "$2"', MALLOSCOPE, logs["generated"], path("x")])
check(limited.returncode == 1 and "cannot be written: File too large" in limited.stderr, f"no room: {limited.stderr}")
equal(set(os.listdir(WORK)), before, "nothing new is there")
equal(run([MALLOSCOPE, "trim", logs["known"], "-o", new, "-f"]).returncode, 0, "-f")
equal(os.stat(new).st_mode & 0o777, 0o600, "its mode")

# --- damaged, piped, still running ---
cut = path("cut.mscope")
with open(logs["many"], "rb") as whole, open(cut, "wb") as file:
    file.write(whole.read()[:-2000])
check("damaged" in trim(cut, new, "-f", code=1), "a damaged log is said")
r = read(new, code=1)
equal(r["trust"]["trimmed"]["incomplete"], True, "and said again by what was made of it")
equal(*(comparable("threads", without(one, trust=("truncated_bytes", "missing_chunks", "cut_processes"))) for one in (r, read(cut, code=1))),
      "what was whole")
with open(cut, "rb+") as file:
    file.truncate(64)
trim(cut, new, "-f", code=1)
equal(read(new, code=1)["trust"]["trimmed"]["incomplete"], True, "a part of nothing says that something may be missing")
got = run([MALLOSCOPE, "info", "--json", new])
equal(json.loads(got.stdout)["whole"], False, "info says so, too")
got = " ".join(run([MALLOSCOPE, "info", cut]).stdout.split())
check("0 events lost, nothing recorded" in got, f"and why the other is not whole: {got}")
equal(run(["bash", "-c", 'cat "$1" | "$0" trim - -f -o "$2"', MALLOSCOPE, logs["generated"], new]).returncode, 0, "from a pipe")
equal(without(read(new)), without(read(logs["generated"])), "it is the same")
running = subprocess.Popen([MALLOSCOPE, "record", "-q", "-f", "-o", path("live"), "--", program("steady"), path("counter"), "3000000"])
while not os.path.exists(path("counter")):
    time.sleep(0.01)
time.sleep(0.1)
trim(path("live"), new, "-f")
r = read(new)
check(r["counts"]["allocations"] > 0 and not r["trust"]["launcher_died"], "a log that is being written")
running.wait()
held = subprocess.Popen([MALLOSCOPE, "record", "-q", "-f", "-o", path("live"), "--", "/usr/bin/python3", "-c", "print(1, flush=True); input()"],
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
held.stdout.readline()
for options in [], ["--to", "100min"]:
    trim(path("live"), new, "-f", *options)
    equal([(p["end"], p["went_on"], p["running"]) for p in read(new)["processes"]], [("later", True, False)], f"a program that runs {options}")
for second, sentence in (path("live"), "the second program still ran when its log was read"), (new, "the second log is a part of a longer one"):
    got = run([MALLOSCOPE, "diff", logs["python"], second])
    check(f"Note: {sentence}." in got.stdout, f"diff: {got.stdout}")
got = run([MALLOSCOPE, "merge", logs["known"], path("live")])
equal(got.stdout.count("; still running: 1 process"), 1, f"merge: {got.stdout}")
check("still running" not in run([MALLOSCOPE, "merge", logs["known"], new]).stdout, "but not of a part")
got = run([MALLOSCOPE, "trim", logs["known"], "-f", "-o", path("live")])
check(got.returncode == 2 and "is a log that is still being recorded" in got.stderr, f"over a log that is being recorded: {got.stderr}")
held.communicate(b"\n")
for name in os.listdir(WORK):
    if name.startswith("live"):
        os.unlink(path(name))

sys.exit(done())
