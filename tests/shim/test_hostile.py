"""Programs that take away what the recorder needs, or have it taken away: descriptors, paths, rights, room,
system calls. They run as if untraced, their files are never written into, and the log holds every event; where
it cannot, it says how many are missing, and why."""
import glob
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import time
from collections import Counter

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *
from told import *

ROOT = os.geteuid() == 0
SOURCES = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
skipped = []


def skip(what):
    skipped.append(what)


def place(name):
    """A directory for the program's own files, which another user can enter."""
    os.chmod(WORK, 0o755)
    os.makedirs(path(name), exist_ok=True)
    return path(name)


def contents(directory):
    found = {}
    for name in sorted(os.listdir(directory)):
        with open(os.path.join(directory, name), "rb") as file:
            found[name] = file.read()
    return found


def piped_run(command, **more):
    """As told_run, but descriptor 3 is a pipe: for programs that limit the size of their files."""
    reading, writing = os.pipe()
    with open(path("truth"), "w") as file:
        copy = subprocess.Popen(["cat"], stdin=reading, stdout=file)
    os.close(reading)
    if writing != 3:
        os.dup2(writing, 3)
        os.close(writing)
    got = run(command, pass_fds=(3,), timeout=60, **more)
    os.close(3)
    copy.wait()
    return got, read_truth(path("truth"))


def missing_of(truth, events, what, own=()):
    """How many of the told events are not in the log. What is there and was not told is libc's own."""
    told = Counter((pid, tid, text) for pid, tid, text in truth)
    logged = Counter((e.pid, e.tid, text_of(e)) for e in events if e.is_heap)
    foreign = sum((logged - told).values())
    check(foreign <= 40 + len({tid for _, tid, _ in truth}), f"{what}: {foreign} events that the program knows nothing of: "
                         f"{list((logged - told).items())[:3]}")
    return sum((told - logged).values())


def recording(mode, log, *options):
    return [MALLOSCOPE, "record", "-q", "-f", "-o", log, *options, "--", program("hostile"), mode]


# The recorder asks for this limit between its look at a descriptor and its write: there it is held up.
SLOWLY = ["strace", "-f", "--seccomp-bpf", "-o", os.devnull, "-e", "trace=prlimit64", "-e", "inject=prlimit64:delay_enter=2000"]


def case(mode, *options, reason=None, unseen=0, root=False, own=b"", runs=told_run, before=()):
    """reason: why events are lost, as the report says it; else none may be. unseen: events that are not even told.
    own: what is in the program's own file in the end, of which zeros do not count."""
    what, log, directory = " ".join(["hostile", mode, *options]), path("log.mscope"), place("own")
    if root and not ROOT:
        return skip(what)
    untraced, told = runs([program("hostile"), mode, directory])
    equal(untraced.returncode, 7 if mode == "strict" else 3, f"{what}: untraced, it comes to its end")
    files = contents(directory)
    equal(files.get("own", b"").strip(b"\0"), own, f"{what}: its own file, untraced")
    got, truth = runs([*before, *recording(mode, log, *options), directory])
    if reason:
        check("INCOMPLETE: " in got.stderr and reason in got.stderr and len(got.stderr.splitlines()) == 1,
              f"{what}: the last word: {got.stderr}")
        got.stderr = ""
    same_run(got, untraced, what)
    if mode != "dup2" and not mode.endswith("threads"): # where threads go on for a while
        equal(len(truth), len(told), f"{what}: what it does")
    equal(contents(directory), files, f"{what}: its own files")
    for name in files:
        os.remove(os.path.join(directory, name))
    return complete(log, truth, what, reason, unseen)


def complete(log, truth, what, reason=None, unseen=0, others=""):
    """The log holds what was told, or says how much is missing, and why. others: what the report may say besides."""
    r = run([MALLOSCOPE, "report", "--json", log])
    trust = json.loads(r.stdout)["trust"]
    missing = missing_of(truth, dump(log, incomplete=bool(reason)), what) + unseen
    if reason:
        check(r.returncode == 1 and reason in r.stderr, f"{what}: report: {r.returncode} {r.stderr}")
        check(missing > 0, f"{what}: nothing is missing")
    else:
        equal((r.returncode, complaints(r.stderr)), (0, ""), f"{what}: report")
    # Libc's own events are lost with the program's.
    check(missing <= trust["lost_events"] <= missing + (20 if reason else 0),
          f"{what}: {trust['lost_events']} events are said to be lost, {missing} of {len(truth)} are missing")
    equal((trust["missing_chunks"], trust["truncated_bytes"]), (0, 0), f"{what}: damage")
    if not others:
        equal(live_files(log), [], f"{what}: no live file remains")
    return trust


def disturbed(what, log, action, **more):
    """Runs the program, does something to the log when it has begun, and lets it go on."""
    descriptor = os.open(path("truth"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    if descriptor != 3:
        os.dup2(descriptor, 3)
        os.close(descriptor)
    process = subprocess.Popen([*recording("waits", log, "--no-compress"), place("own")], pass_fds=(3,), stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
    os.close(3)
    equal(process.stdout.readline(), "ready\n", f"{what}: it has begun")
    action()
    out, err = process.communicate("go on\n", timeout=60)
    equal((process.returncode, out), (3, "child: ended, status 0x500\ndone\n"), f"{what}: the program goes on undisturbed")
    return err, read_truth()


def ended_daemon(mode, log):
    """A process that goes on after `record` has ended, as its grandchild."""
    what = f"hostile {mode}"
    got, _ = told_run([*recording(mode, log), place("own")])
    equal((got.returncode, got.stdout, got.stderr), (3, "done\n", ""), f"{what}: run")
    run([MALLOSCOPE, "report", log]) # a reader that comes too early takes nothing away
    end = time.time() + 30
    while not any(text.startswith("end-of-daemon") for _, _, text in read_truth()) and time.time() < end:
        time.sleep(0.05)
    time.sleep(0.1)
    complete(log, [line for line in read_truth() if not line[2].startswith("end-of-daemon")], what)


# --- descriptors ---
for mode in "closefrom", "close_range", "unshare", "loop":
    case(mode)
case("closefrom", "--call-graph=libunwind")
case("dup2", own=b"precious")
case("dup2_signals", own=b"precious")
if resource.getrlimit(resource.RLIMIT_NOFILE)[1] > 1000:
    # Ours are beyond the limit, where no system call puts a file.
    case("dup2_raw", own=b"precious", before=["sh", "-c", 'ulimit -S -n 256 && exec "$@"', "sh"])
else:
    skip("dup2 by a bare instruction (the limit of descriptors cannot be lifted)")
if os.environ.get("TEST_LONG") and shutil.which("strace") and run([*SLOWLY, "true"]).returncode == 0:
    case("dup2", own=b"precious", before=SLOWLY)
    case("dup2_signals", own=b"precious", before=SLOWLY)
elif os.environ.get("TEST_LONG"):
    skip("what only happens when threads are slow (strace, with a kernel that lets it trace)")
ended_daemon("daemon", path("daemon.mscope"))

# --- live files are protected, and opened again where the program has closed them ---
case("bare_close")
home = path("home of another user")
os.mkdir(home)
log = os.path.join(home, "log")
ORDINARY = {"user": 65534, "group": 65534, "extra_groups": []} if ROOT else {}  # root may do anything
os.chmod(WORK, 0o755)
if ROOT:
    os.chown(home, 65534, 65534)
untraced, _ = told_run([program("hostile"), "bare_close"])
got, truth = told_run(recording("bare_close", log), **ORDINARY)
same_run(got, untraced, "bare_close, no root")
complete(log, truth, "bare_close, no root")


def cut_short():
    for name in live_files(log):
        got = run(["truncate", "--size=0", name], **ORDINARY)
        check(got.returncode != 0 and "Permission denied" in got.stderr, f"a live file cannot be cut short: {got}")


err, truth = disturbed("cut short", log, cut_short, **ORDINARY)
equal(err, "", "cut short: nothing to say")
complete(log, truth, "cut short")
shutil.rmtree(home)

# --- rights and paths ---
for mode in "chroot", "setuid", "chroot_setuid":
    case(mode, root=True)
if ROOT:
    ended_daemon("grandchildren", path("daemon.mscope"))
else:
    skip("grandchildren")
case("umask")
case("dumpable")

# --- limits ---
case("nofile")
case("fsize", reason="File too large", runs=piped_run)
case("fsize0", reason="File too large", runs=piped_run)
case("fsize_blocked", reason="File too large", runs=piped_run)
for mode in "as", "data", "stack", "mlockall", "mdwe":
    case(mode)
trust = case("as_threads", reason="Cannot allocate memory")
check(trust["lost_events"] < 30000, f"as_threads: the others go on: {trust['lost_events']} events lost")

# --- signals ---
case("handlers")
case("blocked")

# --- system calls that are forbidden ---
SANDBOX = "forbidden itself system calls (seccomp)"
for mode in "filter", "filter_syscall", "filter_threads", "filter_starting_threads", "filter_then_thread", "filter_trap", "filter_exec":
    case(mode)
untraced, _ = told_run([program("hostile"), "filter_kills_exec", WORK])
got, truth = told_run([*recording("filter_kills_exec", path("log.mscope")), WORK])
same_run(got, untraced, "filter_kills_exec")
equal(got.returncode, 0, "filter_kills_exec: the next program lives")
complete(path("log.mscope"), truth, "filter_kills_exec")
r = json.loads(run([MALLOSCOPE, "report", "--json", path("log.mscope")]).stdout)
equal([(u["path"], u["reason"]) for u in r["untraced_programs"]], [("/bin/true", "sandbox")], "filter_kills_exec: it is noted")
for mode in "filter_mild", "filter_refused":
    case(mode)
case("filter", "--call-graph=none")
case("filter_trap_raw", reason=SANDBOX, own=b"precious")
case("filter_trap_more_raw", reason=SANDBOX, own=b"precious")
case("filter_fork", reason=SANDBOX, unseen=14000)
trust = case("filter_full", reason=SANDBOX, runs=piped_run)
check(trust["events"] > 100000, f"filter_full: the stock is used: {trust['events']} events")


def sandboxed(name, *arguments, noted=(), options=(), lost=0, untold=0):
    """Runs as untraced, and loses nothing. noted: the programs that run without the recorder, for the sandbox's sake;
    untold: so many of which it could only be counted that they ran."""
    what, log = " ".join(["sandboxed", *arguments]), path("sandboxed.mscope")
    untraced = run([program(name), *arguments])
    got = run([MALLOSCOPE, "record", "-q", "-f", *options, "-o", log, "--", program(name), *arguments])
    if lost:
        check("INCOMPLETE: " in got.stderr, f"{what}: {got.stderr}")
        got.stderr = ""
    same_run(got, untraced, what)
    r = run([MALLOSCOPE, "report", "--json", log])
    report = json.loads(r.stdout)
    if not lost:
        equal((r.returncode, report["trust"]["lost_events"]), (0, 0), f"{what}: complete: {r.stderr}")
    equal([(u["path"], u["reason"]) for u in report["untraced_programs"]], [(p, "sandbox") for p in noted] + [("", "untold")] * untold,
          f"{what}: noted")
    return report


sandboxed("own_calls", "own_calls")
sandboxed("sandboxed", "cancelled")
sandboxed("sandboxed", "probe")
r = run([MALLOSCOPE, "report", path("sandboxed.mscope")])
check("forbidden" not in r.stdout + r.stderr, f"probe: nothing was forbidden: {r.stdout}")
sandboxed("sandboxed", "raw_exec", options=["--follow=fork"])
sandboxed("sandboxed", "vfork", noted=[program("sandboxed")])
sandboxed("sandboxed", "vfork", "without getpid", noted=[program("sandboxed")])
sandboxed("sandboxed", "vfork_ends")
sandboxed("sandboxed", "second_filter", noted=[program("sandboxed")])
sandboxed("sandboxed", "many_variables", noted=[program("sandboxed")])
sandboxed("sandboxed", "fork_amid")
sandboxed("sandboxed", "fork_amid", "returns", lost=True)
OF_THE_PROGRAM = {"seccomp", "dup2", "dup3", "close_range", "execveat", "exit_group"} # made on its behalf only


def forbidding():
    """outside/filter.c knows all system calls that are made in the library."""
    used = set()
    for file in glob.glob(os.path.join(SOURCES, "interpose", "**", "*.[ch]"), recursive=True):
        with open(file) as text:
            calls = set(re.findall(r"\bSYS_([a-z][a-z0-9_]*)", text.read()))
        if file.endswith("/filter.c"):
            known = calls
        else:
            used |= calls
    equal(sorted(used - known - OF_THE_PROGRAM), [], "system calls that outside/filter.c does not know")
    check(len(used) > 30, f"the sources are searched: {used}")


forbidding()
for number in (107, 269) if os.uname().machine == "x86_64" else (175, 48): # geteuid, faccessat
    sandboxed("sandboxed", "forbid", str(number), lost=True, untold=1)
# --- a filter that was there before, of whom nobody here knows: only what the program does without us is allowed ---
def calls_of(command):
    run(["strace", "-f", "-n", "-o", path("calls"), *command], pass_fds=(2,))
    with open(path("calls")) as file:
        return sorted({int(number) for number in re.findall(r"^\d+ +\[ *(\d+)\] \w+\(", file.read(), re.M)} | {WRITE})


WRITE = 1 if os.uname().machine == "x86_64" else 64


def jailed(command, what):
    jail = [program("jail"), "kill", ",".join(map(str, calls_of(command)))]
    log, plain = path("jailed.mscope"), path("plain.mscope")
    untraced, told = told_run([*jail, *command])
    got, truth = told_run([MALLOSCOPE, "record", "-q", "-f", "-o", log, "--", *jail, *command])
    same_run(got, untraced, f"jailed {what}, recorded")
    if truth:
        equal(len(truth), len(told), f"jailed {what}: what it does")
        complete(log, truth, f"jailed {what}")
    trust = report(log)["trust"]
    check(trust["events"] > 50, f"jailed {what}: {trust['events']} events")
    equal([trust[key] for key in ("lost_events", "partial_stacks", "missing_chunks")], [0] * 3, f"jailed {what}: trust")
    got = run([*jail, *command], env={"LD_PRELOAD": SHIM, "MALLOSCOPE_OUTPUT": plain + ".%p"}, pass_fds=(2,))
    same_run(got, untraced, f"jailed {what}, with the library alone")
    logs = [name for name in glob.glob(plain + ".*") if ".live" not in name]
    check(logs and sum(report(name)["trust"]["events"] for name in logs) > 50, f"jailed {what}: with the library alone: {logs}")
    for name in glob.glob(plain + ".*"):
        os.remove(name)


if shutil.which("strace") and run(["strace", "-n", "true"]).returncode == 0:
    jailed([program("hostile"), "much", WORK], "hostile")
    jailed(["/bin/sh", "-c", "ls / | sort | wc -l"], "sh")
    jailed(["/usr/bin/python3", "-c", "import subprocess; print(subprocess.check_output(['echo', 'yes']))"], "python")
    # A container's own filter, which its first process has, too, is no reason to be careful.
    if ROOT and run(["unshare", "-pf", "--mount-proc", "true"]).returncode == 0:
        for container in True, False:
            first = ["/bin/sh", "-c", '"$@"; exit', "sh"]
            filtered = [program("jail"), "refuse", ",".join(map(str, range(390))), *first]
            got = run(["unshare", "-pf", "--mount-proc", *([] if container else first), *filtered, "env", "LD_PRELOAD=" + SHIM,
                       "sh", "-c", "ls -l /proc/$$/fd; true"], env={"MALLOSCOPE_OUTPUT": path("container.%p.mscope")})
            equal("container." in got.stdout, container, f"a filter of the first process: {container}: {got.stdout} {got.stderr}")
    else:
        skip("a container's filter (unshare)")
else:
    skip("a filter that is inherited (strace tells what a program needs)")
CLOCKSOURCE = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
with open(path("source"), "w") as file:
    file.write("acpi_pm\n")
SLOW_CLOCK = ["unshare", "-m", "sh", "-c", f'mount --bind {path("source")} {CLOCKSOURCE} && exec "$@"', "sh"]
if os.uname().machine == "x86_64" and ROOT and run([*SLOW_CLOCK, "true"]).returncode == 0:
    case("filter", reason=SANDBOX, before=[*SLOW_CLOCK, "env", f"LD_PRELOAD={PROGRAMS}/slow_clock.so"])
else:
    skip("a clock that needs system calls (unshare, mount)")
case("strict", reason="the clock")
case("tsc")

# --- the log goes, or its place ---
home = path("home")
os.mkdir(home)
log = os.path.join(home, "log")
kept = []


def delete():
    kept.append(os.open(log, os.O_RDONLY))
    os.remove(log)
    kept.append(os.fstat(kept[0]).st_size)


err, truth = disturbed("deleted", log, delete)
equal(os.fstat(kept[0]).st_size, kept[1], "deleted: it does not grow, unseen, on the disk")
os.close(kept[0])
check("was removed or replaced while" in err and len(err.splitlines()) == 1, f"deleted: {err}")
shutil.rmtree(home)
os.mkdir(home)
disturbed("umask", log, lambda: kept.append([os.stat(name).st_mode & 0o777 for name in glob.glob(log + ".live.*")]),
          preexec_fn=lambda: os.umask(0o777) if ROOT else os.umask(0o77))
equal(kept[2], [0o400], "umask: the live file can be read, and not cut short by mistake")
shutil.rmtree(home)
os.mkdir(home)
err, truth = disturbed("directory deleted", log, lambda: shutil.rmtree(home))
check("was removed or replaced while" in err and len(err.splitlines()) == 1, f"directory deleted: {err}")
check(not os.path.exists(home), "directory deleted: nothing is made there")
os.mkdir(home)


def replace():
    os.rename(log, log + ".moved")
    with open(log, "w") as file:
        file.write("precious")


err, truth = disturbed("replaced", log, replace)
check("was removed or replaced while" in err and len(err.splitlines()) == 1, f"replaced: {err}")
with open(log) as file:
    equal(file.read(), "precious", "replaced: the other file is as it was")
for name in glob.glob(log + ".live.*"):
    os.rename(name, name.replace("log.live", "log.moved.live"))
missing = missing_of(truth, dump(log + ".moved"), "replaced")
equal(missing, 0, "replaced: with its live files again it is whole")
shutil.rmtree(home)
os.mkdir(home)


def is_mounted(size):
    return ROOT and run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", home]).returncode == 0


def unmount():
    run(["umount", "-l", home])


if is_mounted("4m"):
    err, truth = disturbed("unmounted", log, unmount)
    check("was removed or replaced while" in err and len(err.splitlines()) == 1, f"unmounted: {err}")
    equal(os.listdir(home), [], "unmounted: nothing is made in the place that is there instead")
    for size in "400k", "500k", "600k":
        what = f"disk of {size}"
        if not is_mounted(size):
            break
        untraced, _ = told_run([program("hostile"), "much"])
        got, truth = told_run(recording("much", log, "--no-compress"))
        check("INCOMPLETE: " in got.stderr and "No space left on device" in got.stderr, f"{what}: {got.stderr}")
        got.stderr = ""
        same_run(got, untraced, what)
        complete(log, truth, what, "No space left on device", others="the launcher found no room, and files cannot be merged")
        unmount()
else:
    skip("a full disk, a file system that goes")

# --- a file system on which a full disk has no room for a page that is written again ---
def fill_disk():
    os.sync()
    for number, size in (0, 65536), (1, 4096), (2, 512):  # what is too much for the last one may do for the next
        try:
            with open(os.path.join(home, f"filler{number}"), "wb", buffering=0) as file:
                while True:
                    file.write(random.randbytes(size))
        except OSError:
            os.sync()


image = path("image")
with open(image, "wb") as file:
    file.truncate(120 << 20)
if ROOT and shutil.which("mkfs.btrfs") and run(["mkfs.btrfs", "-q", "--mixed", image]).returncode == 0 and \
        run(["mount", "-o", "loop", image, home]).returncode == 0:
    try:
        err, truth = disturbed("a full btrfs", log, fill_disk)
        lost = "INCOMPLETE: " in err
        for filler in glob.glob(os.path.join(home, "filler*")):  # there may have been no room to merge what is in buffers
            os.unlink(filler)
        run([MALLOSCOPE, "report", log])
        complete(log, truth, "a full btrfs", "No space left on device" if lost else None)
        equal(files_in_memory(log), [], "a full btrfs: nothing is left in memory")
    finally:
        unmount()
else:
    skip("a full btrfs (mkfs.btrfs, loop devices)")
os.unlink(image)

if skipped:
    print("skipped, since this machine does not allow it:", "; ".join(skipped))
sys.exit(done())
