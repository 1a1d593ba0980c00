"""Debug information that is apart from the program (-gsplit-dwarf): in .dwo files, in the object files (clang's =single), in
packages (dwp's, llvm-dwp's), of DWARF 4 and 5, and what is said where it is missing or another build's. The truth is the same program
with all of it in it: its code is the same, byte for byte, and what it says is compared with llvm-symbolizer's.

Debian 12's dwp makes packages of DWARF 4 only, its llvm-dwp has no end with two units of gcc's DWARF 5."""
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

BUILD = os.path.dirname(os.path.dirname(MALLOSCOPE))
PRINT_NAMES = os.path.join(BUILD, "tests/unit/print_names")
LLVM = shutil.which("llvm-symbolizer-14") or shutil.which("llvm-symbolizer")
SOURCES = {
    "main.cpp": """#include "both.h"
void first() { kept = nullptr; }
namespace app {
struct pool { template <class T> INLINE void fill(T n) { for (T i = 0; i < n; i++) store((long)i); } void run(int n); };
void pool::run(int n) { fill(n); kept = nullptr; fill((long)n); }
}
int main(int count, char **) { app::pool p; p.run(count); return other(count) == 7; }
""",
    "other.cpp": """#include "both.h"
void second() { kept = nullptr; }
namespace { struct local { INLINE int twice(int n) { store(n + 1); store(n + 2); return n; } }; }
int other(int n) { local l; return l.twice(n) + l.twice(n * 3); }
""",
    "both.h": """#include <cstdlib>
#define INLINE inline __attribute__((always_inline))
extern void *volatile kept;
void first(); void second(); int other(int);
static INLINE void leaf(long n) { kept = malloc((size_t)n); if (n > 100) free(kept); }
static INLINE void store(long n) { leaf(n + 1); if (n & 1) leaf(n + 2); }
""",
    "kept.cpp": "void *volatile kept;\n"}


def names(file, addresses, **options):
    """For each address its frames, each (function, signature, file, line, column); and what is wrong."""
    got = run([PRINT_NAMES, file, *(f"{name}={value}" for name, value in options.items())], input="".join(f"{a:x}\n" for a in addresses), stdin=None)
    equal((got.returncode, got.stderr), (0, ""), f"print_names {file}")
    *groups, problem = got.stdout.split("\n\n")
    return [[tuple(line.split("\t")) for line in group.strip("\n").split("\n")[1:]] for group in groups], problem.strip("\n")


def others_names(file, addresses):
    text = must(LLVM, "--no-demangle", "--inlines", "--obj=" + file, input="".join(f"0x{a:x}\n" for a in addresses), stdin=None)
    groups = [group.split("\n") for group in text.rstrip("\n").split("\n\n")]
    mangled = sorted({line for lines in groups for line in lines[::2]})
    shown = dict(zip(mangled, must("c++filt", input="\n".join(mangled) + "\n", stdin=None).split("\n")))
    return [[(shown[lines[i]], *lines[i + 1].rsplit(":", 2)[1:]) for i in range(0, len(lines), 2)] for lines in groups]


def alike(mine, theirs):
    """What has no linkage name in the debug information is without its namespace there."""
    return len(mine) == len(theirs) and all(m[1:] == t[1:] and ("::" + m[0]).endswith("::" + t[0]) for m, t in zip(mine, theirs))


def build(directory, compiler, *options):
    os.makedirs(path(directory))
    for name, text in SOURCES.items():
        with open(path(f"{directory}/{name}"), "w") as file:
            file.write(text)
    for name in ("main", "other"):
        must(compiler, "-std=c++17", "-O2", *options, "-c", name + ".cpp", cwd=path(directory))
    must(compiler, "-c", "kept.cpp", cwd=path(directory))
    must(compiler, "main.o", "other.o", "kept.o", "-o", "program", cwd=path(directory))
    return path(f"{directory}/program")


def code(file):
    must("objcopy", "-O", "binary", "--only-section=.text", file, path("text"))
    with open(path("text"), "rb") as text:
        return text.read()


def addresses_in(file):
    fields = re.search(r" \.text +PROGBITS +(\w+) \w+ (\w+)", must("readelf", "-SW", file))
    start, size = (int(text, 16) for text in fields.groups())
    return range(start, start + size)


def hide(directory, *kinds):
    """What is apart is nowhere; returns how to bring it back."""
    files = [name for name in os.listdir(path(directory)) if name.endswith(kinds)]
    check(files, f"{directory} has files {kinds}")
    for name in files:
        os.rename(path(f"{directory}/{name}"), path(f"{directory}/{name}.away"))
    return lambda: [os.rename(path(f"{directory}/{name}.away"), path(f"{directory}/{name}")) for name in files]


def elsewhere(frames, directory, there):
    return [[(f[0], f[1], f[2].replace(path(there) + "/", path(directory) + "/"), *f[3:]) for f in group] for group in frames]


check(LLVM, "llvm-symbolizer is there: install llvm-14 (scripts/packages test)") or sys.exit(done())
for compiler in ("g++", "clang++"):
    for version in ("4", "5"):
        whole, apart = (f"{compiler}-{version}-{kind}" for kind in ("whole", "apart"))
        truth = build(whole, compiler, "-gdwarf-" + version)
        split = build(apart, compiler, "-gdwarf-" + version, "-gsplit-dwarf")
        addresses = addresses_in(truth)
        full, problem = names(truth, addresses)
        equal(problem, "", f"{whole}: nothing is wrong")
        theirs = others_names(truth, addresses)
        mine = [[(f[1], *f[3:]) for f in group] for group in full]
        wrong = [(hex(a), m, t) for a, m, t in zip(addresses, mine, theirs) if len(m) > 1 and not alike(m, t)]
        equal(wrong[:2], [], f"{whole}: {len(wrong)} are not as llvm-symbolizer has them")
        check(sum(len(group) > 2 for group in full) > 50, f"{whole}: calls are inlined: {[len(group) for group in full]}")
        equal(code(split), code(truth), f"{apart}: the same code")
        expected = (elsewhere(full, apart, whole), "")
        equal(names(split, addresses), expected, f"{apart}: .dwo files")

        # Nothing but the symbols and the lines, and which file it is that is missing.
        back = hide(apart, ".dwo")
        less, problem = names(split, addresses)
        real = [group[-1:] for group in expected[0]]
        equal([f[:2] for group in less for f in group], [f[:2] for group in real for f in group], f"{apart}: without .dwo files the symbols' names")
        check(re.fullmatch(r": a part of its debug information is in files that are not here \(%s/(main|other)\.dwo does not exist\): .*" %
                           re.escape(path(apart)), problem), f"{apart}: the line: {problem}")
        back()

        # Packages, also beside what a link leads to.
        tools = [["dwp"]] if version == "4" else []
        tools += [["llvm-dwp"]] if (compiler, version) != ("g++", "5") else []
        for tool in tools:
            must(*tool, "-e", split, "-o", split + ".dwp", cwd=path(apart), timeout=60)
            back = hide(apart, ".dwo")
            equal(names(split, addresses), expected, f"{apart}: {tool[0]}'s package")
            os.makedirs(path(apart + "/bin"), exist_ok=True)
            os.path.exists(path(apart + "/bin/link")) or os.symlink(split, path(apart + "/bin/link"))
            equal(names(path(apart + "/bin/link"), addresses), expected, f"{apart}: {tool[0]}'s package behind a link")
            os.remove(split + ".dwp")
            back()

        if compiler == "clang++":
            single = f"single-{version}"
            program = build(single, compiler, "-gdwarf-" + version, "-gsplit-dwarf=single")
            equal(names(program, addresses), (elsewhere(full, single, whole), ""), f"{single}: in the object files")
            back = hide(single, "main.o", "other.o")
            check(f"({path(single)}/" in names(program, addresses)[1], f"{single}: the object file that is missed")
            back()
# Types in units of their own, in front of the code's, and with tables of sources that are not for code.
for compiler, version, kind in (("g++", 4, ""), ("g++", 5, ""), ("clang++", 4, ""), ("clang++", 5, ""), ("clang++", 5, "=single")):
    place, whole = f"{compiler}-{version}-types{kind}", f"{compiler}-{version}-whole"
    types = build(place, compiler, f"-gdwarf-{version}", "-gsplit-dwarf" + kind, "-fdebug-types-section")
    addresses = addresses_in(types)
    full = elsewhere(names(path(whole + "/program"), addresses)[0], place, whole), ""
    equal(names(types, addresses), full, place)
    if compiler == "clang++" and not kind:
        must("llvm-dwp", "-e", types, "-o", types + ".dwp", cwd=path(place), timeout=60)
        back = hide(place, ".dwo")
        equal(names(types, addresses), full, f"{place}: in a package")
# A class whose name is in such a unit, where the linker's name of its function does not tell it: clang's lambdas have none.
LAMBDAS = """#include "both.h"
#include <string>
void *volatile kept;
namespace app { struct pool { int q; template <class F> INLINE void visit(F f) { store(f(q)); } }; }
int main(int count, char **) { app::pool p{count}; p.visit([](int n) { return 3 * n; });
  p.visit([](int n) { return 5 * n; }); auto sized = [](std::string &s) { store((long)s.size()); }; std::string s(count, 'x'); sized(s); }
"""
for compiler in "g++", "clang++":
    for version in 4, 5:
        place = f"{compiler}-{version}-whole"
        with open(path(place + "/lambdas.cpp"), "w") as file:
            file.write(LAMBDAS)
        for name, options in ("lambdas", []), ("lambdas-types", ["-fdebug-types-section"]):
            must(compiler, "-std=c++17", "-O2", f"-gdwarf-{version}", *options, "lambdas.cpp", "-o", name, cwd=path(place))
        addresses = addresses_in(path(place + "/lambdas"))
        full = names(path(place + "/lambdas"), addresses)
        check(any("app::pool::visit<" in frame[0] for group in full[0] for frame in group), f"{place}: the function with a lambda")
        types = names(path(place + "/lambdas-types"), addresses)
        if compiler == "g++": # whose declarations there lack the arguments: namesakes have numbers in place of signatures
            full, types = (([[(f[0], *f[2:]) for f in group] for group in groups], problem) for groups, problem in (full, types))
        equal(types, full, f"{place}: types in units of their own")

# --- what is not what it should be ------------------------------------------------------------
place, whole = "clang++-5-apart", "clang++-5-whole"
split = path(place + "/program")
addresses = addresses_in(split)
expected = (elsewhere(names(path(whole + "/program"), addresses)[0], place, whole), "")
must("llvm-dwp", "-e", split, "-o", path("good.dwp"), cwd=path(place))
# A package of another build: the .dwo files are still there, and do.
shutil.copy(path("good.dwp"), path("clang++-4-apart/program.dwp"))
equal(names(path("clang++-4-apart/program"), addresses)[1], "", "another build's package, but there are .dwo files")
back = hide("clang++-4-apart", ".dwo")
less, problem = names(path("clang++-4-apart/program"), addresses)
check(f"({path('clang++-4-apart/program.dwp')} lacks a unit of this build, or is damaged)" in problem, f"another build's package: {problem}")
back()
# A .dwo file that was made anew since.
with open(path(place + "/other.cpp"), "a") as file:
    file.write("int more() { return 1; }\n")
shutil.copy(path(place + "/other.dwo"), path("other.dwo"))
must("clang++", "-std=c++17", "-O2", "-gdwarf-5", "-gsplit-dwarf", "-c", "other.cpp", "-o", "other.o", cwd=path(place))
problem = names(split, addresses)[1]
check(f"({path(place)}/other.dwo is of another build, or damaged)" in problem, f"another build's .dwo file: {problem}")
shutil.copy(path("other.dwo"), path(place + "/other.dwo"))
equal(names(split, addresses), expected, "and this one's")
# Beside the program, and in a root directory of its own.
back = hide(place, ".dwo")
for where in ("beside", "root"):
    os.makedirs(path(where + path(place) if where == "root" else where))
shutil.copy(split, path("beside/program"))
for name in ("main.dwo", "other.dwo"):
    shutil.copy(path(f"{place}/{name}.away"), path(f"beside/{name}"))
    shutil.copy(path(f"{place}/{name}.away"), path("root" + path(f"{place}/{name}")))
os.makedirs(path("root/opt"))
shutil.copy(split, path("root/opt/program"))
equal(names(path("beside/program"), addresses), expected, "beside the program")
equal(names("/opt/program", addresses, sysroot=path("root")), expected, "--sysroot")
# A program that was stripped: the skeletons are in its debug file, the package is beside the program.
os.makedirs(path("stripped"))
must("objcopy", "--only-keep-debug", split, path("stripped/program.debug"))
must("objcopy", "--strip-all", "--add-gnu-debuglink=" + path("stripped/program.debug"), split, path("stripped/program"))
shutil.copy(path("good.dwp"), path("stripped/program.dwp"))
equal(names(path("stripped/program"), addresses), expected, "stripped, with a package")
# Any damage costs lines and inlined calls, and is no harm. Text is none.
with open(path("good.dwp"), "rb") as file:
    good = file.read()
for bad, words in ((b"text", "is damaged, or no ELF file"), (good[:len(good) // 2], "program.dwp "), (b"", "is damaged, or no ELF file")):
    with open(split + ".dwp", "wb") as file:
        file.write(bad)
    less, problem = names(split, addresses)
    check(words in problem and [group[-1][:2] for group in less if group] == [group[-1][:2] for group in expected[0] if group],
          f"a damaged package: {problem}")
must("objcopy", "--remove-section=.debug_str.dwo", path("good.dwp"), split + ".dwp")
check(all(frames for frames, real in zip(names(split, addresses)[0], expected[0]) if real), "a package without strings")
index, size = (int(text, 16) for text in re.search(r" \.debug_cu_index +PROGBITS +\w+ (\w+) (\w+)", must("readelf", "-SW", path("good.dwp"))).groups())
for at in range(index, index + size, 4):
    with open(split + ".dwp", "wb") as file:
        file.write(good[:at] + b"\xff\xff\xff\x7f" + good[at + 4:])
    less, problem = names(split, addresses[::40])
    check([group[-1][0] for group in less if group] == [group[-1][0] for group in expected[0][::40] if group], f"damage at {at:#x}: {problem}")
sys.exit(done())
