"""`check` names the line: small programs in two versions, where of several lines, files or functions only one is to blame."""
import json
import os
import re
import xml.etree.ElementTree
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

os.environ["XDG_CACHE_HOME"] = path("cache")
schema = schema_validator("baseline")
verdict_schema = schema_validator("check")


def build(name, sources, compiler="gcc"):
    """sources: file name → text"""
    directory = path(f"{name}.src")
    os.makedirs(directory, exist_ok=True)
    for file, text in sources.items():
        with open(os.path.join(directory, file), "w") as to:
            to.write(text)
    must(compiler, "-O0", "-g", "-fno-builtin", "-o", path(name), *(os.path.join(directory, file) for file in sources))
    return path(name)


def compare(name, old, new, *options, compiler="gcc", code=2):
    """metric → its culprits, as [[FUNCTION, FILE:LINE, before, now], ...]"""
    baseline = path(f"{name}.json")
    old, new = (build(f"{name}{i}", sources if isinstance(sources, dict) else {f"{name}.c": sources}, compiler) for i, sources in enumerate((old, new)))
    must(MALLOSCOPE, "check", "--baseline", baseline, "--save-baseline", "-r", "1", "--", old)
    equal(list(schema.iter_errors(json.load(open(baseline)))), [], f"{name}'s baseline against its schema")
    must(MALLOSCOPE, "check", "--baseline", baseline, "--fail-on-improvement", "-r", "1", "--", old)
    got = run([MALLOSCOPE, "check", "--baseline", baseline, "--json", "--fail-on-improvement", "-r", "1", *options, "--", new])
    equal(got.returncode, code, f"{name}: {got.stdout}{got.stderr}")
    verdict = json.loads(got.stdout)
    equal(list(verdict_schema.iter_errors(verdict)), [], f"{name}'s verdict against its schema")
    return {metric["name"]: [[c["frames"][0]["function"], f"{os.path.basename(c['frames'][0]['file'] or '')}:{c['frames'][0]['line']}", c["before"], c["now"]]
                             for c in metric["culprits"]] for metric in verdict["metrics"] if metric["state"] != "within"}


HEAD = "#include <stdlib.h>\n#include <string.h>\nvoid *volatile keep[9];\n"

# --- which line ---
three = "int main(void) {{\n{}    keep[0] = strdup(\"a\");\n    keep[1] = strdup(\"b\");\n    keep[2] = strdup(\"c\");\n    return 0;\n}}\n"
got = compare("inserted", HEAD + three.format(""), HEAD + three.format("    keep[3] = strdup(\"fifteen letters\");\n"))
equal(got, {metric: [["main", "inserted.c:5", *values]] for metric, values in
            {"allocations": (0, 1), "bytes": (0, 16), "peak": (0, 16), "leaked": (0, 16), "leaked_blocks": (0, 1)}.items()}, "a line that is inserted")
got = compare("removed", HEAD + three.format("    keep[3] = strdup(\"fifteen letters\");\n"), HEAD + three.format(""), code=4)
equal(got["bytes"], [["main", "removed.c:5", 16, 0]], "a line that is no longer there is the baseline's, not another one")
got = run([MALLOSCOPE, "check", "--baseline", path("removed.json"), "--metrics", "bytes", "--json", "--github", "-r", "1", "--", path("removed1")])
check(json.loads(got.stdout)["metrics"][0]["culprits"][0]["is_line_gone"] and "file=" not in got.stderr, f"and no annotation is there: {got.stderr}")
got = run([MALLOSCOPE, "check", "--baseline", path("removed.json"), "--metrics", "bytes", "-r", "1", "--", path("removed1")])
check("-16 bytes (16 -> 0, a line that is gone)  main  removed.c:5\n" in got.stdout, f"it says so: {got.stdout}")
got = compare("above", HEAD + three.format(""), HEAD + "\n" * 40 + three.format("").replace("\"b\"", "\"bbb\""))
equal(got["bytes"], [["main", "above.c:46", 2, 4]], "lines that have moved, and one that has more")
swapped = ["    for (int i = 0; i < 10; i++) keep[0] = malloc(16);\n", "    for (int i = 0; i < 20; i++) keep[1] = malloc(8);\n"]
for number, (lines, at) in enumerate([(["%s", *reversed(swapped)], 5), ([swapped[1], "%s", swapped[0]], 6), ([*reversed(swapped), "%s"], 7)]):
    got = compare(f"swapped{number}", HEAD + "int main(void) {\n" + "".join(swapped) + "    return 0;\n}\n",
                  HEAD + "int main(void) {\n" + "".join(lines) % "    keep[2] = malloc(16);\n" + "    return 0;\n}\n")
    equal(got["allocations"], [["main", f"swapped{number}.c:{at}", 0, 1]], "a line between two that have changed places")
sizes = "int main(void) {{\n    keep[0] = malloc(1000);\n    keep[1] = malloc({});\n    return 0;\n}}\n"
got = compare("grown", HEAD + sizes.format(10), HEAD + sizes.format(500))
equal(got, {metric: [["main", "grown.c:6", 10, 500]] for metric in ("bytes", "peak", "leaked")}, "as many blocks, of which one has grown")
leaking = "int main(void) {{\n    void *a = malloc(1000);\n    void *b = malloc(500);\n    {}\n    return !a;\n}}\n"
got = compare("leaking", HEAD + leaking.format("free(b);"), HEAD + leaking.format("keep[0] = b;"))
equal({name: got[name] for name in ("leaked", "leaked_blocks")}, {"leaked": [["main", "leaking.c:6", 0, 500]], "leaked_blocks": [["main", "leaking.c:6", 0, 1]]}, "a new leak")


def two_files(second):
    """Functions of one name, on one line, in two files."""
    make = HEAD + "static void *make(void) {\n    for (int i = 0; i < %d; i++) keep[i % 9] = malloc(8);\n    return keep[0];\n}\nvoid *(*const make_%s)(void) = make;\n"
    return {"one.c": make.replace("%d", "50").replace("%s", "one").replace("keep[", "keep_one["),
            "two.c": make.replace("%d", str(second)).replace("%s", "two").replace("keep[", "keep_two["),
            "both.c": "extern void *(*const make_one)(void), *(*const make_two)(void);\n"
                      "int main(void) {\n    void *(*both[])(void) = {make_one, make_two};\n    for (int i = 0; i < 2; i++) both[i]();\n    return 0;\n}\n"}


got = compare("files", two_files(5), two_files(40))
equal(got["allocations"], [["make", "two.c:5", 5, 40]], "functions of one name, on one line, in two files")

loop = "    for (int i = 0; i < {}; i++) keep[0] = malloc(8);\n"
many = "int main(void) {{\n    keep[1] = malloc(3);\n{}{}    return 0;\n}}\n"
planted = {6: 100, 7: 90, 8: 80}
got = compare("many", HEAD + many.format("", loop.format(7)), HEAD + many.format("".join(loop.format(count) for count in planted.values()), loop.format(5)))
equal(got["allocations"], [["main", f"many.c:{line}", 0, count] for line, count in planted.items()], "each line of a function that has more")
outputs = {name: path(f"many.{name}") for name in ("junit", "markdown")}
os.environ["GITHUB_WORKSPACE"] = path("many1.src")
got = run([MALLOSCOPE, "check", "--baseline", path("many.json"), "--metrics", "allocations", "--json", "--github", "-r", "1", "--junit", outputs["junit"],
           "--markdown", outputs["markdown"], "--", path("many1")])
metric = json.loads(got.stdout)["metrics"][0]
equal((sum(c["change"] for c in metric["culprits"]) + metric["offset"], metric["offset"], metric["offset_sites"]), (268, -2, 1), "what they come to is the metric's change")
for line, count in planted.items():
    check(f"file=many.c,line={line},title=allocations +{count}::" in got.stderr, f"an annotation at {line}: {got.stderr}")
    check(f"`many.c:{line}`" in open(outputs["markdown"]).read(), f"{line} in Markdown")
    check(f"many.c:{line}" in xml.etree.ElementTree.parse(outputs["junit"]).findtext(".//failure"), f"{line} in JUnit")
del os.environ["GITHUB_WORKSPACE"]
got = run([MALLOSCOPE, "check", "--baseline", path("many.json"), "--metrics", "allocations", "-r", "1", "--tap", "--", path("many1")])
check(all(f"many.c:{line}" in got.stdout for line in planted), f"TAP has them: {got.stdout}")

doubled = "int main(void) {{\n" + "".join(loop.replace("{}", f"{{0}} * {factor}") for factor in (1, 2, 4)) + "    return 0;\n}}\n"
got = compare("doubled", HEAD + doubled.format(10), HEAD + doubled.format(20))
equal(got["allocations"], [["main", "doubled.c:7", 40, 80], ["main", "doubled.c:6", 20, 40], ["main", "doubled.c:5", 10, 20]],
      "a line that has what another one had is itself")

# --- a recursion ---
walk = ("static void walk(int depth) {{\n    keep[0] = malloc(8);\n    if (!depth) return;\n" + "    walk(depth - 1);\n" * 4 + "}}\n"
        "int main(void) {{\n    walk(5);\n{}    return 0;\n}}\n")
got = compare("walk", HEAD + walk.format(""), HEAD + walk.format("    walk(0);\n"))
equal(got["allocations"], [["walk", "walk.c:5", 0, 1]], "a call of what calls itself")
got = compare("walk_more", HEAD + walk.format(""), HEAD + walk.format("").replace("return;", "{ keep[1] = malloc(8); return; }"))
equal(got["allocations"], [["walk", "walk_more.c:6", 0, 1024]], "a line of what calls itself, whichever way it came")
check(os.path.getsize(path("walk.json")) < 4000, f"its thousand ways are not in the baseline: {os.path.getsize(path('walk.json'))} bytes")

# --- far out ---
deep = "".join(f"static void *f{i}(int n) {{{{ return {f'f{i - 1}(n)' if i else 'malloc(n)'}; }}}}\n" for i in range(6))
deep += "static void work(void) {{\n    keep[0] = f5(8);\n{}}}\nint main(void) {{ work(); return 0; }}\n"
compare("deep", HEAD + deep.format(""), HEAD + deep.format("    keep[1] = f5(8);\n"))
got = run([MALLOSCOPE, "check", "--baseline", path("deep.json"), "--metrics", "allocations", "-r", "1", "--", path("deep1")])
check(re.search(r"from  work  \S*deep\.c:12\n", got.stdout), f"a call behind six helpers: {got.stdout}")
tree = ("static void insert(int depth) {{\n    if (depth) {{ insert(depth - 1); return; }}\n    keep[0] = malloc(8);\n}}\nstatic void load(void) {{ insert(20); }}\n"
        "static void refresh(void) {{\n    insert(20);\n{}}}\nint main(void) {{ load(); refresh(); return 0; }}\n")
compare("tree", HEAD + tree.format(""), HEAD + tree.format("    insert(20);\n"))
got = run([MALLOSCOPE, "check", "--baseline", path("tree.json"), "--metrics", "allocations", "-r", "1", "--", path("tree1")])
check(re.search(r"\.\.\. from  refresh  \S*tree\.c:11\n", got.stdout), f"a call behind a recursion: {got.stdout}")


def limited(program, *options):
    """as compare(), of a limit"""
    got = run([MALLOSCOPE, "check", *options, "--json", "-r", "1", "--", program])
    equal(got.returncode, 2, f"{options}: {got.stdout}{got.stderr}")
    return [[c["frames"][0]["function"], f"{os.path.basename(c['frames'][0]['file'])}:{c['frames'][0]['line']}", c["before"], c["now"]]
            for metric in json.loads(got.stdout)["metrics"] for c in metric["culprits"]]


equal(limited(path("many1"), "--max", "allocations=5"), [["main", f"many.c:{line}", None, count] for line, count in (planted | {9: 5, 5: 1}).items()], "of a limit by line, too")
got = run([MALLOSCOPE, "check", "--max", "allocations=5", "-r", "1", "--", build("lots", {"lots.c": HEAD + many.format("".join(loop.format(40 - i) for i in range(20)), "")})])
check(got.stdout.count("  main  ") == 10 and "... and 11 smaller ones" in got.stdout, f"people read the largest ones: {got.stdout}")
equal(len(limited(path("lots"), "--max", "allocations=5")), 21, "programs all")

turns = ("#include <fcntl.h>\n#include <stdlib.h>\n#include <sys/stat.h>\n#include <unistd.h>\nvoid *volatile keep;\nint main(int count, char **arguments) {\n    struct stat now;\n"
         "    int file = open(arguments[count - 1], O_RDWR | O_CREAT | O_APPEND, 0600);\n    if (write(file, \"x\", 1) != 1 || fstat(file, &now)) return 1;\n"
         "    int some = now.st_size %% 2 ? 30 : 10;\n    for (int i = 0; i < some; i++) keep = malloc(8);\n    for (int i = 0; i < 40 - some; i++) keep = malloc(8);\n%s    return 0;\n}\n")
old, new = (build(f"turns{i}", {"turns.c": turns % more}) for i, more in enumerate(("", "    keep = malloc(8);\n")))
must(MALLOSCOPE, "check", "--baseline", path("turns.json"), "--save-baseline", "-r", "2", "--", old, path("turns.state"))
got = json.loads(run([MALLOSCOPE, "check", "--baseline", path("turns.json"), "--metrics", "allocations", "--json", "-r", "2", "--", new, path("turns.state")]).stdout)
equal([(c["before"], c["now"]) for c in got["metrics"][0]["culprits"]], [(40, 41)], "lines that take turns from run to run are not what has changed")

# --- what passes on ---
passing = (HEAD + "static void *xmalloc(size_t size) {\n    void *block = malloc(size);\n    if (!block) abort();\n    return block;\n}\nint main(void) {\n"
           "    for (int i = 0; i < 500; i++) keep[0] = malloc(8);\n    for (int i = 0; i < 10; i++) keep[0] = xmalloc(3);\n    for (int i = 0; i < 5; i++) keep[0] = strdup(\"x\");\n"
           "    for (int i = 0; i < 3; i++) keep[0] = malloc(8), keep[0] = xmalloc(9);\n    return 0;\n}\n")
build("passing", {"passing.c": passing})
equal(limited(path("passing"), "--max", "sites.xmalloc.allocations=5"), [["main", "passing.c:11", None, 10], ["main", "passing.c:13", None, 3]], "what went through xmalloc")
equal(limited(path("passing"), "--max", "sites.strdup.bytes=2"), [["main", "passing.c:12", None, 10]], "what went through strdup")
must(MALLOSCOPE, "check", "--baseline", path("passing.json"), "--save-baseline", "-r", "1", "--", path("passing"))
equal(limited(path("passing"), "--baseline", path("passing.json"), "--max", "sites.xmalloc.allocations=5"),
      [["main", "passing.c:11", None, 10], ["main", "passing.c:13", None, 3]], "with a baseline, too")


# --- libraries ---
def library(name, depth, debug):
    """lib_get() leads to malloc through so many functions."""
    source = path(f"{name}.lib.c")
    with open(source, "w") as to:
        to.write("#include <stdlib.h>\nvoid *volatile lib_keep;\n__attribute__((noinline)) void get0(int n) { for (int i = 0; i < n; i++) lib_keep = malloc(8); }\n" +
                 "".join(f"__attribute__((noinline)) void get{i}(int n) {{ get{i - 1}(n); lib_keep = 0; }}\n" for i in range(1, depth)) +
                 f"void lib_get(int n) {{ get{depth - 1}(n); lib_keep = 0; }}\n")
    must("gcc", "-shared", "-fPIC", "-O0", *(["-g"] if debug else []), "-o", path(f"lib{name}.so"), source)


def compare_callers(name, old, new, depth, debug, options=()):
    """allocations' culprits, as [[FUNCTION:LINE of the program's own frames], before, now]"""
    library(name, depth, debug)
    baseline = path(f"{name}.json")
    programs = []
    for i, text in enumerate((old, new)):
        os.makedirs(path(f"{name}{i}.src"), exist_ok=True)
        source, program = os.path.join(path(f"{name}{i}.src"), f"{name}.c"), path(f"{name}{i}")
        with open(source, "w") as to:
            to.write("void lib_get(int);\n" + text)
        must("gcc", "-g", "-O0", "-o", program, source, f"-L{path('.')}", f"-l{name}", f"-Wl,-rpath,{path('.')}")
        programs.append(program)
    must(MALLOSCOPE, "check", "--baseline", baseline, "--save-baseline", "-r", "1", "--", programs[0])
    equal(list(schema.iter_errors(json.load(open(baseline)))), [], f"{name}'s baseline against its schema")
    os.environ["GITHUB_WORKSPACE"] = path(f"{name}1.src")
    got = run([MALLOSCOPE, "check", "--baseline", baseline, "--metrics", "allocations", "--json", "--github", "-r", "1", *options, "--", programs[1]])
    del os.environ["GITHUB_WORKSPACE"]
    equal(got.returncode, 2, f"{name}: {got.stdout}{got.stderr}")
    verdict = json.loads(got.stdout)
    equal(list(verdict_schema.iter_errors(verdict)), [], f"{name}'s verdict against its schema")
    return [[[f"{f['function']}:{f['line']}" for f in c["frames"] if f["module"].startswith(name)], c["before"], c["now"]] for c in verdict["metrics"][0]["culprits"]], got.stderr


calls = "int main(void) {\n    for (int i = 0; i < 100; i++)\n        lib_get(1);\n%s    return 0;\n}\n"
planted = calls % "    for (int i = 0; i < 50; i++)\n        lib_get(1);\n"
for depth, debug in (1, False), (4, False), (8, False), (8, True):
    name = f"lib{depth}{'g' if debug else ''}"
    got, said = compare_callers(name, calls % "", planted, depth, debug)
    equal(got, [[["main:6"], 0, 50]], f"the call of a library that is new: {name}")
    check(f"file={name}.c,line=6,title=allocations +50::" in said, f"GitHub's annotation is there: {said}")
parts = "#include <stdlib.h>\nvoid *volatile lib_keep;\nvoid lib_get(int n) {\n    for (int i = 0; i < 60; i++) lib_keep = malloc(8);\n    for (int i = 0; i < n; i++) lib_keep = malloc(8);\n}\n"
for name, text in ("parts.lib.c", parts), ("parts.c", "void lib_get(int);\nint main(void) {\n    lib_get(COUNT);\n    return 0;\n}\n"):
    with open(path(name), "w") as to:
        to.write(text)
for i, (debug, count) in enumerate((((), 40), (("-g",), 41))):
    os.makedirs(path(f"parts{i}"), exist_ok=True)
    must("gcc", "-shared", "-fPIC", "-O0", *debug, "-o", path(f"parts{i}/libparts.so"), path("parts.lib.c"))
    must("gcc", "-g", "-O0", f"-DCOUNT={count}", "-o", path(f"parts{i}/parts"), path("parts.c"), f"-L{path(f'parts{i}')}", "-lparts", f"-Wl,-rpath,{path(f'parts{i}')}")
must(MALLOSCOPE, "check", "--baseline", path("parts.json"), "--save-baseline", "-r", "1", "--", path("parts0/parts"))
got = json.loads(run([MALLOSCOPE, "check", "--baseline", path("parts.json"), "--metrics", "allocations", "--json", "-r", "1", "--", path("parts1/parts")]).stdout)
equal([(c["before"], c["now"]) for c in got["metrics"][0]["culprits"]], [(100, 101)], "lines that were not known before are no new ones")
callers = "static void %s(void) {\n    lib_get(10);\n%s}\n"
both = callers % ("setup", "") + callers % ("work", "%s") + "int main(void) {\n    setup();\n    work();\n    return 0;\n}\n"
got, said = compare_callers("callers", both % "", both % "    lib_get(5);\n", 8, True)
equal(got, [[["work:7", "main:11"], 0, 5]], "of two functions that call a deep library the one that does it more")
check("  ... from work" in said and said.count("::error ") == 1, f"what is left out between them is said: {said}")
with open(path("callers.json")) as file:
    old_form = json.load(file)
part = old_form["platforms"][next(iter(old_form["platforms"]))]
deep = [site for site in part["sites"] if len(site["stack"]) > 5]
equal([len(site["stack"]) for site in deep], [7, 7], "the program's own frames behind five of the library's")
part["sites"] = [site for site in part["sites"] if site not in deep] + \
    [deep[0] | {"stack": deep[0]["stack"][:5], "lines": {"3 4 5 6 7": 20}} | {kind: deep[0][kind] + deep[1][kind] for kind in ("allocations", "bytes", "leaked", "leaked_blocks")}]
with open(path("callers.json"), "w") as file:
    json.dump(old_form, file)
must(MALLOSCOPE, "check", "--baseline", path("callers.json"), "--fail-on-improvement", "-r", "1", "--", path("callers0"))
got = json.loads(run([MALLOSCOPE, "check", "--baseline", path("callers.json"), "--metrics", "allocations", "--json", "-r", "1", "--", path("callers1")]).stdout)
equal([(c["before"], c["now"], c["is_new"]) for c in got["metrics"][0]["culprits"]], [(20, 25, False)], "baselines that have no more than five frames are compared")

# --- which function ---
lambdas = ("#include <cstdlib>\n#include <string>\n#include <vector>\ntemplate<class F> __attribute__((noinline)) void run(F f, int n) { for (int i = 0; i < n; i++) f(i); }\n"
           "static void *volatile keep;\nint main() {\n%s"
           "    run([](int) { keep = malloc(8); }, 1000);\n    run([](int i) { std::vector<std::string> v(3, std::string(40 + i %% 3, 'x')); keep = v.data(); }, 50);\n    return 0;\n}\n")
got = compare("lambdas", {"l.cpp": lambdas % ""}, {"l.cpp": lambdas % "    run([](int) { keep = malloc(3); }, 1);\n"}, compiler="g++")
equal([culprit[1:] for culprit in got["allocations"]], [["l.cpp:7", 0, 1]], f"a lambda that renumbers the others: {got}")

# Its comparison is far inside of the library's templates, which are made in the program.
sorting = ("#include <algorithm>\n#include <cstdlib>\n#include <vector>\nvoid *volatile keep;\nstatic int key(int of) { keep = malloc(8); return of; }\n"
           "static bool less(int a, int b) { return key(a) < key(b); }\nint main() {\n    std::vector<int> v{3, 1, 2};\n    key(1);\n%s    return v[0] < 0;\n}\n")
compare("sorting", {"s.cpp": sorting % ""}, {"s.cpp": sorting % "    std::sort(v.begin(), v.end(), less);\n"}, compiler="g++")
got = run([MALLOSCOPE, "check", "--baseline", path("sorting.json"), "--metrics", "allocations", "-r", "1", "--", path("sorting1")])
check(re.search(r"from  main  \S*s\.cpp:10\n", got.stdout), f"the program's line that sorts is named: {got.stdout}")
renaming = HEAD + "__attribute__((noinline)) void %s(int n) {\n    for (int i = 0; i < n; i++) keep[0] = malloc(8);\n}\nint main(void) {\n    %s(%d);\n    %s\n    return 0;\n}\n"
old, new = renaming % ("load_all", "load_all", 1000, ""), renaming % ("load_all_items", "load_all_items", 1000, "keep[1] = malloc(1);")
got = compare("renamed", old, new)
equal(got["allocations"], [["main", "renamed.c:9", 0, 1]], "a function of another name is no culprit")
note = "load_all_items is taken to be what load_all was in the baseline, under another name"
got = run([MALLOSCOPE, "check", "--baseline", path("renamed.json"), "-r", "1", "--", path("renamed1")])
equal(got.stdout.count(note), 1, f"it says so: {got.stdout}")
got = run([MALLOSCOPE, "check", "--baseline", path("renamed.json"), "-r", "1", "--json", "--metrics", "sites", "--", path("renamed1")])
culprits = {metric["name"]: [(c["before"], c["now"], c["is_new"]) for c in metric["culprits"]] for metric in json.loads(got.stdout)["metrics"]}
equal((culprits["sites.load_all_items.allocations"], culprits["sites.main.allocations"]), ([(0, 1000, True)], [(0, 1, True)]), "of one function alone it is new")
got = run([MALLOSCOPE, "check", "--baseline", path("renamed.json"), "-r", "1", "--metrics", "sites", "--", path("renamed1")])
check("load_all_items may be what load_all was in the baseline, under another name, and is compared as another function" in got.stdout and
      "--update" in got.stdout and note not in got.stdout, f"and nothing else is said: {got.stdout}")
names = "first", "second", "third"


def several(names, more):
    return HEAD + "".join(f"__attribute__((noinline)) void {name}(void) {{ keep[0] = malloc(8); }}\n" for name in names) + \
        "int main(void) {\n" + "".join(f"    {name}();\n" for name in names) + f"    {more}\n    return 0;\n}}\n"


got = compare("several", several(names, ""), several([f"v_{name}" for name in reversed(names)], "keep[1] = malloc(1);"))
equal(got["allocations"], [["main", "several.c:11", 0, 1]], "several functions of other names")
got = run([MALLOSCOPE, "check", "--baseline", path("several.json"), "-r", "1", "--", path("several1")])
check(all(f"v_{name} is taken to be what {name} was" in got.stdout for name in names), f"each is the one most like it: {got.stdout}")
deeper = HEAD + ("__attribute__((noinline)) int %s(int depth) {\n    int got = 0;\n    if (depth) got = %s(depth - 1);\n"
                 "    else for (int i = 0; i < COUNT; i++) keep[0] = malloc(8);\n    return got + 1;\n}\n")
direct = deeper % ("rec", "rec") + "int main(void) {\n    return rec(DEPTH) == 0;\n}\n"
mutual = "int one(int);\n" + deeper % ("two", "one") + deeper[len(HEAD):] % ("one", "two") + "int main(void) {\n    return two(DEPTH) == 0;\n}\n"
for name, text, depths in ("deeper", direct, (3, 7)), ("flatter", direct, (7, 2)), ("once", direct, (0, 4)), ("both", mutual, (2, 6)):
    got = compare(name, *(text.replace("DEPTH", str(depth)).replace("COUNT", str(count)) for depth, count in zip(depths, (10, 11))))
    equal([[culprit[0], *culprit[2:]] for culprit in got["allocations"]], [["two" if name == "both" else "rec", 10, 11]], f"a recursion of another depth: {name}")
got = compare("more", old, renaming % ("load_all_items", "load_all_items", 1007, ""))
equal(got["allocations"], [["load_all_items", "more.c:5", 1000, 1007]], "a function of another name that allocates more")
layers = [HEAD, "__attribute__((noinline)) void leaf(int n) {\n    for (int i = 0; i < n; i++) keep[0] = malloc(8);\n}\n"]
chain = lambda *names: "".join(f"__attribute__((noinline)) void {name}(int n) {{ {callee}(n); keep[1] = 0; }}\n" for callee, name in zip(("leaf", *names), names))
end = "int main(void) {{\n    {}({});\n    return 0;\n}}\n"
for name, before, now in (("wrapped", ("next", "parse"), ("next", "parse", "run")), ("unwrapped", ("next", "middle", "parse"), ("next", "parse")),
                          ("cut", ("a", "b", "c", "d", "e"), ("a", "b", "x", "c", "d", "e")), ("innermost", ("a",), ("x", "a"))):
    got = compare(name, *("".join(layers) + chain(*names) + end.format(names[-1], count) for names, count in ((before, 100), (now, 101))))
    equal(got["allocations"], [["leaf", f"{name}.c:5", 100, 101]], f"a caller that comes or goes: {name}")
got = compare("other", "".join(layers) + chain("next", "parse") + end.format("parse", 10), "".join(layers) + chain("next", "parse", "run") + end.format("run", 30))
equal(got["allocations"], [["leaf", "other.c:5", 0, 30]], "with far more it is another site")
got = compare("replaced", renaming % ("first", "first", 1, "first(1);"), renaming % ("other", "other", 30, ""))
equal(got["allocations"], [["other", "replaced.c:5", 0, 30]], "another function that allocates far more is another one")

sys.exit(done())
