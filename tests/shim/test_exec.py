"""What is rare about executing: the C library's own shell after the environment was changed,
sanitizers' runtimes, statically linked programs that start others, file actions that change the
directory, arguments that cannot be read, and the old versions of posix_spawn. All runs as it would
untraced, and all that can be recorded is."""
import collections
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from following import *

FOLLOW, SHELLS, ODD = program("follow"), program("shells"), program("odd_exec")
SH = os.path.basename(os.path.realpath("/bin/sh"))


def build(name, command, text=None):
    """A small program, or None with a failed check."""
    source = path(name + ".c")
    with open(source, "w") as file:
        file.write(text or "#include <stdlib.h>\nint main(void) { free(malloc(5)); return 9; }\n")
    got = run([*command, source, "-o", path(name)])
    return path(name) if check(got.returncode == 0, f"{command} builds: {got.stderr}") else None


def names(events):
    return collections.Counter(name for _, how, name in starts(events) if how != "fork")


def told_in(told, what, count):
    equal(len([1 for _, _, text in told if text.startswith("malloc ")]), count, f"{what}: calls that were told")


# --- system and popen: what they start is recorded, and is as it would be ---
for environment in "as_is", "clear", "unset", "own", "none", "array", "odd":
    for way in "system", "read", "write":
        what = f"{way}, environment {environment}"
        truth, events, r = followed([SHELLS, environment, way, f"cat; {FOLLOW} end 4; {FOLLOW} fork end 5 >&2; exit 3"], what, untold=True)
        equal(names(events), {"shells": 1, SH: 1, "cat": 1, "follow": 2}, f"{what}: programs")
        told_in(truth, what, 2 * 2 + 3 * 2)  # twice two in a process that only ends, and two more before a child does
# Where the library cannot be had, the shell is not told of it: its loader would complain.
if os.getuid() == 0:
    jail = path("jail")
    needed = [line.split("=>")[-1].split()[0] for line in run(["ldd", "/bin/sh"]).stdout.splitlines() if "/" in line]
    for file in ["/bin/sh", *needed]:
        os.makedirs(jail + os.path.dirname(file), exist_ok=True)
        shutil.copy(file, jail + file)
    locked_up = ["/usr/bin/python3", "-c", "import os, sys; os.chroot(sys.argv[1]); os.chdir('/'); print(os.system('echo one; exit 3'), "
                 "os.system('echo two'), flush=True)", jail]
    for follow in None, "none", "fork":
        what = f"system in a chroot, follow {follow}"
        traced, _ = told_run([MALLOSCOPE, "record", "-q", "-f", "-o", LOG, *([f"--follow={follow}"] if follow else []), "--", *locked_up])
        untraced, _ = told_run(locked_up)
        same_run(traced, untraced, what)
        check("768 0" in traced.stdout and not traced.stderr, f"{what}: {traced.stdout} {traced.stderr}")
else:
    print("not root: no chroot to run a shell in", flush=True)

# --- a loader that lists what it would load: the library is not in it, and programs that run are recorded ---
LOADER = [line.split()[0] for line in run(["ldd", "/bin/sh"]).stdout.splitlines() if "/ld-linux" in line][0]
TRACE = "import os, sys; environment = dict(os.environ, LD_TRACE_LOADED_OBJECTS='1'); "
LISTS = [["bash", "-c", f"ldd {FOLLOW}"], ["ldd", "-r", FOLLOW], ["bash", "-c", f"LD_TRACE_LOADED_OBJECTS= {FOLLOW} end 4"],
         ["bash", "-c", f"{LOADER} --argv0 x --list {FOLLOW}; {LOADER} --verify {FOLLOW}; echo $?"],
         ["env", "LD_TRACE_LOADED_OBJECTS=1", FOLLOW], ["bash", "-c", f"{LOADER} --list-diagnostics | grep -e PRELOAD -e OSCOPE"],
         ["/usr/bin/python3", "-c", TRACE + "os.waitpid(os.posix_spawn(sys.argv[1], sys.argv[1:], environment), 0)", FOLLOW],
         ["/usr/bin/python3", "-c", "import os; os.environ['LD_TRACE_LOADED_OBJECTS'] = '1'; os.system('exit 3')"]]
for command in LISTS:
    for follow in None, "all", "fork":
        what = f"lists, follow {follow}: {command}"
        plain = run(command)
        got = record(command, LOG, *([f"--follow={follow}"] if follow else []))
        lines = [[re.sub(r" \(0x.*", "", line) for line in sorted(r.stdout.splitlines())] for r in (plain, got)]
        equal((lines[1], got.returncode, got.stderr), (lines[0], plain.returncode, plain.stderr), what)
        check("malloscope" not in got.stdout and (lines[0] or "OSCOPE" in str(command)), f"{what}: the library is in no list")
        # ldd asks the loaders of other architectures as well.
        ran = [name for reason, name in untraced_programs(dump(LOG)) if (reason, name[:8]) != (MACHINE, "ld-linux")]
        equal(ran, [], f"{what}: no program has run")
for words in [], ["--argv0", "--list"]:
    truth, events, r = followed(["bash", "-c", " ".join([LOADER, *words, FOLLOW, "end", "4; exit 5"])], f"a loader that runs {words}", untold=True)
    told_in(truth, f"a loader that runs {words}", 4)
    equal(names(events)["follow"], 1, f"a loader that runs {words}: the program is the one that it was given")

shows = ['echo "$0" $# "$@"; echo it\'s \\" `echo b` \'$A\' "$A"; exit 7', "kill -KILL $$", "exit 256", "a(", "", "no-such-program; exit 3", "-x", "+x", "--",
         "env | grep -v -e ^LD_PRELOAD= -e ^MALLOSCOPE_ -e ^_= | sort; set -- *; echo $PPID > /dev/null", "\nfalse\n", "#", "'", "echo $LINENO; set -o",
         "trap", "umask; ulimit -a; cd /proc/$$/fd; echo [0-9]; cd /; pwd"]
for n, command in enumerate(shows):
    for way, environment in zip(("system", "read"), (("clear", "odd"), ("odd", "clear"), ("as_is", "clear"))[n % 3]):
        followed([SHELLS, environment, way, command], f"{way} {command!r}, environment {environment}", untold=True)
for way, command in (("system", "NULL"), ("nonsense", "true"), ("fclose", "exit 3"), ("read_close_on_exec", "cd /proc/$$/fd; echo [0-9]"),
                     ("two", "cd /proc/$$/fd; echo [0-9]; exit 5"),
                     ("cancelled", "exec sleep 9"), ("interrupted", "sleep 0.4; exit 1"),
                     ("signals", "grep -e SigBlk -e SigIgn /proc/self/status; kill -INT $PPID; kill -QUIT $PPID; exit 5")):
    for environment in "clear", "as_is":
        followed([SHELLS, environment, way, command], f"{way}, environment {environment}", untold=True)
followed([SHELLS, "clear", "system", "true"], "a variable that no shell can have", untold=True, env={"MALLOSCOPE_A.B": "$(echo x >&2)"})
quotes, many = "'" * 60000, f"{FOLLOW} end 6; : " + "x" * 100000
followed([SHELLS, "clear", "system", f": \"{quotes}\"; exit 5"], "a command that becomes too long")
truth, events, r = followed([SHELLS, "clear", "system", many], "a long command")
equal(names(events)["follow"], 1, "a long command: is followed")
for follow in "none", "fork":
    truth, events, r = followed([SHELLS, "clear", "system", "true"], f"system, --follow={follow}", follow=follow)
    equal(names(events), {"shells": 1}, f"system, --follow={follow}: programs")

# --- sanitizers ---
ends = [name for name in (build("asan", ["gcc", "-fsanitize=address"]), build("clang_asan", ["clang", "-fsanitize=address", "-shared-libasan",
        "-Wl,-rpath," + run(["clang", "-print-runtime-dir"]).stdout.strip()])) if name]
plain = build("plain", ["gcc"])
for name in ends:
    for words in [ODD, "spawn", "--", name], [ODD, "exec", "A=b", "--", name], ["sh", "-c", f"{name}; echo $?"], [SHELLS, "as_is", "system", name], [SHELLS, "clear", "system", name]:
        followed(words, f"{os.path.basename(name)} by {words[:2]}", untold=True, more_untraced=[(SANITIZER, os.path.basename(name))])
libasan = run(["gcc", "-print-file-name=libasan.so"]).stdout.strip()
libclang = run(["clang", "-print-file-name=libclang_rt.asan-x86_64.so"]).stdout.strip() if os.uname().machine == "x86_64" else libasan
for preload in os.path.basename(os.path.realpath(libasan)).rsplit(".", 2)[0], libclang, f"{libasan} libm.so.6":
    followed([ODD, "spawn", f"LD_PRELOAD={preload}", "--", plain], f"spawn with {preload}", untold=True, more_untraced=[(SANITIZER, "plain")])
    followed([ODD, "exec", f"LD_PRELOAD={preload}", "--", plain], f"execve with {preload}", untold=True, more_untraced=[(SANITIZER, "plain")])
    followed(["env", f"LD_PRELOAD={preload}", plain], f"env with {preload}", untold=True, more_untraced=[(SANITIZER, "plain")])
    followed(["sh", "-c", f"export LD_PRELOAD='{preload}'; {plain}; echo $?; {plain}; exit 4"], f"sh with {preload}", untold=True, more_untraced=[(SANITIZER, "plain")] * 2)
    followed(["sh", "-c", f"LD_PRELOAD='{preload}:'$LD_PRELOAD {plain}"], f"a shell's variable with {preload}", untold=True, more_untraced=[(SANITIZER, "plain")])
for way in "spawn", "exec":
    followed([ODD, "refused", way, f"LD_PRELOAD={libasan}", "--", plain], f"{way} in a sandbox", more_untraced=[(SANITIZER, "plain")])
for sanitizer in "leak", "undefined":
    name = build(sanitizer, ["gcc", f"-fsanitize={sanitizer}"])
    truth, events, r = followed([ODD, "spawn", "--", name], sanitizer)
    equal(names(events)[sanitizer], 1, f"{sanitizer}: is recorded")

# --- what a statically linked program starts ---
STARTER = "#include <unistd.h>\n#include <sys/wait.h>\nint main(int argc, char **argv) { (void)argc; int status = 0; " \
          "if (!vfork()) { execv(argv[1], argv + 1); _exit(99); } wait(&status); return WEXITSTATUS(status); }\n"
starter = build("starter", ["gcc", "-static"], STARTER)
words = ["sh", "-c", f"{starter} {FOLLOW} end 3; {starter} {starter} {FOLLOW} execle {FOLLOW} end 4; {FOLLOW} end 5"]
truth, events, r = followed(words, "static", untold=True, follow="all", more_untraced=[(STATIC_PASSES, "starter")] * 2)
equal(names(events), {SH: 1, "follow": 4}, "static, --follow=all: programs")
told_in(truth, "static, --follow=all", 2 * 2 + 3 * 2 + 2 * 2)
text = unfolded(run([MALLOSCOPE, "report", LOG]).stdout)
check(f"not recorded, unlike what it starts: {starter} (statically linked)" in text, f"static, --follow=all: {text[-2000:]}")
got = run([MALLOSCOPE, "record", "-q", "-f", "-o", LOG, "--", *words])
equal(names(dump(LOG)), {SH: 1, "follow": 1}, "static, --follow=exec: programs")
text = unfolded(run([MALLOSCOPE, "report", LOG]).stdout)
check(f"not recorded, nor what it starts: {starter} (statically linked)" in text, f"static, --follow=exec: {text[-2000:]}")
followed([ODD, "spawn", f"LD_PRELOAD={libasan}", "--", starter, plain], "static with a sanitizer", untold=True, follow="all", more_untraced=[(STATIC, "starter")])

# --- a directory for the new program, and a path from there ---
os.makedirs(path("there/inner"))
there = [("musl", ["musl-gcc"], LIBC), ("static", ["gcc", "-static"], STATIC), ("dynamic", ["gcc"], None)]
for name, command, reason in there:
    program_path = build("there/inner/" + name, command)
    untraced = [(reason, name)] * 4 if reason else []
    for how, *where in ("chdir", path("there/inner"), f"./{name}"), ("chdir", path("there"), "inner", name + "/../" + name), ("fchdir", path("there"), f"inner/{name}"), \
            ("chdir", "/", path("there"), f"inner/{name}"), ("none", program_path), ("chdir", "/", program_path), ("chdir", "/nowhere", name):
        good = where[0] != "/nowhere" and "/../" not in where[-1]
        truth, events, r = followed([ODD, "in", how, *where], f"{name} {how} {where}", more_untraced=untraced if good else [])
        equal(names(events)[name], 4 if good and not reason else 0, f"{name} {how} {where}: recorded")
followed([ODD, "in", "chdir", "inner", "./musl"], "from the present directory", cwd=path("there"), more_untraced=[(LIBC, "musl")] * 4)
followed([ODD, "in", "chdir", "inner", "musl"], "by PATH", cwd=path("there"), env={"PATH": ".:" + os.environ["PATH"]},
         more_untraced=[(LIBC, "musl")] * 4)
got = run([MALLOSCOPE, "report", "--json", LOG])
check(os.path.realpath(path("there/inner")) in got.stdout, "a path from a directory: its name in the report")

# --- what cannot be read, is not there, or is too long ---
truth, events, r = followed([ODD, "bad"], "bad arguments")
equal(names(events), {"odd_exec": 1, "true": 6}, "bad arguments: programs")

# --- the old posix_spawn gives a script to the shell, the new one does not ---
with open(path("script"), "w") as file:
    file.write(f"{FOLLOW} end 8\n")
os.chmod(path("script"), 0o755)
truth, events, r = followed([ODD, "old", path("script")], "old posix_spawn", untold=True)
equal(names(events)["follow"], 2 if os.uname().machine == "x86_64" else 0, "old posix_spawn: programs")
truth, events, r = followed([ODD, "new", path("script")], "new posix_spawn", untold=True)
equal(names(events), {"odd_exec": 1}, "new posix_spawn: programs")

sys.exit(done())
