"""`check` of programs whose sites differ from run to run though all of them together do not, as threads that share work: those are no
culprits, what has been added is one. And what has become less elsewhere is said."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *
import junitparser

os.environ["XDG_CACHE_HOME"] = path("cache")
schema = schema_validator("baseline")
verdict_schema = schema_validator("check")
# Run N takes 100, 300, 200, ... of 1000 by left() and the others by right(): three runs for the baseline, then six.
SHARES = """#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
static void *volatile sink;
static const int shares[] = { 100, 300, 200, 600, 700, 650, 620, 640, 660, 200, 800, 50, 700, 60, 900 };
__attribute__((noinline)) void get(void) { sink = malloc(16); free(sink); }
__attribute__((noinline)) void left(int n) { for (int i = 0; i < n; i++) get(); __asm__(""); }
__attribute__((noinline)) void right(int n) { for (int i = 0; i < n; i++) get(); __asm__(""); }
__attribute__((noinline)) void planted(int n) { for (int i = 0; i < n; i++) get(); __asm__(""); }
int main(int argc, char **argv)
{
    char n = 0;
    int fd = open(argv[1], O_RDWR | O_CREAT, 0600);
    pread(fd, &n, 1, 0);
    planted(PLANTED);
    left(shares[(int)n] + MORE);
    right(1000 - shares[(int)n]);
    n++;
    pwrite(fd, &n, 1, 0);
    return 0;
}
"""


def build(name, source, *options):
    with open(path(f"{name}.c"), "w") as file:
        file.write(source)
    must("gcc", "-O1", "-g", "-fno-builtin", "-fno-optimize-sibling-calls", *options, "-o", path(name), path(f"{name}.c"))
    return path(name)


def shares(name, planted, more):
    return build(name, SHARES, f"-DPLANTED={planted}", f"-DMORE={more}")


def next_run(number):
    with open(path("count"), "wb") as file:
        file.write(bytes([number]))
    return path("count")


def save(baseline, command, *options):
    must(MALLOSCOPE, "check", "--baseline", path(baseline), "--update", *options, "--", *command)
    with open(path(baseline)) as file:
        got = json.load(file)
    equal(list(schema.iter_errors(got)), [], f"{baseline} by its schema")
    return next(iter(got["platforms"].values()))


def gate(baseline, command, *options, code=2):
    got = run([MALLOSCOPE, "check", "--baseline", path(baseline), "--metrics", "allocations", *options, "--", *command])
    equal(got.returncode, code, f"check {options} {command}: {got.stdout}{got.stderr}")
    return got


def culprits(*arguments, **more):
    """[[CALLER, before, now, spread], ...] of the allocations"""
    verdict = json.loads(gate(*arguments, "--json", **more).stdout)
    equal(list(verdict_schema.iter_errors(verdict)), [], "the verdict by its schema")
    return [[c["frames"][1]["function"], c["before"], c["now"], c.get("spread")] for c in verdict["metrics"][0]["culprits"]]


# --- two that share the same work, and a third with more ---
before = shares("before", 1, 0)
part = save("shares.json", [before, next_run(0)])
equal({site["stack"][1]: (site["allocations"], site.get("most", {}).get("allocations")) for site in part["sites"]},
      {"left": (100, 300), "right": (700, 900), "planted": (1, None)}, "the baseline's sites")
gate("shares.json", [before, next_run(3)], code=0)
after = shares("after", 51, 0)
equal(culprits("shares.json", [after, next_run(3)]), [["planted", 1, 51, 0]], "what has been added alone")
save("once.json", [before, next_run(0)], "-r", "1")
equal(culprits("once.json", [after, next_run(3)], "-r", "1"), [["planted", 1, 51, 0]], "with one run")
with open(path("shares.json")) as file: # as baselines were that had no spread of sites
    text = re.sub(r', "most": {"allocations[^}]*}', "", file.read())
check('"most": {' not in text, "an old baseline")
with open(path("old.json"), "w") as file:
    file.write(text)
equal(culprits("old.json", [after, next_run(3)]), [["planted", 1, 51, 0]], "an old baseline")
must(MALLOSCOPE, "check", "--baseline", path("after.json"), "--save-baseline", "--", after, next_run(0))
equal(culprits("after.json", [before, next_run(3)], "--fail-on-improvement", code=4), [["planted", 51, 1, 0]], "what has been removed")

# --- one of those that share has more: named, and that it differs ---
more = shares("more", 1, 50)
equal(culprits("shares.json", [more, next_run(3)]), [["left", 100, 650, 200]], "one that differs, which has more")
got = gate("shares.json", [more, next_run(3)], "--tap")
check("100 → 650 calls (+550, differs by 200 from run to run)" in got.stdout, f"TAP says so: {got.stdout}")
got = gate("shares.json", [more, next_run(3)])
check(re.search(r"\+550 calls \(100 -> 650, differs by 200 from run to run\)  get  ", got.stdout), f"the table says so: {got.stdout}")
both = shares("both", 6, 50)
equal(culprits("shares.json", [both, next_run(3)]), [["left", 100, 650, 200], ["planted", 1, 6, 0]], "the larger one first, by what they account for")
both = shares("both", 100, 50)
equal(culprits("shares.json", [both, next_run(3)]), [["planted", 1, 100, 0], ["left", 100, 650, 200]], "the larger one first")
equal(culprits("shares.json", [more, next_run(9)]), [["left", 100, 100, 850], ["right", 700, 100, 850]], "any of them may be it, where no one's least says so")
got = gate("shares.json", [more, next_run(9)], "--github")
check("\n    700 -> 100 calls, differs by 850 from run to run  get  " in got.stdout and "title=allocations +50 in all::" in got.stdout, f"it says so: {got.stdout}")
equal(culprits("shares.json", [both, next_run(9)]), [["planted", 1, 100, 0], ["left", 100, 100, 850], ["right", 700, 100, 850]], "beside one that is certain")
equal(culprits("shares.json", [after, next_run(9)]), [["planted", 1, 51, 0]], "none, where one explains all")
got = gate("shares.json", [after, next_run(3)], "--max", "allocations=5")
got = run([MALLOSCOPE, "check", "--max", "allocations=5", "--", after, next_run(3)])
check(re.search(r"\n    300 calls, differs by 100 from run to run  get  ", got.stdout), f"of a limit alone, too: {got.stdout}")

# --- a baseline whose own runs differ names the sites ---
racing = build("racing", SHARES.replace("right(1000 - shares[(int)n]);", ""), "-DPLANTED=1", "-DMORE=0")
save("racing.json", [racing, next_run(0)])
got = gate("racing.json", [racing, next_run(2)], "-r", "1", code=3)
check("the baseline's 3 runs differ by 200" in got.stderr and "most in get at racing.c:6 (100 to 300)" in got.stderr, f"it names the site: {got.stderr}")

# --- a baseline that was edited ---
for change, word in ((r'"most": {"allocations": 300', '"most": {"allocations": 99'), "not below"), ((r'"most": {', '"most": [], "x": {'), "an object"):
    with open(path("shares.json")) as file, open(path("bad.json"), "w") as to:
        to.write(file.read().replace(*change, 1))
    got = gate("bad.json", [before, next_run(0)], code=64)
    check("sites: most" in got.stderr and word in got.stderr, f"it is told: {got.stderr}")

# --- what has become less elsewhere ---
PARTS = """#include <stdlib.h>
static void *volatile sink;
#define F(name) __attribute__((noinline)) void name(int n) { for (int i = 0; i < n; i++) { sink = malloc(8); free(sink); } }
F(first) F(second) F(third)
int main(void) { first(A); second(B); third(C); return 0; }
"""
save("parts.json", [build("parts1", PARTS, "-DA=10", "-DB=50", "-DC=1")])
parts = [build("parts2", PARTS, "-DA=60", "-DB=10", "-DC=2")]
got = gate("parts.json", parts, "--junit", path("parts.xml"), "--markdown", path("parts.md"))
shown = re.search(r"^allocations: regression: .*\n((?: .*\n)+)", got.stdout, re.M)[1]
equal([line for line in shown.splitlines() if " from " not in line and "main" not in line],
      [f"    +50 calls (10 -> 60)  first  {path('parts2.c')}:4", f"    +1 call (1 -> 2)  third  {path('parts2.c')}:4", "    -40 calls in 1 other site"],
      "the table")
check("-40 calls in 1 other site" in list(list(junitparser.JUnitXml.fromfile(path("parts.xml")))[0])[1].result[0].text, "JUnit")
check("\n-40 calls in 1 other site.\n" in open(path("parts.md")).read(), "Markdown")
check("#   -40 calls in 1 other site\n" in gate("parts.json", parts, "--tap").stdout, "TAP")
metric = json.loads(gate("parts.json", parts, "--json").stdout)["metrics"][0]
equal((metric["change"], metric.get("offset"), metric.get("offset_sites")), (11, -40, 1), "JSON")
sys.exit(done())
