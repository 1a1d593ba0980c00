"""Numbers in reports: none is negative, whatever a log says; and a number of one has its noun in the singular."""
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
sys.exit(done())
