"""`check` names the line: small programs in two versions, where of several lines, files or functions only one is to blame."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *
import jsonschema

os.environ["XDG_CACHE_HOME"] = path("cache")
with open(os.path.join(SOURCE, "docs/baseline.schema.json")) as file:
    schema = jsonschema.Draft202012Validator(json.load(file))
with open(os.path.join(SOURCE, "docs/check.schema.json")) as file:
    verdict_schema = jsonschema.Draft202012Validator(json.load(file))


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
            {"allocations": (3, 4), "bytes": (6, 22), "peak": (6, 22), "leaked": (6, 22), "leaked_blocks": (3, 4)}.items()}, "a line that is inserted")
got = compare("removed", HEAD + three.format("    keep[3] = strdup(\"fifteen letters\");\n"), HEAD + three.format(""), code=4)
equal(got["bytes"], [["main", "removed.c:5", 22, 6]], "a line that is no longer there is the baseline's, not another one")
got = run([MALLOSCOPE, "check", "--baseline", path("removed.json"), "--metrics", "bytes", "--json", "--github", "-r", "1", "--", path("removed1")])
check(json.loads(got.stdout)["metrics"][0]["culprits"][0]["is_line_gone"] and "file=" not in got.stderr, f"and no annotation is there: {got.stderr}")
got = run([MALLOSCOPE, "check", "--baseline", path("removed.json"), "--metrics", "bytes", "-r", "1", "--", path("removed1")])
check("-16 bytes (22 -> 6, a line that is gone)  main  removed.c:5\n" in got.stdout, f"it says so: {got.stdout}")
got = compare("above", HEAD + three.format(""), HEAD + "\n" * 40 + three.format("").replace("\"b\"", "\"bbb\""))
equal(got["bytes"], [["main", "above.c:46", 6, 8]], "lines that have moved, and one that has more")
swapped = ["    for (int i = 0; i < 10; i++) keep[0] = malloc(16);\n", "    for (int i = 0; i < 20; i++) keep[1] = malloc(8);\n"]
for number, (lines, at) in enumerate([(["%s", *reversed(swapped)], 5), ([swapped[1], "%s", swapped[0]], 6), ([*reversed(swapped), "%s"], 7)]):
    got = compare(f"swapped{number}", HEAD + "int main(void) {\n" + "".join(swapped) + "    return 0;\n}\n",
                  HEAD + "int main(void) {\n" + "".join(lines) % "    keep[2] = malloc(16);\n" + "    return 0;\n}\n")
    equal(got["allocations"], [["main", f"swapped{number}.c:{at}", 30, 31]], "a line between two that have changed places")
sizes = "int main(void) {{\n    keep[0] = malloc(1000);\n    keep[1] = malloc({});\n    return 0;\n}}\n"
got = compare("grown", HEAD + sizes.format(10), HEAD + sizes.format(500))
equal(got, {metric: [["main", "grown.c:6", 1010, 1500]] for metric in ("bytes", "peak", "leaked")}, "as many blocks, of which one has grown")
leaking = "int main(void) {{\n    void *a = malloc(1000);\n    void *b = malloc(500);\n    {}\n    return !a;\n}}\n"
got = compare("leaking", HEAD + leaking.format("free(b);"), HEAD + leaking.format("keep[0] = b;"))
equal({name: got[name] for name in ("leaked", "leaked_blocks")}, {"leaked": [["main", "leaking.c:6", 1000, 1500]], "leaked_blocks": [["main", "leaking.c:6", 1, 2]]}, "a new leak")


def two_files(second):
    """Functions of one name, on one line, in two files."""
    make = HEAD + "static void *make(void) {\n    for (int i = 0; i < %d; i++) keep[i % 9] = malloc(8);\n    return keep[0];\n}\nvoid *(*const make_%s)(void) = make;\n"
    return {"one.c": make.replace("%d", "50").replace("%s", "one").replace("keep[", "keep_one["),
            "two.c": make.replace("%d", str(second)).replace("%s", "two").replace("keep[", "keep_two["),
            "both.c": "extern void *(*const make_one)(void), *(*const make_two)(void);\n"
                      "int main(void) {\n    void *(*both[])(void) = {make_one, make_two};\n    for (int i = 0; i < 2; i++) both[i]();\n    return 0;\n}\n"}


got = compare("files", two_files(5), two_files(40))
equal(got["allocations"], [["make", "two.c:5", 55, 90]], "functions of one name, on one line, in two files")

# --- which function ---
lambdas = ("#include <cstdlib>\n#include <string>\n#include <vector>\ntemplate<class F> __attribute__((noinline)) void run(F f, int n) { for (int i = 0; i < n; i++) f(i); }\n"
           "static void *volatile keep;\nint main() {\n%s"
           "    run([](int) { keep = malloc(8); }, 1000);\n    run([](int i) { std::vector<std::string> v(3, std::string(40 + i %% 3, 'x')); keep = v.data(); }, 50);\n    return 0;\n}\n")
got = compare("lambdas", {"l.cpp": lambdas % ""}, {"l.cpp": lambdas % "    run([](int) { keep = malloc(3); }, 1);\n"}, compiler="g++")
equal([culprit[1:] for culprit in got["allocations"]], [["l.cpp:7", 0, 1]], f"a lambda that renumbers the others: {got}")
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
got = compare("replaced", renaming % ("first", "first", 1, "first(1);"), renaming % ("other", "other", 30, ""))
equal(got["allocations"], [["other", "replaced.c:5", 0, 30]], "another function that allocates far more is another one")

sys.exit(done())
