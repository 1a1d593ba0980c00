"""Whose allocations they are that go through the C++ and Rust libraries, in programs with much and with little debug
information, of several compilers: a site is a line of the program's own source, and each of its functions has as many
as it makes. Compilers name what is inlined from a library's headers in their own ways, or hardly."""
import collections
import glob
import json
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

os.environ["XDG_CACHE_HOME"] = path("cache")
SOURCES = os.path.join(SOURCE, "tests/programs")


def functions_of(file):
    """Line → the function around it."""
    found, name = {}, None
    with open(os.path.join(SOURCES, file)) as source:
        for number, line in enumerate(source, 1):
            begun = re.search(r"\b(?:fn |int |long |void )(\w+)(?:<.*>)?\(.*\).*(?<!;)$", line.rstrip())
            if begun and "[" not in line.split("(")[0]:
                name = begun[1]
            found[number] = name
    return found


def charged(name, file):
    """Function of the source → allocations of the sites in it, and of those of the program that are elsewhere."""
    log = path(name + ".mscope")
    equal(record([path(name)], log).returncode, 0, f"record {name}")
    got = run([MALLOSCOPE, "sites", "--json", "--module", name, log])
    equal(got.returncode, 0, f"sites of {name}: {got.stderr}")
    functions, sums = functions_of(file), collections.Counter()
    for site in json.loads(got.stdout)["sites"]:
        own = os.path.basename(site["file"] or "") == file
        sums[functions[site["line"]] if own else f"{site['function']} {site['file']}"] += site["allocations"]
    return sums


for name, command in (("gcc", ["g++", "-O2", "-g"]), ("gcc-plain", ["g++", "-O0", "-g"]), ("gcc-g1", ["g++", "-O2", "-g1"]),
                      ("clang", ["clang++", "-O2", "-g"]), ("clang-lines", ["clang++", "-O1", "-gline-tables-only"])):
    must(*command, "-std=c++17", os.path.join(SOURCES, "passed_on.cpp"), "-o", path(name), cwd=WORK)
    equal(charged(name, "passed_on.cpp"),
          {"main": 1, "hold": 50, "share": 80, "sort": 30, "append": 40, "prepare": 10, "put": 5}, f"of {name}")

# What has no linkage name is named with what it is in; with lines only the function itself by its symbol.
stacks = json.loads(must(MALLOSCOPE, "sites", "--stacks", "--json", "--module", "gcc", path("gcc.mscope")))["sites"]
names = {name for site in stacks for name in site["stack"]}
check(any(name.startswith("std::_Function_base::_Base_manager<hold(int)::{lambda(int)#1}>::_M_create<") for name in names), f"with spaces: {names}")
equal([name for name in names if re.match("_M_|allocate|function<|__stable_sort|__shared", name)], [], "without")
stacks = json.loads(must(MALLOSCOPE, "sites", "--stacks", "--json", "--module", "clang-lines", path("clang-lines.mscope")))["sites"]
check(any(name.startswith("app::cache::put<long>") for site in stacks for name in site["stack"]), f"the symbol's names: {stacks}")

# Not by rustup's rustc: it may ask the network.
rustc = [file for file in ["/usr/bin/rustc", *glob.glob(os.path.expanduser("~/.rustup/toolchains/*/bin/rustc"))] if os.path.exists(file)]
for name, compiler, options in ((f"{name}{i}", compiler, options) for i, compiler in enumerate(rustc[:2]) for name, options in (
        ("rust", ["-g"]), ("rust-v0", ["-g", "-C", "symbol-mangling-version=v0"]), ("rust-lines", ["-C", "debuginfo=1"]))):
    must(compiler, "-O", *options, os.path.join(SOURCES, "passed_on.rs"), "-o", path(name), cwd=WORK)
    sums = charged(name, "passed_on.rs")
    equal({function: sums[function] for function in ("copies", "texts", "boxes", "prepare", "clone")},
          {"copies": 1001, "texts": 301, "boxes": 201, "prepare": 100, "clone": 50}, f"of {name}: {sums}")
# --- code of the program inlined into the library's templates, without debug information: names alone tell whose it is ---
HELD = {100: 10, 200: 20, 300: 30, 400: 40, 500: 50, 600: 60, 700: 70}


def bare(name, *command):
    must(*command, "-std=c++17", "-O2", "-pthread", os.path.join(SOURCES, "held_code.cpp"), "-o", path(name), cwd=WORK)
    log = path(name + ".mscope")
    equal(record([path(name)], log).returncode, 0, f"record {name}")
    sites = [site for site in json.loads(must(MALLOSCOPE, "sites", "--json", "--module", name, log))["sites"] if site["allocations"] >= 100]
    equal({site["allocations"]: site["bytes"] // site["allocations"] for site in sites}, HELD, f"sites of {name}: {sites}")
    rows = json.loads(must(MALLOSCOPE, "merge", "--sites", "--json", "-n", "100", log))["rows"]
    own = {row["costs"]["allocations"] for row in rows if row["frames"][0]["module"] == name}
    check({100, 200, 300, 600, 700} <= own, f"merged sites of {name}: {own}")
    return sites


for name, command in ("held-gcc", ["g++"]), ("held-clang", ["clang++"]):
    sites = bare(name, *command)
    functions = {site["allocations"]: site["function"] for site in sites}
    check(re.search(r"^std::thread::_State_impl<.*::_M_run$", functions[100]) and functions[100] != functions[200], f"threads of {name}: {functions}")
    check("pool" in functions[300] and (name == "held-clang" or functions[400] != functions[500]), f"functors of {name}: {functions}")
    grown = [site for site in json.loads(must(MALLOSCOPE, "sites", "--json", path(name + ".mscope")))["sites"] if "grow" in (site["function"] or "")]
    equal([site["allocations"] for site in grown], [5], f"a container's growth is its user's in {name}")
    # The gate has the same rule.
    must(MALLOSCOPE, "check", "--baseline", path(name + ".json"), "--save-baseline", path(name + ".mscope"))
    with open(path(name + ".json")) as file:
        [platform] = json.load(file)["platforms"].values()
    equal([platform["functions"].get(function, {}).get("allocations") for function in (functions[100], functions[200], functions[600], "grow")],
          [100, 200, 600, 5], f"checked functions of {name}: {platform['functions']}")
# --- what makes containers' nodes is not code of the program, whatever it is called: theirs whose containers they are ---
for name, *command in (("nodes-gcc0", "g++", "-O0"), ("nodes-gcc1", "g++", "-O1", "-fno-inline"), ("nodes-gcc2", "g++", "-O2"),
                       ("nodes-clang0", "clang++", "-O0"), ("nodes-clang1", "clang++", "-O1"), ("nodes-clang2", "clang++", "-O2")):
    must(*command, "-std=c++17", os.path.join(SOURCES, "container_nodes.cpp"), "-o", path(name), cwd=WORK)
    log = path(name + ".mscope")
    equal(record([path(name)], log).returncode, 0, f"record {name}")
    sums = collections.Counter()
    for site in json.loads(must(MALLOSCOPE, "sites", "--json", "--module", name, log))["sites"]:
        sums[site["function"]] += site["allocations"]
    # Hash tables grow, too, in their own steps.
    equal({function: count // 100 * 100 for function, count in sums.items() if count >= 100},
          {"load": 1000, "session": 2000, "snapshot": 1000, "backup": 2000, "collect": 3000, "duplicate": 3000}, f"users of containers in {name}")
# --- what the C library was only to call back has not asked for it: who gave it that to call ---
def of_size(name, size):
    log = path(name + ".mscope")
    found = {(os.path.basename(site["module"]), site["function"]) for site in json.loads(must(MALLOSCOPE, "sites", "--json", log))["sites"] if site["bytes"] == size}
    rows = json.loads(must(MALLOSCOPE, "merge", "--sites", "--json", "-n", "1000", log))["rows"]
    equal({(row["frames"][0]["module"], row["frames"][0]["function"]) for row in rows if row["costs"]["allocated"] == size}, found, f"merged, {name}")
    return found


ONCE = """#include <mutex>
#include <vector>
static std::vector<int> ints;
static std::once_flag once;
static __attribute__((noinline)) void setup()
{
    std::call_once(once, static_cast<void (std::vector<int>::*)(size_t)>(&std::vector<int>::reserve), &ints, 1001);
    ints.push_back(1);
}
int main() { setup(); ints.clear(); return 0; }
"""
with open(path("once.cpp"), "w") as file:
    file.write(ONCE)
for name, *command in ("once-gcc0", "g++", "-O0"), ("once-gcc2", "g++", "-O2", "-g"), ("once-clang0", "clang++", "-O0", "-g"), ("once-clang1", "clang++", "-O1"):
    must(*command, "-std=c++17", path("once.cpp"), "-o", path(name), cwd=WORK)
    equal(record([path(name)], path(name + ".mscope")).returncode, 0, f"record {name}")
    equal(of_size(name, 4004), {(name, "setup")}, f"called back by pthread_once, {name}")
    must(MALLOSCOPE, "check", "--baseline", path(name + ".json"), "--save-baseline", path(name + ".mscope"))
    with open(path(name + ".json")) as file:
        [platform] = json.load(file)["platforms"].values()
    equal(platform["functions"].get("setup", {}).get("bytes"), 4004, f"checked, {name}: {platform['functions']}")
for i, compiler in enumerate(rustc[:1]): # the unwinder calls std back for each frame, which reads debug information
    with open(path("panic.rs"), "w") as file:
        file.write("fn main() { let v: Vec<u8> = vec![1; 10]; let i = std::env::args().count() + 20; println!(\"{}\", v[i]); }\n")
    must(compiler, "-O", "-g", path("panic.rs"), "-o", path("panic"), cwd=WORK)
    got = record([path("panic")], path("panic.mscope"), env={"RUST_BACKTRACE": "1"})
    check("panic::main" in got.stderr, f"it tells where: {got.stderr}")
    sums = collections.Counter()
    for site in json.loads(must(MALLOSCOPE, "sites", "--json", path("panic.mscope")))["sites"]:
        sums[os.path.basename(site["module"])] += site["allocations"]
    check(sums["panic"] > 100 and sums["panic"] > 100 * sums["libgcc_s.so.1"], f"the unwinder allocates little: {sums}")
sys.exit(done())
