"""`check` where what it measures is less than all: it says so, and never passes it."""
import json
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

ONE = program("checked1")
os.mkdir(path("temporary"))
os.environ["TMPDIR"] = path("temporary")
os.environ["XDG_CACHE_HOME"] = path("cache")


def gate(*arguments, code=0, **more):
    """`malloscope check ARGUMENTS`, which must exit with the code."""
    got = run([MALLOSCOPE, "check", *arguments], **more)
    equal(got.returncode, code, f"check {arguments}: {got.stdout}{got.stderr}")
    return got


def values(got):
    """metric of a site, module or mark → its value"""
    return {m["name"]: m["value"] for m in json.loads(got.stdout)["metrics"] if "." in m["name"]}


def write(name, text, mode=0o644):
    with open(path(name), "w") as file:
        file.write(text)
    os.chmod(path(name), mode)
    return path(name)


def build(name, source, *options, compiler="gcc", ending="c"):
    write(f"{name}.{ending}", source)
    must(compiler, "-O1", "-g", "-fno-builtin", "-fno-optimize-sibling-calls", *options, "-o", path(name), path(f"{name}.{ending}"))
    return path(name)


def changed(name, file, change):
    """A copy of a baseline, whose platform's part change() has been at."""
    with open(file) as old:
        all = json.load(old)
    change(next(iter(all["platforms"].values())))
    return write(name, json.dumps(all))


base = path("base.json")
gate("--baseline", base, "--save-baseline", "--", ONE)

# --- logs that are none ---
empties = write("empties.sh", "#!/bin/sh\nfor f in $TMPDIR/malloscope-check.*/*; do : > $f; done 2>/dev/null\n:\n", 0o755)
before = os.stat(SHIM).st_size
gate("--max", "allocations=10", "--", empties, code=3)
equal(os.stat(SHIM).st_size, before, "the library is as it was")
junk = write("junk.sh", "#!/bin/sh\nfor f in $TMPDIR/malloscope-check.*/run.mscope; do rm -f $f; echo hello > $f; done\n", 0o755)
for options in ["--max", "allocations=10"], ["--baseline", base], ["--baseline", path("new.json"), "--save-baseline"]:
    got = gate(*options, "--", junk, code=3)
    check("run 1 of 3: its log cannot be read" in got.stderr and "Within" not in got.stdout, f"no log: {got.stderr}")
check(not os.path.exists(path("new.json")), "nothing was saved")
gate("--baseline", changed("none.json", base, lambda part: part.update(runs=0)), "--", ONE, code=64)

# --- a limit that every run exceeds, beside a baseline that is not the same in each run ---
def noisy(part):
    part["metrics"]["allocations"]["most"] = 150
    part["functions"]["parse"]["allocations"] = [100, 137]


for limit, code in (112, 2), (113, 3):
    gate("--baseline", changed("noisy.json", base, noisy), "--metrics", "allocations", "--max", f"allocations={limit}", "--", ONE, code=code)

# --- functions whose names look like those of libraries, and are the program's ---
names = build("names", """#include <stdlib.h>
static void *volatile sink;
namespace core { __attribute__((noinline)) void parse(int n) { for (int i = 0; i < n; i++) sink = malloc(24); } }
__attribute__((noinline)) void array_strdup_n(int n) { for (int i = 0; i < n; i++) sink = malloc(5); }
__attribute__((noinline)) void bench_malloc(int n) { for (int i = 0; i < n; i++) sink = malloc(6); }
__attribute__((noinline)) extern "C" void *xmalloc(size_t n) { void *volatile p = malloc(n); return p; }
__attribute__((noinline)) void user(int n) { for (int i = 0; i < n; i++) sink = xmalloc(7); }
int main() { core::parse(3); array_strdup_n(4); bench_malloc(5); user(6); }
""", compiler="g++", ending="cpp")
shutil.copy(names, path("names-plain"))
must("strip", "-g", path("names-plain"))
wanted = {"core::parse": 3, "array_strdup_n": 4, "bench_malloc": 5, "xmalloc": 6, "user": 6}
for file in names, path("names-plain"):
    got = gate("--json", *[f"--max=sites.{name}.allocations={count}" for name, count in wanted.items()], "--", file)
    equal(values(got), {f"sites.{name}.allocations": count for name, count in wanted.items()}, "what each asked for")
for name, count in wanted.items():
    got = gate("--json", "--max", f"sites.{name}.allocations={count - 1}", "--", names, code=2)
    equal(json.loads(got.stdout)["metrics"][-1]["culprits"][0]["frames"][0]["function"], "user" if name == "xmalloc" else name, f"{name}: the culprit")
got = gate("--max", "modules.names.allocations=10", "--exclude-module", "libstdc", "--", names, code=2)

# --- the same all along, by two ways that share it differently each time ---
shares = build("shares", """#include <stdlib.h>
#include <unistd.h>
static void *volatile sink;
__attribute__((noinline)) void get(void) { sink = malloc(16); free(sink); }
__attribute__((noinline)) void left(void) { get(); __asm__(""); }
__attribute__((noinline)) void right(void) { get(); __asm__(""); }
int main(int argc, char **argv) { char n = 0; int fd = open(argv[1], 66, 384); pread(fd, &n, 1, 0);
    for (int i = 0; i < 64; i++) if (i < n) left(); else right();
    n += 7; pwrite(fd, &n, 1, 0); return 0; }
""", "-include", "fcntl.h")
shared = path("shared.json")
gate("--baseline", shared, "--save-baseline", "--", shares, path("count"))
for metrics in "sites", "modules", "sites,modules,allocations":
    gate("--baseline", shared, "--metrics", metrics, "--fail-on-improvement", "--", shares, path("count"))
check("(program)" in open(shared).read(), "the program among its modules")


# A function that is not the same in each run says so.
def differing(part):
    part["functions"]["get"]["allocations"] = [64, 80]


gate("--baseline", changed("differing.json", shared, differing), "--metrics", "sites", "--", shares, path("count"), code=3)
got = gate("--baseline", changed("old.json", shared, lambda part: (part.pop("functions"), part.pop("modules"))), "--metrics", "sites",
           "--", shares, path("count"), code=3)
check("has no \"functions\"" in got.stderr, f"without functions: {got.stderr}")
gate("--baseline", path("old.json"), "--", shares, path("count"))

# --- stacks that do not tell whether they count ---
deep = build("deep", """#include <stdlib.h>
static void *volatile sink;
__attribute__((noinline)) int down(int depth, int n) {
    if (!depth) { for (int i = 0; i < n; i++) { sink = malloc(8); free(sink); } return 0; }
    int all = down(depth - 1, n); __asm__ volatile("" ::: "memory"); return all + 1; }
__attribute__((noinline)) int outer(int depth, int n) { int all = down(depth, n); sink = malloc(1); free(sink); return all; }
int main(int argc, char **argv) { return outer(atoi(argv[1]), 50) < 0; }
""")
got = gate("--json", "--within", "outer", "--max", "allocations=100", "--", deep, "10")
equal(json.loads(got.stdout)["metrics"][0]["value"], 51, "whole stacks")
got = gate("--within", "outer", "--max", "allocations=10", "--baseline", path("deep.json"), "--save-baseline", "--", deep, "2000", code=3)
check("50 allocations (98 %) may have come from there" in got.stderr and "--max-depth" in got.stderr, f"cut stacks: {got.stderr}")
check(not os.path.exists(path("deep.json")), "nothing is saved")
got = gate("--within", "outer", "--max", "allocations=10", "--allow-incomplete", "--", deep, "2000")
equal(gate("--within", "down", "--max", "allocations=10", "--", deep, "2000", code=2).stderr, "", "what is in the inner frames is known")
equal(record([deep, "100"], path("shallow.mscope"), "--max-depth", "20").returncode, 0, "recording")
got = gate("--within", "outer", "--max", "allocations=10", path("shallow.mscope"), code=3)
check("record with a greater --max-depth" in got.stderr, f"a log with cut stacks: {got.stderr}")
for options, word in (["--within", "par"], "no recorded stack has a function"), (["--within", "nobody", "--mark", "ready"], "no recorded stack"), \
        (["--exclude-module", "^checked"], "leaves nothing"), (["--exclude-module", "", "--mark", "ready"], "leaves nothing"):
    got = gate(*options, "--max", "allocations=10", "--baseline", path("nothing.json"), "--save-baseline", "--", ONE, code=3)
    check(word in got.stderr, f"{options}: {got.stderr}")
check(not os.path.exists(path("nothing.json")), "nothing is saved")

# --- programs that are not recorded ---
one = "#include <stdlib.h>\nint main(void) { for (int i = 0; i < 500; i++) free(malloc(8)); return 0; }\n"
alone, shared = build("static", one, "-static"), build("dynamic", one)
for program_path, code in (shared, 2), (alone, 3):
    got = gate("--max", "allocations=300", "-r", "1", "--", "sh", "-c", f"{program_path}; :", code=code)
check("1 program that it executed could not be recorded, as " + alone in got.stderr and "--allow-incomplete" in got.stderr, f"it is said: {got.stderr}")
gate("--max", "allocations=300", "-r", "1", "--allow-incomplete", "--", "sh", "-c", f"{alone}; :")
equal(record(["sh", "-c", f"{alone}; :"], path("static.mscope")).returncode, 0, "recording")
gate("--max", "allocations=300", path("static.mscope"), code=3)
for follow, code in ("none", 3), ("fork", 3), ("exec", 0), ("all", 0):
    equal(record(["sh", "-c", f"{shared} && :"], path("follow.mscope"), "--follow", follow).returncode, 0, "recording")
    got = gate("--max", "allocations=10000", path("follow.mscope"), code=code)
    check(code == 0 or f"was recorded with --follow {follow}" in got.stderr, f"--follow {follow}: {got.stderr}")
    gate("--max", "allocations=10000", "--allow-incomplete", path("follow.mscope"))
    equal(run([MALLOSCOPE, "trim", "-f", "-o", path("part.mscope"), path("follow.mscope")]).returncode, 0, "trimming")
    gate("--max", "allocations=10000", path("part.mscope"), code=code)
others = {"FOLLOW": "fork", "MAX_DEPTH": "1", "CALL_GRAPH": "none", "START_PAUSED": "1", "SAMPLE": "100", "MIN_SIZE": "100", "OUTPUT": path("elsewhere")}
env = {f"MALLOSCOPE_{name}": value for name, value in others.items()}
gate("--max", "allocations=300", "-r", "1", "--", "sh", "-c", f"{shared}; :", code=2, env=env)
gate("--baseline", base, "--", ONE, env=env)
check(not os.path.exists(path("elsewhere")), "the log is nowhere else")

# --- the same wherever malloscope and its logs are ---
copies = build("copies", """#include <stdlib.h>
#include <string.h>
extern char **environ;
static void *volatile sink;
int main(void) { for (char **at = environ; *at; at++) if (strncmp(*at, "XDG", 3) && strncmp(*at, "TMPDIR", 6)) sink = strdup(*at); return 0; }
""")
got = set()
for number, directory in enumerate(("a", "another-directory-with-a-longer-name", "b" * 70)):
    os.makedirs(path(directory + "/tmp"))
    shutil.copy(SHIM, path(directory))
    env = {"MALLOSCOPE_SHIM": path(directory + "/libmalloscope.so"), "TMPDIR": path(directory + "/tmp")}
    must(MALLOSCOPE, "check", "--baseline", path(f"copies{number}.json"), "--save-baseline", "--", copies, env=env)
    with open(path(f"copies{number}.json")) as file:
        got.add(file.read())
    equal(os.listdir(path(directory + "/tmp")), [], "nothing is left")
equal(len(got), 1, "the same baseline everywhere")

# --- what libraries keep for themselves is no leak of the program ---
hello = build("hello", "#include <stdio.h>\n#include <stdlib.h>\nstatic void *volatile kept;\n"
              "int main(int argc, char **argv) { puts(\"hello\"); if (argc > 1) kept = malloc(10); return 0; }\n")
plus = build("plus", "#include <iostream>\n#include <thread>\nint main() { std::thread([] { std::cout << 1; }).join(); }\n", compiler="g++", ending="cpp")
for command in [hello], [plus]:
    gate("--max", "leaked=0", "--max", "leaked_blocks=0", "--", *command)
    gate("--max", "leaked=0", "--no-default-suppressions", "--", *command, code=2)
    equal(record(command, path("leaks.mscope")).returncode, 0, "recording")
    equal(run([MALLOSCOPE, "leaks", "--fail", path("leaks.mscope")]).returncode, 0, "as leaks --fail")
gate("--max", "leaked=9", "--", hello, "leak", code=2)
gate("--max", "leaked_blocks=0", "--max", "leaked=0", "--suppressions", write("suppressions", "leak:main\n"), "--", hello, "leak")
gate("--max", "leaked=9", "--suppressions", write("suppressions", "leak:other\n"), "--", hello, "leak", code=2)
gate("--max", "leaked=9", "--suppressions", write("suppressions", "leek:other\n"), "--", hello, code=64)

# A baseline was made with or without them.
first, second = write("first.supp", "leak:main\n"), write("second.supp", "leak:main\n")
with_file = ["--suppressions", first]
ways = {"none": [], "first": with_file, "second": ["--suppressions", second], "both": [*with_file, "--suppressions", second],
        "all": ["--no-default-suppressions"], "mixed": ["--no-default-suppressions", *with_file]}
baseline_schema = schema_validator("baseline")
for made, options in ways.items():
    file = path(f"suppressed-{made}.json")
    gate("--baseline", file, "--save-baseline", *options, "--", hello, "leak")
    equal(list(baseline_schema.iter_errors(json.load(open(file)))), [], f"{made} against its schema")
    for now, others in ways.items():
        got = gate("--baseline", file, *others, "--", hello, "leak", code=0 if made == now else 3)
        check(made == now or "suppressions" in got.stderr and "figures of other things" in got.stderr, f"made with {made}, now {now}: {got.stderr}")
    gate("--baseline", file, "--metrics", "allocations,bytes", "--", hello, "leak")
    gate("--baseline", file, "--metrics", "allocations", "--max", "leaked=1M", "--", hello, "leak", code=0 if made == "none" else 3)
os.mkdir(path("moved"))
os.rename(first, path("moved/first.supp"))
with open(path("moved/first.supp"), "a") as file:
    file.write("leak:more\n")
gate("--baseline", path("suppressed-first.json"), "--suppressions", path("moved/first.supp"), "--", hello, "leak")

# --- a kept allocation less makes others temporary ---
kept = """#include <stdlib.h>
static void *volatile keep;
int main(void) { for (int i = 0; i < 100; i++) { void *volatile a = malloc(100); KEPT free(a); } return 0; }
"""
before = build("before", kept.replace("KEPT", "keep = malloc(16);"))
after = build("after", kept.replace("KEPT", ""))
gate("--baseline", path("kept.json"), "--save-baseline", "--", before)
got = gate("--baseline", path("kept.json"), "--json", "--", after)
equal({m["name"]: m["state"] for m in json.loads(got.stdout)["metrics"]}["temporary"], "within", "more temporary ones of less")
gate("--baseline", path("kept.json"), "--max", "temporary=10", "--", after, code=2)
def fewer(part):
    part["metrics"]["allocations"].update(least=99, most=99)
    part["sites"][0]["allocations"] = 99


gate("--baseline", changed("some.json", path("kept.json"), fewer), "--metrics", "temporary", "--", after, code=2)

# --- what was asked for is done, or refused ---
for kind in "peak", "allocations", "temporary":
    got = gate("--baseline", changed("lacks.json", base, lambda part: part["metrics"].pop(kind)), "--", ONE, code=64 if kind == "allocations" else 3)
    check(kind in got.stderr, f"a baseline without {kind}: {got.stderr}")
gate("--baseline", path("lacks.json"), "--metrics", "allocations,bytes", "--", ONE)
shutil.copy(ONE, path("victim"))
for option in "--junit", "--markdown", "--benchmark-json":
    got = gate("--max", "allocations=1000", option, path("victim"), "--", path("victim"), code=64)
    check("is read, and would be overwritten" in got.stderr, f"{option}: {got.stderr}")
    gate("--max", "allocations=1000", option, path("victim"), "--", "victim", code=64, env={"PATH": WORK})
    gate("--max", "allocations=1000", option, path("victim"), "--", "cat", path("victim"), code=64)
equal(os.stat(path("victim")).st_size, os.stat(ONE).st_size, "the program is as it was")
equal(record([ONE], path("one.mscope")).returncode, 0, "recording")
gate("--baseline", path("of-logs.json"), "--save-baseline", path("one.mscope"))
for what in ["--", ONE], [path("one.mscope")]:
    for file in base, path("of-logs.json"):
        got = gate("--baseline", file, *what)
        check("Note:" not in got.stdout, f"the same C library: {got.stdout}")
got = gate("--baseline", changed("libc.json", base, lambda part: part.update(libc="glibc 2.3")), "--", ONE)
check("was made with glibc 2.3," in got.stdout, f"another one: {got.stdout}")
for options in ["-r", "2"], ["-w", "1"], ["--input", base], ["--show-output"]:
    check("says nothing of logs" in gate("--max", "allocations=1000", *options, path("one.mscope"), code=64).stderr, f"{options} with logs")
first, second = write("first.budget", '{"allocations": 113.0}'), write("second.budget", '{"bytes": 1e4}')
got = gate("--budget", first, "--budget", second, "--json", "--", ONE)
equal(json.loads(got.stdout)["budget_file"], f"{first}, {second}", "both budgets")
gate("--budget", first, "--budget", second, "--junit", first, "--", ONE, code=64)
gate("--budget", write("first.budget", '{"allocations": 112.0}'), "--", ONE, code=2)
validator = schema_validator("budget")
for text in "{}", '{"allocations": 113.0}', '{"allocations": 113.5}', '{"schema": "malloscope-budget/1"}', '{"sites": {}}', '{"sites": {"f": {}}}', \
        '{"bytes": 1e6}', '{"bytes": -0.5}', '{"marks": {"ready": {"bytes": "1K"}}}', '{"peak": 1000, "modules": {}}', '{"bytes": null}':
    is_valid = not list(validator.iter_errors(json.loads(text)))
    equal(run([MALLOSCOPE, "check", "--budget", write("a.budget", text), path("one.mscope")]).returncode, 0 if is_valid else 64, f"{text}: {is_valid}")
got = gate("--baseline", path("missing/new.json"), "--save-baseline", "--", "sh", "-c", f"touch {path('has-run')}", code=64)
check(not os.path.exists(path("has-run")) and "missing/new.json: cannot be written" in got.stderr, f"before anything runs: {got.stderr}")

sys.exit(done())
