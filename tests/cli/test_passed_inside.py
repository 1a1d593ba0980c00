"""Whose allocations they are that are made deep inside the C++ library, where distributions leave no names: of the program's
functions that called it, each as many as it has itself counted; and what that library has for itself stays its own."""
import collections
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

os.environ["XDG_CACHE_HOME"] = path("cache")
SOURCES = os.path.join(SOURCE, "tests/programs")

must("mkdir", "-p", *(path(f"some/{i}/directory") for i in range(20)))
must("g++", "-O1", "-std=c++17", "-DCOUNT", os.path.join(SOURCES, "library_inside.cpp"), "-o", path("inside-truth"), cwd=WORK)
TRUTH = {name: int(count) for name, count in (line.split() for line in must(path("inside-truth"), path("some")).splitlines())}


def inside(name, *command):
    must(*command, "-std=c++17", os.path.join(SOURCES, "library_inside.cpp"), "-o", path(name), cwd=WORK)
    log = path(name + ".mscope")
    equal(record([path(name), path("some")], log).returncode, 0, f"record {name}")
    sites = json.loads(must(MALLOSCOPE, "sites", "--stacks", "--json", log))["sites"]
    sums = collections.Counter()
    for site in sites:
        sums[site["function"] if os.path.basename(site["module"]) == name else os.path.basename(site["module"])] += site["allocations"]
    for function in TRUTH:
        equal(sums[function], TRUTH[function], f"{function} of {name}: {sums}")
    # What it has for itself is its own.
    own = [site for site in sites if os.path.basename(site["module"]).startswith("libstdc++")]
    check(not own or (len(own) == 1 and own[0]["bytes"] > 60000), f"the library's own in {name}: {own}")
    rows = json.loads(must(MALLOSCOPE, "merge", "--sites", "--json", "-n", "1000", log))["rows"]
    merged = collections.Counter()
    for row in rows:
        merged[row["frames"][0]["function"]] += row["costs"]["allocations"]
    equal({function: merged[function] for function in TRUTH}, TRUTH, f"merged, {name}")
    must(MALLOSCOPE, "check", "--baseline", path(name + ".json"), "--save-baseline", log)
    with open(path(name + ".json")) as file:
        [platform] = json.load(file)["platforms"].values()
    equal({function: platform["functions"].get(function, {}).get("allocations") for function in TRUTH}, TRUTH, f"checked, {name}")
    # What is excluded is of the sites that are excluded.
    got = run([MALLOSCOPE, "check", "--exclude-module", "libstdc|libc[.]so", "--max", f"allocations={sum(TRUTH.values())}", log])
    equal(got.returncode, 0, f"not excluded in {name}: {got.stdout}")
    got = run([MALLOSCOPE, "check", "--exclude-module", "libstdc|libc[.]so", "--max", f"allocations={sum(TRUTH.values()) - 1}", log])
    equal(got.returncode, 2, f"excluded in {name}: {got.stdout}")


inside("inside-lines", "g++", "-O1", "-g")
inside("inside-bare", "g++", "-O0")
inside("inside-own-new", "g++", "-O2", "-DCOUNT")
inside("inside-clang", "clang++", "-O2")
# Also where the program is further out, since it has loaded the library.
with open(path("load.c"), "w") as file:
    file.write('#include <dlfcn.h>\n#include <stdlib.h>\nint main(void) { free(malloc(1)); return !dlopen("libstdc++.so.6", RTLD_NOW); }\n')
must("gcc", path("load.c"), "-o", path("load"), cwd=WORK)
equal(record([path("load")], path("load.mscope")).returncode, 0, "record load")
sites = json.loads(must(MALLOSCOPE, "sites", "--stacks", "--json", path("load.mscope")))["sites"]
own = [site for site in sites if os.path.basename(site["module"]).startswith("libstdc++")]
check(len(own) == 1 and own[0]["bytes"] > 60000 and "main" in own[0]["stack"], f"loaded by main: {own or sites}")
# Rust's shared library is the same.
if os.path.exists("/usr/bin/rustc"):
    with open(path("shared.rs"), "w") as file:
        file.write('#[inline(never)]\nfn resolve() -> usize {\n    (0..100).map(|_| std::env::vars().count()).sum()\n}\n'
                   'fn main() {\n    std::process::exit((resolve() == 0) as i32);\n}\n')
    must("/usr/bin/rustc", "-O", "-g", "-C", "prefer-dynamic", path("shared.rs"), "-o", path("shared"), cwd=WORK)
    libraries = {"LD_LIBRARY_PATH": os.path.join(must("/usr/bin/rustc", "--print", "sysroot").strip(), "lib")}
    equal(record([path("shared")], path("shared.mscope"), env=libraries).returncode, 0, "record shared")
    sites = json.loads(must(MALLOSCOPE, "sites", "--stacks", "--json", path("shared.mscope")))["sites"]
    called = [site for site in sites if any("shared::resolve" in frame for frame in site["stack"])]
    check(sum(site["allocations"] for site in called) >= 200, f"it allocates inside: {sites}")
    equal({os.path.basename(site["module"]) for site in called}, {"shared"}, "called from Rust")
# --- what it does for a type of the program's, without debug information ---
HUNDREDS = {"save": 10, "undo": 20, "assign": 10, "describe": 10, "collect": 10, "pick": 30, "texts": 10, "fill": 10, "promise": 3, "promises": 6, "bound": 4}
for name, *command in (("code-gcc0", "g++", "-O0"), ("code-gccg", "g++", "-Og"), ("code-gccs", "g++", "-Os"), ("code-gcc2", "g++", "-O2"),
                       ("code-clang0", "clang++", "-O0"), ("code-clang2", "clang++", "-O2")):
    must(*command, "-std=c++20", "-pthread", os.path.join(SOURCES, "library_code.cpp"), "-o", path(name), cwd=WORK)
    log = path(name + ".mscope")
    equal(record([path(name)], log).returncode, 0, f"record {name}")
    sums, hundreds = collections.Counter(), lambda: {function: count // 100 for function, count in sums.items() if count >= 100 and function != "main"}
    for site in json.loads(must(MALLOSCOPE, "sites", "--json", "--module", name, log))["sites"]:
        sums[re.sub(r"[(].*::[{]lambda.*", "", site["function"])] += site["allocations"]
    equal(hundreds(), HUNDREDS, f"who called the library in {name}")
    must(MALLOSCOPE, "check", "--baseline", path(name + ".json"), "--save-baseline", log)
    with open(path(name + ".json")) as file:
        [platform] = json.load(file)["platforms"].values()
    sums = collections.Counter({function: metrics.get("allocations", 0) for function, metrics in platform["functions"].items()})
    check(HUNDREDS.items() <= hundreds().items(), f"checked, {name}: {hundreds()}")
sys.exit(done())
