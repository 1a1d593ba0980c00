"""The shim records exactly what programs do: each program of tests/programs tells
on descriptor 3 what it does, and the log must hold the same events, in the same
order, with the same addresses, and nothing else but what libc and the loader
allocate for themselves, as their stacks show. And nothing changes for the
program: same output, same exit status."""
import glob
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *
from told import *

PLUGINS = [program("plugin1.so"), program("plugin2.so")]
# Whose allocations the program knows nothing of, though it causes them.
SYSTEM = ("ld-linux", "libc.so", "libc-2", "libpthread", "libdl")


def system_stack(event):
    return bool(event.frames) and event.frames[0].split(" ")[1].startswith(SYSTEM)


def is_known(event, known):
    # The table of a thread's libraries grows with those that have thread-local data, as the unwinder has.
    return any(kind == event.kind and abs(size - event.size) <= 64 for kind, size in known)


def explain(extra, what, known=None):
    """Events that the program did not tell of must be the system's own: by their stack, or, in a log without
    stacks, because the same call with the same size is known to be. Returns what is known now."""
    position, known_now = {}, set()
    unexplained = []
    for event in sorted(extra, key=lambda e: e.seconds):
        if event.kind in ("free", "realloc-begin"):
            if not position.pop((event.pid, event.address), None):
                unexplained.append(event)
        elif event.kind.endswith(("-failed", "-freed")):
            unexplained.append(event)
        elif system_stack(event) if known is None else is_known(event, known):
            position[event.pid, event.address] = True
            known_now.add((event.kind, event.size))
        else:
            unexplained.append(event)
    equal([(text_of(e), e.frames[:4]) for e in unexplained[:3]], [],
          f"{what}: {len(unexplained)} events that the program knows nothing of")
    return known_now


def replay(events, what):
    """In the order of the log: no block is freed before it is allocated, no live address allocated again.
    A free by another thread than the allocation's may bear a stamp that is earlier by nanoseconds."""
    live, ever, inherited = {}, {}, {}  # by process: addresses now, addresses ever, addresses of the parent
    reallocating, waiting, wrong = {}, {}, []
    for event in events:
        if waiting:
            late = [key for key, e in waiting.items() if event.seconds - e.seconds > 1e-5]
            wrong += [f"{text_of(waiting.pop(key))}: not live" for key in late]
        if event.kind == "process-start":
            parent = int(event.rest[2].rstrip(","))
            live[event.pid], ever[event.pid] = set(), set()
            inherited[event.pid] = set(ever.get(parent, ())) if event.rest[0] == "fork" else set()
            continue
        if not event.is_heap:
            continue
        mine, stream = live[event.pid], (event.pid, event.tid)
        if event.kind in ("realloc-begin", "free", "cfree", "free_sized", "free_aligned_sized"):
            if event.address in mine:
                mine.discard(event.address)
            elif event.address in inherited[event.pid]:
                inherited[event.pid].discard(event.address)
            else:
                waiting[event.pid, event.address] = event
            if event.kind == "realloc-begin":
                reallocating[stream] = event.address
        elif event.kind in ("realloc-failed", "reallocarray-failed") and stream in reallocating:
            mine.add(reallocating.pop(stream))
        elif event.kind == "realloc-freed":
            reallocating.pop(stream, None)
        elif not event.kind.endswith("-failed"):
            reallocating.pop(stream, None)
            if event.address in mine:
                wrong.append(f"{text_of(event)}: live already")
            before = waiting.get((event.pid, event.address))
            if before and before.tid != event.tid:
                del waiting[event.pid, event.address]
            else:
                mine.add(event.address)
            ever[event.pid].add(event.address)
    wrong += [f"{text_of(event)}: not live" for event in waiting.values()]
    return equal(wrong[:3], [], f"{what}: {len(wrong)} events out of order")


def case(name, *arguments, untold=False, killed=False, expected=None, untraced_first=True, **more):
    """One program, recorded with stacks and without. Returns the events of the log with stacks, and its report."""
    command = [program(name), *arguments]
    title = " ".join([name, *(os.path.basename(a) for a in arguments)])
    untraced, _ = told_run(command, **more)
    known, result = None, None
    for mode in "auto", "none":
        what, log = f"{title}, --call-graph={mode}", path("log.mscope")
        traced, truth = told_run([MALLOSCOPE, "record", "-q", "-f", "-o", log, "--call-graph", mode, "--", *command], **more)
        same_run(traced, untraced, what)
        r = whole(log, what, **{**(expected or {}), **({"cut_stacks": 0} if mode == "none" else {})})
        events = dump(log, stacks=mode == "auto")
        known = explain(match(truth, events, what, untold=untold, killed=killed), what, known)
        replay(events, what)
        equal(r["trust"]["events"], sum(1 for e in events if e.is_heap and not e.kind.endswith(("-failed", "-freed"))),
              f"{what}: report and dump count the same events")
        if not untold:
            check(truth or name in ("errno",), f"{what}: the program has told something")
        result = result or (events, r, truth)
    return result


# --- one thread ---
events, r, truth = case("api")
equal(r["counts"]["failed"], sum(1 for _, _, text in truth if "-failed" in text), "api: failed calls")
equal(r["counts"]["allocations"], sum(1 for _, _, text in truth if text.split(" ")[1] != "-" and
                                      not text.startswith(("free", "cfree", "realloc-begin"))), "api: allocations")
equal(sorted({text.split(" ")[0] for _, _, text in truth} & {"cfree", "free_sized", "free_aligned_sized"}),
      ["cfree", "free_aligned_sized", "free_sized"], "api: every way to free was used")
check(not any("BAD" in line for line in run([program("api")]).stdout.splitlines()), "api is right untraced")
case("random", "1", "100000")
case("random", "20261", "20000")
case("errno", untold=True)
case("signals", "60000")
case("early")

# --- stacks of any depth ---
LIMIT, BELOW = 1024, 5  # frames kept; t_malloc, main and its three callers
for depth, step in (2000, 100), (1030, LIMIT - BELOW), (1030, LIMIT - BELOW + 1):
    deep = sum(2 for n in range(step, depth + 1, step) if n + BELOW > LIMIT)
    events, r, truth = case("recursion", str(depth), str(step), expected={"cut_stacks": deep})
    for event in events:
        if event.kind == "malloc" and event.size < LIMIT * 2:
            names = [frame.split(" ")[-1] for frame in event.frames]
            equal(len(names), min(event.size + BELOW, LIMIT), f"recursion: frames of the stack at depth {event.size}")
            equal(names[0], "t_malloc", "recursion: the innermost frame")
            equal(names.count("descend"), min(event.size, LIMIT - 1), f"recursion: recursive frames at depth {event.size}")

# --- threads ---
case("threads", "2", "4", "20000")
case("threads", "30", "12", "100")
case("small_stack")
events, r, truth = case("tls")
check(len(by_thread(truth)) == 1 + 3 * 8, f"tls: every thread has told: {len(by_thread(truth))}")

# A thread's memory goes to the next one, however it ends: `late` ones without a word.
events, r, truth = case("many_threads", "at_once", "1000")
equal(len(by_thread(truth)), 1001, "many_threads at_once: threads that told")
for mode, number in ("storm", 20000), ("late", 3000):
    events, r, truth = case("many_threads", mode, str(number))
    # Some 20 are there at once; more where the machine lets ended threads wait to be reaped.
    check(len(truth) >= 2 * number and r["trust"]["streams"] <= 300,
          f"many_threads {mode}: {number} threads leave {r['trust']['streams']} streams")
case("many_threads", "cancel", "60")
case("many_threads", "detached", "4", killed=True)
events, r, truth = case("many_threads", "names")
equal([" ".join(e.rest) for e in events if e.kind == "thread-name"],
      ["first", "", "fifteen-letters", "with spaces\\x09in", "\\xff\\xfe"], "many_threads: names that changed")

# --- ends ---
for mode in ("return", "exit", "_exit", "_Exit", "quick_exit", "exit_group", "pthread_exit", "last_thread",
             "other_thread", "abort", "kill", "term", "segv"):
    case("exits", mode)
case("exits", "under_way", untold=True)
case("exits", "killed", killed=True)

# --- processes ---
events, r, truth = case("forks", "fork")
equal([p["start"] for p in r["processes"]], ["image"] + ["fork"] * 6, "fork: how the processes began")
equal({p["pid"] for p in r["processes"]}, {pid for pid, _, _ in truth}, "fork: the processes")
case("forks", "thread")
events, r, truth = case("forks", "vfork")
equal([(p["start"], p["ppid"]) for p in r["processes"]], [("image", r["processes"][0]["ppid"])] +
      [("image", r["processes"][0]["pid"])] * 3, "vfork: how the processes began")
events, r, truth = case("forks", "spawn")
equal(len(r["processes"]), 4, "spawn: processes")
events, r, truth = case("forks", "exec")
equal([p["start"] for p in r["processes"]], ["image"] + ["exec"] * 3, "exec: how the processes began")
equal({p["pid"] for p in r["processes"]}, {truth[0][0]}, "exec: all are one process")
case("forks", "inherit", expected={"inherited_frees": 50})
case("forks", "busy", "60", untold=True)
case("forks", "loader", "60", untold=True)


def daemon(mode):
    """A grandchild that goes on after `record` has ended, and after a first report."""
    what, log = f"forks daemon, --call-graph={mode}", path("daemon.mscope")
    traced, _ = told_run([MALLOSCOPE, "record", "-q", "-f", "-o", log, "--call-graph", mode, "--", program("forks"), "daemon"])
    equal((traced.returncode, traced.stdout), (0, "child: status 0\n"), f"{what}: run")
    first = dump(log)
    check(0 < len([e for e in first if e.is_heap]), f"{what}: a dump while it runs")
    check(live_files(log), f"{what}: its live file is left to it")
    end = time.time() + 20
    while not any(text.startswith("end-of-daemon") for _, _, text in read_truth()) and time.time() < end:
        time.sleep(0.02)
    time.sleep(0.1)
    truth = [line for line in read_truth() if not line[2].startswith("end-of-daemon")]
    whole(log, what)
    equal(match(truth, dump(log), what), [], f"{what}: extra events")


daemon("auto")
daemon("none")

# --- libraries that come and go ---
events, r, truth = case("plugin", *PLUGINS, "100", untold=True)
places, wrong = {}, []
for event in events:
    if event.kind == "module-load" and "plugin" in os.path.basename(event.rest[2]):
        places.setdefault(event.rest[1], set()).add(os.path.basename(event.rest[2]))
    if event.kind != "malloc":
        continue
    names = [(frame.split("+")[0].split(" ")[1], frame.split(" ")[-1]) for frame in event.frames]
    if event.size in (7001, 7002):
        which = f"plugin{event.size - 7000}"
        good = names[:4] == [(which + ".so", which + "_inner"), (which + ".so", which + "_middle"),
                             (which + ".so", "allocate"), ("plugin", "use")]
    elif event.size < 1000 and names and names[0][0] == "plugin":
        good = names[:3] == [("plugin", "t_malloc"), ("plugin", "own_code"), ("plugin", "allocates_always")]
    else:
        good = not any(module.endswith(".so") and module.startswith("plugin") for module, _ in names)
    if not good:
        wrong.append((text_of(event), names))
equal(wrong[:2], [], f"plugin: {len(wrong)} stacks that name others than the caller")
check(sum(len(names) == 2 for names in places.values()) >= 1, f"plugin: one library comes to lie where the other was: {places}")
equal(sum(1 for e in events if e.kind == "malloc" and e.size in (7001, 7002)), 400, "plugin: allocations of the libraries")
equal(sum(1 for e in events if e.kind == "module-unload"), 200, "plugin: libraries that went")

# --- descriptors ---
case("fds", WORK)
case("fds", WORK, "tight") # the recorder is beyond the limit


def may_lift_limits():
    with open("/proc/self/status") as file:
        return int(re.search(r"CapEff:\s*(\w+)", file.read()).group(1), 16) >> 24 & 1 # CAP_SYS_RESOURCE


what, log = "fds tight locked", path("log.mscope")
untraced, _ = told_run([program("fds"), WORK, "tight", "locked"])
traced, truth = told_run([MALLOSCOPE, "record", "-q", "-f", "-o", log, "--", program("fds"), WORK, "tight", "locked"])
r = json.loads(run([MALLOSCOPE, "report", "--json", log]).stdout)
equal(r["trust"]["events"] + r["trust"]["lost_events"], len(truth), f"{what}: what could not be recorded is counted")
if not may_lift_limits():
    check("could not be logged: Too many open files" in traced.stderr and len(traced.stderr.splitlines()) == 1,
          f"{what}: {traced.stderr}")
    traced.stderr = ""
same_run(traced, untraced, what)


# --- what the program was started with ---
def rough():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM, signal.SIGCHLD, 40})
    for number in signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD, signal.SIGQUIT, signal.SIGALRM, 35:
        signal.signal(number, signal.SIG_IGN)
    os.umask(0o027)
    os.nice(3)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))
    resource.setrlimit(resource.RLIMIT_STACK, (1 << 22, resource.getrlimit(resource.RLIMIT_STACK)[1]))
    os.setpgid(0, 0)


def few_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def no_input():
    os.close(0)


strange = {"EMPTY": "", "LONG": "x" * 5000, "ODD NAME": "a=b=c", "NOT_MALLOSCOPE_X": "1", "UMLAUT": "\u00e4\n\t"}
numbers = re.compile(r"^process group \d+, session", re.M)
for name, more in {"plainly": {}, "roughly": {"preexec_fn": rough, "restore_signals": False},
                   "with a limit of 100 descriptors": {"preexec_fn": few_descriptors},
                   "without standard input": {"preexec_fn": no_input}, "elsewhere": {"cwd": "/"}}.items():
    for mode in "auto", "none":
        what, command = f"environ {name}, --call-graph={mode}", [program("environ"), "a", "", "b c", "\u00e4"]
        untraced, _ = told_run(command, env=strange, **more)
        traced, truth = told_run([MALLOSCOPE, "record", "-q", "-f", "-o", log, "--call-graph", mode, "--", *command],
                                 env=strange, **more)
        equal((traced.returncode, traced.stderr), (0, ""), f"{what}: run")
        equal(len(truth), 2, f"{what}: told")
        for left, right in zip(numbers.sub("session", traced.stdout).splitlines(),
                               numbers.sub("session", untraced.stdout).splitlines()):
            equal(left, right, what)
        equal(len(traced.stdout.splitlines()), len(untraced.stdout.splitlines()), f"{what}: lines")
        whole(log, what)

# --- beside other stand-ins for malloc ---
for name, *arguments in ("api",), ("threads", "1", "3", "3000"), ("forks", "fork"), ("early",):
    what, command = f"{name} with another malloc preloaded", [program(name), *arguments]
    untraced, _ = told_run(command, env={"LD_PRELOAD": program("wrapper.so")})
    traced, truth = told_run([MALLOSCOPE, "record", "-q", "-f", "-o", log, "--", *command],
                             env={"LD_PRELOAD": program("wrapper.so")})
    same_run(traced, untraced, what)
    explain(match(truth, dump(log, stacks=True), what), what)
    r = whole(log, what)
    check(r["processes"][0]["allocator"].endswith("/wrapper.so"), f"{what}: the allocator is {r['processes'][0]['allocator']}")


# --- without the CLI ---
def preloaded(output, *command, mode="auto", preload=SHIM):
    return told_run(list(command), env={"LD_PRELOAD": preload, "MALLOSCOPE_OUTPUT": output, "MALLOSCOPE_CALL_GRAPH": mode})


def files(directory):
    return sorted(os.listdir(directory))


for mode in "auto", "none":
    for name, *arguments in ("api",), ("random", "3", "20000"), ("threads", "2", "4", "3000"), ("exits", "kill"), ("forks", "fork"):
        what, directory = f"{name} preloaded, {mode}", path(f"plain-{name}-{mode}")
        os.mkdir(directory)
        command = [program(name), *arguments]
        untraced, _ = told_run(command)
        traced, truth = preloaded(directory + "/log", *command, mode=mode)
        same_run(traced, untraced, what)
        left = files(directory)
        check("log" in left and live_files(directory + "/log") and all(n == "log" or n.startswith("log.live.") for n in left),
              f"{what}: a log and what is still in the live files: {left}")
        events = dump(directory + "/log", stacks=True)
        extra = match(truth, events, what)
        if mode == "auto":
            explain(extra, what)
        replay(events, what)
        whole(directory + "/log", what)
        equal(files(directory), ["log"], f"{what}: the report has merged all into one file")
        again = dump(directory + "/log", stacks=True)
        equal([(text_of(e), e.frames) for e in again if e.is_heap], [(text_of(e), e.frames) for e in events if e.is_heap],
              f"{what}: the same before and after")

directory = path("names")
os.mkdir(directory)
with open(directory + "/taken", "w") as file:
    file.write("precious")
traced, truth = preloaded(directory + "/taken", program("api"))
pid = truth[0][0]
run([MALLOSCOPE, "report", f"{directory}/taken.{pid}"])
equal(files(directory), ["taken", f"taken.{pid}"], "a taken name: .PID is added")
with open(directory + "/taken") as file:
    equal(file.read(), "precious", "a taken name: the old file is as it was")
equal(match(truth, dump(f"{directory}/taken.{pid}"), "a taken name"), [], "a taken name: events")
os.remove(f"{directory}/taken")
os.remove(f"{directory}/taken.{pid}")
traced, truth = preloaded(directory + "/%e-%p-%%.log", program("api"))
run([MALLOSCOPE, "report", f"{directory}/api-{truth[0][0]}-%.log"])
equal(files(directory), [f"api-{truth[0][0]}-%.log"], "%e, %p and %% in a name")
os.remove(f"{directory}/api-{truth[0][0]}-%.log")
for number in 1, 2, 3:
    traced, truth = preloaded(directory + "/run%n", program("exits"))
    whole(f"{directory}/run{number}", "a numbered name")
equal(files(directory), ["run1", "run2", "run3"], "%n in a name")
equal(match(truth, dump(f"{directory}/run3"), "a numbered name"), [], "a numbered name: events")
# A program that the program starts has its environment, and so its name, which is taken then.
traced, truth = preloaded(directory + "/family", program("forks"), "spawn")
logs = [name for name in files(directory) if name.startswith("family") and ".live." not in name]
equal(len(logs), 4, "a fixed name: each started program has a log of its own")
events = [event for name in logs for event in dump(f"{directory}/{name}")]
equal(match(truth, events, "a fixed name"), [], "a fixed name: events")
# The other stand-in comes first and calls the shim.
traced, truth = preloaded(path("behind"), program("api"), preload=program("wrapper.so") + ":" + SHIM)
explain(match(truth, dump(path("behind"), stacks=True), "behind another malloc"), "behind another malloc")
# A place that does not exist: the program runs all the same.
untraced, _ = told_run([program("api")])
traced, truth = preloaded(path("nowhere/log"), program("api"))
same_run(traced, untraced, "no log can be made")

sys.exit(done())
