"""Real programs under other tools: where they define a figure as we do, it is the same, for the whole run and for
each stack, down to the addresses of its frames.

Two recorders cannot both stand in for malloc in one process and each see what the program asked for. So the programs
are such that do the same in each run: nothing random, addresses always the same (setarch -R), an environment of the
same lengths in the same order. That they do, two recordings show, which have the same allocations, bytes, peak and leaks
of each stack; and tests/programs/count.c, which has nothing in common with any recorder, and counts as many allocations
and frees.

heaptrack records without its interpreter, which Debian's 1.4.0 loses in long runs (a broken pipe, and the traced program
dies of it). It interprets the raw data later, again where that fails, and with names of modules that are no files: so
heaptrack_print shows addresses, which become places in modules, as we show them where no file with names is found. No
table of symbols stands between. What is the same:

- allocations, and bytes at the peak and at the end, of each stack, as heaptrack_print has them, and the sum of its summary;
- allocated bytes of each stack, which this version does not print, and frees, from its raw data;
- temporary allocations as heaptrack_print has them, from our events. To us an allocation is temporary that is freed
  before its thread allocates again. To heaptrack_print it is one if nothing at all came between, and what is freed has
  the size and the stack of the last allocation, be it another block. Each step of a realloc is a free and an
  allocation to it. The free of what is its first allocation is always one: that has the number 0, by which it means none.

What differs, all of it:

- heaptrack's own library is C++, and libstdc++ allocates an emergency pool of 72704 bytes when it is loaded. So that
  addresses are alike, it is loaded in all runs. At the end heaptrack asks the C++ library to give its pool back, which
  nobody else does. cc1 has a C++ library of its own in it: there it is cc1's pool that is given back.
- Functions that are to be called at exit are in blocks of 32, of 1040 bytes, in libc. heaptrack has one more, so the next
  block may come a call earlier, from another stack.
- cc1's collector has a table of 32768 bytes for each 16 MiB of addresses that it happens to get from mmap.
- python3 keeps names of attributes in a cache in which their place goes by their address. A name that is used nowhere
  else is freed when another one takes its place. So some are freed sooner or later, and live at the peak or do not.
- heaptrack keeps 62 frames of a stack. Ours are cut to as many.

DHAT counts what realloc made to the stack that made the block at first, where we count it to that of the realloc: so
stacks that have a block that was reallocated, or that reallocate, are compared in their sum. Its addresses are found in
the map of memory that the program itself writes. What the C library would give back at the end only under valgrind
stays, with --run-libc-freeres=no."""
import bisect
import collections
import csv
import glob
import io
import os
import re
import struct
import sys

if os.environ.get("TEST_SANITIZED"): # which does not bear another library before its own
    print("0 passed, 0 failed")
    sys.exit(0)
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

HEAPTRACK = "/usr/lib/heaptrack/libheaptrack_preload.so"
INTERPRET = "/usr/lib/heaptrack/libexec/heaptrack_interpret"
DEEPEST = 62  # frames of a stack that heaptrack keeps: it takes 64, and leaves out its own two
COSTS = {"allocations": "allocations", "allocated": "bytes", "peak": "peak_bytes", "leaked": "leaked_bytes"}  # as `sites` has them
POOL = next(iter(glob.glob(f"/usr/lib/{os.uname().machine}-linux-gnu/libstdc++.so.6")), "libstdc++.so.6")
LOG, RAW, COUNTS = path("log.mscope"), path("raw"), path("counts")
BASE = {"PATH": "/usr/bin:/bin", "HOME": WORK, "LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0", "PERL_HASH_SEED": "0",
        "PYTHONMALLOC": "malloc", "PYTHONDONTWRITEBYTECODE": "1", "COUNT_OUT": COUNTS}


def clean_run(*command):
    """With no other environment, and addresses that are always the same."""
    return run(["/usr/bin/env", "-i", *(f"{name}={value}" for name, value in BASE.items()), "setarch", "-R", *command], cwd=WORK)


def write(name, text):
    with open(path(name), "w") as file:
        file.write(text)
    return path(name)


def by_address(log, *options):
    """cost → stack of module+0xOFFSET, the outermost first → number"""
    got = run([MALLOSCOPE, "sites", "--stacks", "--no-cache", "--sysroot", path("nowhere"), *options, log])
    equal(got.returncode, 0, f"sites: {got.stderr}")
    found = {cost: collections.Counter() for cost in COSTS}
    for row in csv.DictReader(io.StringIO(got.stdout), delimiter="\t", quoting=csv.QUOTE_NONE):
        stack = tuple(row["stack"].split(";"))[-DEEPEST:]
        for cost, column in COSTS.items():
            found[cost][stack] += int(row[column])
    return {cost: +stacks for cost, stacks in found.items()}


# --- ours -------------------------------------------------------------------------
class Ours:
    def __init__(self, what, command):
        got = clean_run("/usr/bin/env", f"LD_PRELOAD={POOL}", MALLOSCOPE, "record", "-q", "-f", "-o", LOG, "--", *command)
        equal(got.returncode, 0, f"{what}, recorded: {got.stderr[-300:]}")
        self.stacks = by_address(LOG)
        r = report(LOG)
        self.sums = [r["counts"]["allocations"], r["counts"]["frees"], r["bytes"]["allocated"], r["bytes"]["peak"], r["bytes"]["leaked"]]


def heaptracks_temporary(log):
    """How many of our events it would call temporary, but for what it has itself."""
    got = run([MALLOSCOPE, "dump", "--stacks", "--no-cache", "--sysroot", path("nowhere"), log])
    equal(got.returncode, 0, f"dump: {got.stderr}")
    count, last, blocks, kinds = 0, None, {}, set(HEAP) | {"realloc-end", "reallocarray-end"}
    for line in got.stdout.splitlines():
        if line[0] == "\t":
            last.append(line)
            continue
        kind, address, *size = (line.split(" ") + [""])[3:6]
        if kind in ("free", "cfree", "realloc-begin", "reallocarray-begin"):
            count += last is not None and blocks.pop(address, None) == last
            last = None
        elif kind in kinds:
            blocks[address] = last = size
    return count


# --- what stands in the shim's place ------------------------------------------------------
def instead(library):
    """A recorded program's LD_PRELOAD with another library for the shim, of the same length. The environment, its
    lengths and its order, decides what programs allocate."""
    check(len(library) <= len(SHIM_PATH), f"the path of {library} can be padded to the shim's length")
    return "/" * (len(SHIM_PATH) - len(library)) + f"{library}:{POOL}"


got = clean_run("/usr/bin/env", f"LD_PRELOAD={POOL}", MALLOSCOPE, "record", "-q", "-f", "-o", LOG, "--", "/usr/bin/env")
preload, session = (got.stdout.splitlines() + ["", ""])[len(BASE):len(BASE) + 2]
check(preload.startswith("LD_PRELOAD=") and preload.endswith(f":{POOL}") and session.startswith("MALLOSCOPE_SESSION="),
      f"the environment of what is recorded: {got.stdout}")
SHIM_PATH = preload.removeprefix("LD_PRELOAD=").removesuffix(f":{POOL}")


def counted(command):
    if os.path.exists(COUNTS):
        os.remove(COUNTS)
    clean_run("/usr/bin/env", f"LD_PRELOAD={instead(program('count.so'))}", session, *command)
    with open(COUNTS, "rb") as file:
        return list(struct.unpack("<QQ", file.read()))


# --- heaptrack ----------------------------------------------------------------------------
class Heaptrack:
    """Of one run: stacks by cost, as heaptrack_print has them, allocated bytes by stack and the sum of frees from
    the raw data, and the numbers of its summary."""

    def __init__(self, what, command):
        if os.path.exists(RAW):
            os.remove(RAW)  # it does not cut what is there
        # It takes its two variables out of the environment: so one more stands for LD_PRELOAD.
        got = clean_run("/usr/bin/env", f"LD_PRELOAX={instead(HEAPTRACK)}", session, f"LD_PRELOAD={HEAPTRACK}",
                        f"DUMP_HEAPTRACK_OUTPUT={RAW}", *command)
        equal(got.returncode, 0, f"{what}, under heaptrack: {got.stderr[-300:]}")
        self.segments, self.frees = [], 0
        self.stacks = {"allocated": self.read_raw()}
        data = self.interpret(what)
        for cost in "allocations", "peak", "leaked":
            output = run(["heaptrack_print", "--disable-embedded-suppressions", "--disable-builtin-suppressions", "-f", data, "-F",
                          path("folded"), "--flamegraph-cost-type", cost])
            equal(output.returncode, 0, f"{what}: heaptrack_print: {output.stderr[-300:]}")
            self.stacks[cost] = collections.Counter()
            with open(path("folded")) as file:
                for line in file:
                    stack, _, value = line.rpartition(" ")
                    if int(value):
                        self.stacks[cost][tuple(self.place(frame) for frame in stack.rstrip(";").split(";"))] += int(value)
        summary = output.stdout[output.stdout.rindex("total runtime"):]
        self.summary = {name: int(re.search(rf"{name}: (\d+)", summary)[1])
                        for name in ("calls to allocation functions", "temporary memory allocations")}

    def read_raw(self):
        """stack → bytes. Also writes it anew, with names of modules that are no files."""
        traces, sizes, stacks, program = [None], collections.Counter(), collections.Counter(), ""
        with open(RAW, "rb") as file, open(RAW + ".nameless", "wb") as out:
            for line in file:
                kind, *fields = line.split()
                if kind == b"x":
                    program = fields[1].decode()
                elif kind == b"m" and fields[1] != b"-":
                    name = fields[1].decode()
                    self.add_module(os.path.basename(program if name == "x" else name), [int(field, 16) for field in fields[2:]])
                elif kind == b"t":
                    traces.append((fields[0], int(fields[1], 16)))
                elif kind == b"+":
                    sizes[int(fields[1], 16)] += int(fields[0], 16)
                self.frees += kind == b"-"
                out.write(line.replace(b" /", b" _", 1) if kind in (b"x", b"m") else line)
        for trace, size in sizes.items():
            stack = []
            while trace:
                address, trace = traces[trace]
                stack.append(self.place(address))
            stacks[tuple(reversed(stack))] += size
        return stacks

    def add_module(self, name, numbers):
        base, pairs = numbers[0], numbers[1:]
        for start, size in zip(pairs[::2], pairs[1::2]):
            bisect.insort(self.segments, (base + start, base + start + size, base, name))

    def place(self, address):
        """As ours: a return address. heaptrack has the byte before it."""
        address = int(address, 16)
        i = bisect.bisect_right(self.segments, (address + 1,)) - 1
        start, end, base, name = self.segments[i]
        return f"{name}+{hex(address + 1 - base)}" if i >= 0 and start <= address < end else f"?+{hex(address + 1)}"

    def interpret(self, what):
        for attempt in range(3):
            with open(RAW + ".nameless", "rb") as raw, open(path("interpreted"), "wb") as out:
                got = subprocess.run([INTERPRET], stdin=raw, stdout=out, stderr=subprocess.PIPE, cwd=WORK)
            if got.returncode == 0:
                return path("interpreted")
            print(f"{what}: heaptrack_interpret ended with {got.returncode}, attempt {attempt + 1}")
        check(False, f"{what}: heaptrack_interpret: {got.stderr}")
        raise SystemExit(done())


# By the module of the innermost frame and the bytes of a block: what is explained above.
EXPLAINED = {("libstdc++.so.6", 72704): "libstdc++'s pool", ("cc1", 72704): "cc1's pool", ("libc.so.6", 1040): "functions at exit",
             ("cc1", 32768): "cc1's table"}


def unexplained(mine, theirs, sizes):
    """stack → ours, theirs; and the sum of theirs less ours by what explains it."""
    left, sums = {}, collections.Counter()
    for stack in set(mine) | set(theirs):
        if mine[stack] == theirs[stack]:
            continue
        reason = EXPLAINED.get((stack[-1].split("+0x")[0], sizes.get(stack)))
        if reason:
            sums[reason] += theirs[stack] - mine[stack]
        else:
            left[stack] = mine[stack], theirs[stack]
    return left, sums


def compare(what, command):
    first, second = Ours(what, command), Ours(what, command)
    equal(second.sums, first.sums, f"{what}: two recordings")
    for cost in first.stacks:
        check(first.stacks[cost] == second.stacks[cost], f"{what}: two recordings: {cost} of each stack")
    mine, peer = second, Heaptrack(what, command)
    check(len(mine.stacks["allocations"]) > 150 and mine.sums[0] > 2000, f"{what}: there is something to compare: {mine.sums}")
    counts = counted(command)
    check(abs(counts[0] - mine.sums[0]) <= (3 if what == "cc1" else 0) and counts[1] == mine.sums[1],
          f"{what}: count.c's allocations and frees: {counts}, ours {mine.sums[:2]}")

    sizes = {stack: theirs / peer.stacks["allocations"][stack] for stack, theirs in peer.stacks["allocated"].items()}
    sizes.update((stack, allocated / mine.stacks["allocations"][stack]) for stack, allocated in mine.stacks["allocated"].items())
    more = {}
    for cost in COSTS:
        left, more[cost] = unexplained(mine.stacks[cost], peer.stacks[cost], sizes)
        if what == "python3" and cost == "peak":
            check(abs(sum(ours - other for ours, other in left.values())) < 2000, f"{what}: the peak differs by a few names: {left}")
            continue
        equal(left, {}, f"{what}: stacks of heaptrack, {cost}")
    check(set(more["allocations"].values()) <= {0, 1, 2, 3}, f"{what}: allocations of heaptrack's that are not ours: {more['allocations']}")
    equal(more["leaked"]["libstdc++'s pool"] + more["leaked"]["cc1's pool"], -72704, f"{what}: one pool is given back")
    extra = sum(more["allocations"].values())
    equal(peer.summary["calls to allocation functions"] - extra, mine.sums[0], f"{what}: heaptrack_print's calls")
    equal(peer.frees - 1 - more["allocations"]["functions at exit"], mine.sums[1], f"{what}: heaptrack's frees")
    temporary = peer.summary["temporary memory allocations"] - (more["leaked"]["libstdc++'s pool"] != 0)
    equal(temporary, heaptracks_temporary(LOG), f"{what}: temporary as heaptrack_print has it")


cc1 = run(["gcc", "-print-prog-name=cc1"]).stdout.strip()
source = write("source.c", "#include <stdio.h>\n#include <stdlib.h>\nstatic int f(int x) { return x < 2 ? 1 : f(x - 1) + f(x - 2); }\n"
               "int main(int argc, char **argv) { for (int i = 0; i < argc; i++) printf(\"%s %d\\n\", argv[i], f(i)); }\n")
SQL = ("create table t(a, b); create index i on t(b); with recursive n(x) as (select 1 union all select x + 1 from n limit 800) "
       "insert into t select x, hex(x * 7919 % 1009) from n; select count(*), sum(a), max(b) from t; select a from t order by b limit 9;")


def repository():
    """With some commits."""
    stream = ""
    for i in range(40):
        text = "".join(f"line {n} {n * 7919 % (i + 3)}\n" for n in range(60))
        stream += (f"commit refs/heads/main\ncommitter A <a@example.org> {1700000000 + i} +0000\ndata 3\nc\n\n"
                   f"M 100644 inline file{i % 5}\ndata {len(text)}\n{text}\n")
    clean_run("/usr/bin/git", "init", "-q", "-b", "main", "repository")
    with open(write("stream", stream)) as file:
        equal(run(["/usr/bin/git", "-C", path("repository"), "fast-import", "--quiet"], env=BASE, stdin=file).stderr, "", "git fast-import")


repository()
# Not bash: it has functions of its own for its environment, out of which heaptrack cannot take what it has put in.
programs = {
    "cc1": [cc1, "-quiet", "-O1", source, "-o", path("source.s")],
    "python3": ["/usr/bin/python3", "-S", "-c", "print(len(str([{str(i): [i] * 3} for i in range(900)])))"],
    "perl": ["/usr/bin/perl", "-e", "my %h; $h{$_ % 999} .= $_ x 3 for 1 .. 3000; print join ',', (sort keys %h)[0 .. 9]"],
    "sqlite3": ["/usr/bin/sqlite3", ":memory:", SQL],
    "git": ["/usr/bin/git", "-C", "repository", "log", "-p", "--stat", "main"],
}
for what, command in programs.items():
    compare(what, command)

# --- DHAT ---------------------------------------------------------------------------------
MAPS = path("maps")
command = [*programs["sqlite3"], f".system cat /proc/$PPID/maps > {MAPS}"]


def dhat():
    """stack → [allocations, bytes, bytes at the peak, bytes left]"""
    got = clean_run("valgrind", "--tool=dhat", "--num-callers=500", "--show-below-main=yes", "--run-libc-freeres=no",
                    f"--dhat-out-file={path('dhat.out')}", *command)
    equal(got.returncode, 0, f"valgrind: {got.stderr[-300:]}")
    with open(MAPS) as file:
        maps = [line.split() for line in file]
    modules = [(*(int(part, 16) for part in fields[0].split("-")), fields[5]) for fields in maps if len(fields) > 5]
    bases = {}
    for start, _, name in modules:
        bases.setdefault(name, start)
    with open(path("dhat.out")) as file:
        data = json.load(file)

    def place(frame):
        """As ours: a return address. valgrind has the byte before it."""
        address = int(data["ftbl"][frame].split(":")[0], 16) + 1
        return next((f"{os.path.basename(name)}+{hex(address - bases[name])}" for start, end, name in modules if start <= address < end),
                    hex(address))

    stacks = collections.defaultdict(lambda: [0] * 4)
    for point in data["pps"]:
        for i, column in enumerate(("tbk", "tb", "gb", "eb")):
            stack = [place(frame) for frame in reversed(point["fs"][1:])]  # the first is DHAT's own malloc
            while stack and stack[0].startswith("0x"):  # it goes on beyond the program's start
                stack.pop(0)
            stacks[comparable(stack)][i] += point[column]
    return stacks


def comparable(stack):
    """The map of memory has the names of files, not of the links to them. DHAT has a frame more of the same address for
    each inlined function."""
    frames = [re.sub(r"(\.so)[.\d]*\+", r"\1+", frame) for frame in stack]
    return tuple(frame for i, frame in enumerate(frames) if i == 0 or frames[i - 1] != frame)


def reallocated(log, *options):
    """The stacks whose blocks were reallocated, and those that did it."""
    got = run([MALLOSCOPE, "dump", "--stacks", "--no-cache", "--sysroot", path("nowhere"), *options, log])
    equal(got.returncode, 0, f"dump: {got.stderr}")
    blocks, found, stack, old = {}, [], None, None
    for line in got.stdout.splitlines():
        if line[0] == "\t":
            stack.append(line.split(" ")[1])
            continue
        kind, address = (line.split(" ") + [""])[3:5]
        if kind == "realloc-begin":
            old = blocks[address]
        elif kind == "realloc-end" or kind in HEAP:
            blocks[address] = stack = []
            found += [old, stack] if kind == "realloc-end" else []
    return {comparable(reversed(stack)) for stack in found}


got = clean_run(MALLOSCOPE, "record", "-q", "-f", "-o", LOG, "--", *command)
equal(got.returncode, 0, f"sqlite3, recorded: {got.stderr[-300:]}")
without_shell = "--pid", str(report(LOG)["processes"][0]["pid"])
theirs, mine = dhat(), collections.defaultdict(lambda: [0] * 4)
for cost, stacks in enumerate(by_address(LOG, *without_shell).values()):
    for stack, value in stacks.items():
        mine[comparable(stack)][cost] += value
equal([sum(column) for column in zip(*mine.values())], [sum(column) for column in zip(*theirs.values())], "sqlite3: DHAT's sums")
apart = reallocated(LOG, *without_shell)
check(len(mine) > 150 and 0 < len(apart) < len(mine) / 2, f"sqlite3: {len(mine)} stacks, of which {len(apart)} have to do with reallocs")
equal({stack: costs for stack, costs in mine.items() if stack not in apart and theirs.get(stack) != costs}, {}, "sqlite3: our stacks are DHAT's")
equal({stack: costs for stack, costs in theirs.items() if stack not in apart and mine.get(stack) != costs}, {}, "sqlite3: DHAT's stacks are ours")
sys.exit(done())
