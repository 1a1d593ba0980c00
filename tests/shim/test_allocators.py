"""Programs linked with jemalloc, tcmalloc and mimalloc, or that preload them: the log
holds what they did, C++'s operators included, which these allocators define themselves,
and the report names the allocator. And libraries that are loaded in ways of their own:
storms of them, RTLD_DEEPBIND, dlmopen, and by whoever only its RUNPATH leads to them."""
import ctypes.util
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *
from told import *

ALLOCATORS = {"jemalloc": "libjemalloc2 libjemalloc-dev", "tcmalloc_minimal": "libtcmalloc-minimal4 libgoogle-perftools-dev",
              "mimalloc": "libmimalloc2.0 libmimalloc-dev", "tcmalloc": "libgoogle-perftools4"}
LOG = path("log.mscope")
ROUNDS = "2000" if os.environ.get("TEST_LONG") else "60" # of a storm
# Whose allocations the program knows nothing of, though it causes them. The allocators' too:
# what they do at their start (tcmalloc sets variables in the environment) or to throw.
SYSTEM = ("ld-linux", "libc.so", "libc-2", "libstdc++", "libgcc_s", "libjemalloc", "libtcmalloc", "libmimalloc",
          "own_operators", "forwarding_operators")


def explain(extra, what):
    """Events that the program did not tell of are the system's own, by their stack, and what is freed of them."""
    position, unexplained = set(), []
    for event in sorted(extra, key=lambda e: e.seconds):
        if event.kind in ("free", "delete", "realloc-begin"):
            if (event.pid, event.address) not in position:
                unexplained.append(event)
            position.discard((event.pid, event.address))
        elif event.frames and event.frames[0].split(" ")[1].startswith(SYSTEM) and event.address:
            position.add((event.pid, event.address))
        else:
            unexplained.append(event)
    return equal([(text_of(e), e.frames[:4]) for e in unexplained[:3]], [],
                 f"{what}: {len(unexplained)} events that the program knows nothing of")


def case(what, command, allocator=None, *, env=None, told_as=lambda text: text, untold=False, graph="auto", expected=None):
    """allocator: how the module's name begins that the report is to name for each process. told_as: how the log
    puts what the program told. Returns report and events."""
    untraced, _ = told_run(command, env=env)
    traced, truth = told_run([MALLOSCOPE, "record", "-q", "-f", "-o", LOG, "--call-graph", graph, "--", *command], env=env)
    same_run(traced, untraced, what)
    check("BAD" not in untraced.stdout or command[0] == program("api"), f"{what}: good untraced: {untraced.stdout[-300:]}")
    events = dump(LOG, stacks=True)
    extra = match([(pid, tid, told_as(text)) for pid, tid, text in truth], events, what, untold=untold)
    if graph != "none":
        explain(extra, what)
    check(truth, f"{what}: the program has told something")
    r = whole(LOG, what, **(expected or {}))
    if allocator:
        names = {os.path.basename(p["allocator"]) for p in r["processes"]}
        check(len(names) == 1 and names.pop().startswith(allocator),
              f"{what}: the allocator of all processes is {allocator}: {[p['allocator'] for p in r['processes']]}")
        text = run([MALLOSCOPE, "report", LOG]).stdout
        check(f"(allocator {allocator}" in text, f"{what}: the trust line names the allocator")
    return r, events


libraries = {}
for name, packages in ALLOCATORS.items():
    found = ctypes.util.find_library(name)
    if check(found, f"{name} is not there: install {packages}"):
        libraries[name] = found

# --- each of them preloaded, under programs in C ---
for name, library in libraries.items():
    preload = {"LD_PRELOAD": library}
    # jemalloc has none; libc's gives blocks that jemalloc cannot free.
    less = ["no-pvalloc"] if name == "jemalloc" else []
    for program_name, *arguments in (("api", *less), ("random", "1", "20000", *less), ("threads", "2", "4", "3000"),
                                     ("threads", "10", "12", "100"), ("early",), ("tls",), ("small_stack",),
                                     ("forks", "fork"), ("forks", "thread"), ("forks", "spawn"), ("forks", "exec"),
                                     ("exits", "_exit")):
        case(" ".join([program_name, *arguments[:1], "with", name]), [program(program_name), *arguments],
             "lib" + name, env=preload)
    case(f"plugin with {name}", [program("plugin"), program("plugin1.so"), program("plugin2.so"), "20"], "lib" + name,
         env=preload, untold=True)

# --- C++'s operators ---
OPERATORS = program("operators_library.so")


def like_libstdcxx(text):
    """What libstdc++'s operators make of it."""
    kind, address, size, *alignment = text.split(" ")
    if kind == "delete":
        return f"free {address} {size}"
    if not kind.startswith("new"):
        return text
    ending = kind[3:]
    if alignment:
        up = int(alignment[0])
        return f"aligned_alloc{ending} {address} {(int(size) + up - 1) // up * up} {up}"
    return f"malloc{ending} {address} {max(int(size), 1)}"


def mode_of(name):
    return "aborts" if name == "mimalloc" else "throws"


def by_operators(what, command, allocator, **more):
    r, events = case(what, command, allocator, **more)
    calls = r["counts"]["by_function"]
    check(calls.get("new", 0) > 4000, f"{what}: calls of new: {calls}")
    kinds = {e.kind for e in events if e.is_heap}
    check({"new", "delete", "new-failed", "malloc", "free"} <= kinds, f"{what}: kinds of events: {kinds}")
    for event in events:
        if event.kind == "new" and event.size == 501 and more.get("graph") != "none":
            equal([frame.split(" ")[-1] for frame in event.frames[:2]], ["t_new", "work"], f"{what}: who called new")
            break


for name, library in libraries.items():
    command = [program("operators"), mode_of(name), OPERATORS]
    by_operators(f"operators, {name} preloaded", command, "lib" + name, env={"LD_PRELOAD": library})
    by_operators(f"operators, {name} preloaded, without stacks", command, "lib" + name, env={"LD_PRELOAD": library}, graph="none")
    if name == "tcmalloc": # not linked with any program here
        continue
    linked = program("operators_" + name)
    if not check(os.path.exists(linked), f"operators_{name} was not built: install {ALLOCATORS[name]}"):
        continue
    for how, env in ("", {}), (", bound at the start", {"LD_BIND_NOW": "1"}):
        by_operators(f"operators, linked with {name}{how}", [linked, mode_of(name), OPERATORS], "lib" + name, env=env)

    by_operators(f"operators, linked with {name}, beside a thread", [linked, mode_of(name), OPERATORS], "lib" + name,
                 env={"LD_PRELOAD": program("thread_first.so")})

# An allocator whose operators call each other, and malloc, by name: still one call is one event.
own = program("own_operators.so")
by_operators("operators that call each other", [program("operators"), "throws", OPERATORS], "own_operators",
             env={"LD_PRELOAD": own})
# Operators that only lead on to the C++ library's: malloc is called in the end, and its events stay the ones.
r, events = case("operators that lead on", [program("operators"), "aborts", OPERATORS], "forwarding_operators",
                 told_as=like_libstdcxx, env={"LD_PRELOAD": program("forwarding_operators.so")})
equal([f for f in r["counts"]["by_function"] if f in ("new", "delete")], [], "operators that lead on: none are logged")

# Where the C++ library has the operators, its calls of malloc are the events, as ever, and nothing of ours is
# between: the shim has no operators to offer.
r, events = case("operators as they are", [program("operators"), "aborts", OPERATORS], "libc", told_as=like_libstdcxx)
equal([f for f in r["counts"]["by_function"] if f in ("new", "delete")], [], "operators as they are: none are logged")
symbols = run(["nm", "-D", "--defined-only", SHIM]).stdout
check(" malloc" in symbols and " _Z" not in symbols, "the shim exports malloc and no operators")
needed = run(["readelf", "-d", SHIM]).stdout
check("libc.so" in needed and "libgcc" not in needed and "libstdc++" not in needed, "the shim needs no C++")

# A real program of many operators: as many allocations with each allocator.
source = path("empty.cpp")
with open(source, "w") as file:
    file.write("int main() { return 0; }\n")
counts = {}
for name, library in {"libc": None, **libraries}.items():
    what = f"clang++ with {name}"
    got = record(["clang++", "-O1", "-c", source, "-o", path("empty.o")], LOG, env={"LD_PRELOAD": library} if library else None)
    equal((got.returncode, got.stderr), (0, ""), f"{what}: run")
    r = whole(LOG, what)
    calls = r["counts"]["by_function"]
    check(("new" in calls) == bool(library), f"{what}: calls: {calls}")
    counts[name] = r["counts"]["allocations"]
    # Hash tables of addresses differ a little from run to run.
    check(abs(counts[name] - counts["libc"]) < counts["libc"] / 50 and counts["libc"] > 5000, f"{what}: allocations: {counts}")

# --- the other order: the allocator goes before us ---
for name, library in libraries.items():
    what, log = f"{name} preloaded before the shim", path("before-" + name)
    untraced, _ = told_run([program("operators"), mode_of(name), OPERATORS], env={"LD_PRELOAD": library})
    traced, truth = told_run([program("operators"), mode_of(name), OPERATORS],
                             env={"LD_PRELOAD": f"{library}:{SHIM}", "MALLOSCOPE_OUTPUT": log})
    same_run(traced, untraced, what)
    equal([e for e in dump(log) if e.is_heap], [], f"{what}: nothing comes to us")
    others = {os.path.basename(p["other_malloc"]) for p in report(log)["processes"]}
    check(len(others) == 1 and others.pop().startswith("lib" + name), f"{what}: the report says whose malloc goes before ours")

# --- libraries ---
LOADING = [program(f"loading{n}.so") for n in (1, 2, 3)]
for name, library in {"libc": None, **libraries}.items():
    case(f"loading storm with {name}", [program("loading"), "storm", ROUNDS, *LOADING],
         "libc" if name == "libc" else "lib" + name, env={"LD_PRELOAD": library} if library else None)

deep = program("plugin1.so")


def libraries_noted(events):
    return [" ".join(e.rest) for e in events if e.kind == "deepbind"]


# The program frees the block, whose allocation nobody has seen.
r, events = case("a library with RTLD_DEEPBIND", [program("loading"), "deepbind", deep], expected={"unmatched_frees": 1},
                 untold=True)
check(len(libraries_noted(events)) == 1 and deep in libraries_noted(events)[0],
      f"RTLD_DEEPBIND is noted, once, with the path: {libraries_noted(events)}")
check(not any(e.size == 7001 for e in events if e.is_heap), "the library's malloc is libc's own")
r, events = case("a library in a namespace of its own", [program("loading"), "dlmopen", deep])
check(len(libraries_noted(events)) == 1 and deep in libraries_noted(events)[0],
      f"dlmopen is noted, once, with the path: {libraries_noted(events)}")
check(not any(e.size == 7001 for e in events if e.is_heap), "the namespace has a malloc of its own")

# The loader knows who calls dlopen, though we stand between.
os.makedirs(path("outer/inner"))
shutil.copy(LOADING[0], path("outer/loading1.so"))
shutil.copy(deep, path("outer/inner/only_here.so"))
r, events = case("dlopen by a library with a RUNPATH",
                 [program("loading"), "origin", path("outer/loading1.so"), "only_here.so"])
equal(len(libraries_noted(events)), 1, f"only one of the three ways was RTLD_DEEPBIND: {libraries_noted(events)}")

sys.exit(done())
