"""`check` where something is not seen that a limit is about: it says so, or refuses; it never passes in silence."""
import json
import os
import platform
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

# --- a call that is the last thing that a function does leaves no frame of it ---
TAIL = HEAD + """
NI void *node_new(size_t bytes) { return malloc(bytes); }
NI void *both(size_t bytes) { sink = malloc(1); return node_new(bytes); }
NI static void next(int n) { while (n-- > 0) { sink = malloc(8); free(sink); } }
NI void parse(int n) { sink = malloc(4); next(n); }
static inline __attribute__((always_inline)) void *inner(size_t bytes) { return malloc(bytes); }
NI void *outer(size_t bytes) { sink = malloc(2); return inner(bytes); }
NI void plain(int n) { while (n-- > 0) { sink = malloc(8); } __asm__(""); }
int main(int argc, char **argv) {
    int n = atoi(argv[1]);
    for (int i = 0; i < n; i++) { free(node_new(8)); free(both(8)); free(outer(8)); }
    parse(n);
    plain(n);
    return 0;
}
"""
REASON = "is an allocation, of which the compiler made a jump"
for options in ["-O2"], ["-O2", "-gdwarf-4"], ["-O2", "-gsplit-dwarf"], ["-O2", "-gz"]:
    tail = build("tail", TAIL, *options)
    for function, code in ("node_new", 3), ("inner", 3), ("both", 0), ("outer", 0), ("plain", 0), ("main", 0):
        got = gate("--max", f"sites.{function}.allocations=260", "--", tail, "50", code=code) # main: 50 and 50 of node_new, 50 of inner, 100 frees
        equal(f"sites.{function}.allocations: cannot be measured: the last act of {function} {REASON}" in got.stderr, code == 3, f"it is said: {got.stderr}")
    got = gate("--max", "sites.node_new.allocations=20", "--allow-incomplete", "--", tail, "50")
    check(f"Note: sites.node_new.allocations: the last act of node_new {REASON}" in got.stdout, f"a note: {got.stdout}")
    for function, is_told in ("parse", True), ("both", True), ("outer", True), ("plain", False):
        got = gate("--within", function, "--max", "allocations=99", "--", tail, "50")
        equal(f"Note: --within {function}: the last act of it is a call" in got.stdout, is_told, f"--within {function}: {got.stdout}")
    got = gate("--github", "--within", "parse", "--max", "allocations=99", "--", tail, "50")
    check("::notice title=malloscope check%3A note::--within parse: the last act of it" in got.stdout, f"an annotation: {got.stdout}")
gate("--max", "sites.node_new.allocations=5000", "--", tail, "50") # whatever it asked for: there is no more than that
with open(path("tail.json"), "w") as file:
    json.dump({"sites": {"node_new": {"bytes": 20}}}, file)
gate("--budget", path("tail.json"), "--baseline", path("saved.json"), "--save-baseline", "--", tail, "50", code=3)
check(not os.path.exists(path("saved.json")), "nothing is saved")
split = build("split", TAIL, "-O2")
must("objcopy", "--only-keep-debug", split, split + ".debug")
must("objcopy", "--strip-debug", "--add-gnu-debuglink=" + split + ".debug", split)
gate("--max", "sites.node_new.allocations=20", "--", split, "50", code=3)
os.unlink(split + ".debug")
if platform.machine() == "x86_64": # the code tells
    gate("--max", "sites.node_new.allocations=20", "--", split, "50", code=3)
    for options in [], ["-fno-plt"], ["-no-pie"], ["-fcf-protection=full", "-Wl,-z,now"], ["-g0"]:
        for compiler in "gcc", "clang":
            tail = build("tail", TAIL, "-O2", *options, compiler=compiler)
            for function, code in ("node_new", 3), ("both", 0), ("parse", 0), ("main", 0):
                gate("--max", f"sites.{function}.allocations=310", "--", tail, "50", code=code)
            gate("--max", "sites.node_new.allocations=20", "--", build("whole", TAIL, "-O2", "-fno-optimize-sibling-calls", *options, compiler=compiler), "50", code=2)
    # jumps of one byte, to a neighbour, and on a condition
    near = HEAD + """
NI __attribute__((used)) static void *xmalloc(size_t bytes) { void *block = malloc(bytes); if (!block) abort(); return block; }
__asm__(".text\\n.type OF, @function\\nOF: CODE\\n.size OF, . - OF\\n");
void *OF(size_t bytes);
int main(int argc, char **argv) { for (int i = 0; i < 50; i++) sink = OF(argc); return 0; }
"""
    for code, is_told in (("jmp xmalloc", True), ("test %rdi, %rdi; jne xmalloc; ret", True), ("test %rdi, %rdi; jne malloc@PLT; ret", True), ("jmp malloc@PLT", True),
                          ("test %rdi, %rdi; .byte 0x0f, 0x85; .long xmalloc - . - 4; ret", True), ("sub $8, %rsp; call xmalloc; add $8, %rsp; ret", False)):
        program = build("near", near.replace("OF", "node_new").replace("CODE", code), "-O1")
        gate("--max", "sites.node_new.allocations=20", "--", program, code=3 if is_told else 2)
    for options in ["-Os"], ["-O2"], ["-Os", "-g0"]:
        given = build("given", HEAD + "NI void *given(size_t n) { if (n > 3) return malloc(n); return NULL; }\n"
                      "int main(void) { for (int i = 0; i < 50; i++) sink = given(i); return 0; }\n", *options, compiler="clang")
        gate("--max", "sites.given.allocations=20", "--", given, code=3)
    for compiler in "g++", "clang++":
        tail = build("tail", "struct Node { int a, b; };\n__attribute__((noinline)) Node *make_node() { return new Node; }\nstatic void *volatile sink;\n"
                     "int main() { for (int i = 0; i < 50; i++) sink = make_node(); return 0; }\n", "-O2", compiler=compiler)
        gate("--max", "sites.make_node.allocations=5", "--", tail, code=3)
whole = build("whole", TAIL, "-O2", "-fno-optimize-sibling-calls")
for function in "node_new", "inner":
    gate("--max", f"sites.{function}.allocations=100", "--", whole, "50")
    gate("--max", f"sites.{function}.allocations=49", "--", whole, "50", code=2)
got = gate("--within", "parse", "--max", "allocations=50", "--", whole, "50", code=2)
check("--within parse" not in got.stdout, f"without such calls: {got.stdout}")
plus = build("plus", "struct Node { int a, b; };\nnamespace space { template<class T> struct Made { __attribute__((noinline)) static T *make() { return new T; } }; }\n"
             "static __attribute__((noinline)) Node *local() { return new Node; }\nstatic void *volatile sink;\n"
             "int main() { for (int i = 0; i < 50; i++) { sink = space::Made<Node>::make(); sink = local(); } return 0; }\n", "-O2", compiler="g++")
stream = build("stream", """#include <iostream>
#include <string>
#include <vector>
static void *volatile sink;
#define NI __attribute__((noinline))
NI std::ostream &print(std::ostream &to, int n) { sink = operator new(8); return to << n; }
NI void done(void *block) { sink = operator new(4); operator delete(block); }
NI int compares(const std::string *a, const char *with) { sink = operator new(4); return a->compare(with); }
NI void fill(std::string *text, const char *with) { text->append(with); }
int main() { for (int i = 0; i < 9; i++) { std::string text; print(std::cout, i); done(operator new(3)); compares(&text, "a"); fill(&text, "a text that is longer than a short one"); } }
""", "-O2", compiler="g++")
for function, code in ("print", 0), ("done", 0), ("compares", 0), ("fill", 3):
    gate("--max", f"sites.{function}.allocations=10", "--", stream, code=code)
for compiler in "gcc", "clang": # what the C library keeps is its own, whoever called
    opens = build("opens", "#define _GNU_SOURCE\n#include <stdio.h>\n#include <dirent.h>\n#include <wchar.h>\n" + HEAD + """
NI FILE *open_it(void) { return fopen("/dev/null", "r"); }
NI DIR *list(void) { return opendir("/"); }
NI void *resolve(void) { return realpath("/", NULL); }
NI void *wide(void) { return wcsdup(L"a"); }
NI int format(char **text) { return asprintf(text, "%d", 1); }
int main(void) { for (int i = 0; i < 9; i++) { char *text; fclose(open_it()); closedir(list()); free(resolve()); free(wide()); format(&text); free(text); } return 0; }
""", "-O2", "-U_FORTIFY_SOURCE", compiler=compiler)
    for function, code in ("open_it", 0), ("list", 0), ("resolve", 0), ("wide", 0), ("format", 3):
        gate("--max", f"sites.{function}.allocations=5", "--", opens, code=code)
for function, code in ("space::Made<Node>::make", 3), ("local", 3), ("main", 0), ("make", 0):
    gate("--max", f"sites.{function}.allocations=101", "--max", "allocations=101", "--", plus) # all that there is
    gate("--max", f"sites.{function}.allocations=20", "--", plus, code=2 if function == "main" else code)
for static, code in ("", True), ("static ", False):
    source = HEAD + f"NI {static}void *lib_alloc(size_t n) {{ return malloc(n); }}\nvoid lib_work(void) {{ sink = lib_alloc(4); __asm__(\"\"); }}\n"
    library = build("libtail.so", source, "-O2", "-shared", "-fPIC")
    linked = build("linked", "void lib_work(void);\nint main(void) { for (int i = 0; i < 50; i++) lib_work(); return 0; }\n", library, "-Wl,-rpath," + WORK)
    got = gate("--max", "modules.libtail.allocations=50", "--", linked)
    equal("Note: modules.libtail.allocations: functions of it have" in got.stdout, code, f"what others may call: {got.stdout}")
    got = gate("--max", "modules.libtail.allocations=49", "--", linked, code=2)
    check("Note:" not in got.stdout, f"no note where it is broken: {got.stdout}")

# --- a process that crashes allocates less ---
crashes = build("crashes", "#include <unistd.h>\n#include <sys/wait.h>\n" + HEAD + """
int main(int argc, char **argv) {
    if (!fork()) { sink = malloc(8); if (argc > 1) abort(); sink = malloc(8); _exit(0); }
    wait(NULL);
    return 0;
}
""")
gate("--baseline", path("crashes.json"), "--save-baseline", "--", crashes)
for options, is_told in ([], False), (["x"], True):
    got = gate("--baseline", path("crashes.json"), "--", crashes, *options)
    equal(got.stdout.count("1 process that it started was killed, or ended unseen"), int(is_told), f"{options}: {got.stdout}")

# --- a build without debug information, where the baseline's had it ---
got = gate("--baseline", path("base.json"), "--metrics", "allocations", "--", plain, "5")
check("made of a build with debug information, and this one has none" in got.stdout, f"it is said: {got.stdout}")
got = gate("--baseline", path("base.json"), "--metrics", "allocations", "--", named, "5")
check("debug information" not in got.stdout, f"and not of one that has it: {got.stdout}")

# --- saved, and a limit broken ---
got = gate("--baseline", path("broken.json"), "--save-baseline", "--max", "allocations=0", "--", named, code=2)
check("\n1 regression; the baseline is saved all the same.\n" in got.stdout and os.path.exists(path("broken.json")), f"both are said: {got.stdout}")

sys.exit(done())
