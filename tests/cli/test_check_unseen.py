"""`check` where something is not seen that a limit is about: it says so, or refuses; it never passes in silence."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

os.mkdir(path("temporary"))
os.environ["TMPDIR"] = path("temporary")
os.environ["XDG_CACHE_HOME"] = path("cache")


def gate(*arguments, code=0, **more):
    """`malloscope check ARGUMENTS`, which must exit with the code."""
    got = run([MALLOSCOPE, "check", *(["-r1"] if "--" in arguments else []), *arguments], **more)
    equal(got.returncode, code, f"check {arguments}: {got.stdout}{got.stderr}")
    return got


def build(name, source, *options, compiler="gcc"):
    with open(path(name + ".src"), "w") as file:
        file.write(source)
    must(compiler, "-g", "-x", "c++" if compiler.endswith("++") else "c", path(name + ".src"), "-x", "none", "-o", path(name), *options)
    return path(name)


HEAD = "#include <stdlib.h>\nstatic void *volatile sink;\n#define NI __attribute__((noinline))\n"

# --- limits of what is not there ---
named = build("named", HEAD + """
static inline __attribute__((always_inline)) void inlined(int n) { while (n-- > 0) sink = malloc(8); }
NI void quiet(int n) { if (n > 9) exit(n); }
NI static void evil(int n) { inlined(n); __asm__(""); }
int main(int argc, char **argv) { quiet(1); if (argc > 1) evil(atoi(argv[1])); sink = malloc(1); return 0; }
""", "-O1")
plain = path("plain")
must("strip", "-g", "-o", plain, named)
for file, limit, is_told in (
        (named, "sites.evli", True), (named, "sites.evil(int)", True), (named, "sites.*", True), (named, "modules.libevil", True),
        (named, "sites.evil", False), (named, "sites.inlined", False), (named, "sites.quiet", False), (named, "sites.main", False), (named, "sites.qsort", False),
        (named, "modules.libc", False), (named, "modules.named", False), (named, "modules.(program)", False),
        (plain, "sites.evil", False), (plain, "sites.inlined", True)):
    got = gate("--max", f"{limit}.allocations=50", "--", file)
    equal(f"Note: {limit}.allocations: no " in got.stdout, is_told, f"{limit} of {file}: {got.stdout}")
    equal("this limit cannot fail" in got.stdout, is_told, f"{limit} of {file}: {got.stdout}")
got = gate("--max", "sites.inlined.allocations=50", "--", named, "5")
check("Note:" not in got.stdout, f"a function that is in stacks: {got.stdout}")
got = gate("--json", "--max", "sites.evli.allocations=50", "--max", "sites.evli.bytes=50", "--max", "sites.evil.bytes=50", "--", named)
equal([note.split(":")[0] for note in json.loads(got.stdout)["notes"]], ["sites.evli.allocations", "sites.evli.bytes"], "in JSON")
with open(path("budget.json"), "w") as file:
    json.dump({"sites": {"evli": {"allocations": 5}}, "modules": {"libevil": {"bytes": 1}}}, file)
equal(gate("--budget", path("budget.json"), "--", named).stdout.count("cannot fail"), 2, "of a budget")
gate("--baseline", path("base.json"), "--save-baseline", "--", named, "5")
got = gate("--baseline", path("base.json"), "--max", "sites.inlined.allocations=50", "--max", "sites.evli.allocations=50", "--", plain)
check("Note: sites.evli" in got.stdout and "Note: sites.inlined" not in got.stdout, f"what the baseline has is known: {got.stdout}")
got = gate("--max", "allocations=0", "--max", "sites.evli.allocations=50", "--", named, code=2)
check("Note: sites.evli" in got.stdout, f"it is said also where it is measured once more: {got.stdout}")

# --- libraries past the recorder ---
library = build("libapart.so", HEAD + "void work(int n) { while (n-- > 0) sink = malloc(7); }\n", "-shared", "-fPIC")
loads = build("loads", "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <stdlib.h>\n" + """
int main(int argc, char **argv) {
    void *volatile block = malloc(5), *handle = NULL;
    if (argc < 3) return 0;
    handle = *argv[1] == 'd' ? dlopen(argv[2], RTLD_NOW | RTLD_DEEPBIND) : *argv[1] == 'm' ? dlmopen(LM_ID_NEWLM, argv[2], RTLD_NOW) : dlopen(argv[2], RTLD_NOW);
    ((void (*)(int))dlsym(handle, "work"))(500);
    return !block;
}
""", "-ldl")
gate("--max", "allocations=100", "--", loads)
gate("--max", "allocations=100", "--", loads, "-", library, code=2)
gate("--baseline", path("loads.json"), "--save-baseline", "--", loads)
for way in "deep", "m":
    equal(record([loads, way, library], path(f"{way}.mscope")).returncode, 0, "recording")
    for what in ["--", loads, way, library], [path(f"{way}.mscope")]:
        got = gate("--max", "allocations=100", *what, code=3)
        check(f"1 library was loaded with RTLD_DEEPBIND or dlmopen, as {library}: what such a library" in got.stderr and "--allow-incomplete" in got.stderr,
              f"it is said: {got.stderr}")
        gate("--baseline", path("loads.json"), *what, code=3)
        got = gate("--max", "allocations=100", "--allow-incomplete", *what)
        check("Note: " in got.stdout and f"as {library}: what is not recorded of it does not count" in got.stdout, f"a note: {got.stdout}")
        got = gate("--max", "allocations=0", "--allow-incomplete", *what, code=2)
        equal(got.stdout.count("what is not recorded of it"), 1, f"a note where it is measured once more: {got.stdout}")

# --- leaks of a process that ended within a part ---
child = build("child", '#include "interpose/malloscope.h"\n#include <unistd.h>\n#include <sys/wait.h>\n' + HEAD + """
int main(int argc, char **argv) {
    sink = malloc(100);
    malloscope_mark("work");
    if (!fork()) { for (int i = 0; i < 10; i++) sink = malloc(8); free(sink); _exit(0); }
    wait(NULL);
    sink = malloc(3);
    if (argc > 1) malloscope_mark("end");
    if (argc > 2) free(sink);
    return 0;
}
""", "-I" + SOURCE)
for marks, leaked in ([], (75, 10)), (["end"], (75, 10)), (["end", "free"], (75, 10)):
    for options, prefix in (["--mark", "work"], ""), ([], "marks.work."):
        for kind, count in zip(("leaked", "leaked_blocks"), leaked):
            gate(*options, "--max", f"{prefix}{kind}={count}", "--", child, *marks)
            gate(*options, "--max", f"{prefix}{kind}={count - 1}", "--", child, *marks, code=2)

sys.exit(done())
