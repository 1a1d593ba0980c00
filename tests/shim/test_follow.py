"""`record` follows what a program starts, in whatever way and with whatever environment; it
leaves alone what cannot be recorded, and says so in the log; --follow=fork and none leave
out what they should. The programs notice nothing of it. Who must be in the log is known
from what the programs tell (truth.h), or from the kinds of programs that a tool starts."""
import collections
import itertools
import json
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from following import *

FOLLOW = program("follow")

# --- every way to execute, in every kind of child ---
ways = ["execve", "execve_large", "execve_null", "execv", "execvp", "execvpe", "execl", "execlp", "execle", "fexecve",
        "execveat", "clearenv", "syscall", "spawn", "spawnp", "spawn_nobody"]
for way in ways:
    what = f"{way}"
    truth, events, r = followed([FOLLOW, way, FOLLOW, "end", "5"], what)
    began = [(how, name) for _, how, name in starts(events)]
    equal(began, [("image", "follow"), ("image" if way.startswith("spawn") else "exec", "follow")], f"{what}: programs")
    equal(len(truth), 21, f"{what}: told")
for n, child in enumerate(("fork", "_Fork", "clone", "quiet", "vfork", "vmclone", "daemon", "signal")):
    for way in (ways[n % 4], "execle") + (() if child in ("vfork", "vmclone") else ("spawn",)):
        what = f"{child} {way}"
        truth, events, r = followed([FOLLOW, child, way, FOLLOW, "end", "5"], what)
        equal([text for _, _, text in truth][-1].split(" ")[::2], ["malloc", "106"], f"{what}: the last one has told")
        if child != "daemon":  # whose middle process has no calls
            equal({pid for pid, _, _ in starts(events)}, {pid for pid, _, _ in truth}, f"{what}: processes")
followed([FOLLOW, "fork", "vfork", "execve", FOLLOW, "fork", "clearenv", FOLLOW, "daemon", "spawn", FOLLOW, "end", "3"],
         "children of children")

# --- what was the program's of the environment is the program's ---
odd = {"LD_PRELOAD": "libdl.so.2 libm.so.6", "MALLOSCOPE_THRESHOLD": "77"}
for way in "execv", "execve", "spawn":
    got = run([MALLOSCOPE, "record", "-q", "-f", "-o", LOG, "--", FOLLOW, way, "/usr/bin/env"], env=odd)
    variables = dict(line.split("=", 1) for line in got.stdout.splitlines() if "=" in line)
    equal(variables.get("LD_PRELOAD"), f"{SHIM}:libdl.so.2 libm.so.6" if way == "execv" else SHIM, f"{way}: LD_PRELOAD")
    equal(variables.get("MALLOSCOPE_THRESHOLD"), "77", f"{way}: MALLOSCOPE_*")
    got = run([MALLOSCOPE, "record", "-q", "-f", "-o", LOG, "--follow=fork", "--", FOLLOW, way, "/usr/bin/env"], env=odd)
    ours = [line for line in got.stdout.splitlines() if line.startswith(("LD_PRELOAD=", "MALLOSCOPE_"))]
    equal(ours, ["LD_PRELOAD=libdl.so.2 libm.so.6"] if way == "execv" else [], f"{way}, --follow=fork: our variables")
for given, wanted in (("libdl.so.2", f"{SHIM}:libdl.so.2"), (f"libdl.so.2:{SHIM}", f"libdl.so.2:{SHIM}"), ("", SHIM)):
    got = run([MALLOSCOPE, "record", "-q", "-f", "-o", LOG, "--", "/usr/bin/env", "LD_PRELOAD=" + given, "/usr/bin/env"])
    check(f"LD_PRELOAD={wanted}\n" in got.stdout, f"a program's own LD_PRELOAD={given}: {got.stdout}")
for given, wanted in ((f"libdl.so.2 {SHIM} libm.so.6", "LD_PRELOAD=libdl.so.2 libm.so.6\n"), (f" {SHIM}:", "")):
    got = run([MALLOSCOPE, "record", "-q", "-f", "-o", LOG, "--follow=none", "--", "/usr/bin/env", "LD_PRELOAD=" + given, "/usr/bin/env"])
    equal("".join(line + "\n" for line in got.stdout.splitlines() if line.startswith("LD_PRELOAD=")), wanted,
          f"a program's own LD_PRELOAD={given}, --follow=none")

# --- what cannot be recorded runs as it would, and is in the log ---
with open(path("end.c"), "w") as file:
    file.write('#include <stdlib.h>\n#include <unistd.h>\nint main(void) { free(malloc(5)); '
               'return write(1, getenv("LD_PRELOAD") ? "preload\\n" : "clean\\n", 6) == 6 ? 9 : 8; }\n')
with open(path("script"), "w") as file:
    file.write(f"#! {path('static')} x\n")
os.chmod(path("script"), 0o755)
cannot = {"script": STATIC}
for name, reason, build in (("static", STATIC, ["gcc", "-static"]), ("static-pie", STATIC, ["gcc", "-static-pie"]),
                            ("i386", MACHINE, ["gcc", "-m32"]), ("i386-static", MACHINE, ["gcc", "-m32", "-static"]),
                            ("musl", LIBC, ["musl-gcc"]), ("musl-static", STATIC, ["musl-gcc", "-static"]),
                            ("asan", SANITIZER, ["gcc", "-fsanitize=address"]), ("tsan", SANITIZER, ["gcc", "-fsanitize=thread"]), ("plain", None, ["gcc"])):
    if check(run([*build, "end.c", "-o", name], cwd=WORK).returncode == 0, f"{build} builds"):
        cannot[name] = reason
if ROOT:
    for name, mode in ("setuid", 0o4755), ("setgid", 0o2755), ("setuid-unreadable", 0o4711), ("not-really-setgid", 0o2745):
        shutil.copy("/bin/true" if name.startswith("not") else path("plain"), path(name))
        os.chown(path(name), 65534, 65534)
        os.chmod(path(name), mode)
        cannot[name] = PRIVILEGED if name != "not-really-setgid" else None
del cannot["plain"]
children = itertools.cycle([("fork", "vfork"), ("quiet", "vmclone"), ("quiet_clone", "vfork")])
for n, (name, reason) in enumerate(cannot.items()):
    expected = [(reason, name)] if reason else []
    for way in ("execve", "execlp", "clearenv", "fexecve", "execveat", "spawn", "spawnp")[n % 2::2]:
        if not (name == "script" and way in ("fexecve", "execveat")):  # the interpreter could not open a closed descriptor
            for child in ["fork"] if "spawn" in way else next(children):
                followed([FOLLOW, child, way, path(name)], f"{name} by {child} {way}", more_untraced=expected)
    followed([FOLLOW, "execv", path(name)], f"{name} instead of the program", more_untraced=expected)
    followed(["sh", "-c", f'{path(name)} a; {path(name)} b | cat; (exec {path(name)}); echo $?'], f"{name} under sh", untold=True,
             more_untraced=expected * 3)
truth, events, r = followed([FOLLOW, "handled", path("static")], "a handler of SIGCHLD", more_untraced=[(STATIC, "static")] * 60)
truth, events, r = followed([FOLLOW, "many", "3", "vfork", "execve", path("static")], "vfork, many times", more_untraced=[(STATIC, "static")] * 3)
equal(len(starts(events)), 1, "vfork: a child that cannot be recorded is no process of the log")
followed([FOLLOW, "many", "100", "vfork", "execve_large", "/bin/true"], "vfork with a large environment, many times")
followed([FOLLOW, "full", "execve", "/bin/true"], "no room for more variables", untold=True)
if ROOT:
    # The library is out of reach: the loader would say so, on the program's standard error.
    root = path("root")
    for name in "bin", "lib64", "lib", "usr":
        os.mkdir(os.path.join(root, name)) if os.path.isdir(root) else os.makedirs(os.path.join(root, name))
    for library in run(["ldd", path("plain")]).stdout.split():
        if library.startswith("/"):
            os.makedirs(root + os.path.dirname(library), exist_ok=True)
            shutil.copy(library, root + library)
    shutil.copy(path("plain"), root + "/bin/plain")
    followed(["chroot", root, "/bin/plain"], "another root directory", untold=True, more_untraced=[(UNREACHABLE, "plain")])
    followed([sys.executable, "-c", "import os; os.setuid(65534); os.execv('/bin/true', ['true'])"], "another user",
             untold=True, more_untraced=[(UNREACHABLE, "true")])
    # Effective ids that are not the real ones: the loader ignores LD_PRELOAD.
    os.chmod(WORK, 0o755)
    followed([sys.executable, "-c", "import os; os.seteuid(65534); os.execv('/bin/true', ['true'])"], "other effective ids",
             untold=True, more_untraced=[(PRIVILEGED, "true")])
for kibibytes in 300, 1200, 6000: # of data: the library's own would be missing in the program
    command = ["sh", "-c", f"ulimit -d {kibibytes}; exec /bin/ls /"]
    followed(command, f"exec within {kibibytes} KiB of data", untold=True, more_untraced=[(UNREACHABLE, "ls")])
    command[2] = f"ulimit -d {kibibytes}; /bin/ls /; {sys.executable} -c 'import json; print(1)'; exit 5"
    got, untraced = run([MALLOSCOPE, "record", "-q", "-f", "-o", LOG, "--", *command]), run(command)
    equal(got.returncode, 5, f"within {kibibytes} KiB of data")
    check(got.stderr.startswith(untraced.stderr) and "ERROR: ld.so" not in got.stderr, f"within {kibibytes} KiB of data: {got.stderr}")
    equal(got.stdout, untraced.stdout, f"within {kibibytes} KiB of data: output")
    # Where the shell itself has not the memory for another stream, it is told beside the log.
    json_report = json.loads(run([MALLOSCOPE, "report", "--json", LOG]).stdout)
    equal({(u["path"], u["reason"]) for u in json_report["untraced_programs"]}, {(p, "unreachable") for p in ("/bin/ls", sys.executable)},
          f"within {kibibytes} KiB of data: noted")
followed(["sh", "-c", "ulimit -d 200000; /bin/true; exit 5"], "a limit of data that leaves room", untold=True)

# --- before the program's first event ---
truth, events, r = followed([program("first_exec"), FOLLOW, "end", "7"], "before the first event")
equal([name for _, _, name in starts(events)], ["follow", "follow"], "before the first event: programs")

# --- failures are the program's, to the errno ---
here = path("failures")
os.mkdir(here)
for name, text, mode in (("plain", "#!/bin/sh\n", 0o644), ("file", "x", 0o755), ("empty", "", 0o755), ("garbage", "\1\2\0\3" * 99, 0o755),
                         ("no-interpreter", "#!/no/such/interpreter\n", 0o755)):
    with open(os.path.join(here, name), "w") as file:
        file.write(text)
    os.chmod(os.path.join(here, name), mode)
os.mkdir(os.path.join(here, "directory"))
os.symlink("loop", os.path.join(here, "loop"))
for name, source, mode, bytes in ("static-no-x", "static", 0o644, None), ("foreign-no-x", "i386", 0o644, None), ("cut", "static", 0o755, 100):
    with open(path(source), "rb") as file, open(os.path.join(here, name), "wb") as copy:
        copy.write(file.read(bytes))
    os.chmod(os.path.join(here, name), mode)
truth, events, r = followed([FOLLOW, "fails"], "failing calls", cwd=here)
equal([len(truth), len(starts(events))], [14, 1], "failing calls: all is still recorded")
check(any(e.kind == "untraced-program" for e in events), "failing calls: some were thought to succeed, and withdrawn")

# --- fork in the midst of threads ---
followed([FOLLOW, "atfork"], "handlers of fork", untold=True)
truth, events, r = followed([FOLLOW, "born"], "threads that are being made", untold=True)
equal(len([how for _, how, _ in starts(events) if how == "fork"]), 30, "threads that are being made: children")

# --- --follow ---
for follow in "none", "fork":
    for words in (["fork", "end", "1"], ["_Fork", "fork", "end", "1"], ["clone", "end", "1"], ["daemon", "end", "1"], ["atfork"], ["born"]):
        what = f"{' '.join(words)}, --follow={follow}"
        truth, events, r = followed([FOLLOW, *words], what, follow=follow)
        first = truth[0][0]
        wanted = {pid for pid, _, _ in truth} if follow == "fork" else {first}
        recorded = {pid for pid, _, _ in starts(events)}
        if words[0] in ("atfork", "born") and follow == "fork":
            equal(recorded >= wanted, True, f"{what}: processes")
        else:
            equal(recorded, wanted, f"{what}: processes")
        match([line for line in truth if line[0] in wanted], events, what, untold=True)
    for child in [], ["fork"], ["quiet"], ["vfork"], ["vmclone"]:
        for way in ("execv", "clearenv", "syscall", "spawn") if child else ways:
            if way.startswith("spawn") and "v" in "".join(child):
                continue
            what = f"{' '.join(child)} {way}, --follow={follow}"
            truth, events, r = followed([FOLLOW, *child, way, FOLLOW, "fork", "end", "1"], what, follow=follow)
            copies = 1 if follow == "fork" and child == ["fork"] else 0
            equal([how for _, how, _ in starts(events)], ["image"] + ["fork"] * copies, f"{what}: programs")
            # In a process that goes on as another program, what was told before that.
            mine = [line for line in truth if line[0] == truth[0][0]][:7]
            match(mine, events, what, untold=True)
            equal(len([e for e in events if e.is_heap and e.pid == truth[0][0] and e.size in (30, 31, 60, 90)]) >= 4, True, f"{what}: calls")
            equal([e for e in events if e.is_heap and e.size in (101, 102)], [], f"{what}: none of the new program's")
    truth, events, r = followed(["sh", "-c", f"{FOLLOW} end 3; exec {FOLLOW} end 4"], f"sh that executes, --follow={follow}", follow=follow)
    equal({name for _, _, name in starts(events)}, {os.path.basename(os.path.realpath("/bin/sh"))}, f"sh that executes, --follow={follow}")
    for words in ["-c", "import os; os.system('true'); os.environ.clear(); os.system('true')"], ["-c", "import subprocess; subprocess.run(['/bin/true'])"]:
        truth, events, r = followed([sys.executable, *words], f"python, --follow={follow}", follow=follow)
        check(len({name for _, _, name in starts(events)}) == 1, f"python, --follow={follow}: {starts(events)}")
got = run([MALLOSCOPE, "record", "-q", "-f", "-o", LOG, "--", FOLLOW, "fork", "execv", "/bin/true"], env={"MALLOSCOPE_FOLLOW": "none"})
equal(len(starts(dump(LOG))), 1, "MALLOSCOPE_FOLLOW")
for bad in "every", "":
    got = run([MALLOSCOPE, "record", "-o", LOG + "x", "--follow", bad, "true"])
    check(got.returncode == 2 and "none, fork, exec or all" in got.stderr and not os.path.exists(LOG + "x"), f"--follow={bad}: {got}")
# A recording in a recording: the inner program is the inner log's alone.
inner = path("inner.mscope")
for follow in "exec", "fork":
    got = run([MALLOSCOPE, "record", "-q", "-f", "-o", LOG, f"--follow={follow}", "--",
               MALLOSCOPE, "record", "-q", "-f", "-o", inner, "--follow=exec", "--", FOLLOW, "execve", FOLLOW, "end", "7"])
    equal((got.returncode, got.stderr), (7, ""), f"a recording in a recording, {follow}")
    equal([name for _, _, name in starts(dump(inner))], ["follow", "follow"], f"a recording in a recording, {follow}: inner")
    equal({name for _, _, name in starts(dump(LOG))}, {"malloscope"}, f"a recording in a recording, {follow}: outer")

# --- without `record`: each program has its own log, as its environment says ---
directory = path("alone")
os.mkdir(directory)
alone = {"LD_PRELOAD": SHIM, "MALLOSCOPE_OUTPUT": directory + "/%p"}
for way, logs in ("execve", 1), ("execv", 1), ("spawnp", 2):
    traced, truth = told_run([FOLLOW, way, FOLLOW, "end", "1"], env=alone)
    untraced, _ = told_run([FOLLOW, way, FOLLOW, "end", "1"])
    same_run(traced, untraced, f"alone, {way}")
    made = [name for name in os.listdir(directory) if "live" not in name]
    equal(len(made), logs + (1 if way == "execv" else 0), f"alone, {way}: logs {made}")
    for name in os.listdir(directory):
        os.unlink(os.path.join(directory, name))

traced, truth = told_run([FOLLOW, "fork", "execv", FOLLOW, "end", "1"], env={**alone, "MALLOSCOPE_FOLLOW": "fork"})
equal(len([name for name in os.listdir(directory) if "live" not in name]), 1, "alone, MALLOSCOPE_FOLLOW=fork: logs")

# --- real programs, recorded whole ---
def names(events):
    return collections.Counter(name for _, how, name in starts(events) if how != "fork")


with open(path("hello.c"), "w") as file:
    file.write('#include <stdio.h>\nint main(void) { return puts("hello") < 0; }\n')
truth, events, r = followed(["gcc", "-O2", "hello.c", "-o", "hello"], "gcc", cwd=WORK)
programs = {name.split("-")[-1].split(".")[0] for name in names(events)}
check({"cc1", "as", "collect2", "ld"} <= programs and any("gcc" in name for name in names(events)), f"gcc: {names(events)}")
equal(r["counts"]["allocations"], sum(p["allocations"] for p in r["processes"]), "gcc: the processes add up")
with open(path("Makefile"), "w") as file:
    file.write("all: a b c d\n\t@cat a b c d\na b c d:\n\t@sort -r /etc/passwd | head -n 2 > $@; env -i /usr/bin/tac $@ > $@.r\n")


def again():
    for name in "abcd":
        for made in path(name), path(name + ".r"):
            if os.path.exists(made):
                os.unlink(made)


again()
untraced = run(["make", "-s", "-j2"], cwd=WORK)
again()
traced = run([MALLOSCOPE, "record", "-q", "-f", "-o", LOG, "--", "make", "-s", "-j2"], cwd=WORK)
same_run(traced, untraced, "make")
whole(LOG, "make")
counted = names(dump(LOG))
equal([counted[name] for name in ("make", "sort", "head", "env", "tac", "cat")], [1, 4, 4, 4, 4, 1], f"make: {counted}")
truth, events, r = followed(["bash", "-c", "set -o pipefail; printf '%s\\n' c a b | sort | tr a-z A-Z | (head -n 2; cat); env -i A=1 /usr/bin/env | grep -v -e ^LD_PRELOAD= -e ^MALLOSCOPE_; exec -c -a x /usr/bin/true"],
                            "a pipeline")
counted = names(events)
equal([counted[name] for name in ("bash", "sort", "tr", "head", "cat", "env", "grep", "true")], [1, 1, 1, 1, 1, 2, 1, 1], f"a pipeline: {counted}")
python = os.path.realpath(sys.executable)
for method in "fork", "spawn":
    with open(path("work.py"), "w") as file:
        file.write(f"""
import multiprocessing, os
def square(n): return n * n
if __name__ == '__main__':
    multiprocessing.set_start_method({method!r})
    with multiprocessing.Pool(2) as pool: print(pool.map(square, range(9)))
""")
    truth, events, r = followed([python, path("work.py")], f"multiprocessing, {method}")
    began = collections.Counter(how for _, how, _ in starts(events))
    check(began["fork" if method == "fork" else "image"] >= 2, f"multiprocessing, {method}: {began}")
with open(path("sub.py"), "w") as file:
    file.write("""
import os, subprocess
for more in dict(close_fds=True), dict(env={}), dict(close_fds=False, env={'A': 'b'}), dict(start_new_session=True, cwd='/'), dict(preexec_fn=os.getpid):
    print(subprocess.run(['/usr/bin/env'], stdout=subprocess.PIPE, text=True, **more).stdout.count('A=b'))
print(subprocess.run('/usr/bin/env -i /usr/bin/wc -c /dev/null | cat', shell=True, env={}).returncode)
os.system('/usr/bin/cmp /dev/null /dev/null')
os.closerange(3, 2000)
os.spawnve(os.P_WAIT, '/usr/bin/true', ['true'], {'X': 'y'})
""")
truth, events, r = followed([python, path("sub.py")], "subprocess", env={"A": "b"})
counted = names(events)
equal([counted["env"], counted["wc"], counted["cat"], counted["cmp"], counted["true"]], [6, 1, 1, 1, 1], f"subprocess: {counted}")

sys.exit(done())
