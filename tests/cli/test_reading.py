"""What all reading commands have: parts of a log, threads, --jobs, a line of progress,
and Ctrl-C."""
import fcntl
import http.server
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

log = path("parts.mscope")
told = path("told")
got = run(["sh", "-c", 'exec "$@" 3>"$0"', told, MALLOSCOPE, "record", "-q", "-f", "-o", log, "--", program("parts")])
equal(got.returncode, 0, f"recording: {got.stderr}")
with open(told) as file:
    main_tid, other_tid = file.read().split()


def read(*options, code=0, file=None):
    got = run([MALLOSCOPE, "report", "--json", *options, file or log])
    equal(got.returncode, code, f"report {options}: {got.stderr}")
    return json.loads(got.stdout) if got.stdout else got.stderr


def sizes(*options):
    """size → (allocations, still allocated) of the sites: each size has one of its own."""
    r = read("-n", "100", *options)
    known = {10: "main", 20: "other", 1000: "main"}
    found = {}
    for site in r["top_sites"]["by_bytes"]:
        for size, function in known.items():
            if site["function"] == function and site["bytes"] == size * site["allocations"]:
                found[size] = site["allocations"], site["leaked_bytes"] // size
    return found, r


EARLY, ONE, TWO = {1000: (7, 4)}, {10: (100, 40)}, {20: (50, 50)}
for options, wanted in (
        ([], {**EARLY, **ONE, **TWO}),
        (["--to", "one"], {1000: (7, 7)}),
        (["--from", "one"], {**ONE, **TWO}),
        (["--from", "two"], TWO),
        (["--from", "one", "--to", "two"], {10: (100, 40)}),
        (["--from", "two", "--to", "one"], TWO), # the second "one" ends it
        (["--to", "two"], {1000: (7, 7), 10: (100, 40)}),
        (["--thread", other_tid], TWO),
        (["--thread", main_tid, "--from", "one"], ONE),
        (["--thread", f"{main_tid},{other_tid}", "--from", "one"], {**ONE, **TWO}),
        (["--thread", other_tid, "--to", "two"], {}),
        (["--from", "0", "--to", "1000s"], {**EARLY, **ONE, **TWO}),
        (["--from", "mark:one", "--to", "mark:two"], {10: (100, 40)})):
    found, r = sizes(*options)
    equal(found, wanted, f"{options}")
    got = run([MALLOSCOPE, "hist", "--json", *options, log])
    equal(got.returncode, 0, f"hist {options}: {got.stderr}")
    h = json.loads(got.stdout)
    often = {row["size"]: row["allocations"] for row in h["top_by_allocations"] + h["top_by_bytes"]}
    equal({size: often[size] for size in (10, 20, 1000) if size in often}, {size: made for size, (made, _) in wanted.items()}, f"hist {options}")
    equal((h["allocations"], h["bytes"]), (r["counts"]["allocations"], r["bytes"]["allocated"]), f"hist {options}: as report")
    equal((h["part"], h["trust"]["events"]), (r["part"], r["trust"]["events"]), f"hist {options}: it says of what")
    equal(r["trust"]["unmatched_frees"], 0, f"{options}: unmatched frees")
    if wanted and "--thread" not in options and "--to" in options:
        equal(r["blocks"]["leaked"] >= sum(left for _, left in wanted.values()), True, f"{options}: what lives at the end of the range")
marks = {m["name"]: m["seconds"] for m in reversed(read()["marks"])} # the first of each name
for unit, factor in ("", 1), ("s", 1), ("ms", 1e3), ("us", 1e6), ("ns", 1e9):
    found, _ = sizes("--from", f"{marks['one'] * factor:.9f}{unit}", "--to", f"{marks['two'] * factor:.9f}{unit}")
    equal(found, {10: (100, 40)}, f"a range in {unit or 'seconds'}")
for options, wanted in (
        (["--from", "three"], "has no mark of that name"), (["--from", "two", "--to", "two"], "has no mark of that name after --from"),
        (["--from", "5", "--to", "4"], "--to 4 is not after --from 5"), (["--from", "-1"], "want a time"), (["--from", "."], "want a time"), (["--to", ".x"], "want a time"),
        (["--from", "1x"], "want a time"), (["--from", "0x10"], "want a time"), (["--to", "0x1p3"], "want a time"),
        (["--from", "100min"], "nothing comes after that: "), (["--from", "mark:1"], "has no mark of that name"), (["--to", ""], "want a time"), (["--thread", "1"], "has no such thread"),
        (["--thread", "x"], "--thread x: want a number"), (["--pid", "x"], "--pid x: want a number"),
        (["--jobs", "0"], "--jobs 0"), (["--jobs", "x"], "--jobs x")):
    complaint = read(*options, code=2)
    check(wanted in complaint and len(complaint.splitlines()) == 1, f"{options}: {complaint}")
    if "--jobs" not in options:
        got = run([MALLOSCOPE, "hist", *options, log])
        equal((got.returncode, got.stdout, got.stderr), (2, "", complaint.replace("report:", "hist:").replace("report --help", "hist --help")), f"hist {options}")

# --- the sizes of a part, as text and as a picture ---
chosen = ["--thread", f"{main_tid},{other_tid}", "--from", "one", "--to", "two"]
says = "by 2 threads, and what became of them by then"
text = run([MALLOSCOPE, "hist", *chosen, log]).stdout
check("mscope: 100 allocations, 1,000 B" in text and "Part of the log: allocations from " in text and says in " ".join(text.split()), f"hist of a part: {text[:300]}")
equal(run([MALLOSCOPE, "hist", "--tsv", *chosen, log]).stdout, "low\thigh\tallocations\tbytes\n8\t15\t100\t1000\n", "hist --tsv of a part")
check("Part of the log" not in run([MALLOSCOPE, "hist", log]).stdout, "and of the whole nothing is said")
got = run([MALLOSCOPE, "plot", "sizes", *chosen, log, "-o", path("part.svg"), "--keep-script", path("kept")])
if "gnuplot" not in got.stderr:
    check(got.returncode == 0 and "100 allocations, 1,000 B" in got.stdout and says in " ".join(got.stdout.split()), f"plot of a part: {got.stdout} {got.stderr}")
    with open(path("kept/sizes.gp")) as script:
        check(says in script.read(), "the picture says of what it is")

# --- a thread of another process than --pid's ---
pair = path("pair.mscope")
equal(record(["sh", "-c", f"{program('known')} >/dev/null; {program('known')} >/dev/null"], pair).returncode, 7, "recording two processes")
one, other = sorted({p["pid"] for p in json.loads(run([MALLOSCOPE, "leaks", "--json", pair]).stdout)["processes"]})[-2:]
for command in "report", "dump":
    got = run([MALLOSCOPE, command, "--pid", str(one), "--thread", str(other), pair])
    check(got.returncode == 2 and f"--thread {other}: {pair} has no such thread in the processes of --pid; " in got.stderr, f"{command}: {got.stderr}")
    equal(run([MALLOSCOPE, command, "--pid", str(one), "--thread", str(one), pair]).returncode, 0, f"{command}: its own")

# --- a mark that is named like a time ---
with open(path("timely.c"), "w") as file:
    file.write("""#include "malloscope.h"
#include <stdlib.h>
void *volatile kept;
int main(void) { kept = malloc(11); malloscope_mark("0"); kept = malloc(22); malloscope_mark("mark:0"); kept = malloc(33);
    malloscope_mark("1000"); malloscope_mark("mark:only"); kept = malloc(44); return 0; }
""")
header = subprocess.run(["find", os.path.join(SOURCE, "interpose"), "-name", "malloscope.h"], capture_output=True, text=True).stdout.strip()
equal(run(["gcc", "-I", os.path.dirname(header), path("timely.c"), "-o", path("timely")]).returncode, 0, "compiling timely")
timely = path("timely.mscope")
equal(record([path("timely")], timely).returncode, 0, "recording timely")
for when, bytes in ("0", 110), (".0", 110), ("mark:0", 99), ("mark:mark:0", 77), ("mark:only", 44), ("mark:mark:only", 44), ("mark:1000", 44):
    equal(read("--from", when, file=timely)["bytes"]["allocated"], bytes, f"from {when}")
for when, hint in ("1000", "; name an earlier time, or the mark by mark:1000; "), ("1001", "; name an earlier time; "):
    check(hint in read("--from", when, code=2, file=timely), f"from {when}: nothing comes after that")

# --- the same by one thread and by several ---
several = path("several.mscope")
equal(record([program("threads"), "8", "6", "3000"], several).returncode, 0, "recording threads")
for file in log, several:
    for options in [], ["--from", "1ms"]:
        texts = {run([MALLOSCOPE, "report", *how, *options, file]).stdout for how in ([], ["--jobs", "1"], ["--jobs", "7"])}
        check(len(texts) == 1 and len(texts.pop()) > 500, f"{os.path.basename(file)} {options}: one text, however it is read")

# --- progress and Ctrl-C ---
long_log = path("long.mscope")
equal(record([program("steady"), path("counter"), "3000000"], long_log).returncode, 0, "recording something long")


def on_terminal(command, held_after):
    """Runs it with stderr a terminal, and holds it for a good second. Exit code, what the terminal got, stdout."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdout=open(path("out"), "wb"), stderr=theirs, stdin=subprocess.DEVNULL)
    os.close(theirs)
    time.sleep(held_after)
    process.send_signal(signal.SIGSTOP)
    time.sleep(1.1)
    process.send_signal(signal.SIGCONT)
    seen = b""
    try:
        while some := os.read(ours, 4096):
            seen += some
    except OSError: # all have closed it
        pass
    os.close(ours)
    with open(path("out")) as out:
        return process.wait(), seen.decode(), out.read()


slowly = [MALLOSCOPE, "report", "--jobs", "1", long_log]
whole = run(slowly)
equal((whole.returncode, whole.stderr), (0, ""), "nobody is shown progress but a terminal")
for attempt in range(20): # it has to be held while it reads events
    code, seen, out = on_terminal(slowly, 0.02 * (attempt + 1))
    equal((code, out), (0, whole.stdout), "on a terminal")
    if "%" in seen:
        break
check(re.search(r"reading the log: +[0-9]+ %", seen) and seen.endswith("\x1b[K"), f"a line of progress, gone in the end: {seen!r}")


def interrupted(after):
    process = subprocess.Popen(slowly, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    out, complaint = process.communicate(timeout=60)
    return process.returncode, out, complaint


for attempt in range(40): # one may be too early (before it reads) or too late
    code, out, complaint = interrupted(0.02 * (attempt % 20 + 1))
    if "interrupted" in complaint:
        break
check(code == 1 and "of the log's beginning only" in complaint and "allocations" in out, f"Ctrl-C: {code}: {complaint}: {out[:200]}")
part, total = (int(re.search(r"allocations +([0-9,]+) ", text).group(1).replace(",", "")) for text in (out, whole.stdout))
check(0 < part < total, f"Ctrl-C: {part} of {total} allocations")
check("Reading was interrupted" in out, "Ctrl-C: the report says so itself")



def interrupt(*words, log=long_log, code=1, how=signal.SIGINT):
    """What a command says that Ctrl-C, or another signal, has come into, at one time or another: (stdout, stderr). So early that it
    is not waited for yet, it ends the command as any; too late, it does nothing."""
    for attempt in range(80):
        process = subprocess.Popen([MALLOSCOPE, *words, log], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(0.0005 * 1.08 ** attempt)  # to a quarter of a second
        process.send_signal(how)
        out, complaint = process.communicate(timeout=60)
        if "interrupted" in complaint:
            break
    check(process.returncode == code and "interrupted" in complaint, f"{how.name} in {words}: {process.returncode}: {complaint}")
    return out, complaint


out, complaint = interrupt("hist", "--json")
check(json.loads(out)["interrupted"] is True, "hist's JSON says so")
equal(json.loads(run([MALLOSCOPE, "hist", "--json", log]).stdout)["interrupted"], False, "and else not")
check("Reading was interrupted" in interrupt("hist")[0], "hist says so itself")
out, complaint = interrupt("dump")
check(out.endswith("\n") and out.count("\n") > 100 and "of the log's beginning only" in complaint, f"dump ends with a whole line: {complaint}")
out, complaint = interrupt("report", "--from", "mark:nowhere")
check(not out and "interrupted before the mark nowhere was found" in complaint, f"while it looks for a mark: {complaint}")
check(json.loads(interrupt("sites", "--json")[0])["part"]["interrupted"], "sites' JSON says so")
equal(json.loads(run([MALLOSCOPE, "sites", "--json", log]).stdout)["part"], None, "and else not")
check(json.loads(interrupt("merge", "--json", log)[0])["logs"][1]["part"]["interrupted"], "merge's JSON says which")
check("long.mscope: reading was interrupted: its first " in interrupt("merge", log)[0], "merge says it itself")
check(json.loads(interrupt("info", "--json")[0])["interrupted"], "info's JSON says so")
check("reading was interrupted" in interrupt("info")[0], "info says it itself")
check("nothing was drawn" in interrupt("plot", "sizes", "-o", path("sizes.png"))[1] and not os.path.exists(path("sizes.png")), "plot draws nothing")

os.mkdir(path("trimmed"))
for how in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
    check("Reading was interrupted" in interrupt("report", how=how)[0], f"report, {how.name}")
    check("nothing was written" in interrupt("trim", "-f", "-o", path("trimmed/new"), how=how)[1], f"trim, {how.name}")
    equal([name for name in os.listdir(path("trimmed")) if name != "new"], [], f"trim, {how.name}: nothing is left")

# --- out of a pipe that nobody ends: what has come ---
with open(log, "rb") as file:
    content = file.read()
for words, how in (["report", "--json"], signal.SIGINT), (["report"], signal.SIGINT), (["report"], signal.SIGTERM), (["report"], signal.SIGHUP):
    process = subprocess.Popen([MALLOSCOPE, *words, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(content)
    process.stdin.flush()
    time.sleep(0.3)
    process.send_signal(how)
    out, complaint = process.communicate(timeout=60)
    check(process.returncode == 1 and b"interrupted" in complaint, f"{how.name} while a pipe is waited for: {process.returncode} {complaint}")
    if "--json" in words:
        r = json.loads(out)
        equal((r["counts"]["allocations"], r["part"]["interrupted"]), (read()["counts"]["allocations"], True), "what has come is shown")
    else:
        check(b"Reading was interrupted" in out, f"and the report says so: {out[:200]}")
process = subprocess.Popen(["nohup", MALLOSCOPE, "report", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
process.stdin.write(content)
process.stdin.flush()
time.sleep(0.3)
process.send_signal(signal.SIGHUP)
out, complaint = process.communicate(timeout=60)
check(process.returncode == 0 and b"interrupted" not in complaint + out and b"allocations" in out, f"SIGHUP that is ignored: {process.returncode} {complaint}")
process = subprocess.Popen([MALLOSCOPE, "report", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
time.sleep(0.3)
process.send_signal(signal.SIGINT)
out, complaint = process.communicate(timeout=60)
check(process.returncode == 1 and not out and len(complaint.splitlines()) == 1 and "interrupted before a log" in complaint, f"before anything has come: {process.returncode} {complaint}")

# A part that is made of it would pass for the whole: none is.
part = path("part.mscope")
for sent, options in (content, []), (content, ["--from", "100min"]), (content, ["--to", "nowhere"]), (content[:-300], []):
    for earlier in None, b"earlier":
        if earlier:
            with open(part, "wb") as file:
                file.write(earlier)
        before = sorted(os.listdir(WORK))
        process = subprocess.Popen([MALLOSCOPE, "trim", "-f", "-o", part, *options, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        process.stdin.buffer.write(sent)
        process.stdin.flush()
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, complaint = process.communicate(timeout=60)
        equal((process.returncode, out, complaint), (1, "", f"malloscope: {part}: interrupted: nothing was written\n"), f"trim {options} of what has come")
        equal(sorted(os.listdir(WORK)), before, f"trim {options}: nothing is left")
        if earlier:
            with open(part, "rb") as file:
                equal(file.read(), earlier, f"trim {options}: what was there stays")
            os.unlink(part)

# --- while names are looked up, by a child that does not get on: what there is ---
def child_of(process):
    try:
        with open(f"/proc/{process.pid}/task/{process.pid}/children") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


def interrupt_naming(*words, how=signal.SIGINT):
    for attempt in range(20):
        process = subprocess.Popen([MALLOSCOPE, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        children = []
        while not children and process.poll() is None:
            children = child_of(process)
        for child in children:
            try:
                os.kill(child, signal.SIGSTOP)
            except OSError: # it has ended
                pass
        process.send_signal(how)
        out, complaint = process.communicate(timeout=60)
        if "interrupted" in complaint:
            break
    check(process.returncode == 1 and "interrupted: names are missing" in complaint, f"{how.name} in {words} while it looks for names: {process.returncode} {complaint}")
    return out, complaint


for how in signal.SIGTERM, signal.SIGHUP:
    interrupt_naming("report", "--no-cache", "--jobs", "1", log, how=how)
out, complaint = interrupt_naming("report", "--no-cache", "--jobs", "1", log)
check("allocations" in out and "Reading was interrupted" not in out and len(complaint.splitlines()) == 1, f"all of the report, with fewer names: {out} {complaint}")
check("looking up names was interrupted: names are missing" in " ".join(out.split()), f"and it says so itself: {out[-500:]}")
whole = run([MALLOSCOPE, "report", "--no-cache", log]).stdout
check("main" in whole and "interrupted" not in whole, "which are not lost for the next time")
for words in ("report",), ("report", "--no-advice"), ("tree",), ("sites",), ("leaks",), ("merge", log):
    told = []
    for got in interrupt_naming(*words, "--json", "--no-cache", "--jobs", "1", log)[0], run([MALLOSCOPE, *words, "--json", log]).stdout:
        r = json.loads(got)
        trust = r["logs"][0]["trust"] if words[0] == "merge" else r["about"]["trust"] if words[0] == "tree" else r["trust"]
        told.append(trust["names_interrupted"])
    equal(told, [True, False], f"{words}: so does its JSON, and else not")
for words in ("tree",), ("leaks",), ("merge", log):
    out = " ".join(interrupt_naming(*words, "--no-cache", "--jobs", "1", log)[0].split())
    check("interrupted: names are missing" in out, f"{words} says so itself: {out[-500:]}")
picture = path("interrupted.svg")
out, complaint = interrupt_naming("flame", "--no-cache", "--jobs", "1", "-o", picture, log)
with open(picture) as file:
    check("interrupted: names are missing" in file.read() and "interrupted" in out, f"the picture says so itself: {out}")
named = path("named.mscope")
with open(named, "wb") as file:
    file.write(content)
out, complaint = interrupt_naming("symbolize", "--no-cache", named)
check("not all names were looked up" in complaint, f"symbolize: {complaint}")
got = run([MALLOSCOPE, "symbolize", "--no-cache", named])
check(got.returncode == 0 and "nothing was added" not in got.stdout, f"and what is missing can be added: {got.stdout} {got.stderr}")
# diff tells by the names what is the same; of `named` none are looked up.
for logs in (log, named), (named, log):
    for how in ["--json"], []:
        out, complaint = interrupt_naming("diff", "--no-cache", "--jobs", "1", *how, *logs)
        check(not out and len(complaint.splitlines()) == 1 and f"{log}: interrupted: names are missing, nothing can be compared" in complaint, f"diff {how} {logs}: {complaint} {out[:500]}")

# --- while a server is waited for, for the last of the files ---
class Server(http.server.BaseHTTPRequestHandler):
    asked, answered, code = 0, 1000, 404
    waits = threading.Event()

    def do_GET(self):
        Server.asked += 1
        if Server.asked > Server.answered:
            Server.waits.set()
            time.sleep(60)
        if Server.code != 200:
            self.send_error(Server.code)
            return
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.wfile.write(b"x" * 1000) # and no more

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.mkdir(path("nothing"))
asking = [MALLOSCOPE, "report", "--json", "--no-cache", "--debuginfod", "--sysroot", path("nothing"), log]
env = {"DEBUGINFOD_URLS": f"http://127.0.0.1:{server.server_port}", "DEBUGINFOD_CACHE_PATH": path("fetched")}
got = run(asking, env=env)
check(Server.asked > 1 and not json.loads(got.stdout)["trust"]["names_interrupted"], f"a server is asked for {Server.asked} files")
check("DEBUGINFOD_URLS" not in got.stderr, f"that it does not have them is no failure: {got.stderr}")
files = Server.asked

# What fails there is told once, and who keeps us waiting is not asked again.
for Server.code, url, wanted in ((500, env["DEBUGINFOD_URLS"], "a server of DEBUGINFOD_URLS failed: .*500"), (200, env["DEBUGINFOD_URLS"], "a server of DEBUGINFOD_URLS failed: .+"),
                                 (404, "http://127.0.0.1:1", "a server of DEBUGINFOD_URLS failed: .+")):
    got = run(asking, env={"DEBUGINFOD_URLS": url, "DEBUGINFOD_CACHE_PATH": path(f"fetched {Server.code} {url[-1:]}")})
    check(got.returncode == 0 and len(re.findall(f"(?m)^malloscope: --debuginfod: {wanted}; names may be missing$", got.stderr)) == 1 == got.stderr.count("DEBUGINFOD"),
          f"{Server.code} {url}: {got.stderr}")
Server.asked, Server.answered, Server.code = 0, 0, 404
begin = time.monotonic()
got = run(asking, env={**env, "DEBUGINFOD_CACHE_PATH": path("never fetched"), "DEBUGINFOD_TIMEOUT": "1", "DEBUGINFOD_RETRY_LIMIT": "0"})
check(got.returncode == 0 and len(re.findall(r"(?m)^malloscope: --debuginfod: the servers of DEBUGINFOD_URLS did not deliver within \d+ s, and were not asked again ", got.stderr)) == 1,
      f"a server that does not answer: {got.stderr}")
equal(Server.asked, 1, f"it is asked for the first of {files} files; {time.monotonic() - begin:.1f} s")
Server.waits.clear()
Server.asked, Server.answered = 0, files - 1
env["DEBUGINFOD_CACHE_PATH"] = path("fetched again")
process = subprocess.Popen(asking, env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
check(Server.waits.wait(60), "the last is waited for")
process.send_signal(signal.SIGINT)
out, complaint = process.communicate(timeout=60)
check(process.returncode == 1 and "interrupted: names are missing" in complaint and "URLS" not in complaint and json.loads(out)["trust"]["names_interrupted"],
      f"Ctrl-C while a server is waited for: {process.returncode} {complaint}")
server.shutdown()

# --- signals while what is shown waits for whoever reads it ---
def wait_until_it_waits(process):
    """Its output is a pipe, which is full."""
    deadline = time.monotonic() + 30
    while struct.unpack("i", fcntl.ioctl(process.stdout, termios.FIONREAD, b"1234"))[0] < 60000 and time.monotonic() < deadline:
        time.sleep(0.01)


many = path("many.mscope")
run([os.path.join(os.path.dirname(PROGRAMS), "bench", "generate_log"), many, "20000", "4", "1000", "5000"])
for words in ("sites", "--json"), ("sites", "--stacks"), ("tree", "--json"), ("dump",):
    whole = subprocess.run([MALLOSCOPE, *words, many], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    process = subprocess.Popen([MALLOSCOPE, *words, many], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until_it_waits(process)
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    out = process.stdout.read()
    complaint = process.stderr.read().decode()
    process.wait()
    process.stderr.close()
    wanted = (1, "interrupted") if words == ("dump",) else (-signal.SIGINT, "ended by a signal: the output is not whole")
    check(process.returncode == wanted[0] and wanted[1] in complaint, f"{words}: it is told: {process.returncode} {complaint}")
    check(len(whole) > 100000 and whole.startswith(out), f"Ctrl-C while {words} is written leaves no hole: {len(out)} of {len(whole)}")

# A second one ends it; but SIGHUP comes more than once from a terminal that is closed.
for signals, lives, wanted in ([signal.SIGINT], True, None), ([signal.SIGTERM, signal.SIGTERM], False, signal.SIGTERM), ([signal.SIGTERM, signal.SIGINT], False, signal.SIGINT), \
                              ([signal.SIGHUP, signal.SIGHUP], True, None), ([signal.SIGHUP, signal.SIGHUP, signal.SIGTERM], False, signal.SIGTERM):
    process = subprocess.Popen([MALLOSCOPE, "dump", many], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    wait_until_it_waits(process)
    for how in signals:
        time.sleep(0.1)
        process.send_signal(how)
    if lives:
        process.stdout.read()
    equal(process.wait(timeout=30), 1 if lives else -wanted, f"{[how.name for how in signals]} while dump writes")
    process.stdout.close()

# timeout(1) sends to it and to its group: that is one signal.
for attempt in range(20):
    process = subprocess.Popen([MALLOSCOPE, "dump", many], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    wait_until_it_waits(process)
    begin = time.monotonic()
    process.send_signal(signal.SIGTERM)
    time.sleep(0.002)
    process.send_signal(signal.SIGTERM)
    took = time.monotonic() - begin
    process.stdout.read()
    code = process.wait(timeout=30)
    process.stdout.close()
    if took < 0.03: # else it may be held for two
        break
equal(code, 1, "SIGTERM twice at once")

sys.exit(done())
