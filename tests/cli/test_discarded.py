"""Names of programs whose linker has left functions out: their debug information stays, and says that they are at 0, at
-1, or at their offset in a section that is not there, which may be in the midst of others' code. Nothing of them may be
shown, and nothing of what is there be lost.

All addresses of .text are asked for. The truth is the table of symbols for functions, the source for lines, and for both the
same program linked to lie so far up that no discarded function reaches it: every frame must be the same there."""
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

PRINT_NAMES = os.path.join(os.path.dirname(os.path.dirname(MALLOSCOPE)), "tests/unit/print_names")
HIGH = 0x10000000
LINKERS = {"bfd": f"-Wl,-Ttext-segment={HIGH:#x}", "gold": f"-Wl,-Ttext={HIGH:#x}", "lld": f"-Wl,--image-base={HIGH:#x}"}
COUNT = 40


def write(name, text):
    with open(path(name), "w") as file:
        file.write(text)


def live_source():
    text = "#include <stdlib.h>\n"
    for i in range(COUNT):
        text += f"""static inline __attribute__((always_inline)) void *leaf{i}(int n) {{ return malloc(n + {i}); }}
__attribute__((noinline, cold)) void rare{i}(int n) {{ free(leaf{i}(n * {i + 3})); }}
__attribute__((noinline)) void *work{i}(int n)
{{
    void *p = leaf{i}(n);
    if (!p)
        rare{i}(n);
    return p;
}}
"""
    calls = "".join(f"    free(work{i}(argc));\n" for i in range(COUNT))
    return text + f"int main(int argc, char **argv)\n{{\n{calls}    return argc > 100 ? argv[0][0] : 0;\n}}\n"


def discarded_source():
    """Small ones first, at offsets like those of code that is there; then one that is larger than all of it."""
    text = ""
    for i, bytes in enumerate([83] * 150 + [100000]):
        text += f"""static inline __attribute__((always_inline)) int gone_leaf{i}(int n) {{ return n * {i} ^ n >> 3; }}
int gone{i}(int n) {{ __asm__ volatile(".skip {bytes}, 0x90"); return gone_leaf{i}(n); }}
"""
    return text


def text_of(file):
    for line in must("readelf", "-SW", file).splitlines():
        fields = line.replace("[ ", "[").split()
        if len(fields) > 5 and fields[1] == ".text":
            return int(fields[3], 16), int(fields[5], 16)


def functions_of(file):
    found = []
    for line in must("nm", "-S", file).splitlines():
        fields = line.split()
        if len(fields) == 4 and fields[2] in "tT":
            found.append((int(fields[0], 16), int(fields[1], 16), re.sub(r"\.(cold|part|constprop|isra)(\.\d+)?$", "", fields[3])))
    return found


def names(file, start, count):
    got = run([PRINT_NAMES, file], input="".join(f"{start + i:x}\n" for i in range(count)), stdin=None)
    equal((got.returncode, got.stderr), (0, ""), f"print_names {file}")
    *groups, problem = got.stdout.split("\n\n")
    equal((len(groups), problem), (count, ""), f"{file}: all is answered, nothing is wrong")
    return [[tuple(line.split("\t")) for line in group.strip("\n").split("\n")[1:]] for group in groups]


write("live.c", live_source())
write("discarded.c", discarded_source())
lines = {}
for number, line in enumerate(live_source().splitlines(), 1):
    for name in re.findall(r"p = (leaf\d+)|\*(leaf\d+)\(int", line):
        lines["call " + name[0] if name[0] else name[1]] = str(number)
linkers = [name for name in LINKERS if shutil.which("ld." + name)]
check(len(linkers) == 3, f"bfd, gold and lld are there: install binutils and lld (scripts/packages test); {linkers}")
for compiler, version in (("gcc", 5), ("gcc", 4), ("clang", 5), ("clang", 4)):
    if not shutil.which(compiler):
        continue
    compile = [compiler, "-O2", f"-gdwarf-{version}", "-c"]
    must(*compile, "-ffunction-sections", "live.c", "-o", "live.o", cwd=WORK)
    must(*compile, "-ffunction-sections", "discarded.c", "-o", "one-by-one.o", cwd=WORK)
    must(*compile, "discarded.c", "-o", "together.o", cwd=WORK)
    for linker in linkers:
        for discarded in ("one-by-one.o", "together.o"):
            what = f"{compiler} DWARF {version} {linker} {discarded}"
            link = [compiler, "-pie", "-Wl,--gc-sections", f"-fuse-ld={linker}", path(discarded), path("live.o"), "-o"]
            must(*link, path("low"))
            must(*link, path("high"), LINKERS[linker])
            (low, size), (high, high_size) = text_of(path("low")), text_of(path("high"))
            if not check(high >= HIGH > 2 * size and size == high_size, f"{what}: the same code twice: {size} {high_size}"):
                continue
            of_low, of_high = names(path("low"), low, size), names(path("high"), high, size)
            wrong = [(hex(low + i), *pair) for i, pair in enumerate(zip(of_low, of_high)) if pair[0] != pair[1]]
            equal(wrong[:2], [], f"{what}: {len(wrong)} of {size} addresses have other names where functions were discarded")
            functions = functions_of(path("low"))
            check(not any(name.startswith("gone") for _, _, name in functions), f"{what}: they are discarded")
            inlined = 0
            for start, bytes, name in functions:
                for frames in of_low[start - low:start - low + bytes]:
                    if not equal(frames[-1][0] if frames else "", name, f"{what}: the function at {start:#x}"):
                        break
                    if len(frames) == 2 and name.startswith("work"):
                        inlined += 1
                        leaf = name.replace("work", "leaf")
                        equal((frames[0][0], frames[0][3], frames[1][3]), (leaf, lines[leaf], lines["call " + leaf]), f"{what}: lines")
            check(inlined >= COUNT, f"{what}: calls that are inlined: {inlined}")
sys.exit(done())
