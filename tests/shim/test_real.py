"""Real programs run as ever while they are recorded, every free finds its
allocation, and the numbers are those that tools count that share nothing with
the shim: tests/programs/count.c, and glibc's memusage."""
import collections
import hashlib
import os
import re
import shutil
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

LOG = path("log.mscope")
# The same for traced and untraced runs, and little of it: programs copy it.
BASE = {"PATH": "/usr/bin:/bin", "HOME": WORK, "LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0",
        "PERL_HASH_SEED": "0", "PYTHONMALLOC": "malloc", "PYTHONDONTWRITEBYTECODE": "1"}


def need(name, package):
    found = shutil.which(name, path=BASE["PATH"] + ":" + os.environ["PATH"])
    check(found, f"{name} is not there: install the package {package}")
    return found


def clean_run(command, **more):
    """Runs with BASE as the whole environment, and env added."""
    environment = [f"{name}={value}" for name, value in {**BASE, **more.pop("env", {})}.items()]
    return run(["/usr/bin/env", "-i", *environment, *command], cwd=more.pop("cwd", WORK), **more)


def clean_record(command, *options, **more):
    return clean_run([MALLOSCOPE, "record", "-q", "-f", "-o", LOG, *options, "--", *command], **more)


def explain_frees(what):
    """Says of which process the frees are that have no allocation, and when they came."""
    live, names = collections.defaultdict(set), {}
    for event in dump(LOG, stacks=True):
        if event.kind == "process-start":
            live[event.pid], names[event.pid] = set(), event.rest[3]
        elif event.is_heap and event.address:
            if event.kind in ("free", "cfree", "realloc-begin"):
                if event.address not in live[event.pid]:
                    print(f"{what}: {names.get(event.pid)} frees {event.address:#x} at {event.seconds}, before: {before}")
                live[event.pid].discard(event.address)
            else:
                live[event.pid].add(event.address)
        before = f"{event.kind} {' '.join(event.rest)} {event.frames[:6]}"


def whole(what):
    r = report(LOG)
    wanted = {"injected": True, "lost_events": 0, "unmatched_frees": 0, "unseen_frees": 0, "truncated_bytes": 0,
              "missing_chunks": 0}
    if not equal({name: r["trust"][name] for name in wanted}, wanted, f"{what}: trust"):
        explain_frees(what)
    # Only node makes code of its own.
    limit = r["counts"]["allocations"] / 100 if what.startswith("node") else 0
    check(r["trust"]["partial_stacks"] <= limit,
          f"{what}: {r['trust']['partial_stacks']} partial stacks of {r['counts']['allocations']}")
    return r


def programs_of(r):
    return {os.path.basename(p["exe"]) for p in r["processes"]}


def compare(what, command, *, setup=None, stderr=True, made=(), modes=("auto",), **more):
    """Both runs do the same; files that they make are the same. Returns the last report."""
    def one(runner):
        if setup:
            setup()
        got = runner(command, **more)
        contents = []
        for name in made:
            with open(path(name), "rb") as file:
                contents.append(hashlib.sha256(file.read()).hexdigest())
            os.remove(path(name))
        return got, contents

    untraced, untraced_files = one(clean_run)
    equal(untraced.returncode, 0, f"{what}: untraced: {untraced.stderr[-300:]}")
    for mode in modes:
        title = f"{what}, --call-graph={mode}"
        traced, traced_files = one(lambda c, **m: clean_record(c, "--call-graph", mode, **m))
        equal(traced.returncode, untraced.returncode, f"{title}: exit status")
        equal(traced.stdout, untraced.stdout, f"{title}: stdout")
        if stderr:
            equal(traced.stderr, untraced.stderr, f"{title}: stderr")
        equal(traced_files, untraced_files, f"{title}: {made}")
        r = whole(title)
        check(r["counts"]["allocations"] > 20, f"{title}: it allocates")
    return r


def write(name, text):
    with open(path(name), "w") as file:
        file.write(text)
    return path(name)


# --- programs that do the same, recorded or not ---
gcc = need("gcc", "gcc")
cc1 = run([gcc, "-print-prog-name=cc1"]).stdout.strip()
check(os.path.isabs(cc1), f"cc1 is {cc1}: install the package gcc")
small = write("small.c", "#include <stdio.h>\n#include <stdlib.h>\n#include <math.h>\n"
              "static double f(double x) { return x < 1 ? sin(x) : f(x / 2) * 2; }\n"
              "int main(int argc, char **argv) { for (int i = 0; i < argc; i++) printf(\"%s %f\\n\", argv[i], f(i)); }\n")
hello = write("hello.c", "#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }\n")
compare("cc1", [cc1, "-quiet", "-O2", small, "-o", path("small.s")], made=["small.s"], modes=("auto", "none"))
r = compare("gcc", [gcc, "-O1", hello, "-o", path("hello")], made=["hello"])
names = " ".join(sorted(programs_of(r)))
for wanted in r"\bcc1\b", r"gcc", r"\bcollect2\b", r"-?as\b", r"-?ld\b|-?ld\.\w+":
    check(re.search(wanted, names), f"gcc: the process {wanted} was recorded: {names}")
equal([p["ppid"] for p in r["processes"] if os.path.basename(p["exe"]) == "cc1"], [r["processes"][0]["pid"]],
      "gcc: cc1's parent")

python = need("python3", "python3")
python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else python
compare("python", [python, "-c", """
import json, re, threading, zlib, collections, subprocess
words = collections.Counter(re.findall(r'\\w+', json.__doc__ * 20))
results = {}
threads = [threading.Thread(target=lambda i=i: results.update({i: len(zlib.compress(json.dumps(words).encode() * i))})) for i in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
print(sorted(words.items())[:5], sorted(results.items()))
print(subprocess.run(['/bin/echo', 'child'], capture_output=True).stdout)
"""], modes=("auto", "none"))

compare("perl", [need("perl", "perl"), "-e", """
my %count; open my $in, '<', '/usr/include/stdio.h' or die; while (<$in>) { $count{$1}++ while /(\\w+)/g }
print join(' ', map { "$_=$count{$_}" } (sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count)[0 .. 9]), "\\n";
my $text = ''; $text .= sprintf '%05d', $_ for 1 .. 5000; print length($text), ' ', unpack('%32C*', $text), "\\n";
my $pid = fork; if (!$pid) { my @more = map { $_ x 10 } 1 .. 1000; exit 3 } waitpid $pid, 0; print $? >> 8, "\\n";
"""], modes=("auto", "none"))

git = need("git", "git")
repository = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_NAME": "A", "GIT_COMMITTER_NAME": "C",
              "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_EMAIL": "c@example.org",
              "GIT_AUTHOR_DATE": "2001-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2001-01-01T00:00:00Z", "GIT_PAGER": "cat"}
commands = write("git.sh", f"""set -e
{git} init -q -b main repository && cd repository
for i in 1 2 3 4 5; do seq $i $((i * 1000)) > file$i; done
{git} add . && {git} commit -q -m 'The first' && {git} log --stat --format='%H %an %s'
seq 7 9 >> file3 && {git} commit -q -a -m 'The second' && {git} diff HEAD~1 && {git} gc -q && {git} fsck --full && {git} rev-list --all
""")
r = compare("git", ["/bin/bash", commands], env=repository, setup=lambda: shutil.rmtree(path("repository"), True))
check({"git", "bash", "seq"} <= programs_of(r), f"git: processes: {programs_of(r)}")

compare("bash", [need("bash", "bash"), "-c", """
declare -A map; for i in {1..500}; do map[key$i]=$((i * i)); x=$(echo ${map[key$i]} | (read y; echo $((y + 1)))); done 2>&1
printf '%s\\n' "${!map[@]}" | sort | md5sum; echo $x; f() { local n=$1; ((n < 2)) && echo $n || echo $(( $(f $((n-1))) + $(f $((n-2))) )); }; f 8
"""], modes=("none",))
compare("bash without children", ["/bin/bash", "-c", "for i in {1..2000}; do a[i]=x$i; done; echo ${#a[@]} ${a[*]:5:3}"])
compare("a pipeline", ["/bin/bash", "-c", "seq 1 20000 | sort -R --random-source=/bin/bash | sort -n -S 1M | uniq -c | tail -n 2; exit ${PIPESTATUS[1]}"])
compare("sqlite3", [need("sqlite3", "sqlite3"), ":memory:",
                    "create table t(a integer primary key, b text); with recursive n(i) as (select 1 union all select i + 1 "
                    "from n where i < 3000) insert into t select i, hex(i * i) from n; create index i on t(b); "
                    "select count(*), sum(a), max(b), group_concat(substr(b, 1, 1)) from (select * from t order by b limit 50);"],
        modes=("auto", "none"))
node = need("node", "nodejs")
if node:
    compare("node", [node, "-e", """
const zlib = require('zlib'), fs = require('fs'), crypto = require('crypto'), { Worker } = require('worker_threads');
const text = fs.readFileSync('/usr/include/stdio.h', 'utf8').repeat(20), words = new Map();
for (const word of text.split(/\\W+/)) words.set(word, (words.get(word) || 0) + 1);
console.log(words.size, crypto.createHash('sha256').update(text).digest('hex'), zlib.gunzipSync(zlib.gzipSync(text)).length);
const worker = new Worker('require("worker_threads").parentPort.postMessage(JSON.stringify([...Array(1000).keys()]).length)', { eval: true });
worker.on('message', (n) => console.log('worker', n)); worker.on('exit', (code) => console.log('exit', code));
"""], modes=("auto", "none"))
make = need("make", "make")
write("Makefile", "all: a b c d\n\t@cat a b c d\na b c d:\n\t@seq 1 2000 | sort -rn | head -n 3 > $@\nclean:\n\t@rm -f a b c d\n")
r = compare("make -j2", [make, "-s", "-j2"], setup=lambda: run([make, "-s", "clean"], cwd=WORK))
check({"make", "seq", "sort", "head", "cat"} <= programs_of(r), f"make: processes: {programs_of(r)}")

# --- the same counts as other tools ---
preload = [line for line in clean_record(["/usr/bin/env"]).stdout.splitlines() if line.startswith("LD_PRELOAD=")]
shim = preload[0].removeprefix("LD_PRELOAD=") if check(len(preload) == 1, "record preloads the shim") else SHIM
setarch = need("setarch", "util-linux")


def instead_of_shim(library):
    """What the environment of a recorded program would be, to the byte: it decides what programs allocate."""
    return {"LD_PRELOAD": "/" * (len(shim) - len(library)) + library, "MALLOSCOPE_SESSION": f"{'0' * 32}:{LOG}"}


def counted(command, more):
    """(allocations, frees) by count.c."""
    if os.path.exists(path("counts")):
        os.remove(path("counts"))
    clean_run([setarch, "-R", "/usr/bin/env", *(f"{n}={v}" for n, v in instead_of_shim(program("count.so")).items()), *command], env=more)
    with open(path("counts"), "rb") as file:
        return struct.unpack("<QQ", file.read())


def count(what, command, mode="auto", leave_out=0, apart=0):
    """apart: by how much the counts may differ, where they depend on addresses."""
    more = {"COUNT_OUT": path("counts"), "COUNT_EXCEPT": str(leave_out), "MALLOSCOPE_CALL_GRAPH": mode}
    first, second = counted(command, more), counted(command, more)
    if first != second:
        print(f"{what}: two untraced runs differ, {first} and {second}: not compared")
        return
    clean_run([setarch, "-R", MALLOSCOPE, "record", "-q", "-f", "-o", LOG, "--", *command], env=more)
    r = whole(what)
    left_out = leave_out and sum(1 for e in dump(LOG) if e.kind == "calloc" and e.size == leave_out)
    mine = r["counts"]["allocations"] - left_out, r["counts"]["frees"]
    check(max(abs(mine[i] - first[i]) for i in (0, 1)) <= apart, f"{what}, {mode}: allocations and frees: {mine}, not {first}")


check(len(program("count.so")) <= len(shim), "the counting library's path can be padded to the shim's length")
# cc1's collector has a table of 32768 bytes for each 16 MiB of addresses that it happens to get from mmap.
for mode in "auto", "none":
    count("cc1", [cc1, "-quiet", "-O2", small, "-o", path("small.s")], mode, leave_out=32768)
    count("python", [python, "-S", "-E", "-c", "print(sum(len(str(i)) for i in range(20000)))"], mode)
    count("perl", ["/usr/bin/perl", "-e", "my %h; $h{$_} = $_ x 3 for 1 .. 3000; print scalar(keys %h)"], mode)
    count("bash", ["/bin/bash", "-c", "for i in {1..1000}; do a[i]=x$i; done; (b=1); echo ${#a[@]}"], mode)
    count("sort", ["/usr/bin/sort", "/usr/include/stdio.h"], mode)
    count("sqlite3", ["/usr/bin/sqlite3", ":memory:", "select 1"], mode)
    count("random", [program("random"), "7", "20000"], mode)
    count("forks", [program("forks"), "inherit"], mode)
    # Its sets of objects go by their addresses, and the loader's tables grow with what else is loaded.
    count("python that loads libraries", [python, "-c", "import json, zlib, ssl, ctypes; print(len(ssl.__doc__))"], mode, apart=5)


def usage(command, what):
    """The totals of glibc's memusage; frees of NULL are in its frees."""
    got = clean_run([*command], env={**instead_of_shim(memusage), "MALLOSCOPE_CALL_GRAPH": "none"})
    plain = re.sub(r"\x1b\[[0-9;]*m", "", got.stderr)
    table = {name: (int(calls), int(failed or 0)) for name, calls, failed in
             re.findall(r"^ *(malloc|realloc|calloc|free)\| +(\d+) +\d+(?: +(\d+))?", plain, re.M)}
    check(len(table) == 4, f"{what}: memusage's table: {plain[:300]!r}")
    return table


memusage = next((d + "/libmemusage.so" for d in ("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu",
                                                 "/lib/aarch64-linux-gnu", "/usr/lib64", "/lib64")
                 if os.path.exists(d + "/libmemusage.so")), None)
if check(memusage, "libmemusage.so is not there: install the package libc-devtools or glibc-utils"):
    for what, command, no_null in (("known", [program("known")], True),
                                   ("recursion", [program("recursion"), "300", "1"], True),
                                   ("signals", [program("signals"), "5000"], False),
                                   ("perl", ["/usr/bin/perl", "-e", "1"], False),
                                   ("perl at work", ["/usr/bin/perl", "-e", "my @a = map { 'x' x $_ } 1 .. 2000; print scalar(@a)"], False)):
        table = usage(command, what)
        clean_record(command, "--call-graph", "none")
        r = whole(what)
        mine = collections.Counter(r["counts"]["by_function"])
        equal(mine["malloc"] + mine["calloc"] + mine["realloc"] + r["counts"]["failed"],
              sum(table[name][0] for name in ("malloc", "calloc", "realloc")), f"{what}: calls as memusage counts them")
        for name in "malloc", "calloc", "realloc":
            equal(mine[name], table[name][0] - table[name][1], f"{what}: {name} as memusage counts it")
        if no_null:
            equal(mine["free"], table["free"][0], f"{what}: free as memusage counts it")
        else:
            check(mine["free"] <= table["free"][0], f"{what}: free as memusage counts it")

sys.exit(done())
