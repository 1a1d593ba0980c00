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
junk = write("junk.sh", "#!/bin/sh\nfor f in $TMPDIR/malloscope-check.*/run.mscope; do rm -f $f; echo hello > $f; done\n", 0o755)
for options in ["--max", "allocations=10"], ["--baseline", base], ["--baseline", path("new.json"), "--save-baseline"]:
    got = gate(*options, "--", junk, code=3)
    check("run 1 of 3: its log cannot be read" in got.stderr and "Within" not in got.stdout, f"no log: {got.stderr}")
check(not os.path.exists(path("new.json")), "nothing was saved")
gate("--baseline", changed("none.json", base, lambda part: part.update(runs=0)), "--", ONE, code=64)

# --- a limit that every run exceeds, beside a baseline that is not the same in each run ---
def noisy(part):
    part["metrics"]["allocations"]["most"] = 150


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

sys.exit(done())
