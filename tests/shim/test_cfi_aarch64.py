"""The reader of unwind tables built for aarch64 and run under qemu's user mode: its
own tests, and the rules of real modules, every row, as readelf has them."""
import glob
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import SOURCE, check, done, equal, path, run

COMPILER, READELF, ROOT = "aarch64-linux-gnu-gcc", "aarch64-linux-gnu-readelf", "/usr/aarch64-linux-gnu"


def build(name, *sources):
    built = run([COMPILER, "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers",
                 "-I", SOURCE, *(found for source in sources for found in glob.glob(os.path.join(SOURCE, source))),
                 "-o", path(name)])
    return check(built.returncode == 0, f"{COMPILER} builds {name}: {built.stderr}")


def emulate(name, *arguments, **more):
    ran = run(["qemu-aarch64", "-L", ROOT, path(name), *arguments], **more)
    check(ran.returncode == 0, f"{name} {arguments} ends well: {ran.stdout[-1000:]} {ran.stderr[-1000:]}")
    return ran.stdout


def rows(module):
    """(first address, end, CFA, x29, ra, its register, what readelf calls "u" may be an end) of each row."""
    ends = set()  # functions with an undefined x30
    function = None
    for line in run([READELF, "--debug-dump=frames", module]).stdout.splitlines():
        if match := re.search(r" FDE .*pc=([0-9a-f]+)\.\.", line):
            function = int(match.group(1), 16)
        elif "DW_CFA_undefined: r30" in line:
            ends.add(function)
    found, columns, commons, returns = [], [], {}, {}
    for line in run([READELF, "--debug-dump=frames-interp", module]).stdout.splitlines():
        words = line.split()
        if match := re.match(r"([0-9a-f]+) [0-9a-f]+ [0-9a-f]+ (FDE .*cie=([0-9a-f]+) pc=([0-9a-f]+)\.\.([0-9a-f]+)|CIE .*ra=(\d+))", line):
            common = match.group(3) or match.group(1)
            columns = []
            if match.group(6):
                start, returns[common] = None, f"x{match.group(6)}"
            else:
                start, end = (int(text, 16) for text in match.group(4, 5))
                found.append([start, end, *commons[common], start in ends])  # until a row says more
        elif line.startswith("   LOC"):
            columns = words
        elif columns and re.match(r"[0-9a-f]{16} ", line):
            row = dict(zip(columns, words))
            values = (row["CFA"], row.get("x29", "u"), row.get("ra", "u"), returns[common])
            if start is None:
                commons[common] = values
                continue
            at = int(words[0], 16)
            if found[-1][0] < at:
                found[-1][1] = at
            else:
                found.pop()
            found.append([at, end, *values, start in ends])
    return found


def expected(cfa, fp, ra, ra_register, may_end):
    """What print_rules may say of such a row."""
    if not re.match(r"(sp|x29)[+-]", cfa) or ra_register != "x30":
        return {"unsupported"}  # by another register
    places = {"u": "same", "s": "same"}
    steps = {f"step {cfa} {places.get(fp, fp)} {'lr' if ra in ('u', 's') else ra}"}
    return steps | {"end"} if may_end and ra == "u" else steps


def compare(module):
    wanted = {}
    for first, end, *values in rows(module):
        for address in {first, (first + end) // 2 & ~3, end - 1}:
            if first <= address < end:
                wanted[address] = expected(*values)
    told = emulate("print_rules", module, input="".join(f"{address:x}\n" for address in wanted), stdin=None).splitlines()
    equal(len(told), len(wanted), f"{module}: answers")
    wrong = [f"{line}, not {allowed}" for line, allowed in zip(told, wanted.values()) if line.split(" ", 1)[1] not in allowed]
    ends = sum(line.endswith(" end") for line in told)
    other = sum(line.endswith(" unsupported") for line in told)
    print(f"{module}: {len(told)} addresses, {ends} ends, {other} by other registers")
    equal(wrong[:5], [], f"{module}: rules")
    check(len(told) > 100, f"{module}: it has rules")
    return ends


if build("test_cfi", "tests/unit/test_cfi.c", "interpose/inside/cfi*.c"):
    check(emulate("test_cfi").endswith(" 0 failed\n"), "tables made by hand")
if build("test_rules", "tests/unit/test_rules.c"):
    check(emulate("test_rules").endswith(" 0 failed\n"), "short rules and their cache")
if build("print_rules", "tests/unit/print_rules.c", "interpose/inside/cfi*.c"):
    found = [compare(f"{ROOT}/lib/{name}") for name in ("libc.so.6", "ld-linux-aarch64.so.1", "libm.so.6", "libgcc_s.so.1", "libstdc++.so.6")]
    check(sum(found) > 0, "some functions are the outermost")
sys.exit(done())
