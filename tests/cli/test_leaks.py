"""What `leaks` says, against what programs say of themselves in their source, and against
LeakSanitizer and valgrind on the same sources."""
import os
import re
import sys
import time
import xml.etree.ElementTree as xml

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *


def planted(source):
    """line → (blocks, bytes, kind), from the LEAK comments."""
    found = {}
    with open(os.path.join(SOURCE, "tests/programs", source)) as file:
        for number, line in enumerate(file, 1):
            words = re.search(r"LEAK (\d+) (\d+) (\w+)", line)
            if words and ";" in line:
                found[number] = int(words[1]), int(words[2]), words[3]
    return found


def add(sums, line, blocks, bytes):
    old = sums.get(line, (0, 0))
    sums[line] = old[0] + blocks, old[1] + bytes


def leaks(log, *options, code=0):
    got = run([MALLOSCOPE, "leaks", "--json", *options, log])
    equal(got.returncode, code, f"leaks {options}: {got.stderr}")
    return json.loads(got.stdout)


def by_line(found, source, name="places"):
    """line → (blocks, bytes), of the innermost frame that is in the source."""
    sums = {}
    for place in found[name]:
        frames = [f for f in place["stack"] if f["file"] and f["file"].endswith("/" + source)]
        add(sums, frames[0]["line"] if frames else None, place["blocks"], place["bytes"])
    return sums


def of_kinds(plants, *kinds):
    return {line: plant[:2] for line, plant in plants.items() if plant[2] in kinds}


def lsan(binary, source, options=""):
    """The same from LeakSanitizer's report, and the report."""
    got = run([binary], env={"LSAN_OPTIONS": "exitcode=23:fast_unwind_on_malloc=0:" + options})
    equal(got.returncode, 23, f"LeakSanitizer: {got.stderr}")
    sums, leak = {}, None
    for line in got.stderr.splitlines():
        head = re.match(r"\w+ leak of (\d+) byte\(s\) in (\d+) object\(s\)", line)
        frame = re.search(re.escape(source) + r":(\d+)", line)
        if head:
            leak = int(head[2]), int(head[1])
        elif frame and leak:
            add(sums, int(frame[1]), *leak)
            leak = None
    return sums, got.stderr


def valgrind(binary, source):
    """kind → line → (blocks, bytes)."""
    report = path("valgrind.xml")
    got = run(["valgrind", "--leak-check=full", "--show-leak-kinds=all", "--num-callers=30", "--xml=yes", f"--xml-file={report}",
               binary], env={"DEBUGINFOD_URLS": ""})
    equal(got.returncode, 0, f"valgrind: {got.stderr[-500:]}")
    kinds = {}
    for error in xml.parse(report).getroot().iter("error"):
        if not error.findtext("kind").startswith("Leak_"):
            continue
        lines = [int(f.findtext("line")) for f in error.iter("frame") if f.findtext("file") == source]
        # "240 (48 direct, 192 indirect) bytes": what is indirect has an error of its own.
        direct = re.search(r"\(([\d,]+) direct", error.findtext("xwhat/text"))
        bytes = int(direct[1].replace(",", "")) if direct else int(error.findtext("xwhat/leakedbytes"))
        if lines:
            add(kinds.setdefault(error.findtext("kind")[5:], {}), lines[0], int(error.findtext("xwhat/leakedblocks")), bytes)
    return kinds


def sum_up(*sums):
    total = {}
    for one in sums:
        for line, (blocks, bytes) in one.items():
            add(total, line, blocks, bytes)
    return total


# --- planted leaks, and what others find of them ---
for source, binary, compiler in (("leaking.c", "leaking", "gcc"), ("leaking.cpp", "leaking_cpp", "g++")):
    plants, log = planted(source), path(binary + ".mscope")
    check(len(plants) >= 4, f"{source} says what it leaks")
    equal(record([program(binary)], log).returncode, 0, f"recording {binary}")
    found = leaks(log)
    equal(by_line(found, source), of_kinds(plants, "lost", "kept", "interior"), f"{source}: every line, blocks and bytes")
    equal(found["leaked"]["bytes"], sum(p[1] for p in plants.values()), f"{source}: the sum")
    equal(found["leaked"]["places"], len(found["places"]), f"{source}: places")
    equal([p["bytes"] for p in found["places"]], sorted((p["bytes"] for p in found["places"]), reverse=True), "the most bytes first")

    # LeakSanitizer finds what nothing points to. To it a pointer into a block's middle is as good as one to its
    # beginning, and a global variable keeps a block: both are in ours, as nobody has freed them.
    checked = path("lsan")
    got = run([compiler, "-g", "-O1", "-fno-builtin", "-fno-optimize-sibling-calls", "-fsanitize=leak", "-pthread",
               os.path.join(SOURCE, "tests/programs", source), "-o", checked])
    equal(got.returncode, 0, f"compiling {source}: {got.stderr}")
    equal(lsan(checked, source)[0], of_kinds(plants, "lost"), f"{source}: LeakSanitizer's")

    # valgrind: lost definitely or indirectly is the same as LeakSanitizer's; an interior pointer makes it "possibly",
    # a global variable "still reachable". All of them together are ours.
    kinds = valgrind(program(binary), source)
    equal(sum_up(kinds.get("DefinitelyLost", {}), kinds.get("IndirectlyLost", {})), of_kinds(plants, "lost"), f"{source}: valgrind's lost")
    equal(kinds.get("PossiblyLost", {}), of_kinds(plants, "interior"), f"{source}: valgrind's possibly lost")
    equal(kinds.get("StillReachable", {}), of_kinds(plants, "kept"), f"{source}: valgrind's reachable")
    equal(sum_up(*kinds.values()), by_line(found, source), f"{source}: all of valgrind's are ours")

log = path("leaking.mscope")
plants = planted("leaking.c")
found = leaks(log)
for place in found["places"]:
    check(0 <= place["first_seconds"] and 0 <= place["age_seconds"] < 60, f"times of {place['bytes']} bytes")
births = {place["bytes"]: place["first_seconds"] for place in found["places"]}
check(births[350] <= births[640] <= births[1000] <= births[231] and births[350] < births[231], f"the order in which they were made: {births}")
allocated = {e.size: e.seconds for e in dump(log) if e.kind == "malloc" and e.size in (33, 1000)}
check(abs(births[1000] - allocated[1000]) < 2e-6, f"the time of its allocation: {births[1000]}, {allocated[1000]}")
first_33 = min(e.seconds for e in dump(log) if e.kind == "malloc" and e.size == 33)
check(abs(births[231] - first_33) < 2e-6, f"of seven, the first one's: {births[231]}, {first_33}")
end = max(e.seconds for e in dump(log))
ages = {place["bytes"]: place["age_seconds"] for place in found["places"]}
check(abs(ages[231] - (end - first_33)) < 0.01, f"the oldest one's age: {ages[231]}, {end - first_33}")

# --- text, TSV, parts ---
text = run([MALLOSCOPE, "leaks", log]).stdout
for wanted in ("Leaked: 2,935 bytes in 25 blocks", "leaking; exit status 0", "keep  programs/leaking.c:", "350 bytes in 5 blocks (11.9 %)",
               "0 lost"):
    check(wanted in text, f"leaks says {wanted!r}: {text}")
check(all(len(line) <= 100 for line in run([MALLOSCOPE, "leaks", log], env={"COLUMNS": "60"}).stdout.splitlines()
          if line.startswith("      ")), "stacks are as wide as the terminal")
text = run([MALLOSCOPE, "leaks", "-n", "1", "--depth", "2", log]).stdout
check(f"... {len(found['places']) - 1} more places (-n)" in text, f"-n 1: {text}")
check("more frames (--depth)" in text and "leak_all" in text and "__libc_start" not in text, f"--depth 2: {text}")
rows = [line.split("\t") for line in run([MALLOSCOPE, "leaks", "--tsv", log]).stdout.splitlines()]
equal(rows[0], ["bytes", "blocks", "not_ended_bytes", "not_ended_blocks", "first_seconds", "age_seconds", "file", "line", "module", "stack", "called",
                "function"], "TSV heading")
equal(sum(int(row[0]) for row in rows[1:]), 2935, "TSV bytes")
check(all(len(row) == 12 for row in rows), "TSV fields")
equal({row[10] for row in rows[1:]}, {place["called"] for place in found["places"]}, "TSV functions")
check(any(row[9].startswith("keep;leak_all;main;") for row in rows), "TSV stacks")


def table(*words):
    got = run([MALLOSCOPE, *words])
    equal(got.returncode, 0, f"{words}: {got.stderr}")
    head, *lines = [line.split("\t") for line in got.stdout.splitlines()]
    return [dict(zip(head, line)) for line in lines]


# The call site is the same as that of `sites`: not operator new, which passes on what others ask for.
for name, source in ("leaking", "leaking.c"), ("leaking_cpp", "leaking.cpp"):
    one = path(name + ".mscope")
    places = table("leaks", "--tsv", "--no-default-suppressions", one)
    places_of_stacks, stacks = {}, {}
    for sums, rows, bytes in (places_of_stacks, places, "bytes"), (stacks, table("sites", "--stacks", one), "leaked_bytes"):
        for row in rows:
            key = tuple(row[column] for column in ("module", "file", "line"))
            sums[key] = sums.get(key, 0) + int(row[bytes])
    equal(places_of_stacks, {key: bytes for key, bytes in stacks.items() if bytes}, f"{source}: bytes by call site, as sites has them")
    for row, place in zip(places, leaks(one, "--no-default-suppressions")["places"]):
        site = place["stack"][place["site"]]
        equal((row["file"], row["line"], row["module"]), (site["file"] or "", str(site["line"] or ""), site["module"]), f"{source}: JSON's")
        check((site["function"] or "") in row["function"] and bool(site["function"]) == bool(row["function"]), f"{source}: {row['function']}")
sums = {}
for row in table("leaks", "--tsv", path("leaking_cpp.mscope")):
    add(sums, int(row["line"]) if row["file"].endswith("/leaking.cpp") else None, int(row["blocks"]), int(row["bytes"]))
equal(sums, {line: plant[:2] for line, plant in planted("leaking.cpp").items()}, "TSV: C++'s lines")
only = leaks(log, "--filter", "in_thr|grow_and")
equal((only["leaked"]["bytes"], only["leaked"]["places"]), (871, 2), "--filter by function")
equal(leaks(log, "--filter", r"leaking\.c$")["leaked"]["bytes"], 2935, "--filter by file")
equal(leaks(log, "--filter", "nowhere")["leaked"], {"places": 0, "blocks": 0, "bytes": 0}, "--filter of nothing")
at = (allocated[1000] + min(e.seconds for e in dump(log) if e.kind == "malloc" and e.size == 300)) / 2
part = leaks(log, "--to", f"{at:.9f}")
check(part["at_seconds"] is not None and part["leaked"]["bytes"] < 2935, f"--to: alive then: {part['leaked']}")
check(all(place["first_seconds"] + place["age_seconds"] <= at + 1e-5 for place in part["places"]), "nothing is older than the moment")
check(run([MALLOSCOPE, "leaks", "--to", f"{at:.9f}", log]).stdout.find("Alive at ") >= 0, "--to says so")

# --- suppressions ---
rules = path("rules")


def suppressed(text, *more):
    with open(rules, "w") as file:
        file.write(text)
    return leaks(log, "--suppressions", rules, *more)


def lines_left(text):
    return set(by_line(suppressed(text), "leaking.c"))


line_of = {function: next(line for line, p in plants.items() if p[:2] == sums) for function, sums in
           {"wrapped": (5, 350), "in_thread": (7, 231), "grow_and_lose": (1, 640), "lose_list": (5, 240)}.items()}
everything = set(plants)
for rule, gone in (("leak:wrapped", {"wrapped"}), ("leak:^wrap", {"wrapped"}), ("leak:rapp", {"wrapped"}), ("leak:^rapp", set()),
                   ("leak:rapped$", {"wrapped"}), ("leak:wrap$", set()), ("leak:^wrapped$", {"wrapped"}), ("leak:wr*ed", {"wrapped"}), ("leak:^*appe*d$", {"wrapped"}),
                   ("leak:^w*p*d$", {"wrapped"}), ("leak:^g*_lose$", {"grow_and_lose"}), ("leak:lose_list", {"lose_list"}),
                   ("leak:^lose_*$", {"lose_list"}), ("leak:nothing_like_it", set()),
                   ("# leak:wrapped\n\n  leak:in_thread  \r\n\t# more\n", {"in_thread"}), ("leak:in_thread\nleak:^wrapped", {"in_thread", "wrapped"})):
    equal(everything - lines_left(rule), {line_of[function] for function in gone}, f"rule {rule!r}")
equal(lines_left("leak:programs/leaking$"), set(), "a module")
equal(lines_left("leak:tests/programs/leaking.c"), set(), "a source file")
equal(lines_left("leak:leak_all"), {line_of["in_thread"]}, "any frame, not only the first")
got = suppressed("leak:lose\nleak:^wrapped$\nleak:unused\n")
counts = {rule["rule"]: (rule["blocks"], rule["bytes"]) for rule in got["rules"] if not rule["built_in"]}
lost = sum_up({1: (3, 300)}, {1: (1, 100)}, {1: (1, 10)}, {1: (5, 240)}, {1: (1, 640)})[1]
equal(counts, {"leak:lose": lost, "leak:^wrapped$": (5, 350)}, "what each rule has suppressed")
equal(got["suppressed"]["bytes"], sum(rule["bytes"] for rule in got["rules"]), "all that was suppressed")

# LeakSanitizer, with the same file: the same is left, and the same counted for each rule.
checked = path("lsan_c")
equal(run(["gcc", "-g", "-O1", "-fno-builtin", "-fno-optimize-sibling-calls", "-fsanitize=leak", "-pthread",
           os.path.join(SOURCE, "tests/programs/leaking.c"), "-o", checked]).returncode, 0, "compiling for LeakSanitizer")
for text in ("leak:lose\nleak:^wrapped$\n", "leak:^gr*lose$\n# no\nleak:lose_l\nleak:unused\n", "leak:leaking.c:\nleak:in_thread$\n"):
    ours = suppressed(text)
    sums, report_text = lsan(checked, "leaking.c", f"print_suppressions=1:suppressions={rules}")
    equal(sums, {line: s for line, s in by_line(ours, "leaking.c").items() if plants[line][2] == "lost"}, f"LeakSanitizer with {text!r}")
    theirs = {"leak:" + m[3]: (int(m[1]), int(m[2])) for m in re.finditer(r"^ +(\d+) +(\d+) (\S+)$", report_text, re.M)}
    equal({rule["rule"]: (rule["blocks"], rule["bytes"]) for rule in ours["rules"] if not rule["built_in"]}, theirs, f"LeakSanitizer's counts of {text!r}")

# clang's LeakSanitizer, rule by rule: names of C++ have parameters and those of C none; the first place that fits counts;
# and where a C++ library has its operators new, which call malloc, LeakSanitizer has a frame of its own. What a caller of
# new[] calls is not to be seen in a stack where the library's new[] jumps to its new: a rule for new[] alone has no match.
flags = ["-g", "-O1", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls", os.path.join(SOURCE, "tests/programs/suppressed.cpp")]
for options, name in (["-fsanitize=leak"], "suppressed_lsan"), ([], "suppressed"):
    got = run(["clang++", *options, *flags, "-o", path(name)])
    equal(got.returncode, 0, f"compiling {name}: {got.stderr}")
equal(record([path("suppressed")], path("suppressed.mscope")).returncode, 0, "recording it")


def left(text):
    """What LeakSanitizer says is left with these rules, and what we say, as sizes."""
    with open(rules, "w") as file:
        file.write(text)
    theirs = run([path("suppressed_lsan")], env={"LSAN_OPTIONS": f"fast_unwind_on_malloc=0:suppressions={rules}"})
    ours = leaks(path("suppressed.mscope"), "--no-default-suppressions", "--suppressions", rules)
    return (sorted(int(size) for size in re.findall(r"leak of (\d+) byte", theirs.stderr)),
            sorted(place["bytes"] for place in ours["places"] if place["bytes"] != 72704)), theirs.stderr


(theirs, ours), report_text = left("# nothing\n")
equal(theirs, [4, 11, 13, 17, 19, 32, 51, 57, 101, 103, 107, 120, 201], f"what LeakSanitizer finds: {report_text}")
equal(ours, theirs, "what we find")
for rule in ("libstdc++", "operator new", "^operator new*long)$", "malloc", "^malloc$", "calloc", "realloc", "suppressed.cpp", "libc.so", "", "^", "$", "^$", "*$", "*", "^*$",
             "alpha", "^alpha$", "^alpha(int)$", "^beta()$", "beta(", "keep<int>", "space::keep<", "^void* space", "^void space", "Place::take(int) const",
             "foo$", "^foo", "*foo", "f*o", "^f*o$", "^plain_foo$", "pl*foo$", "oo*oo", "o$o", "foo*", "^foo*()$", "getdelim", "std::", "string", "main$"):
    (theirs, ours), report_text = left(f"leak:{rule}\n")
    equal(ours, theirs, f"leak:{rule}, LeakSanitizer's and ours: {report_text[-500:] if not theirs else ''}")

# One line that calls several allocation functions is a place for each of them, as in LeakSanitizer's reports.
with open(path("one_line.c"), "w") as file:
    file.write("""#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#define GET(z, n) ((z) == 0 ? malloc(n) : (z) == 1 ? calloc(1, n) : (z) == 2 ? realloc(NULL, n) : (z) == 3 ? memalign(64, n) : aligned_alloc(64, n))
__attribute__((noinline)) static void get(int z, int n) { char *p = GET(z, n); memset(p, 0, n); }
__attribute__((noinline)) static void forget(void) { char bytes[16384]; memset(bytes, 0, sizeof bytes); __asm__("" : : "r"(bytes) : "memory"); }
int main(void) { for (int i = 0; i < 15; i++) get(i % 5, 1024 << i % 5); forget(); return 0; }
""")
for options, name in (["-fsanitize=leak"], "suppressed_lsan"), ([], "suppressed"):
    got = run(["clang", "-g", "-O1", "-fno-builtin", *options, path("one_line.c"), "-o", path(name)])
    equal(got.returncode, 0, f"compiling one_line.c: {got.stderr}")
equal(record([path("suppressed")], path("suppressed.mscope")).returncode, 0, "recording it")
for rule in ("nothing", "calloc", "realloc", "memalign", "aligned_alloc", "alloc", "^main$"):
    (theirs, ours), report_text = left(f"leak:{rule}\n")
    equal(ours, theirs, f"leak:{rule} and one line, LeakSanitizer's and ours: {report_text[-500:]}")
# Some of clang's LeakSanitizers call them __interceptor_realloc, gcc's realloc.
equal(left("leak:^realloc$\n")[0][1], [3072, 6144, 24576, 49152], "a rule for the whole name of a function")
equal({place["called"]: place["bytes"] for place in leaks(path("suppressed.mscope"))["places"]},
      {"malloc": 3 * 1024, "calloc": 3 * 2048, "realloc": 3 * 4096, "memalign": 3 * 8192, "aligned_alloc": 3 * 16384}, "the functions called")
text = run([MALLOSCOPE, "leaks", path("suppressed.mscope")]).stdout
check(all(f"   allocated by {name}\n" in text for name in ("malloc", "calloc", "realloc", "memalign", "aligned_alloc")), f"places that look the same: {text}")
check("   allocated by " not in run([MALLOSCOPE, "leaks", log]).stdout, "where lines tell, it is not said")

# So is one call that a pointer makes of several functions; and it is one site with one stack all the same.
with open(path("pointers.c"), "w") as file:
    file.write("""#include <stdlib.h>
#include <string.h>
__attribute__((noinline)) static void get(void *(*from)(size_t), size_t n) { memset(from(n), 0, n); }
__attribute__((noinline)) static void forget(void) { char bytes[16384]; memset(bytes, 0, sizeof bytes); __asm__("" : : "r"(bytes) : "memory"); }
int main(void) { void *(*volatile functions[])(size_t) = { malloc, valloc }; for (int i = 0; i < 6; i++) get(functions[i % 2], 4096 << i % 2); forget(); return 0; }
""")
for options, name in (["-fsanitize=leak"], "suppressed_lsan"), ([], "suppressed"):
    got = run(["clang", "-g", "-O1", "-fno-builtin", *options, path("pointers.c"), "-o", path(name)])
    equal(got.returncode, 0, f"compiling pointers.c: {got.stderr}")
for options in ([], ["--call-graph", "none"]):
    equal(record([path("suppressed")], path("suppressed.mscope"), *options).returncode, 0, "recording it")
    for rule in ("nothing", "valloc", "alloc"):
        (theirs, ours), report_text = left(f"leak:{rule}\n")
        equal(ours, theirs, f"leak:{rule}, a pointer, {options}, LeakSanitizer's and ours: {report_text[-500:]}")
    sites = json.loads(run([MALLOSCOPE, "sites", "--json", "--stacks", path("suppressed.mscope")]).stdout)["sites"]
    equal([(row["allocations"], row["stacks"]) for row in sites], [(6, 1)], f"stacks, {options}")
    sites = json.loads(run([MALLOSCOPE, "sites", "--json", path("suppressed.mscope")]).stdout)["sites"]
    equal([(row["allocations"], row["bytes"], row["stacks"]) for row in sites], [(6, 3 * 4096 + 3 * 8192, 1)], f"sites, {options}")

# Of two libraries that are made of one source, the module tells which is which.
with open(path("twice.c"), "w") as file:
    file.write("#include <stdlib.h>\n#include <string.h>\nvoid twice(int n);\nvoid twice(int n) { memset(malloc(n), 0, n); }\n")
with open(path("copies.c"), "w") as file:
    file.write(f"""#include <dlfcn.h>
int main(void) {{ void *a = dlopen("{path("liba.so")}", RTLD_NOW), *b = dlopen("{path("libb.so")}", RTLD_NOW);
    ((void (*)(int))dlsym(a, "twice"))(1000); ((void (*)(int))dlsym(b, "twice"))(2000); return 0; }}
""")
for arguments in ["-shared", "-fPIC", path("twice.c"), "-o", path("liba.so")], ["-shared", "-fPIC", path("twice.c"), "-o", path("libb.so")], [path("copies.c"), "-o", path("copies")]:
    equal(run(["gcc", "-g", "-fno-builtin", *arguments]).returncode, 0, f"compiling {arguments}")
equal(record([path("copies")], path("copies.mscope")).returncode, 0, "recording copies")
text = run([MALLOSCOPE, "leaks", path("copies.mscope")]).stdout
equal(sorted(re.findall(r"twice.c:4(?:  (\S+))?\n", text)), ["liba.so", "libb.so"], f"the modules of two that look the same: {text}")
check(re.search(r"  main  \S*copies.c:\d+\n", text), f"and of no other: {text}")

for text, number, words in (("leak:a\nrace:b\n", 2, "want leak:PATTERN"), ("leak\n", 1, "leak:PATTERN"), ("\n\nwrapped\n", 3, "wrapped"),
                            ("leak:a\0b\n", 1, "not text")):
    with open(rules, "w") as file:
        file.write(text)
    got = run([MALLOSCOPE, "leaks", "--suppressions", rules, log])
    check(got.returncode == 2 and f"{rules}:{number}: " in got.stderr and words in got.stderr and not got.stdout and
          len(got.stderr.splitlines()) == 1, f"a bad rule: {got.returncode} {got.stderr!r}")
got = run([MALLOSCOPE, "leaks", "--suppressions", path("absent"), log])
check(got.returncode == 2 and "No such file" in got.stderr, f"no such file of rules: {got.stderr}")

# --- what the libraries keep for themselves ---
raw = leaks(log, "--no-default-suppressions")
equal(raw["leaked"]["bytes"], found["leaked"]["bytes"] + found["suppressed"]["bytes"], "--no-default-suppressions shows all")
equal((raw["suppressed"]["bytes"], raw["rules"]), (0, []), "and suppresses nothing")
cpp = path("leaking_cpp.mscope")
pool = [rule for rule in leaks(cpp)["rules"] if rule["built_in"]]
check(any(rule["bytes"] >= 70000 for rule in pool), f"the C++ library's memory for exceptions: {pool}")
check(leaks(cpp, "--no-default-suppressions")["places"][0]["bytes"] >= 70000, "which is the largest, else")
log2 = path("preloaded.mscope")
equal(record([program("leaking")], log2, env={"LD_PRELOAD": program("leaking_library.so")}).returncode, 0, "with a library")
library = by_line(leaks(log2), "leaking_library.c")
equal(library[next(iter(planted("leaking_library.c")))], (1, 321), "a library's constructor, called by the loader, is its own")
for name, kept in (("getline", False), ("strdup", False), ("setlocale", True), ("localtime", True), ("getpwnam", True), ("puts", True),
                   ("setenv", True), ("dlopen", True), ("fopen", False)):
    code = {"getline": "char *line = 0; size_t n = 0; getline(&line, &n, stdin);", "strdup": 'p = strdup("x");',
            "setlocale": 'setlocale(LC_ALL, "C.UTF-8");', "localtime": "time_t t = 0; localtime(&t);", "getpwnam": 'getpwnam("root");',
            "puts": 'puts("x");', "setenv": 'setenv("A_NAME", "b", 1);', "dlopen": 'dlopen("libm.so.6", RTLD_NOW);',
            "fopen": 'p = fopen("/dev/null", "r");'}[name]
    with open(path("own.c"), "w") as file:
        file.write('#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <locale.h>\n#include <pwd.h>\n#include <stdio.h>\n#include <stdlib.h>\n'
                   '#include <string.h>\n#include <time.h>\nvoid *volatile p;\nint main(void) { ' + code + ' return 0; }\n')
    equal(run(["gcc", "-O0", path("own.c"), "-o", path("own"), "-ldl"]).returncode, 0, f"compiling {name}")
    equal(record([path("own")], path("own.mscope")).returncode, 0, f"recording {name}")
    got = leaks(path("own.mscope"))
    check(got["leaked"]["blocks"] == 0 if kept else got["leaked"]["blocks"] == 1, f"{name}: {got['leaked']}, {got['places']}")
    check(not kept or got["suppressed"]["blocks"] > 0, f"{name} keeps something: {got['suppressed']}")

# All that these libraries keep when what they hand out is given back; and what they hand out when it is not: LeakSanitizer's
# lines, and the stream that the C library's list of streams reaches.
kept = os.path.join(SOURCE, "tests/programs/kept.cpp")
for options, name in (["-fsanitize=leak"], "kept_lsan"), ([], "kept"):
    got = run(["g++", "-g", "-O1", "-fno-builtin", "-fno-optimize-sibling-calls", *options, kept, "-o", path(name), "-lrt", "-lresolv", "-pthread"])
    equal(got.returncode, 0, f"compiling {name}: {got.stderr}")
with open(kept) as file:
    lines = list(enumerate(file, 1))
forgotten = {number for number, line in lines if line.endswith("// FORGOTTEN\n")}
stream = {number for number, line in lines if "setmntent(" in line}
for arguments, wanted in ([], set()), (["forget"], forgotten):
    equal(record([path("kept"), *arguments], path("kept.mscope")).returncode, 0, f"recording kept {arguments}")
    got = run([MALLOSCOPE, "leaks", "--fail", "--json", path("kept.mscope")])
    found = json.loads(got.stdout)
    equal(set(by_line(found, "kept.cpp")), wanted, f"kept {arguments}: {found['places']}")
    equal(got.returncode, int(bool(wanted)), f"kept {arguments}: --fail: {got.stderr}")
    theirs = run([path("kept_lsan"), *arguments], env={"LSAN_OPTIONS": "fast_unwind_on_malloc=0"}).stderr
    frames = [re.search(r"kept\.cpp:(\d+)", part) for part in theirs.split("\n\n") if " leak of " in part]
    equal({int(frame[1]) for frame in frames if frame}, wanted - stream, f"kept {arguments}, LeakSanitizer's: {theirs}")

# The C++ library that is linked in: its locales and the standard streams' buffers are known by their names.
with open(path("linked_in.cpp"), "w") as file:
    file.write("""#include <iostream>
#include <locale>
int main() { std::ios::sync_with_stdio(false); std::locale::global(std::locale("C.UTF-8")); return (new std::locale("C.UTF-8"))->name().empty(); }
""")
equal(run(["g++", "-g", "-O0", "-static-libstdc++", "-static-libgcc", path("linked_in.cpp"), "-o", path("linked_in")]).returncode, 0, "compiling linked_in.cpp")
equal(record([path("linked_in")], path("linked_in.mscope")).returncode, 0, "recording linked_in")
found = leaks(path("linked_in.mscope"))
equal([(place["blocks"], place["bytes"]) for place in found["places"]], [(1, 8)], f"linked_in: the forgotten locale: {found['places']}")

# A constructor or destructor that ends in a jump has no frame: what it jumps to seems to be called by the loader. The C++ library's own
# constructor, which has its memory for exceptions, is called in the same way.
with open(path("jumping.cpp"), "w") as file:
    file.write("""#include <stdlib.h>
#include <string.h>
extern "C" void *_Znwm(unsigned long bytes); /* operator new: by that name the compiler would leave the call out */
extern "C" __attribute__((WHEN)) void first(void) { JUMP; }
""")
with open(path("jumped.c"), "w") as file:
    file.write("""#include <dlfcn.h>
int main(int count, char **v) { void *library = count > 1 ? dlopen(v[1], RTLD_NOW) : 0; return count > 1 && (!library || dlclose(library)); }
""")
for name, when, jump in (("strdup", "constructor", 'strdup("a leak of 12")'), ("malloc", "constructor", "malloc(13)"),
                         ("new", "constructor", "_Znwm(13)"), ("end", "destructor", 'strdup("a leak of 12")')):
    got = run(["g++", "-w", "-O2", "-fno-builtin", "-shared", "-fPIC", f"-DWHEN={when}", f"-DJUMP={jump}", path("jumping.cpp"), "-o", path(f"libjump_{name}.so")])
    equal(got.returncode, 0, f"compiling {jump}: {got.stderr}")
    code = run(["objdump", "-d", "--no-show-raw-insn", path(f"libjump_{name}.so")]).stdout
    check(re.search(r"<first>:\n(.*\n)*?.*\b(jmp|b)[ \t]+\S+ <\w+@plt>", code), f"{name}: it jumps: {code}")
    equal(run(["gcc", path("jumped.c"), "-o", path("jumped"), "-Wl,--no-as-needed", path(f"libjump_{name}.so"), "-ldl"]).returncode, 0, "compiling jumped")
    equal(run(["gcc", path("jumped.c"), "-o", path("jumped_late"), "-ldl"]).returncode, 0, "compiling jumped_late")
    for command in [path("jumped")], [path("jumped_late"), path(f"libjump_{name}.so")]:
        equal(record(command, path("jumped.mscope")).returncode, 0, f"recording {command}")
        found = leaks(path("jumped.mscope"))
        equal([(place["blocks"], place["bytes"]) for place in found["places"]], [(1, 13)], f"{command}: a {when}'s leak: {found['places']}")
equal(record([path("jumped_late"), "libstdc++.so.6"], path("jumped.mscope")).returncode, 0, "recording the C++ library, loaded late")
found = leaks(path("jumped.mscope"))
check(found["leaked"]["blocks"] == 0 and found["suppressed"]["bytes"] >= 70000, f"the C++ library, loaded late: {found['places']}, {found['suppressed']}")

# Nor has what a thread begins with, if it ends so: the C library keeps what pthread_create() allocates, and not that.
with open(path("jumping.c"), "w") as file:
    file.write("""#include <pthread.h>
#include <string.h>
static void *first(void *text) { return strdup(text); }
int main(void) { pthread_t thread; return pthread_create(&thread, 0, first, "a leak of 12") || pthread_join(thread, 0); }
""")
equal(run(["gcc", "-O2", "-fno-builtin", path("jumping.c"), "-o", path("jumping"), "-pthread"]).returncode, 0, "compiling jumping.c")
equal(record([path("jumping")], path("jumped.mscope")).returncode, 0, "recording jumping")
found = leaks(path("jumped.mscope"))
equal([(place["blocks"], place["bytes"]) for place in found["places"]], [(1, 13)], f"a thread's leak: {found['places']}")
check(found["suppressed"]["blocks"] > 0, "its memory is the C library's")

# --- how processes ended ---
killed = path("killed.mscope")
record([program("leaking"), "kill"], killed)
got = leaks(killed)
equal((got["leaked"]["bytes"], got["not_ended"]["bytes"]), (0, 2935), "killed: no leaks")
equal([p["end"] for p in got["processes"]], ["signal"], "killed: how it ended")
text = run([MALLOSCOPE, "leaks", "--fail", killed])
check(text.returncode == 0 and "killed by signal 9" in text.stdout and "No leaks: 2,935 bytes" in text.stdout and
      "no leak: the process did not end by exit() or a return from main" in text.stdout, f"killed: {text.stdout}")
last = max(e.seconds for e in dump(killed))
got = leaks(killed, "--to", f"{last + 1e-6:.6f}")
equal((got["leaked"]["bytes"], got["not_ended"]["bytes"]), (2935, 0), "--to: what is alive then, whatever became of the process")
executed = path("executed.mscope")
equal(record([program("leaking"), "exec"], executed).returncode, 0, "exec")
got = leaks(executed)
equal((got["leaked"]["bytes"], got["not_ended"]["bytes"]), (2935, 2935), "exec: only what the last program leaks")
equal(sorted(p["end"] for p in got["processes"]), ["exec", "exit"], "exec: how they ended")
check(all(place["bytes"] == 2 * place["not_ended_bytes"] for place in got["places"]), "exec: at the same places")
both = [e.seconds for e in dump(executed) if e.kind == "malloc" and e.size == 1000]
place = next(place for place in got["places"] if place["bytes"] == 2000)
check(len(both) == 2 and abs(place["first_seconds"] - both[0]) < 2e-6, f"exec: the first of both: {place['first_seconds']}, {both}")
forks = path("forks.mscope")
equal(record([program("leaking"), "forks"], forks).returncode, 0, "forks")
got = leaks(forks)
equal(sorted(p["end"] for p in got["processes"]), ["exit", "exit", "left"], "a child that calls _exit")
equal((got["leaked"]["bytes"], got["not_ended"]["bytes"]), (2935 + 11, 11), "which leaks nothing")
pid = next(p["pid"] for p in got["processes"] if p["end"] == "exit" and p["bytes"] == 11)
equal(leaks(forks, "--pid", str(pid))["leaked"]["bytes"], 11, "--pid")

# The first process's _exit is no other than a child's, whatever the launcher, which has awaited it, knows. LeakSanitizer has no
# leaks there, valgrind has the block of either.
with open(path("left.c"), "w") as file:
    file.write('#include <stdlib.h>\n#include <sys/wait.h>\n#include <unistd.h>\n'
               '__attribute__((noinline)) static void lose(void) { for (int i = 1; i <= 20; i++) *(volatile char *)malloc(100) = 1; }\n'
               'int main(int count, char **v) { int child = count > 2 ? fork() : 0; if (child) { int s; waitpid(child, &s, 0); return 0; }\n'
               ' lose(); if (v[1][0] == \'_\') _exit(3); if (v[1][0] == \'k\') kill(getpid(), 9); exit(3); }\n'.replace("<unistd.h>", "<unistd.h>\n#include <signal.h>"))
for options, name in ([], "left"), (["-fsanitize=leak"], "left_lsan"):
    equal(run(["gcc", "-g", "-O0", *options, path("left.c"), "-o", path(name)]).returncode, 0, f"compiling {name}")
for how, is_leak, end in (("_exit", False, "left"), ("exit", True, "exit"), ("kill", False, "signal")):
    for child in [], ["in a child"]:
        if child and how == "kill": # nobody sees how it ends
            end = "unknown"
        record([path("left"), how, *child], path("left.mscope"), "-f")
        got = leaks(path("left.mscope"))
        equal((got["leaked"]["bytes"], got["not_ended"]["bytes"]), (2000, 0) if is_leak else (0, 2000), f"{how} {child}: what it has then")
        equal({p["end"] for p in got["processes"] if p["bytes"]}, {end}, f"{how} {child}: how it ended")
        equal(run([MALLOSCOPE, "leaks", "--fail", path("left.mscope")]).returncode, int(is_leak), f"{how} {child}: --fail")
        theirs = run([path("left_lsan"), how, *child], env={"LSAN_OPTIONS": "exitcode=23"})
        equal("SUMMARY: LeakSanitizer: " in theirs.stderr, is_leak, f"{how} {child}: LeakSanitizer's opinion: {theirs.stderr}")

text = run([MALLOSCOPE, "leaks", "--filter", "nothing of that name", path("left.mscope")]).stdout
check("Leaked: nothing" in text and "Still allocated, by process, of all stacks\n" in text, f"processes are told of as a whole: {text}")
# What is no leak, of a large program that executed the one that leaks, does not stand before what is.
record(["/usr/bin/python3", "-c", f"import os; os.execv('{path('left')}', ['left', 'exit'])"], path("left.mscope"), "-f")
got = leaks(path("left.mscope"))
check(got["leaked"]["bytes"] == 2000 and got["not_ended"]["bytes"] > 100000, f"both are there: {got['leaked']}, {got['not_ended']}")
equal([(p["bytes"], p["not_ended_bytes"]) for p in got["places"][:1]], [(2000, 0)], "what leaked comes first")
check(all(p["bytes"] == p["not_ended_bytes"] for p in got["places"][1:]) and len(got["places"]) > 5, "then what did not")
text = run([MALLOSCOPE, "leaks", "-n", "2", path("left.mscope")]).stdout
age = got["places"][0]["age_seconds"]
wanted = f"{age * 1e6:.0f} us" if age < 1e-3 else f"{age * 1e3:.1f} ms" if age < 1 else f"{age:.3f} s"
check(f"alive for up to {wanted}\n" in text, f"how long, in a unit that tells it: {age}: {text}")
check("\n2,000 bytes in 20 blocks (100.0 %)" in text and text.count("no leak: ") == 1, f"shares are of what leaked, or of what did not: {text}")

import subprocess
running = path("running.mscope")
waiting = subprocess.Popen([MALLOSCOPE, "record", "-q", "-o", running, "--", program("leaking"), "wait"], stdin=subprocess.PIPE)
until = time.monotonic() + 60
while True:
    got = run([MALLOSCOPE, "leaks", "--json", running])
    got = json.loads(got.stdout) if got.stdout else {"leaked": {"bytes": None}, "not_ended": {"bytes": None}, "processes": []}
    if got["not_ended"]["bytes"] == 2935 or time.monotonic() > until:
        break
    time.sleep(0.05)
equal((got["leaked"]["bytes"], got["not_ended"]["bytes"], [p["end"] for p in got["processes"]]), (0, 2935, ["running"]), "still running")
waiting.stdin.close()
equal(waiting.wait(60), 0, "it ends")
equal(leaks(running)["leaked"]["bytes"], 2935, "then it has leaked")

# --- places that look the same are one: by line; where that is unknown by function, and where that is, by address ---
with open(path("twice.c"), "w") as file:
    file.write("""#include <stdlib.h>
void *volatile kept[9];
static void *nameless(size_t n) { return malloc(n); }
__attribute__((noinline)) void twice(void)
{
    kept[0] = malloc(1048576); kept[1] = malloc(1048576);
    kept[2] = malloc(1048576);
}
int main(void) { twice(); twice(); kept[4] = nameless(30); return 0; }
""")


def shown(log):
    """Each place's frames as they are shown, and its figures."""
    text = run([MALLOSCOPE, "leaks", log], env={"COLUMNS": "200"}).stdout
    entries = [entry.splitlines() for entry in text.split("\n\n") if re.match(r"[\d,]+ bytes in ", entry)]
    return ["\n".join(entry[1:]) for entry in entries], [re.match(r"[\d,]+ bytes in [\d,]+ block", entry[0]).group() for entry in entries]


for options, after, wanted in (
        # main calls twice() twice in one line; there is a line of two blocks and one of one.
        (["-g"], [], ["4,194,304 bytes in 4 block", "2,097,152 bytes in 2 block", "30 bytes in 1 block"]),
        ([], [], ["6,291,456 bytes in 6 block", "30 bytes in 1 block"]),
        # By the exported names: main is one of them, nameless is not.
        (["-rdynamic"], ["strip"], ["6,291,456 bytes in 6 block", "30 bytes in 1 block"]),
        ([], ["strip"], ["1,048,576 bytes in 1 block"] * 6 + ["30 bytes in 1 block"])):
    build = run(["gcc", "-O0", "-fno-builtin", *options, "twice.c", "-o", "twice"], cwd=WORK)
    equal(build.returncode, 0, f"twice builds: {build.stderr}")
    if after:
        run([*after, path("twice")])
    twice = path("twice.mscope")
    equal(record([path("twice")], twice).returncode, 0, "twice")
    frames, figures = shown(twice)
    equal(figures, wanted, f"twice {options} {after}: {frames}")
    equal(len(set(frames)), len(frames), f"twice {options} {after}: two look the same: {frames}")
    equal(sum(place["bytes"] for place in leaks(twice)["places"]), 6 * 1048576 + 30, "and nothing is missing")
for old in log, running:
    frames, _ = shown(old)
    equal(len(set(frames)), len(frames), f"{old}: two look the same")

# --- --fail, sampling, usage ---
got = run([MALLOSCOPE, "leaks", "--fail", log])
check(got.returncode == 1 and got.stderr == f"malloscope: {log}: --fail: 2,935 bytes in 25 blocks leaked and are not suppressed\n" and
      "Leaked: " in got.stdout, f"--fail: {got.returncode} {got.stderr!r}")
with open(rules, "w") as file:
    file.write("leak:programs/leaking$\n")
equal(run([MALLOSCOPE, "leaks", "--fail", "--suppressions", rules, log]).returncode, 0, "--fail, all suppressed")
equal(run([MALLOSCOPE, "leaks", "--fail", "--filter", "nowhere", log]).returncode, 0, "--fail, nothing passes the filter")
with open(log, "rb") as file, open(path("torn"), "wb") as torn:
    torn.write(file.read()[:-3])
got = run([MALLOSCOPE, "leaks", "--suppressions", rules, "--fail", path("torn")])
check(got.returncode == 1 and "damaged at offset" in got.stderr and "--fail" not in got.stderr, f"a torn log: {got.stderr}")
sampled = path("sampled.mscope")
equal(record([program("leaking")], sampled, "--sample", "1").returncode, 0, "a sample of one byte is nearly all")
got = leaks(sampled)
check(got["sampled"] is not None and abs(got["leaked"]["bytes"] - 2935) < 60, f"estimates: {got['leaked']}")
equal(sum(place["bytes"] for place in got["places"]), got["leaked"]["bytes"], "places of a sample")
with open(rules, "w") as file:
    file.write("leak:programs/leaking$\n")
got = leaks(sampled, "--suppressions", rules)
check(abs(got["rules"][0]["bytes"] - 2935) < 60 and abs(got["rules"][0]["blocks"] - 25) < 3, f"and what rules suppress of it: {got['rules']}")
check("≈" in run([MALLOSCOPE, "leaks", sampled]).stdout, "which are marked")
for words in (["-n", "x"], ["--depth", "0"], ["--filter", "("], ["--json", "--tsv"], ["--cost", "leaked"]):
    got = run([MALLOSCOPE, "leaks", *words, log])
    check(got.returncode == 2 and len(got.stderr.splitlines()) == 1 and not got.stdout, f"{words}: {got.stderr}")

with open(os.path.join(SOURCE, "docs/man/malloscope.1")) as file:
    manual = file.read().replace("\\-", "-")
# What all reading commands have is the business of test_readme.py.
shared = set(re.findall(r"--[a-z][a-z-]+", run([MALLOSCOPE, "report", "--help"]).stdout))
for command in ('leaks',):
    text = run([MALLOSCOPE, command, "--help"]).stdout
    check("Exit codes" in text and all(len(line) <= 80 for line in text.splitlines()), f"{command} --help")
    for option in set(re.findall(r"--[a-z][a-z-]+", text)) - shared:
        check(option in manual, f"{command} {option} is in the manual page")
sys.exit(done())
