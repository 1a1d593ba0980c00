"""`check --max` of functions and modules: by all the names that there are, and never passed only because names or stacks are missing."""
import json
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

os.mkdir(path("temporary"))
os.environ["TMPDIR"] = path("temporary")
os.environ["XDG_CACHE_HOME"] = path("cache")


def gate(*arguments, code=0, **more):
    """`malloscope check ARGUMENTS`, which must exit with the code."""
    got = run([MALLOSCOPE, "check", "-r1", *arguments] if "--" in arguments else [MALLOSCOPE, "check", *arguments], **more)
    equal(got.returncode, code, f"check {arguments}: {got.stdout}{got.stderr}")
    return got


def culprits(got):
    """metric → the functions that are to blame"""
    return {m["name"]: [c["frames"][0]["function"] for c in m["culprits"]] for m in json.loads(got.stdout)["metrics"] if m["culprits"]}


def build(name, source, *options, compiler="gcc"):
    with open(path(name + ".src"), "w") as file:
        file.write(source)
    must(compiler, "-O1", "-g", "-fno-builtin", "-fno-optimize-sibling-calls", "-x", "c++" if compiler == "g++" else "c", path(name + ".src"), "-x", "none",
         "-o", path(name), *options)
    return path(name)


HEAD = "#include <stdlib.h>\nstatic void *volatile sink;\n"
MAKE = "__attribute__((noinline)) %svoid %s(int n) { for (int i = 0; i < n; i++) sink = malloc(8); __asm__(\"\"); }\n"
make = lambda *names, static="static ": HEAD + "".join(MAKE % (static, name) for name in names)
prog = build("prog", make("good", "evil", "silent") + "int main(int argc, char **argv) { good(100); evil(50); if (argc > 1) silent(0); return 0; }\n")

# --- modules, by all of their names ---
library = build("libzz.so.1.0.2", make("lib_make", static=""), "-shared", "-fPIC", "-Wl,-soname,libzz.so.1")
os.symlink("libzz.so.1.0.2", path("libzz.so.1"))
linked = build("linked", "void lib_make(int);\nint main(void) { lib_make(10); return 0; }\n", library, "-Wl,-rpath," + WORK)
for name in "libzz.so.1.0.2", "libzz.so.1.9", "libzz.so.1", "libzz.so", "libzz":
    metric = f"modules.{name}.allocations"
    gate("--max", f"{metric}=10", "--", linked)
    equal(culprits(gate("--json", "--max", f"{metric}=5", "--", linked, code=2)), {metric: ["lib_make"]}, f"the culprit of {name}")
for name in "prog", "(program)":
    metric = f"modules.{name}.allocations"
    gate("--max", f"{metric}=150", "--", prog)
    equal(culprits(gate("--json", "--max", f"{metric}=149", "--", prog, code=2)), {metric: ["good", "evil"]}, f"the culprits of {name}")
with open(path("budget.json"), "w") as file:
    file.write('{"modules": {"(program)": {"allocations": 149}}}')
gate("--budget", path("budget.json"), "--", prog, code=2)
gate("--max", "modules.(program).allocations=0", "--", linked)
base = path("base.json")
gate("--baseline", base, "--save-baseline", "--", prog)
more = build("more", make("good", "evil") + "int main(void) { good(103); evil(50); return 0; }\n")
got = gate("--baseline", base, "--json", "--max", "modules.(program).allocations=1000", "--metrics", "modules", "--", more, code=2)
equal(culprits(got), {f"modules.{name}.allocations": ["good"] for name in ("(program)", "more")}, "against a baseline's, under another file name")
gate("--baseline", base, "--metrics", "modules", "--tolerance", "modules.(program).allocations=3", "--", more)
gate("--baseline", base, "--metrics", "modules", "--tolerance", "modules.(program).allocations=2", "--tolerance", "modules=9", "--", more, code=2)
gate("--exclude-module", "(program)", "--max", "allocations=10", "--", linked)
got = gate("--exclude-module", "(program)", "--max", "allocations=10", "--", prog, code=3)
check("leaves nothing" in got.stderr, f"nothing but the program: {got.stderr}")

# --- functions where names are missing ---
stripped = path("stripped")
shutil.copy(prog, stripped)
must("strip", stripped)
exporting = build("exporting", make("good", "evil", static="") + "int main(void) { good(100); evil(50); return 0; }\n", "-rdynamic")
must("strip", exporting)
gone = path("gone")
shutil.copy(prog, gone)
equal(record([gone], path("gone.mscope")).returncode, 0, "recording")
os.unlink(gone)
for what in ["--", stripped], [path("gone.mscope")]:
    got = gate("--max", "sites.evil.allocations=60", *what, code=3)
    check("sites.evil.allocations: cannot be measured: 150 calls of functions without names (most in " in got.stderr and "--allow-incomplete" in got.stderr,
          f"it says how many: {got.stderr}")
    gate("--max", "sites.evil.allocations=149", *what, code=3)
    gate("--max", "sites.evil.allocations=150", *what) # whosever they are
    got = gate("--max", "sites.evil.allocations=60", "--allow-incomplete", *what)
    check("Note: sites.evil.allocations: 150 calls" in got.stdout, f"it is said all the same: {got.stdout}")
    gate("--max", "sites.evil.allocations=60", "--max", "allocations=149", "--allow-incomplete", *what, code=2)
    gate("--max", "sites.??.allocations=150", *what)
    gate("--max", "sites.??.allocations=149", *what, code=2)
    got = gate("--baseline", base, "--metrics", "allocations", "--max", "sites.evil.allocations=1000", *what, code=3) # its limit is the baseline's 50
    gate("--baseline", base, "--metrics", "sites", *what, code=2) # ?? is one of them
got = gate("--json", "--max", "sites.evil.allocations=60", "--", stripped, code=3)
equal([m["state"] for m in json.loads(got.stdout)["metrics"] if m["name"].startswith("sites.")], ["not measured"], "its state")
gate("--max", "sites.evil.allocations=50", "--", exporting) # whose name is among the exported ones
gate("--max", "sites.evil.allocations=49", "--", exporting, code=2)
# A function of the same name in a library, which only calls, is not the program's; one that allocates is meant.
lib = build("libcalls.so", make("in_lib") + "void evil(void (*call)(int)) { call(50); __asm__(\"\"); }\nvoid lib_work(void) { in_lib(7); __asm__(\"\"); }\n",
            "-shared", "-fPIC")
calling = build("calling", make("good") + "void evil(void (*)(int));\nvoid lib_work(void);\nint main(void) { evil(good); lib_work(); return 0; }\n",
                lib, "-Wl,-rpath," + WORK)
gate("--max", "sites.evil.allocations=0", "--", calling, code=0)
must("strip", calling)
gate("--max", "sites.evil.allocations=0", "--", calling, code=3)
gate("--max", "sites.in_lib.allocations=7", "--", calling)
gate("--max", "sites.in_lib.allocations=6", "--", calling, code=2)
# Symbols tell of a function that is in no stack that it is none of those without names: of a library without, as here.
unnamed = build("libunnamed.so", make("hidden") + "void lib_hidden(void) { hidden(9); __asm__(\"\"); }\n", "-shared", "-fPIC")
must("strip", unnamed)
SPACE = "namespace space { template<class T> struct Reader { __attribute__((noinline)) int read(T n); }; template<class T> int Reader<T>::read(T n) { return n + 1; } }\n"
quiet = build("quiet", SPACE + make("good", static="") + 'extern "C" void lib_hidden();\nint main(int argc, char **) { lib_hidden(); space::Reader<int> r; return r.read(argc) == argc; }\n',
              unnamed, "-Wl,-rpath," + WORK, compiler="g++")
for name, code in ("good", 0), ("space::Reader<int>::read", 0), ("main", 0), ("hidden", 3), ("goo", 3), ("Reader<int>::read", 3), ("no_such", 3), ("lib_hidden", 0):
    gate("--max", f"sites.{name}.allocations=0", "--", quiet, code=code)
gate("--max", "sites.no_such.allocations=9", "--", quiet)
shutil.copy(quiet, path("quiet-file"))
must("objcopy", "--only-keep-debug", quiet, quiet + ".debug")
must("objcopy", "--strip-all", "--add-gnu-debuglink=" + quiet + ".debug", quiet)
gate("--max", "sites.good.allocations=0", "--", quiet)
os.unlink(quiet + ".debug")
gate("--max", "sites.good.allocations=0", "--", quiet, code=3)
# One log with names does not speak for another one.
equal(record([prog], path("named.mscope")).returncode, 0, "recording")
gate("--max", "sites.evil.allocations=60", path("named.mscope"))
gate("--max", "sites.evil.allocations=60", "--max", "sites.good.allocations=100", path("named.mscope"), path("gone.mscope")) # the least of both is known
gate("--max", "sites.evil.allocations=49", path("named.mscope"), path("gone.mscope"), code=3)
# What the C++ library does without names is nobody else's, and what has a name is not another one.
plus = build("plus", "#include <string>\n#include <vector>\n" + make("good") +
             "int main() { good(3); std::vector<std::string> v(3, std::string(100, 'x')); return v.size() != 3; }\n", compiler="g++")
for name, most in ("good", 3), ("nobody", 0):
    gate("--max", f"sites.{name}.allocations={most}", "--debug-paths", path("nowhere"), "--no-cache", "--", plus)

# --- without stacks ---
equal(record([prog], path("flat.mscope"), "--call-graph", "none").returncode, 0, "recording")
for limit in "sites.evil", "modules.prog", "modules.(program)", "modules.libzz":
    got = gate("--max", f"{limit}.allocations=149", path("flat.mscope"), code=3)
    check(f"150 calls of what has no stack may be of {limit.split('.')[1]}" in got.stderr, f"it is said: {got.stderr}")
    gate("--max", f"{limit}.allocations=150", path("flat.mscope"))
equal(record([more], path("more.mscope"), "--call-graph", "none").returncode, 0, "recording")
gate("--baseline", base, "--metrics", "modules", path("more.mscope"), code=3)
gate("--baseline", base, "--metrics", "sites", path("flat.mscope"), code=2)
gate("--baseline", base, path("flat.mscope"))
gate("--baseline", path("flat.json"), "--save-baseline", path("flat.mscope"))
gate("--baseline", path("flat.json"), "--metrics", "sites,modules", path("flat.mscope"))
got = gate("--exclude-module", "libzz", "--max", "allocations=1000", path("flat.mscope"), code=3)
check("150 allocations have no stack" in got.stderr, f"it is said: {got.stderr}")
# One process without, beside one with them.
equal(record(["sh", "-c", f"{prog}; MALLOSCOPE_CALL_GRAPH=none {prog}; :"], path("half.mscope")).returncode, 0, "recording")
gate("--max", "sites.evil.allocations=60", path("half.mscope"), code=3)
gate("--max", "sites.evil.allocations=49", path("half.mscope"), code=2)
gate("--exclude-module", "libzz", "--max", "allocations=150", "--allow-incomplete", path("flat.mscope"))

# --- what the program does not let be recorded ---
paused = build("paused", '#include "interpose/malloscope.h"\n' + make("good") +
               "int main(int argc, char **argv) { good(5); if (argc > 1) malloscope_stop(); good(100); return 0; }\n", "-I" + SOURCE)
for options, count in ([], 105), (["stop"], 5):
    got = gate("--max", f"allocations={count}", "--", paused, *options)
    equal("Note: run 1 of 1: recording was paused" in got.stdout, bool(options), f"a pause is told: {got.stdout}")

sys.exit(done())
