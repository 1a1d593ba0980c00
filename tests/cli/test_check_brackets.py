"""`check`: functions whose names have spaces and brackets are none with a module behind them."""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

os.mkdir(path("temporary"))
os.environ["TMPDIR"] = path("temporary")
os.environ["XDG_CACHE_HOME"] = path("cache")
SOURCE_TEXT = """#include <stdlib.h>
static void *volatile sink;
template<class T> struct Call { __attribute__((noinline)) void operator()(int n) { while (n-- > 0) sink = malloc(16); } T *t; };
extern "C" __attribute__((noinline)) void odd(int n) { while (n-- > 0) sink = malloc(1); }
int main(int argc, char **argv) { if (argc > 1) return 0; Call<void (int)> a; Call<int (char)> b; a(10); b(20); odd(4); }
"""


def gate(*arguments, code=0):
    """`malloscope check ARGUMENTS`, which must exit with the code."""
    got = run([MALLOSCOPE, "check", "-r1", *arguments])
    equal(got.returncode, code, f"check {arguments}: {got.stdout}{got.stderr}")
    return got


def culprits(got, metric):
    """(function, module) of the first frames"""
    m, = [m for m in json.loads(got.stdout)["metrics"] if m["name"] == metric]
    return [(c["frames"][0]["function"], c["frames"][0]["module"]) for c in m["culprits"]]


with open(path("call.cpp"), "w") as file:
    file.write(SOURCE_TEXT)
must("g++", "-O1", "-g", "-fno-builtin", "-o", path("call"), path("call.cpp"))
for given, count in ("Call<void (int)>::operator()", 10), ("Call<int (char)>::operator()", 20):
    name = given.replace(" ", "")
    metric = f"sites.{name}.allocations"
    gate("--max", f"sites.{given}.allocations={count}", "--", path("call"))
    gate("--max", f"{metric}={count}", "--", path("call"))
    got = gate("--json", "--max", f"{metric}={count - 1}", "--", path("call"), code=2)
    equal(culprits(got, metric), [(name, "call")], f"{name} is the culprit")

# A name that ends as one with a module: of the program all the same, now and in the baseline.
must("objcopy", "--strip-debug", "--redefine-sym", "odd=odd (name)", path("call"))
got = gate("--json", "--max", "sites.odd (name).allocations=3", "--", path("call"), code=2)
equal(culprits(got, "sites.odd (name).allocations"), [("odd (name)", "call")], "the odd one is the culprit")
gate("--baseline", path("base.json"), "--save-baseline", "--", path("call"))
gate("--baseline", path("base.json"), "--metrics", "allocations,sites,modules", "--fail-on-improvement", "--", path("call"))
with open(path("base.json")) as file:
    text = file.read()
part, = json.loads(text)["platforms"].values()
equal([site["stack"][0] for site in part["sites"]], ["Call<int(char)>::operator()", "Call<void(int)>::operator()", "odd (name) (.)"], "its sites")
more = "#include <stdlib.h>\nstatic void *volatile sink;\nint main() { sink = malloc(1); }\n"
with open(path("less.c"), "w") as file:
    file.write(more)
must("gcc", "-fno-builtin", "-o", path("less"), path("less.c"))
got = gate("--baseline", path("base.json"), "--metrics", "allocations", "--json", "--", path("less"))
equal(sorted(culprits(got, "allocations")), [("Call<int(char)>::operator()", "less"), ("Call<void(int)>::operator()", "less"), ("odd (name)", "less")],
      "what is gone has its whole name, and the program's module")
sys.exit(done())
