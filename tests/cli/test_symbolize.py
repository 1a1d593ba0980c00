"""Names in the log: `malloscope symbolize` and `record --embed-symbols`. The truth is what is shown while the files
are there; afterwards it must be the same without them, and damage of it must cost names only."""
import os
import random
import re
import resource
import shutil
import signal
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *
from log_bytes import chunks, with_payload

os.environ["XDG_CACHE_HOME"] = path("cache")
AWAY = ("--sysroot", path("nothing"), "--no-cache")
os.makedirs(path("nothing"))


def stacks(log, *options):
    """Every line of every stack; and what was complained of."""
    got = run([MALLOSCOPE, "dump", "--stacks", *options, log])
    equal(got.returncode, 0, f"dump {log} {options}: {got.stderr}")
    return [line for line in got.stdout.splitlines() if line.startswith("\t")], got.stderr


def symbolize(log, *options, code=0):
    got = run([MALLOSCOPE, "symbolize", *options, log])
    equal(got.returncode, code, f"symbolize {log} {options}: {got.stdout} {got.stderr}")
    return got.stdout, got.stderr


def read(file):
    with open(file, "rb") as opened:
        return opened.read()


def write(file, data):
    with open(file, "wb") as opened:
        opened.write(data)


# --- the same without the files -------------------------------------------------------------
shutil.copy(program("inlined"), path("inlined"))
for log, options in (("plain.mscope", ["--no-compress"]), ("packed.mscope", [])):
    log = path(log)
    equal(record([path("inlined")], log, *options).returncode, 0, "record")
    with_files, words = stacks(log)
    check(any("leaf\t" in line and line.endswith("\tinlined") for line in with_files), f"there are names: {with_files}")
    without, words = stacks(log, *AWAY)
    check(without != with_files and words.count(": no such file in the --sysroot") == 2, f"without the files there are none: {words}")
    before = read(log)
    said, words = symbolize(log)
    check("7 of 7 code locations have names, in 2 files" in said and "were added" in said and not words, f"{said} {words}")
    after = read(log)
    check(after.startswith(before) and len(after) > len(before), "names are appended")
    equal(stacks(log, *AWAY), (with_files, ""), "with names in the log nothing else is needed")
    check("nothing was added" in symbolize(log)[0] and read(log) == after, "what is there is not written again")
    check("nothing was added" in symbolize(log, *AWAY)[0], "nor looked for")
    events = [run([MALLOSCOPE, "dump", file]).stdout for file in (log,)]
    write(path("bare.mscope"), before)
    equal(events, [run([MALLOSCOPE, "dump", path("bare.mscope")]).stdout], "events are what they were")
plain, packed = read(path("plain.mscope")), read(path("packed.mscope"))
as_json = [report(path(log))["top_sites"] for log in ("plain.mscope", "packed.mscope")]
equal(as_json[0], as_json[1], "packed or not, names are the same")

# A file that was replaced: what the log has counts, and nothing is said of it.
shutil.copy(program("known"), path("inlined"))
equal(stacks(path("plain.mscope"), "--no-cache"), (with_files, ""), "names of the file that was recorded")

# --- by record; later names replace earlier ones ----------------------------------------------
run(["strip", "-o", path("stripped"), program("inlined")])
shutil.copy(path("stripped"), path("inlined"))
log = path("embedded.mscope")
equal(record([path("inlined")], log, "--embed-symbols").returncode, 0, "record --embed-symbols")
poor = stacks(log, *AWAY)
check(poor[1] == "" and any("__libc_start" in line for line in poor[0]) and not any("leaf" in line for line in poor[0]),
      f"libc's names, none of the stripped program's: {poor}")
shutil.copy(program("inlined"), path("inlined"))
equal(stacks(log, "--no-cache"), poor, "they count, though more could be found now")
check("nothing was added" in symbolize(log)[0], "and are not looked for")
check("were added" in symbolize(log, "--again")[0], "--again")
equal([line.split("+")[1] for line in stacks(log, *AWAY)[0]], [line.split("+")[1] for line in with_files], "the last ones count")
shutil.copy(program("known"), path("inlined"))
kept = stacks(log, *AWAY)
said, words = symbolize(log, "--again")
check(re.search(r": names of [1-6] of 7 code locations were found, in 1 file, and the others stay as they were; ", said) and "was replaced" in words and
      stacks(log, *AWAY) == kept, f"--again, of a program that was replaced: {said} {words}")
got = record(["sh", "-c", "exit 3"], path("exit.mscope"), "--embed-symbols")
equal((got.returncode, got.stdout, got.stderr), (3, "", ""), "the program's exit status and output are its own")
check(record(["true"], path("c.mscope"), "--embed-symbols", "--no-compress").returncode == 0 and
      run([MALLOSCOPE, "report", *AWAY, path("c.mscope")]).stderr == "", "unpacked")

# --- generated code ------------------------------------------------------------------------------
log = path("jit.mscope")
equal(record([program("jit"), program("torture1.so")], log).returncode, 0, "record jit")
made = [event for event in dump(log, stacks=True) if event.size == 1001 and event.frames]
address = int(re.search(r"\?\+0x([0-9a-f]+)", made[0].frames[1]).group(1), 16) if made else 0
if check(address, "an allocation from generated code"):
    map_file = f"/tmp/perf-{made[0].pid}.map"
    write(map_file, f"{address - 8:x} 20 made code; here\n".encode())
    try:
        check("made code; here" in "\n".join(stacks(log)[0]), "a map's names are shown")
        symbolize(log)
    finally:
        os.unlink(map_file)
    check("made code; here" in "\n".join(stacks(log, *AWAY)[0]), "and stay when it has gone")

# --- a log that cannot be written -----------------------------------------------------------------
log = path("full.mscope")
write(log, before)


def small_files():
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, resource.RLIM_INFINITY))


shutil.copy(program("inlined"), path("inlined"))
got = run([MALLOSCOPE, "symbolize", "--no-cache", log], preexec_fn=small_files)
check(got.returncode == 1 and "names cannot be written into it" in got.stderr and got.stderr.count("\n") == 1, f"{got}")
equal(read(log), before, "the log is as it was")
equal(run([MALLOSCOPE, "symbolize", path("none")]).returncode, 1, "no log")
equal(run([MALLOSCOPE, "symbolize"]).returncode, 2, "usage")

# --- damage ------------------------------------------------------------------------------------------
NAMES = 3


named = [chunk for chunk in chunks(plain) if chunk[1] == NAMES]
equal(len(named), 2, "a chunk for each file")
equal([plain[at + 5] & 1 and struct.unpack_from("<QQ", plain, at + 32) for at, *_ in named], [(0, 0)] * 2, "and no clock")
chunk = named[0]
payload = plain[chunk[0] + chunk[2]:chunk[0] + chunk[2] + chunk[3]]
log = path("damaged.mscope")
write(log, plain[:chunk[0] + chunk[2] + 5] + bytes([payload[5] ^ 1]) + plain[chunk[0] + chunk[2] + 6:])
got = run([MALLOSCOPE, "dump", "--stacks", *AWAY, log])
check(got.returncode == 1 and "damaged at offset" in got.stderr and got.stdout.count("\n") >= len(with_files),
      f"a chunk whose checksum is wrong is damage as any: {got.stderr}")
write(log, with_payload(plain, chunk, payload[:-3]))
got = run([MALLOSCOPE, "dump", "--stacks", *AWAY, log])
check(got.returncode == 0 and "names that were written into it are damaged" in got.stderr, f"one that is cut: {got.stderr}")
chosen = random.Random(5)
for i in range(60):
    bad = bytearray(payload)
    for _ in range(chosen.choice((1, 3, 30))):
        bad[chosen.randrange(len(bad))] = chosen.choice((chosen.randrange(256), 0, 1, 0xff))
    write(log, with_payload(plain, chunk, bytes(bad)))
    got = run([MALLOSCOPE, "dump", "--stacks", *AWAY, log], timeout=20)
    check(got.returncode == 0 and len(re.findall(r"^\t#\d+ \S+\+0x", got.stdout, re.M)) >= 6, f"names that are damaged: {got}")
# A log that ends within its names has all events.
write(log, plain[:-20])
got = run([MALLOSCOPE, "report", "--json", *AWAY, log])
check(got.returncode == 1 and json.loads(got.stdout)["counts"]["allocations"] == 2, f"cut within the names: {got.stderr}")

# --- a recording that was cut short, and then named ------------------------------------------------------
# What there was of its last events' chunk still counts, whether names follow it once or twice.
log = path("cut.mscope")
equal(record([program("known")], log, "--no-compress").returncode, 7, "record: the status is the program's own")
whole = read(log)
at, _, header_bytes, payload_bytes = max((chunk for chunk in chunks(whole) if chunk[1] == 1), key=lambda chunk: chunk[3])
events = [run([MALLOSCOPE, "dump", log]).stdout]
for kept in (header_bytes + payload_bytes // 2, header_bytes + payload_bytes - 1, header_bytes - 1):
    write(log, whole[:at + kept])
    cut = run([MALLOSCOPE, "dump", log])
    check(cut.returncode == 1 and (cut.stdout.count("\n") > 1) == (kept > header_bytes) and len(cut.stdout) < len(events[0]),
          f"a recording that is cut short: {cut.stdout.count(chr(10))} {cut.stderr}")
    for again in ([], ["--again"]):
        symbolize(log, *again, code=1)
        got = run([MALLOSCOPE, "dump", log])
        equal((got.stdout, got.returncode), (cut.stdout, 1), f"events of what was cut after {kept} bytes, {again}")

# A packed chunk whose records have another checksum than they should: what reads the records, and lacks their code, says so.
log = path("unsure.mscope")
equal(record([path("inlined")], log).returncode, 0, "record, packed")
whole = read(log)
at, _, header_bytes, payload_bytes = chunk = next(chunk for chunk in chunks(whole) if chunk[1] == 1 and whole[chunk[0] + 5] & 2)
payload = whole[at + header_bytes:at + header_bytes + payload_bytes]
write(log, with_payload(whole, chunk, bytes(8) + payload[8:]))
for command in (["dump", "--stacks"], ["symbolize"], ["info"]):
    got = run([MALLOSCOPE, *command, log])
    check(got.returncode == 1 and "1 chunk" in got.stderr, f"{command} of a chunk with another checksum: {got.returncode} {got.stderr}")
sys.exit(done())
