"""Functions of one name: overloads, and static functions of several files, are told apart wherever functions are added
up, and are no recursion; what recurses still is, and a tree of sources that is elsewhere is the same one."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

FLAGS = ["-O1", "-g", "-fno-builtin", "-fno-optimize-sibling-calls", "-fno-ipa-cp", "-fno-ipa-sra", "-fno-inline"]
OVERLOADS = """#include <cstdlib>
void *volatile kept;
struct buffer { void add(int n); void add(const char *n); void add(double n); void again(int n); };
void buffer::add(int n) { for (int i = 0; i < n; i++) kept = malloc(64); kept = 0; }
void buffer::add(const char *n) { add(atoi(n)); kept = 0; }
void buffer::add(double n) { add("7"); kept = 0; }
void buffer::again(int n) { if (n) again(n - 1); else for (int i = 0; i < 3; i++) kept = malloc(80); kept = 0; }
void fill(int n) { for (int i = 0; i < n; i++) kept = malloc(100); }
void fill(double n) { for (int i = 0; i < n; i++) kept = malloc(100); }
namespace { void once() { kept = malloc(10); } }
int main(int, char **values)
{
    buffer b;
    b.add(5);
    b.add(2.0);
    b.again(4);
    fill(atoi(values[1]));
    fill((double)atoi(values[2]));
    once();
}
"""
STATIC = "#include <stdlib.h>\nextern void *volatile kept;\nstatic void init(int n) { for (int i = 0; i < n; i++) kept = malloc(100); }\n%s"
MAIN = """#include <stdlib.h>
void *volatile kept;
void a_init(int), b_init(int);
static void twice(int n, int m)
{
    for (int i = 0; i < n; i++)
        kept = malloc(10);
    for (int i = 0; i < m; i++)
        kept = malloc(20);
}
int main(int count, char **values) { a_init(atoi(values[1])); b_init(atoi(values[2])); twice(3, 4); return 0; }
"""


def write(name, text):
    os.makedirs(os.path.dirname(path(name)), exist_ok=True)
    with open(path(name), "w") as file:
        file.write(text)


def build(compiler, output, *sources, flags=FLAGS):
    got = run([compiler, *flags, "-o", path(output), *map(path, sources)])
    equal(got.returncode, 0, f"building {output}: {got.stderr}")


def make(command, *values):
    log = path(f"{command}-{'-'.join(map(str, values))}.mscope".replace("/", "-"))
    got = record([path(command), *map(str, values)], log)
    equal(got.returncode, 0, f"recording {command} {values}: {got.stderr}")
    return log


def ask(command, *arguments):
    got = run([MALLOSCOPE, command, *arguments], env={"COLUMNS": "200", "LC_ALL": "C"})
    equal(got.returncode, 0, f"{command} {arguments}: {got.stderr}")
    return got.stdout


def of(rows, name):
    """Signatures of that function's rows → allocations before, and after."""
    found = {}
    for row in rows:
        frame = row["frames"][0]
        if frame["function"] == name:
            check(frame["signature"] not in found, f"{frame['signature']} twice")
            found[frame["signature"]] = (row["before"]["allocations"], row["after"]["allocations"])
    return found


def diff(*arguments):
    return json.loads(ask("diff", "--json", *arguments))


write("new/overloads.cpp", OVERLOADS)
build("g++", "overloads", "new/overloads.cpp")
for tree in "here", "there":
    for file, function in ("a/x.c", "a_init"), ("b/x.c", "b_init"):
        write(f"{tree}/{file}", STATIC % f"void {function}(int n) {{ init(n); kept = 0; }}\n")
    write(f"{tree}/src/main.c", MAIN)
    os.makedirs(path(f"{tree}/bin"))
    build("gcc", f"{tree}/bin/statics", *(f"{tree}/{file}" for file in ("a/x.c", "b/x.c", "src/main.c")))
os.makedirs(path("bare"))
build("gcc", "bare/statics", *(f"here/{file}" for file in ("a/x.c", "b/x.c", "src/main.c")), flags=[flag for flag in FLAGS if flag != "-g"])

# --- overloads: what one allocates less the other allocates more ---
one, two = make("overloads", 1000, 10), make("overloads", 10, 1000)
WANTED = {"fill(int)": (1000, 10), "fill(double)": (10, 1000)}
for options in [], ["--sites"], ["--by", "line"]:
    equal(of(diff(*options, one, two)["rows"], "fill"), WANTED, f"overloads, diff {options}")
text = ask("diff", one, two)
check("overloads fill(int)  new/overloads.cpp:8" in text and "overloads fill(double)  new/overloads.cpp:9" in text, f"diff tells them: {text}")
check("overloads main  new" in text, f"what has no namesake has no parameters: {text}")
tree = json.loads(ask("tree", "--json", one))["nodes"]
equal({n["signature"]: (n["name"], n["total"]["allocations"]) for n in tree if n.get("function") == "fill"},
      {"fill(int)": ("fill(int)", 1000), "fill(double)": ("fill(double)", 10)}, "overloads in the tree")
ask("flame", one, "-o", path("f.folded"))
with open(path("f.folded")) as file:
    folded = file.read()
check(re.search(r";main;fill\(int\) 1000$", folded, re.M) and re.search(r";main;fill\(double\) 10$", folded, re.M), f"in folded stacks: {folded}")
merged = json.loads(ask("merge", "--json", one, two))["rows"]
equal({row["frames"][0]["signature"]: row["costs"]["allocations"] for row in merged if row["frames"][0]["function"] == "fill"},
      {"fill(int)": 1010, "fill(double)": 1010}, "merged")

# --- calls from one overload to another are no recursion, and have their lines ---
text = ask("report", "--sort", "allocations", one)
add = re.search(r" +buffer::add.*\n( +< .*\n)*", text)
check(add and add.group().strip().startswith("buffer::add(int)"), f"the site, as it is called by its overload: {text}")
equal(re.findall(r"overloads\.cpp:(\d+)", add.group()), ["4", "5", "6", "15"], f"every caller has its line: {text}")
check("recursive" not in add.group(), f"no recursion: {text}")
check(re.search(r"buffer::again .*recursive x5", text), f"recursion: {text}")

# --- one part of a function inlined, the other left as a function: both have their line ---
write("parts/x.c", """#include <stdlib.h>
void *volatile kept;
static void work(void) { kept = malloc(10); kept = 0; }
void (*volatile rest)(void) = work;
""")
write("parts/main.c", f"""extern void (*volatile rest)(void);
extern void *volatile kept;
#line 30 "{path('parts/x.c')}"
static inline __attribute__((always_inline)) void work(void) {{ rest(); kept = 0; }}
int main(void) {{ work(); return 0; }}
""")
build("gcc", "split", "parts/x.c", "parts/main.c")
text = ask("report", make("split"))
check(re.search(r"work  parts/x.c:3\n +< work  parts/x.c:30 \(inlined\)\n +< main  parts/x.c:31\n", text), f"a function in two parts: {text}")

# --- static functions of two files ---
one, two = make("here/bin/statics", 100, 2000), make("here/bin/statics", 2000, 100)
for options in [], ["--sites"]:
    rows = diff(*options, one, two)["rows"]
    equal(sorted((row["frames"][0]["file"].split("/")[-2], row["before"]["allocations"], row["after"]["allocations"]) for row in rows),
          [("a", 100, 2000), ("b", 2000, 100)], f"statics, diff {options}")
    check(all(row["frames"][0]["file"] == path(f"here/{row['frames'][0]['file'].split('/')[-2]}/x.c") for row in rows), "whole paths")
tree = json.loads(ask("tree", "--json", one))["nodes"]
equal({n["file"]: n["total"]["allocations"] for n in tree if n.get("function") == "init"},
      {path("here/a/x.c"): 100, path("here/b/x.c"): 2000}, "statics in the tree")
text = ask("merge", one)
check(re.search(r"init  b/x\.c:3\n( +from .*\n)+ +2,000 allocations", text) and re.search(r"init  a/x\.c:3\n( +from .*\n)+ +100 allocations", text), f"merged: {text}")
inverted = ask("tree", "--inverted", one)
check(re.search(r"2,000 .* init  b/x\.c:3", inverted) and re.search(r" 100 .* init  a/x\.c:3", inverted), f"call sites first: {inverted}")
ask("flame", "--inverted", one, "-o", path("f.folded"))
with open(path("f.folded")) as file:
    folded = file.read()
check("init (b/x.c);" in folded and "init (a/x.c);" in folded, f"in folded stacks: {folded}")
# Only one in each log: they are two, all the same.
alone = diff(make("here/bin/statics", 1000, 0), make("here/bin/statics", 0, 1000))
equal(alone["counts"], {"changed": 0, "only_before": 1, "only_after": 1, "unchanged": 1}, "one file's before, the other's after")

# --- the tree elsewhere, and one without debug information ---
moved = make("there/bin/statics", 100, 2000)
d = diff("--unchanged", one, moved)
equal((d["counts"]["changed"], d["counts"]["only_before"], d["counts"]["only_after"]), (0, 0, 0), f"the sources were elsewhere: {d['counts']}")
for directory in "v1", "v2": # the sources are at the tree's root
    write(f"{directory}/main.c", MAIN.replace("int main", "static void init(void) { kept = malloc(9); }\nint main").replace("{ a_init", "{ init(); a_init"))
    for file, function in ("x.c", "a_init"), ("sub/x.c", "b_init"):
        write(f"{directory}/{file}", STATIC % f"void {function}(int n) {{ init(n); kept = 0; }}\n")
    build("gcc", f"{directory}/rooted", *(f"{directory}/{file}" for file in ("x.c", "sub/x.c", "main.c")))
d = diff("--sites", make("v1/rooted", 100, 2000), make("v2/rooted", 2000, 100))
equal(sorted((row["frames"][0]["file"], row["before"]["allocations"], row["after"]["allocations"]) for row in d["rows"]),
      [(path("v2/sub/x.c"), 2000, 100), (path("v2/x.c"), 100, 2000)], "another directory altogether")
equal(d["counts"], {"changed": 2, "only_before": 0, "only_after": 0, "unchanged": 2}, "and nothing else has changed")
d = diff("--by", "line", make("v1/rooted", 0, 5), make("v2/rooted", 7, 5))
equal({row["change"]: row["frames"][0]["file"] for row in d["rows"]}, {"only_after": path("v2/x.c")}, "what is new is in the new tree")
d = diff(make("v1/rooted", 7, 5), make("v2/rooted", 0, 5))
equal({row["change"]: [frame["file"] for frame in row["frames"]][:3] for row in d["rows"]},
      {"only_before": [path("v1/x.c"), path("v1/x.c"), path("v1/main.c")]}, "what is gone was in the old one")
check("rooted main  v1/main.c" in ask("diff", make("v1/rooted", 7, 5), make("v2/rooted", 0, 5)), "in text, too")
bare = make("bare/statics", 100, 2000)
for old, new in (bare, one), (one, bare):
    d = diff("--sites", "--unchanged", old, new)
    init = [row for row in d["rows"] if row["frames"][0]["function"] == "init"]
    check(init and all(row["change"] != "only_before" for row in init[:1]), f"what has no file goes by its name: {init}")
    equal([row["change"] for row in d["rows"] if row["frames"][0]["function"] == "twice"], ["unchanged"], "what has no namesake")

# --- overloads on one line: each is a site, a place and a row, with its parameters ---
write("new/line.cpp", """#include <cstdlib>
void *volatile kept;
struct Buf { __attribute__((noinline)) Buf(int n) { for (; n > 0; n--) kept = malloc(64); kept = 0; } __attribute__((noinline)) Buf(const char *s) { for (int n = atoi(s); n > 0; n--) kept = malloc(64); kept = 0; } };
static void alone(int n) { kept = malloc(n); kept = 0; }
int main(int, char **values) { Buf a(atoi(values[1])); Buf b(values[2]); alone(3); kept = 0; }
""")
build("g++", "line", "new/line.cpp")
log = make("line", 10, 20)
WANTED = {"Buf::Buf(int)": 10, "Buf::Buf(char const*)": 20}
report = json.loads(ask("report", "--json", log))
sites = [site for site in report["top_sites"]["by_allocations"] if site["function"] == "Buf::Buf"]
equal({site["signature"]: site["allocations"] for site in sites}, WANTED, "sites of the report")
text = ask("report", "--sort", "allocations", log)
equal(re.findall(r"Buf::Buf.*?(?=  )|alone.*?(?=  )", text), ["Buf::Buf(char const*)", "Buf::Buf(int)", "alone"], f"in text: {text}")
for options in [], ["--stacks"]:
    rows = [line.split("\t") for line in ask("sites", "--tsv", *options, log).splitlines()]
    column = {name: i for i, name in enumerate(rows[0])}
    equal({row[column["function"]]: int(row[column["allocations"]]) for row in rows[1:]}, {**WANTED, "alone": 1}, f"sites {options}")
    equal({row[column["stack"]].split(";")[-1] for row in rows[1:]}, {*WANTED, "alone"}, f"their stacks {options}")
    sites = json.loads(ask("sites", "--json", *options, log))["sites"]
    equal({site["signature"]: site["allocations"] for site in sites}, {**WANTED, "alone(int)": 1}, f"sites {options} in JSON")
text = ask("leaks", log)
equal(re.findall(r"Buf::Buf.*?(?=  )|alone.*?(?=  )", text), ["Buf::Buf(char const*)", "Buf::Buf(int)", "alone"], f"leaks: {text}")

# --- static functions without debug information: the symbol table has their files, and their order ---
BARE = "#include <cstdlib>\nextern void *volatile kept;\nstatic void init(int n) { for (int i = 0; i < n; i++) kept = malloc(100); kept = 0; }\n%s"
for language, compiler, files, debug in (("c", "gcc", ("x.c", "y.c"), []), ("c", "gcc", ("one/x.c", "two/x.c"), []), ("cpp", "g++", ("x.cpp", "y.cpp"), []),
                                         ("cpp", "g++", ("one/x.cpp", "two/x.cpp"), []), ("cpp", "g++", ("x.cpp", "y.cpp"), ["-g"]),
                                         ("cpp", "clang++", ("one/x.cpp", "two/x.cpp"), ["-g"])):
    where = "-".join(["bare", *files, *debug]).replace("/", "-")
    for file, function in zip(files, ("a_init", "b_init")):
        declared = f"void {function}(int n);\n" if language == "cpp" else ""
        write(f"{where}/{file}", (BARE if language == "cpp" else BARE.replace("cstdlib", "stdlib.h")) % f"{declared}void {function}(int n) {{ init(n); kept = 0; }}\n")
    write(f"{where}/main.{language}", MAIN)
    build(compiler, f"{where}/statics", *(f"{where}/{file}" for file in (*files, f"main.{language}")), flags=["-O1", "-fno-builtin", "-fno-inline", "-fno-optimize-sibling-calls", *debug])
    first, swapped = make(f"{where}/statics", 100, 2000), make(f"{where}/statics", 2000, 100)
    for options in [], ["--sites"]:
        rows = [row for row in diff(*options, first, swapped)["rows"] if row["frames"][0]["function"] == "init"]
        equal(sorted((row["before"]["allocations"], row["after"]["allocations"]) for row in rows), [(100, 2000), (2000, 100)], f"{where}, diff {options}")
    nodes = [n for n in json.loads(ask("tree", "--json", first))["nodes"] if n.get("function") == "init"]
    equal(sorted((os.path.basename(n["file"]), n["total"]["allocations"]) for n in nodes),
          sorted(zip(map(os.path.basename, files), (100, 2000))), f"{where}: in the tree")
    equal(len({n["name"] for n in nodes} | {n["file"] for n in nodes}) > 1, True, f"{where}: they can be told: {nodes}")
    twice = [n for n in json.loads(ask("tree", "--json", first))["nodes"] if n.get("function") == "twice"]
    equal([bool(n["file"]) for n in twice], [bool(debug)], f"{where}: who has no namesake has no file")
# A part of a global function is not another one's.
write("part/x.c", """#include <stdlib.h>
void *volatile kept;
__attribute__((noinline, cold)) static void rare(void) { kept = malloc(10); }
void work(int n) { kept = malloc(10); if (__builtin_expect(n > 3, 0)) { rare(); kept = malloc(20); abort(); } kept = 0; }
int main(int count, char **values) { work(count); kept = 0; return 0; }
""")
write("part/y.c", "static void work(int *n) { (*n)++; }\nvoid (*volatile other)(int *) = work;\n")
build("gcc", "part/parts", "part/x.c", "part/y.c", flags=["-O2", "-fno-inline"])
nodes = json.loads(ask("tree", "--json", make("part/parts")))["nodes"]
equal([n["file"] for n in nodes if n.get("function") == "work"], [None], "a global function has no file, whoever has its name")

# --- what is inlined and has no linkage name: lambdas; with lines only everything ---
INLINED = """#include <cstdlib>
#define INLINE inline __attribute__((always_inline))
void *volatile kept;
template <class F> static INLINE void repeat(int n, F f) { for (int i = 0; i < n; i++) f(); }
struct P {
    INLINE void put(int n) { for (int i = 0; i < n; i++) kept = malloc(10); }
    INLINE void put(double d) { for (int i = 0; i < d; i++) kept = malloc(10); }
};
namespace A { static INLINE void go(int n) { for (int i = 0; i < n; i++) kept = malloc(10); } }
namespace B { static INLINE void go(int n) { for (int i = 0; i < n; i++) kept = malloc(10); } }
static INLINE void fill(int n) { repeat(n, [] { kept = malloc(30); }); }
static INLINE void fill(double n) { repeat(n, [] { kept = malloc(30); }); }
int main(int, char **values)
{
    int a = atoi(values[1]), b = atoi(values[2]);
    repeat(a, [] { kept = malloc(100); });
    repeat(b, [] { kept = malloc(100); });
    auto one = [](int n, const P &) { for (int i = 0; i < n; i++) kept = malloc(50); kept = 0; };
    auto two = [](int n, const P &) { for (int i = 0; i < n; i++) kept = malloc(50); kept = 0; };
    P p;
    p.put(a); p.put((double)b);
    A::go(a); B::go(b);
    fill(a); fill((double)b);
    one(a, p); two(b, p);
}
"""
write("was/inlined.cpp", INLINED)
write("is/inlined.cpp", INLINED.replace("template", "/* moved */\n\n\n\ntemplate").replace("    repeat(b", "\n\n    repeat(b"))
for name, compiler, flags in (("g++-g", "g++", ["-g", "-O1"]), ("g++-g1", "g++", ["-g1", "-O1"]), ("clang++-g", "clang++", ["-g", "-O1"]),
                              ("clang++-lines", "clang++", ["-gline-tables-only", "-O1"])):
    for version in "was", "is":
        os.makedirs(path(f"{version}/{name}"))
        build(compiler, f"{version}/{name}/inlined", f"{version}/inlined.cpp", flags=flags)
    first, swapped, moved = make(f"was/{name}/inlined", 10, 20), make(f"was/{name}/inlined", 20, 10), make(f"is/{name}/inlined", 10, 20)
    rows = diff(first, swapped)["rows"]
    equal(sorted((row["before"]["allocations"], row["after"]["allocations"]) for row in rows), [(10, 20)] * 5 + [(20, 10)] * 5, f"{name}: all have changed")
    d = diff("--unchanged", first, moved)
    equal((d["counts"]["changed"], d["counts"]["only_before"], d["counts"]["only_after"]), (0, 0, 0), f"{name}: moved lines change nothing: {d['counts']}")
    if name == "g++-g":
        functions = {frame["function"] for row in rows for frame in row["frames"]}
        check({"main::{lambda()#1}::operator()", "main::{lambda()#2}::operator()", "main::{lambda(int, P const&)#3}::operator()",
               "fill(int)::{lambda()#1}::operator()", "fill(double)::{lambda()#1}::operator()", "repeat<main::{lambda()#2}>",
               "repeat<fill(int)::{lambda()#1}>"} <= functions, f"lambdas' names: {functions}")
        build(compiler, f"was/{name}/plain", "was/inlined.cpp", flags=["-g", "-O0"])
        plain = {frame["function"] for row in diff("--unchanged", *[make(f"was/{name}/plain", 10, 20)] * 2)["rows"] for frame in row["frames"]}
        equal({function for function in functions if "{lambda" in function}, {function for function in plain if "{lambda" in function},
              "the same names where nothing is inlined")
    tree = json.loads(ask("tree", "--json", first))["nodes"]
    equal([n["total"]["allocations"] for n in tree if n.get("function") == ("B::go" if name.endswith("-g") else "go")],
          [20] if name.endswith("-g") else [20, 10], f"{name}: in the tree")

# Of those on one line the number tells which, in all commands.
write("one-line.cpp", """#include <cstdlib>
void *volatile kept;
namespace A { static inline void go(int n) { for (int i = 0; i < n; i++) kept = malloc(10); } } namespace B { static inline void go(int n) { for (int i = 0; i < n; i++) kept = malloc(20); } }
int main() { A::go(10); B::go(20); kept = 0; }
""")
for name, compiler, flags in ("g++-g1", "g++", ["-g1", "-O2"]), ("clang++-lines", "clang++", ["-gline-tables-only", "-O2"]):
    build(compiler, f"one-line-{name}", "one-line.cpp", flags=flags)
    log = make(f"one-line-{name}")
    nodes = {n["total"]["allocations"]: n["signature"] for n in json.loads(ask("tree", "--json", log))["nodes"] if n.get("function") == "go"}
    equal(set(nodes), {10, 20}, f"{name}, on one line: in the tree: {nodes}")
    sites = {site["allocations"]: site for site in json.loads(ask("sites", "--json", log))["sites"] if site["function"] == "go"}
    equal({count: (site["signature"], site["bytes"]) for count, site in sites.items()}, {10: (nodes[10], 100), 20: (nodes[20], 400)}, f"{name}, on one line: sites")
    equal(re.findall(r"\d+ allocations \(.*\n +(go\S*)", ask("report", "--sort", "allocations", log)), [nodes[20], nodes[10]], f"{name}, on one line: report")

# Those of static functions, and of none, in two files.
for file, function in ("x.cpp", "a_init"), ("y.cpp", "b_init"):
    write(f"lambdas/{file}", """#include <cstdlib>
extern void *volatile kept;
template <class F> static inline __attribute__((always_inline)) void repeat(int n, F f) { for (int i = 0; i < n; i++) f(); }
static inline __attribute__((always_inline)) void init(int n) { repeat(n, [] { kept = malloc(30); }); }
static auto fill = [](int n) { for (int i = 0; i < n; i++) kept = malloc(40); };
void %s(int n) { init(n); fill(n); kept = 0; }
""" % function)
write("lambdas/main.cpp", MAIN)
build("g++", "lambdas/two", *(f"lambdas/{file}" for file in ("x.cpp", "y.cpp", "main.cpp")), flags=["-g", "-O1"])
rows = diff("--sites", make("lambdas/two", 10, 20), make("lambdas/two", 20, 10))["rows"]
equal(sorted((os.path.basename(row["frames"][0]["file"]), row["before"]["allocations"], row["after"]["allocations"]) for row in rows),
      [("x.cpp", 10, 20)] * 2 + [("y.cpp", 20, 10)] * 2, "lambdas of two files")

# --- one name, inlined or not, from gcc or clang; and one that users may spell in either way ---
SPELLED = """#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <vector>
void *volatile kept;
#ifdef INLINED
#define ONE __attribute__((always_inline)) inline
#define LAMBDA __attribute__((always_inline))
#else
#define ONE __attribute__((noinline))
#define LAMBDA __attribute__((noinline))
#endif
#define ASK { for (int i = 0; i < 3; i++) { kept = malloc(16); free(kept); } kept = 0; }
typedef std::function<void (int)> call;
enum plain { none, some };
namespace ns { enum class kind : unsigned char { none, some }; struct S { int m; void f(); }; void S::f() {} int object; }
namespace { ONE void hidden(int) ASK struct Hidden { ONE void put() ASK typedef void (*pointer)(int); ONE operator pointer() { ASK return 0; } }; }
template <unsigned long N> ONE static void size() ASK
template <long N, long long M> ONE static void sizes() ASK
template <short N, unsigned char C> ONE static void small() ASK
template <bool B, char C> ONE static void letter() ASK
template <plain P, ns::kind K> ONE static void kinds() ASK
template <int *P, void *V> ONE static void pointer() ASK
template <int ns::S::*P, void (ns::S::*F)()> ONE static void member() ASK
template <void (*F)(int)> ONE static void function() ASK
template <template <class...> class C> ONE static void container() ASK
template <class... T> ONE static void pack(T...) ASK
template <class T, int N = 5> ONE static void with(T) ASK
template <class T> ONE static void of() ASK
template <class F> ONE static void calls(F f) { ASK f(1); }
typedef struct { ONE void put() ASK } named;
struct P { template <class T> ONE P &operator<<(T) { ASK return *this; } ONE P &operator()(call) { ASK return *this; } };
ONE static int alone(int n, const char *) { ASK return n; }
int main()
{
    size<16>(); sizes<-5, 6>(); small<-4, 200>(); letter<true, 'c'>(); letter<false, '>'>(); letter<false, '\\n'>(); kinds<some, ns::kind::some>();
    pointer<&ns::object, nullptr>(); member<&ns::S::m, &ns::S::f>(); function<hidden>(); container<std::vector>();
    pack(1, 'c', 2.0, 3UL, (short)1); with(1L); with((unsigned short)1); with(std::vector<call>()); with(std::map<int, std::vector<std::string>>());
    with((int (*)[3])0); with((void (*)(int, long))0); with((int (ns::S::*)(int) const)0); with((const char *const *)0);
    of<const int &>(); of<int[3]>(); of<int (long)>(); of<const volatile int>(); of<int (&&)[2]>(); of<decltype(nullptr)>(); of<Hidden>();
    hidden(1); Hidden h; h.put(); Hidden::pointer p = h; named n; n.put(); P() << 1; P() << "x"; P()(call()); alone(1, "");
    auto one = [](int) LAMBDA ASK; auto two = [&](call) LAMBDA ASK; auto three = [](auto, int) LAMBDA ASK;
    one(1); two(call()); three(1L, 2); calls(one);
    struct { ONE void put() ASK } unnamed; unnamed.put();
    struct Local { ONE void put() ASK } local; local.put();
}
"""
write("spelled.cpp", SPELLED)
spelled = {}
for compiler in "g++", "clang++":
    for name, flags in ("inlined", ["-DINLINED"]), ("called", []):
        build(compiler, f"{compiler}-{name}", "spelled.cpp", flags=["-std=c++20", "-w", "-O1", "-g", *flags])
        spelled[compiler, name] = make(f"{compiler}-{name}")
sites = {key: {site["function"] for site in json.loads(ask("sites", "--json", log))["sites"]} for key, log in spelled.items()}
wanted = sites["g++", "called"]
for name in ("size<16>", "sizes<-5, 6>", "letter<true, 'c'>", "letter<false, 62>", "pointer<&ns::object, 0>", "with<unsigned short, 5>", "of<int(long)>",
             "with<std::vector<std::function<void(int)>, std::allocator<std::function<void(int)>>>, 5>", "function<&(anonymous namespace)::hidden>",
             "main::{unnamed type#1}::put", "calls<main::{lambda(int)#1}>"):
    check(name in wanted, f"{name}: {wanted}")
def numbered(found):
    """Before gcc 13 lambdas of other parameters count, too."""
    return {re.sub(r"(\{lambda\((?:std::function<void\(int\)>|auto)\)#)\d", r"\1N", name) for name in found if name}


for key, found in sites.items():
    equal(found ^ sites[key[0], "called"], set(), f"{key}: other names than where nothing is inlined")
    equal(sorted(numbered(found) ^ numbered(wanted)), [], f"{key}: other names than gcc's")
for before, after in ("inlined", "called"), ("called", "inlined"):
    d = diff("--sites", "--unchanged", spelled["g++", before], spelled["g++", after])
    equal([row["frames"][0]["function"] for row in d["rows"] if row["change"] != "unchanged"], [], f"{before} before, {after} now: nothing has changed")
for given, name in ("size<16ul>", "size<16>"), ("letter<true, (char)99>", "letter<true, 'c'>"), ("of<int \\(long\\)>", "of<int(long)>"):
    equal({site["function"] for site in json.loads(ask("sites", "--json", "--filter", given, spelled["g++", "inlined"]))["sites"]}, {name}, f"--filter {given}")
for given in "size<16ul>", "size<16>":
    for key in spelled:
        command = [MALLOSCOPE, "check", "--within", given, "--max", "allocations=2", "--max", f"sites.{given}.allocations=2", "--", path("-".join(key))]
        got = run(command)
        equal((got.returncode, re.findall(r"(\S+) +3 +2  regression", got.stdout)), (2, ["allocations", "sites.size<16>.allocations"]), f"{command}: {got.stdout}{got.stderr}")
# Conversions: where there are only lines, the types are unknown.
write("converts.cpp", """#include <cstdlib>
#define ONE __attribute__((always_inline))
namespace { struct From { ONE operator int *() const { return (int *)malloc(16); } ONE operator char *() const { return (char *)malloc(32); } }; }
void *volatile kept;
int main() { From from; kept = (int *)from; kept = (char *)from; kept = 0; }
""")
for compiler, flag in ("g++", "-g"), ("g++", "-g1"), ("clang++", "-g"), ("clang++", "-g1"), ("clang++", "-gline-tables-only"):
    build(compiler, "converts", "converts.cpp", flags=["-O1", flag])
    found = [site["function"] for site in json.loads(ask("sites", "--json", make("converts")))["sites"]]
    equal(sorted((name or "").replace(" *", "*").split("::")[-1] for name in found if name), ["operator char*", "operator int*"], f"conversions, {compiler} {flag}")
# Lambdas of several kinds, as gcc numbers them here; as 12 does; and as 13 does.
write("kinds.cpp", """#include <cstdlib>
void *volatile kept;
int main()
{
    auto a = [](int n) KIND { for (; n > 0; n--) kept = malloc(16); kept = 0; };
    auto b = [](long n) KIND { for (; n > 0; n--) kept = malloc(16); kept = 0; };
    auto c = [](int n) KIND { for (; n > 0; n--) kept = malloc(16); kept = 0; };
    a(1); b(2); c(3);
}
""")
for version in "", "12", "13":
    found = []
    for name, kind in ("inlined", "always_inline"), ("called", "noinline"):
        build("g++", f"kinds-{name}.s", "kinds.cpp", flags=["-O1", "-g", "-S", f"-DKIND=__attribute__(({kind}))"])
        with open(path(f"kinds-{name}.s")) as file:
            text = file.read()
        if version:
            text = re.sub(r'"GNU C\+\+(\d+) \d+\.', rf'"GNU C++\1 {version}.', text)
            for long, last in ("UllE0_", "UliE1_"), ("UllE_", "UliE0_"):
                text = text.replace(f"mainENK{long}", "LONG").replace(f"mainENK{last}", "LAST")
            text = text.replace("LONG", "mainENKUllE0_" if version == "12" else "mainENKUllE_").replace("LAST", "mainENKUliE1_" if version == "12" else "mainENKUliE0_")
        with open(path(f"kinds-{name}.s"), "w") as file:
            file.write(text)
        build("g++", f"kinds-{name}", f"kinds-{name}.s", flags=[])
        found.append({site["function"]: site["allocations"] for site in json.loads(ask("sites", "--json", make(f"kinds-{name}")))["sites"]})
    equal(found[0], found[1], f"inlined and called, as gcc {version} numbers them")
    numbers = {"12": (1, 2, 3), "13": (1, 1, 2)}.get(version)
    if numbers:
        equal(found[1], {f"main::{{lambda({kind})#{number}}}::operator()": count
                         for kind, number, count in zip(("int", "long", "int"), numbers, (1, 2, 3))}, f"as gcc {version} numbers them")
# A baseline with the names that gcc's were before.
base = path("spelled.json")
got = run([MALLOSCOPE, "check", "--baseline", base, "--save-baseline", "--", path("g++-called")])
equal(got.returncode, 0, f"a baseline: {got.stderr}")
with open(base) as file:
    text = file.read()
with open(base, "w") as file:
    file.write(text.replace("size<16>", "size<16ul>").replace("of<int(long)>", "of<int (long)>").replace("function<void(int)>>", "function<void (int)> >"))
for key in spelled:
    got = run([MALLOSCOPE, "check", "--baseline", base, "--metrics", "allocations,sites", "--", path("-".join(key))])
    equal(got.returncode, 0, f"{key} against a baseline with other spellings: {got.stdout}{got.stderr}")

# --- overloads that have no linkage name once they are inlined: by their parameters, so that one more renames none ---
INLINED = """#include <cstdlib>
void *volatile kept;
%s
static void *st(int n) { return malloc(n + 100); }
static void *st(long n) { return malloc(n + 200); }
namespace {
void *an(const char *) { return malloc(300); }
void *an() { return malloc(400); }
struct Buf { int n; %s Buf(int n) : n(n) { kept = malloc(n + 500); }
             Buf(const char *) : n(0) { kept = malloc(550); } void grow(int m) const { kept = malloc(n + m + 600); }
             void grow(int m) { kept = malloc(n + m + 700); }
             void operator()(int m) { kept = malloc(n + m + 900); } void operator()(long m) { kept = malloc(n + (int)m + 950); } };
template <class T> struct Box { void put(T) { kept = malloc(1100); } void put(T *) { kept = malloc(1200); } };
struct Odd { void r() & { kept = malloc(1300); } void r() && { kept = malloc(1400); } void v() { kept = malloc(1500); }
             void v() volatile { kept = malloc(1600); } void p(int (*)(int)) { kept = malloc(1700); } void p(unsigned __int128) { kept = malloc(1800); } };
}
int main(int count, char **) { kept = st(count); kept = st((long)count); kept = an(""); kept = an(); Buf b(count), a(""); const Buf c(2); b.grow(1); c.grow(1); b(1); b(1l);
  Box<int> box; box.put(1); box.put(nullptr); Odd o; o.r(); Odd().r(); o.v(); volatile Odd w; w.v(); o.p(nullptr); o.p((unsigned __int128)1); %s }
"""
PLACES = {f"{name}": 1 for name in ("st(int)", "st(long)", "(anonymous namespace)::an(char const*)", "(anonymous namespace)::an()",
                                    "(anonymous namespace)::Buf::grow(int)", "(anonymous namespace)::Buf::grow(int) const",
                                    "(anonymous namespace)::Buf::operator()(int)", "(anonymous namespace)::Buf::operator()(long)",
                                    "(anonymous namespace)::Box<int>::put(int)", "(anonymous namespace)::Box<int>::put(int*)",
                                    "(anonymous namespace)::Odd::r() &", "(anonymous namespace)::Odd::r() &&", "(anonymous namespace)::Odd::v()",
                                    "(anonymous namespace)::Odd::v() volatile", "(anonymous namespace)::Odd::p(int(*)(int))",
                                    "(anonymous namespace)::Odd::p(unsigned __int128)")}
ADDED = {"st(char)": 1, "(anonymous namespace)::Buf::Buf(double)": 1}
for compiler in "g++", "clang++":
    for level in "-O0", "-Og", "-O2":
        logs = []
        for name, more in ("less", ("", "", "")), ("more", ("static void *st(char n) { return malloc(n + 50); }",
                                                           "Buf(double m) : n((int)m) { kept = malloc(800 + n); }", "kept = st('a'); Buf d(2.0);")):
            write("inlined/program.cpp", INLINED % more)
            build(compiler, "inlined/program", "inlined/program.cpp", flags=[level, "-g"])
            logs.append(path(f"inlined/{name}.mscope"))
            equal(record([path("inlined/program")], logs[-1], "--embed-symbols").returncode, 0, f"{compiler} {level}: {name}")
            sites = json.loads(run([MALLOSCOPE, "sites", "--json", logs[-1]]).stdout)["sites"]
            found = {site["signature"]: site["allocations"] for site in sites if site["signature"]}
            wanted = {**PLACES, **(ADDED if name == "more" else {})}
            equal({one: found.get(one) for one in wanted}, wanted, f"{compiler} {level}, {name}: sites: {sorted(found)}")
        changes = json.loads(run([MALLOSCOPE, "diff", "--json", "--sites", *logs]).stdout)
        equal(sorted((row["change"], row["frames"][0]["signature"]) for row in changes["rows"]), sorted(("only_after", one) for one in ADDED),
              f"{compiler} {level}: only what is new")

# The same of templates that are called with lambdas, and of those that have one among their arguments.
LAMBDAS = """#include <cstdlib>
void *volatile kept;
template <class F> void run(F f) { kept = malloc((size_t)f(1)); }
template <class F> void both(F f, int n) { kept = malloc((size_t)f(n)); }
template <class F> void both(F f, long n) { kept = malloc((size_t)f((int)n) + 1000); }
template <class F> struct Hold { F f; void go(int n) { kept = malloc((size_t)f(n)); } void go(long n) { kept = malloc((size_t)f((int)n) + 2000); } };
int main()
{
    run([](int n) { return n + 100; });
    run([](int n) { return n + 200; });
    auto last = [](int n) { return n + 300; };
    both(last, 1);
    both(last, 1l);
    Hold<decltype(last)> hold{last};
    hold.go(1);
    hold.go(1l);
    %s
}
"""
for compiler in "g++", "clang++":
    for level in "-O0", "-O2":
        logs = []
        for name, more in ("less", ""), ("more", "run([](int n) { return n + 400; });"):
            write("lambdas/program.cpp", LAMBDAS % more)
            build(compiler, "lambdas/program", "lambdas/program.cpp", flags=[level, "-g", "-std=c++17"])
            logs.append(path(f"lambdas/{name}.mscope"))
            equal(record([path("lambdas/program")], logs[-1], "--embed-symbols").returncode, 0, f"lambdas, {compiler} {level}: {name}")
        changes = json.loads(run([MALLOSCOPE, "diff", "--json", "--sites", "--unchanged", *logs]).stdout)["rows"]
        equal(sorted((row["change"], row["after"]["allocated"]) for row in changes if row["after"]["allocated"] < 10000),
              [("only_after", 401)] + [("unchanged", size) for size in (101, 201, 301, 301, 1301, 2301)], f"lambdas, {compiler} {level}: one more")

# --- local classes of one name: each in a block of its own ---
LOCAL = """#include <cstdlib>
void *volatile kept;
template <class T> static KIND void each(int n, T t) { for (int i = 0; i < n; i++) t.add(); kept = &t; kept = 0; }
BLANK
static void f(int x, int y)
{
    { struct L { static KIND void q(int n) { for (int i = 0; i < n; i++) kept = malloc(32); kept = 0; } }; L::q(x); kept = 0; }
    { struct L { static KIND void q(int n) { for (int i = 0; i < n; i++) kept = malloc(33); kept = 0; } }; L::q(y); kept = 0; }
    { struct L { KIND L(int n, L *to) { for (int i = 0; i < n; i++) kept = malloc(34); kept = to; } }; L l(x, &l); kept = 0; }
    { struct M { KIND void add() { kept = malloc(35); kept = 0; } }; each(x, M()); kept = 0; }
    { struct M { KIND void add() { kept = malloc(36); kept = 0; } }; each(y, M()); kept = 0; }
    { struct N { static KIND void q(int n) { for (int i = 0; i < n; i++) kept = malloc(40); } }; N::q(x); kept = 0; } { struct N { static KIND void q(int n) { for (int i = 0; i < n; i++) kept = malloc(40); kept = 0; } }; N::q(y); kept = 0; }
}
int main(int, char **values) { f(atoi(values[1]), atoi(values[2])); kept = 0; }
"""
CLASSES = {32: "f(int, int)::L::q", 33: "f(int, int)::L#2::q", 34: "f(int, int)::L#3::L", 35: "f(int, int)::M::add", 36: "f(int, int)::M#2::add"}
write("local.cpp", LOCAL.replace("BLANK", ""))
write("local/local.cpp", LOCAL.replace("BLANK", "\n\n\n"))
for name, compiler, kind, flags in (("called", "g++", "noinline", ["-g", "-O1"]), ("bare", "g++", "noinline", ["-O1"]),
                                    ("inlined", "g++", "always_inline", ["-g", "-O1"]), ("clang-lines", "clang++", "noinline", ["-gline-tables-only", "-O1"]),
                                    ("clang-inlined", "clang++", "always_inline", ["-g", "-O1"])):
    for where in "", "local/":
        build(compiler, f"{where}local-{name}", f"{where}local.cpp", flags=[*flags, f"-DKIND=__attribute__(({kind}))"])
    first, swapped, moved = make(f"local-{name}", 10, 20), make(f"local-{name}", 20, 10), make(f"local/local-{name}", 10, 20)
    rows = diff(first, swapped)["rows"]
    equal(sorted((row["before"]["allocations"], row["after"]["allocations"]) for row in rows), [(10, 20)] * 4 + [(20, 10)] * 3, f"local classes, {name}: all have changed")
    d = diff("--unchanged", first, moved)["counts"]
    equal((d["changed"], d["only_before"], d["only_after"]), (0, 0, 0), f"local classes, {name}: moved lines change nothing: {d}")
    sites = {site["bytes"] // site["allocations"]: site for site in json.loads(ask("sites", "--json", first))["sites"] if site["bytes"] // site["allocations"] < 40}
    equal({size: site["function"] for size, site in sites.items()}, CLASSES, f"local classes, {name}: names")
    one_line = {site["function"]: site["allocations"] for site in json.loads(ask("sites", "--json", first))["sites"] if "::N" in (site["function"] or "")}
    equal(one_line, {"f(int, int)::N::q": 10, "f(int, int)::N#2::q": 20}, f"local classes, {name}: on one line")
    own = {frame["function"] for row in rows for frame in row["frames"]}
    check({"each<f(int, int)::M>", "each<f(int, int)::M#2>"} <= own, f"local classes, {name}: as arguments: {own}")

# --- a sum over several lines claims none ---
for command, log in ("merge", [one, one]), ("diff", ["--sites", "--unchanged", one, one]):
    frame = [row["frames"][0] for row in json.loads(ask(command, "--json", *log))["rows"] if row["frames"][0]["function"] == "twice"]
    equal([(f["file"], f["line"]) for f in frame], [(path("here/src/main.c"), None)], f"{command}: two lines are none")
    lines = re.findall(r"twice.*", ask(command, *log))
    equal(lines, ["twice  src/main.c"], f"{command}: in text")
by_line = [row["frames"][0]["line"] for row in json.loads(ask("merge", "--json", "--by", "line", one))["rows"] if row["frames"][0]["function"] == "twice"]
equal(sorted(by_line), [7, 9], "kept apart by line")

sys.exit(done())
