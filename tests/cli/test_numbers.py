"""Numbers in reports: none is negative, whatever a log says; a number of one has its noun in the singular; and advice says of
many blocks what is of all together, and what of each."""
import json
import os
import re
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

with open(os.path.join(SOURCE, "docs/format.md")) as document:
    lines = document.read().split("```hex\n")[1].split("```")[0].splitlines()
example = bytes.fromhex("".join(re.match(r"[0-9a-f]{4}  ((?:[0-9a-f]{2} ?)+)", line).group(1) for line in lines))


def checksum(data):
    return int(subprocess.run(["xxhsum", "-H1", "-"], input=data, stdout=subprocess.PIPE, check=True).stdout.split()[0], 16)


def changed(old, new):
    """The example of docs/format.md with other bytes in its first chunk."""
    equal((example.count(old), len(old)), (1, len(new)), "what is changed in it")
    payload_bytes, = struct.unpack_from("<I", example, 64 + 8)
    data = bytearray(example.replace(old, new))
    struct.pack_into("<Q", data, 64 + 48, checksum(bytes(data[128:128 + payload_bytes])))
    struct.pack_into("<Q", data, 64 + 56, checksum(bytes(data[64:64 + 56])))
    log = path("changed.mscope")
    with open(log, "wb") as file:
        file.write(data)
    return log


def numbers(value):
    if isinstance(value, (dict, list)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from numbers(one)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield value


def asked(*command):
    got = run([MALLOSCOPE, *command])
    check(got.returncode in (0, 1) and got.stdout, f"{command}: {got.stderr}")
    return json.loads(got.stdout)


# --- code that lies before its module: an address, not a negative offset ---
bias, beyond = bytes.fromhex("0b 1a ce 04 01 80 80 80 02"), bytes.fromhex("0b 1a ce 04 01 80 80 80 7f")
log = changed(bias, beyond) # at 0xfe00000; the code is at 0x401136
for command in (["report", "--json"], ["leaks", "--json", "--no-default-suppressions"], ["sites", "--json"], ["sites", "--json", "--stacks"], ["tree", "--json"],
                ["timeline", "--json"], ["info", "--json"], ["hist", "--json"], ["diff", "--json", log], ["merge", "--json", log]):
    least = min(numbers(asked(*command, log)))
    check(least >= 0, f"{command}: {least}")
site = asked("report", "--json", log)["top_sites"]["by_allocations"]
equal({(s["module"], s["offset"]) for s in site} <= {("", 0x401136), ("", 0x401200), ("", 0x401250)}, True, f"where it lies in memory: {site}")
for command in ["report"], ["leaks", "--no-default-suppressions"], ["tree"], ["sites"], ["flame", "-o", path("f.folded"), "-f"], ["dump", "--stacks"]:
    text = run([MALLOSCOPE, *command, log])
    check("0xffffffff" not in text.stdout, f"{command}: {text.stdout}")

# --- one of each: in every command and on stderr ---
with open(path("one.c"), "w") as file:
    file.write("""#include <stdlib.h>
void *volatile kept;
int main(int argc, char **argv)
{
    (void)argv;
    if (argc < 3) free(malloc(1));
    kept = malloc(1);
    for (int i = 2; i < argc; i++) kept = malloc(2);
    return 0;
}
""")
equal(run(["gcc", "-O0", "-g", "one.c", "-o", "one"], cwd=WORK).returncode, 0, "compiling it")
LOGS = {"once": [], "twice": ["x", "y"], "least": [], "sampled": []}
OPTIONS = {"least": ["--min-size=1", "--max-depth=1"], "sampled": ["--sample=1"]}
said = {}
for name, arguments in LOGS.items():
    got = run([MALLOSCOPE, "record", "-o", name, *OPTIONS.get(name, []), "./one", *arguments], cwd=WORK, env={"MALLOSCOPE_QUIET": ""})
    said[f"record {name}"] = got.stdout + got.stderr
for name in LOGS:
    for command in (["report"], ["report", "--threads"], ["report", "--filter", "main"], ["report", "--temporary-within", "1"], ["report", "--sort", "temporary"],
                    ["leaks"], ["leaks", "--no-default-suppressions", "--depth", "1"], ["leaks", "--fail"], ["leaks", "-n", "0"], ["tree"], ["tree", "--inverted"],
                    ["timeline"], ["timeline", "--buckets", "1"], ["hist", "--threshold", "1"], ["hist", "--linear"], ["info"], ["sites"],
                    ["flame", "-o", f"{name}.svg", "-f"], ["flame", "-o", f"{name}.folded", "-f"], ["diff", "once"], ["diff", "--unchanged", "twice"],
                    ["diff", "--sites", "twice", "--depth", "1"], ["merge"], ["merge", "--stacks", "-n", "1"], ["symbolize"], ["trim", "-f", "-o", "part"]):
        got = run([MALLOSCOPE, *command, name], cwd=WORK)
        said[f"{command} {name}"] = got.stdout + got.stderr
NOUNS = ("allocations blocks bytes calls chunks estimates events files frames frees libraries locations logs marks modules places processes programs "
         "rows samples seconds sites sizes stacks streams threads times").split()
for what, text in said.items():
    check(text, f"{what} says something")
    found = re.findall(rf"(?<![\d,.+-])[+-]?1 (?:(?!in |of |at |on |from )\w+ )?(?:{'|'.join(NOUNS)})\b(?! %)", text.replace("1 more\n", "\n"))
    equal(found, [], f"{what}: one is no more than one: {text}")
check("2 allocations, 2 B; under 100 bytes" in said["record once"] and "in 1 block\n" in said["record once"], f"what was recorded: {said['record once']}")
check("peak 1 B in 1 block at" in said["['timeline'] once"], f"the chart's heading: {said[str(['timeline']) + ' once']}")

# --- advice: the program knows what it does ---
with open(path("advised.c"), "w") as file:
    file.write("""#include <stdlib.h>
void *volatile kept[20000];
__attribute__((noinline)) void grow(int which) { char *p = 0; for (int i = 1; i <= 200; i++) p = realloc(p, i * 10); kept[which] = p; }
__attribute__((noinline)) void brief(void) { void *volatile p = malloc(64); free(p); }
__attribute__((noinline)) void small(int which) { kept[which] = malloc(1); }
int main(int argc, char **argv)
{
    int count = atoi(argv[argc - 1]);
    switch (argv[1][0]) {
    case 'g': for (int i = 0; i < count; i++) grow(i); return 0;
    case 'b': for (int i = 0; i < count; i++) brief(); return 0;
    default: for (int i = 0; i < count; i++) small(i); return 0;
    }
}
""")
equal(run(["gcc", "-O0", "-g", "advised.c", "-o", "advised"], cwd=WORK).returncode, 0, "compiling it")


def advice(*arguments):
    equal(run([MALLOSCOPE, "record", "-q", "-f", "-o", "advice", "./advised", *arguments], cwd=WORK).returncode, 0, f"{arguments}")
    text = " ".join(run([MALLOSCOPE, "report", "advice"], cwd=WORK).stdout.split("\nAdvice")[1].split("\n\n")[0].split())
    one = json.loads(run([MALLOSCOPE, "report", "--json", "advice"], cwd=WORK).stdout)["advice"]
    equal(len(one), 1, f"{arguments}: {text}")
    check(one[0]["text"] in text, f"{arguments}: the same in JSON: {one[0]['text']}")
    return one[0]["text"], one[0]["evidence"]


copied = 10 * 199 * 200 // 2 - 10 - 20 # all sizes but the last, and the first two
text, evidence = advice("grow", "1000")
equal((evidence["blocks"], evidence["final_bytes"]), (1000, 2000000), "blocks that grow: all of them")
check(text.startswith("grows 1,000 blocks to 2,000 B each by 199 reallocs each, on average: all together that may copy up to ") and
      "for 1.9 MiB in the end" in text, f"of many blocks the sum is told as one: {text}")
check(abs(evidence["copied_bytes"] - 1000 * copied) <= 1000 * 100, f"what that copies: {evidence}")
text, _ = advice("grow", "20")
check("grows 20 blocks to 2,000 B each by 199 reallocs each" in text, text)
text, _ = advice("brief", "20000")
check(text.startswith("allocates 64 bytes 20,000 times (") and "frees 100.0 % of them before their thread allocates again: keep one block" in text, text)
text, _ = advice("small", "20000")
check("20,000 blocks at the peak, of 1.0 bytes on average, with room for 24.0: malloc's rounding loses 449.2 KiB, 96 % of that room" in text, text)
sys.exit(done())
