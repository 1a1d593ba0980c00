"""`malloscope doctor`, and `record` where a program cannot be traced or not wholly: each verdict
against what happens when the same program is recorded."""
import ctypes
import json
import os
import re
import shutil
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

SANITIZED = bool(os.environ.get("TEST_SANITIZED"))
LOG = path("x.mscope")
os.chmod(WORK, 0o755)


def write(name, text, mode=0o644):
    with open(path(name), "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    os.chmod(path(name), mode)


def build(name, *command):
    """Builds ./name; False, and a failed check, where that is not possible here."""
    got = run([*command, "-o", name], cwd=WORK)
    return check(got.returncode == 0, f"{command} builds: {got.stderr[-300:]}")


class Doctor:
    """What doctor said: code, and for each word of the second column its level and text."""

    def __init__(self, *words, **more):
        got = run([MALLOSCOPE, "doctor", *words], cwd=more.pop("cwd", WORK), **more)
        self.code, self.errors, self.lines = got.returncode, got.stderr, got.stdout.splitlines()
        self.found, self.verdict = {}, self.lines[-1] if self.lines else ""
        for line in self.lines[:-1]:
            self.found[line[6:17].strip()] = (line[:5].strip(), line[18:])
        check(self.verdict.startswith("Verdict: "), f"doctor {words}: the last line is the verdict: {got}")
        check(all(line[:6] in ("ok    ", "note  ", "warn  ", "FAIL  ") for line in self.lines[:-1]), f"levels: {self.lines}")
        equal("Verdict: cannot be recorded: " in self.verdict, self.code != 0, f"doctor {words}: verdict and exit code")
        equal(" can be recorded, but: " in self.verdict, self.code == 0 and any(line.startswith("warn") for line in self.lines),
              f"doctor {words}: verdict and warnings")
        equal(any(line.startswith("FAIL") for line in self.lines), self.code != 0, f"doctor {words}: FAIL and exit code")

    def says(self, what, level, *words):
        got = self.found.get(what, ("absent", ""))
        check(got[0] == level and all(word in got[1] for word in words),
              f"{what}: want {level} with {words}, got {got} of {self.lines}")
        return self


def recorded(*command, env=None):
    """Records; the exit status, stderr, and the process in the report, or None."""
    if os.path.exists(LOG):
        os.unlink(LOG)
    got = record(list(command), LOG, cwd=WORK, env=env)
    return got, report(LOG)["processes"][0] if os.path.exists(LOG) else None


def same_verdict(program, code, *words, env=None):
    """doctor and record refuse it with the same code and reason, and it does not run."""
    doctor = Doctor("--", program, env=env)
    got, process = recorded(program, env=env)
    equal((doctor.code, got.returncode, process), (code, code, None), f"{program}: {doctor.verdict} {got.stderr}")
    check(all(word in doctor.verdict and word in got.stderr for word in words), f"{program}: {doctor.verdict} {got.stderr}")
    equal((got.stdout, len(got.stderr.splitlines())), ("", 1), f"{program} did not run, and there is one line: {got}")


# --- this machine ---
before = sorted(os.listdir(WORK))
doctor = Doctor()
equal((doctor.code, doctor.errors, doctor.verdict), (0, "", "Verdict: programs can be recorded."), "here")
doctor.says("library", "ok", SHIM, "needs glibc 2.")
check(doctor.found["log's place"][0] in ("ok", "note"), "the place is good")
doctor.says("log's place", doctor.found["log's place"][0], WORK, " free")
doctor.says("recording", "note" if SANITIZED else "ok", "loaded by LD_PRELOAD")
doctor.says("limits", "ok", "descriptors").says("kernel", "ok", os.uname().release, "MADV_WIPEONFORK")
doctor.says("libunwind", "ok", "libunwind.so.8")
doctor.says("gnuplot", "ok" if shutil.which("gnuplot") else "note", "gnuplot")
equal(sorted(os.listdir(WORK)), before, "nothing is left behind")
with open("/sys/devices/system/clocksource/clocksource0/current_clocksource") as file:
    source = file.read().strip()
with open("/proc/cpuinfo") as file:
    steady = "nonstop_tsc" in file.read()
if source == "tsc" and steady or os.uname().machine == "aarch64":
    doctor.says("clock", "ok", "CPU's counter")
else:
    doctor.says("clock", "note", source)
Doctor(env={"MALLOSCOPE_CLOCK": "monotonic"}).says("clock", "note", f"clock source is {source}", " ns for each")
os.mkdir(path("empty"))
Doctor(env={"PATH": path("empty")}).says("gnuplot", "note", "install gnuplot-nox")
write("empty/libunwind.so.8", "no library")
Doctor(env={"LD_LIBRARY_PATH": path("empty")}).says("libunwind", "note", "install libunwind8")
Doctor(env={"LD_PRELOAD": "libdl.so.2"}).says("LD_PRELOAD", "note", "libdl.so.2")
Doctor(env={"MALLOSCOPE_MIN_SIZE": "1000000", "MALLOSCOPE_CALL_GRAPH": "none"}).says("recording", "note" if SANITIZED else "ok")

# --- the library ---
version = doctor.found["library"][1].split("needs glibc ")[1].split(",")[0]
with open(SHIM, "rb") as file:
    shim = file.read()
assert shim.count(f"\0GLIBC_{version}\0".encode()) == 1
write("newer.so", shim.replace(f"\0GLIBC_{version}\0".encode(), b"\0GLIBC_2.99\0"))
write("text.so", "no library\n")
write("cut.so", shim[:1000])
write("plugin.c", "int plugin(void) { return 1; }\n")
for name, words in (("absent.so", ["absent.so", "No such file"]), ("text.so", ["text.so", "cannot be loaded"]),
                    ("cut.so", ["cut.so", "cannot be loaded"]), ("newer.so", ["needs glibc 2.99", "build malloscope on this machine"])):
    equal(Doctor(env={"MALLOSCOPE_SHIM": path(name)}).says("library", "FAIL", *words).code, 125, name)
    got, process = recorded("true", env={"MALLOSCOPE_SHIM": path(name)})
    check(got.returncode == 125 and process is None and len(got.stderr.splitlines()) == 1 and name in got.stderr,
          f"record with {name}: {got}")
if build("other.so", "gcc", "-m32", "-shared", "-fPIC", "plugin.c"):
    doctor = Doctor("true", env={"MALLOSCOPE_SHIM": path("other.so")}).says("library", "FAIL", "another machine")
    equal((doctor.code, recorded("true", env={"MALLOSCOPE_SHIM": path("other.so")})[0].returncode), (125, 125), "a shim for i386")
if build("silent.so", "gcc", "-shared", "-fPIC", "plugin.c"):
    doctor = Doctor(env={"MALLOSCOPE_SHIM": path("silent.so")}).says("recording", "FAIL", "nothing was recorded")
    equal(doctor.code, 125, "a library that records nothing")
    equal(recorded("true", env={"MALLOSCOPE_SHIM": path("silent.so")})[0].returncode, 125, "and record with it")

# --- the log's place ---
Doctor("-o", "absent/x.mscope").says("log's place", "FAIL", "absent/x.mscope", "No such file")
write("taken.mscope", "mine")
Doctor("-o", "taken.mscope").says("log's place", "FAIL", "exists already", "-f")
with open(path("taken.mscope")) as file:
    equal(file.read(), "mine", "a file that is there stays as it is")
Doctor(env={"MALLOSCOPE_OUTPUT": "absent/x.mscope"}).says("log's place", "FAIL", "absent/x.mscope")


def limited(limit, *words):
    got = run(["sh", "-c", f"ulimit {limit}; exec \"$@\"", "sh", MALLOSCOPE, "doctor", *words], cwd=WORK)
    return got.returncode, got.stdout


code, said = limited("-f 0")
check(code == 125 and "File too large" in said, f"no room for a log: {said}")
code, said = limited("-f 1000")
check(code == 0 and "warn  limits" in said and "ulimit -f" in said, f"little room for a log: {said}")
code, said = limited("-n 20")
check(code == 0 and "warn  limits" in said and "only 20 descriptors" in said, f"few descriptors: {said}")
if not SANITIZED: # whose shadow is data
    code, said = limited("-d 40000")
    check(code == 125 and "FAIL  limits" in said and "ulimit -d" in said, f"little room for data: {said}")
equal(sorted(n for n in os.listdir(WORK) if "doctor" in n or n.startswith("program.")), [], "nothing is left behind")
if os.getuid() == 0:
    os.mkdir(path("mounted"))
    for options, level, words in (("size=64k", "FAIL", ["No space"]), ("size=1m", "warn", ["only 1,"]),
                                  ("size=200m", "note", ["in memory (tmpfs)", " MiB free"])):
        if run(["mount", "-t", "tmpfs", "-o", options, "none", path("mounted")]).returncode == 0:
            try:
                if options == "size=1m":
                    words = ["tmpfs", "only "]
                Doctor("-o", path("mounted/x.mscope")).says("log's place", level, *words)
                equal(os.listdir(path("mounted")), [], "nothing is left behind")
            finally:
                run(["umount", path("mounted")])

# --- confinement ---
libc = ctypes.CDLL(None, use_errno=True)


def allow_everything_by_filter():
    code = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0x7fff0000))  # BPF_RET, SECCOMP_RET_ALLOW
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 1, ctypes.addressof(code)))
    libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    if libc.prctl(22, 2, program, 0, 0) != 0:  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
        os._exit(99)


doctor = Doctor(preexec_fn=allow_everything_by_filter)
equal(doctor.code, 0, "under a filter that allows everything")
doctor.says("seccomp", "note", "filter").says("privileges", "note", "no_new_privs")

# --- programs as they should be ---
write("p.c", """#include <stdlib.h>
#include <string.h>
int main(void) { for (int i = 0; i < 100; i++) { void *volatile p = malloc(10 + i); free(p); } free(strdup("a library's"));
    return 3; }
""")
ordinary = 101  # allocations of p.c
if build("plain", "gcc", "-O0", "p.c"):
    doctor = Doctor("--", "./plain", "--no-option-of-ours").says("program", "ok", "./plain").says("loader", "ok", "dynamically linked")
    doctor.says("libraries", "ok", "all found").says("allocator", "ok", "libc.so.6 (/").says("machine", "ok")
    equal((doctor.code, doctor.verdict), (0, "Verdict: ./plain can be recorded."), "plain")
    got, process = recorded("./plain")
    equal((got.returncode, got.stderr, process["allocations"], process["other_malloc"]), (3, "", ordinary, ""), "plain")
    equal(report(LOG)["trust"]["own_mallocs"], 0, "no malloc of its own")
    check("of its own" not in run([MALLOSCOPE, "report", LOG]).stdout + run([MALLOSCOPE, "hist", LOG]).stdout, "nor said so")
    check("stripped" not in doctor.found["allocator"][1], "not stripped")
    shutil.copy(path("plain"), path("stripped"))
    run(["strip", path("stripped")])
    Doctor("./stripped").says("allocator", "ok", "libc.so.6", "stripped")
    write("script", "#!" + path("plain") + "\n", 0o755)
    write("script2", "#!" + path("script") + "\n", 0o755)
    write("script3", f"#!/usr/bin/env -S {path('plain')} -x\n", 0o755)
    Doctor("./script2").says("program", "ok", f"./script2 -> {path('script')} -> {path('plain')}: a script")
    Doctor("./script3").says("program", "ok", f"./script3 -> /usr/bin/env -> {path('plain')}: a script")
    equal(recorded("./script2")[1]["allocations"], ordinary, "through two scripts")
    ran = path("ran")
    write("touches", f"#!/bin/sh\ntouch {ran}\n", 0o755)
    equal((Doctor("./touches").code, os.path.exists(ran)), (0, False), "doctor does not run the program")
    if os.path.exists("/lib64/ld-linux-x86-64.so.2"):
        Doctor("/lib64/ld-linux-x86-64.so.2").says("program", "note", "is a loader")
        Doctor("/lib64/ld-linux-x86-64.so.2", "--argv0", "x", "--list", "./plain").says("program", "FAIL", "--list", "runs no program")
        Doctor("/lib64/ld-linux-x86-64.so.2", "--argv0", "x", "./plain").says("allocator", "ok", "libc.so.6")
        build("static", "gcc", "-static", "p.c")
        through = Doctor("/lib64/ld-linux-x86-64.so.2", "--inhibit-cache", "./static")
        through.says("program", "FAIL", "statically linked")
        refused = run([MALLOSCOPE, "record", "-o", path("through"), "/lib64/ld-linux-x86-64.so.2", "./static"], cwd=WORK)
        check(through.code == refused.returncode == 125 and "./static: statically linked" in refused.stderr,
              f"doctor and record agree of what a loader is to start: {through.code} {refused.returncode} {refused.stderr}")

# --- other allocators as libraries ---
for library in ("jemalloc", "tcmalloc_minimal", "mimalloc"):
    if build("with", "gcc", "-O0", "-fno-builtin", "-Wl,--no-as-needed", "p.c", "-l" + library):
        doctor = Doctor("./with").says("allocator", "ok", f"lib{library}.so")
        got, process = recorded("./with")
        check(got.returncode == 3 and process["allocations"] >= ordinary, f"{library} is recorded: {got} {process}")
        equal(process["allocator"], doctor.found["allocator"][1].split(" (")[1].split(")")[0], f"{library}: the allocator")
        Doctor("./plain", env={"LD_PRELOAD": f"lib{library}.so.{dict(jemalloc='2', tcmalloc_minimal='4', mimalloc='2')[library]}"}
               ).says("allocator", "ok", f"lib{library}.so")

if build("libfirst.so", "gcc", "-shared", "-fPIC", "plugin.c"):
    for more, wanted in (([], "libc.so.6"), (["-ljemalloc"], "libjemalloc.so")):
        if build("with", "gcc", "-O0", "-Wl,--no-as-needed", "p.c", "-L.", "-lfirst", *more, f"-Wl,-rpath,{WORK}"):
            Doctor("./with").says("allocator", "ok", wanted).says("libraries", "ok", "all found")

# --- a malloc of its own ---
OWN = """static char heap[1 << 22]; static unsigned long used;
VISIBLE void *malloc(unsigned long n) { unsigned long *p = (void *)(heap + used); used += ((n + 15) & ~15ul) + 16; *p = n; return p + 2; }
VISIBLE void free(void *p) { (void)p; }
VISIBLE void *calloc(unsigned long a, unsigned long b) { return malloc(a * b); }
VISIBLE void *realloc(void *old, unsigned long n) { char *p = malloc(n), *from = old; for (unsigned long i = 0; old && i < n && i < ((unsigned long *)old)[-2]; i++) p[i] = from[i]; return p; }
"""
write("own.c", OWN)
write("q.c", """#include <string.h>
char *kept; void *malloc(unsigned long); void free(void *);
int main(void) { for (int i = 0; i < 100; i++) { void *volatile p = malloc(10 + i); free(p); } kept = strdup("a library's"); return 3; }
""")
HIDDEN = '-DVISIBLE=__attribute__((visibility("hidden")))'
write("versions", "{ local: malloc; free; calloc; realloc; };")
for how in (["-pie", "-fPIE"], ["-no-pie", "-fno-pie"], ["-rdynamic"]):
    if build("own", "gcc", "-O0", "-fno-builtin", "-DVISIBLE=", *how, "q.c", "own.c"):
        doctor = Doctor("./own").says("own malloc", "warn", "a malloc of its own, which goes before", "its libraries'")
        check("allocator" not in doctor.found and "./own can be recorded, but: it has a malloc" in doctor.verdict, f"{how}: {doctor.lines}")
        got, process = recorded("./own")
        equal((got.returncode, process["allocations"], process["other_malloc"]), (3, 0, path("own")), f"exported {how}")
        check(len(got.stderr.splitlines()) == 1 and "warning: ./own: it has a malloc of its own" in got.stderr, f"{got.stderr}")
        text = unfolded(run([MALLOSCOPE, "report", LOG]).stdout)
        check(f"not recorded: calls that reach the malloc in {path('own')}" in text and
              "not recorded: 1 process with a malloc of its own" in text, f"the report says it: {text}")
        equal(report(LOG)["trust"]["own_mallocs"], 1, "and its JSON")
        check("1 process with a malloc of its own" in run([MALLOSCOPE, "hist", LOG]).stdout, "and hist")
        equal(json.loads(run([MALLOSCOPE, "hist", "--json", LOG]).stdout)["trust"]["own_mallocs"], 1, "and its JSON")
    if build("own", "gcc", "-O0", "-fno-builtin", HIDDEN, *how, "q.c", "own.c"):
        doctor = Doctor("./own").says("own malloc", "warn", "not exported", "only its libraries'").says("allocator", "ok", "libc.so.6")
        got, process = recorded("./own")
        equal((got.returncode, process["allocations"], process["other_malloc"]), (3, 1, ""), f"hidden {how}: strdup's only")
        check("warning: ./own: " in got.stderr and "not exported" in got.stderr, f"record says it: {got.stderr}")
        write("script", "#!./own\n", 0o755)
        check("warning: ./own: " in recorded("./script")[0].stderr, "behind a script too")
        run(["strip", path("own")])
        check("own malloc" not in Doctor("./own").found, "stripped, it cannot be seen")
        equal(recorded("./own")[0].stderr, "", "nor by record")
# As a child, whatever started it: record looks when it ends, and the log says it from then on.
write("other.c", "#include <stdlib.h>\nint main(void) { free(malloc(7)); return 0; }\n")
if build("other", "gcc", "-O0", "other.c") and build("own", "gcc", "-O0", "-fno-builtin", HIDDEN, "q.c", "own.c"):
    got, process = recorded("sh", "-c", "./own; ./other; (./own; :); (./own; exit 4)")
    check(got.returncode == 4 and len(got.stderr.splitlines()) == 1 and
          f"3 processes with a malloc of their own, not exported ({path('own')})" in got.stderr, f"record says it: {got}")
    of = [(os.path.basename(p["exe"]), p["own_heap"]) for p in report(LOG)["processes"]]
    equal([own for exe, own in of if exe == "own"], [path("own")] * 3, f"in each process: {of}")
    equal({own for exe, own in of if exe != "own"}, {""}, f"and in no other: {of}")
    run([MALLOSCOPE, "trim", "-f", "-o", path("part.mscope"), "--from", "0", LOG])
    for log in LOG, path("part.mscope"):
        equal(report(log)["trust"]["own_mallocs"], 3, f"{log}: JSON")
        text = unfolded(run([MALLOSCOPE, "report", log]).stdout)
        equal(text.count(f"not recorded: its own calls of the malloc in {path('own')}, which is not exported"), 3, f"{log}: the tree says it")
        for command in "report", "hist", "leaks":
            check("not recorded: 3 processes with a malloc of their own" in run([MALLOSCOPE, command, log]).stdout, f"{log}: {command} says it")
    # Another file is at its path by then: nothing is known of the one that ran.
    shutil.copy(path("own"), path("gone"))
    got, process = recorded("sh", "-c", "./gone; cp other gone.new; mv gone.new gone")
    equal((got.stderr, report(LOG)["trust"]["own_mallocs"]), ("", 0), "a program that is no longer there")
    shutil.copy(path("other"), path("gone"))
    got, process = recorded("sh", "-c", "./gone; cp own gone.new; mv gone.new gone")
    equal((got.stderr, report(LOG)["trust"]["own_mallocs"]), ("", 0), "what stands at its path now did not run")
# A program at a fixed address that takes malloc's address has a stub of that name.
write("takes.c", "#include <stdlib.h>\nint main(void) { void *(*volatile f)(size_t) = malloc; free(f(10)); return 3; }\n")
if build("takes", "gcc", "-O0", "-no-pie", "-fno-pie", "takes.c"):
    check("own malloc" not in Doctor("./takes").found, "a stub is no malloc")
    check(re.search(r"[1-9a-f]\S* +0 FUNC +GLOBAL DEFAULT +UND malloc", run(["readelf", "-W", "--dyn-syms", "takes"], cwd=WORK).stdout),
          "it has that stub")
    got, process = recorded("./takes")
    equal((got.stderr, process["allocations"], process["other_malloc"]), ("", 1, ""), "a stub is no malloc")
for library, heap in (("jemalloc_pic", ""), ("tcmalloc_minimal", " (tcmalloc)")):
    if build("with", "g++", "-O0", "-fno-builtin", "-x", "c", "p.c", "-x", "none", "-Wl,--whole-archive",
             f"-l:lib{library}.a", "-Wl,--no-whole-archive", "-lm", "-lpthread"):
        Doctor("./with").says("own malloc", "warn", f"a malloc of its own{heap}, which")
        got, process = recorded("./with")
        equal((got.returncode, process["other_malloc"]), (3, path("with")), f"{library}, statically")
write("calls.c", "void *mi_malloc(unsigned long); void mi_free(void *);\nint main(void) { mi_free(mi_malloc(10)); return 3; }\n")
if build("calls", "gcc", "-O0", "calls.c", "-lmimalloc"):
    Doctor("./calls").says("own malloc", "note", "calls mimalloc by names of its own")
    equal(recorded("./calls")[1]["allocations"], 0, "calls by another name are not seen")

# --- sanitizers ---
for compiler, what in ((["gcc", "-fsanitize=address"], "address"), (["gcc", "-fsanitize=thread"], "thread"),
                       (["clang", "-fsanitize=address", "-shared-libasan"], "address")):
    if build("sane", *compiler, "-O0", "p.c"):
        same_verdict("./sane", 125, f"-fsanitize={what}", "record a build without the sanitizer")
        # And rightly: it does not survive the library.
        library_path = run(["clang", "-print-runtime-dir"]).stdout.strip() if compiler[0] == "clang" else ""
        env = {"LD_LIBRARY_PATH": library_path}
        if run(["./sane"], cwd=WORK, env=env).returncode == 3:
            check(run(["./sane"], cwd=WORK, env={"LD_PRELOAD": SHIM, "MALLOSCOPE_OUTPUT": LOG, **env}).returncode != 3,
                  f"{compiler} would survive")
for compiler, what in ((["gcc", "-fsanitize=address", "-static-libasan"], "address"), (["clang", "-fsanitize=address"], "address"),
                       (["clang", "-fsanitize=thread"], "thread")):
    if build("sane", *compiler, "-O0", "p.c"):
        Doctor("./sane").says("own malloc", "warn", f"-fsanitize={what}", "record a build without the sanitizer")
        got, process = recorded("./sane")
        equal((got.returncode, process["allocations"], process["other_malloc"]), (3, 0, path("sane")), f"{compiler}")
        check("warning: ./sane: built with" in got.stderr, f"record says it: {got.stderr}")
for what in ("leak", "undefined"):
    if build("sane", "gcc", f"-fsanitize={what}", "-O0", "p.c"):
        equal(Doctor("./sane").code, 0, what)
        got, process = recorded("./sane")
        check(got.returncode == 3 and got.stderr == "" and process["allocations"] >= ordinary, f"-fsanitize={what}: {got} {process}")
if not SANITIZED:
    same_verdict("true", 125, "libasan.so must stand before", "unset it", env={"LD_PRELOAD": "libasan.so.8"})

# --- what cannot be traced ---
write("s.c", "int main(void) { return 3; }\n")
for flags, words in ((["-static"], ["statically linked", "relink"]), (["-static-pie"], ["statically linked"]),
                     (["-m32"], ["a 32-bit program"])):
    if build("s", "gcc", *flags, "s.c"):
        same_verdict("./s", 125, *words)
if build("musl", "musl-gcc", "s.c"):
    same_verdict("./musl", 125, "linked with musl", "record a glibc build")
    write("script", "#!./musl\n", 0o755)
    same_verdict("./script", 125, "./script: its interpreter ./musl: linked with musl")
    write("script", f"#!/usr/bin/env {path('musl')}\n", 0o755)
    same_verdict("./script", 125, "./script: its interpreter", "linked with musl")
    equal(run([path("musl")]).returncode, 3, "musl's loader is here")
same_verdict("./absent", 127, "./absent", "No such file")
write("script", "#!/no/such/interpreter\n", 0o755)
same_verdict("./script", 127, "/no/such/interpreter")
write("script", "#!/bin/sh\n", 0o644)
same_verdict("./script", 126, "cannot execute")
same_verdict(WORK, 126, "directory")
write("lib.c", "int answer(void) { return 3; }\n")
write("needs.c", "int answer(void); int main(void) { return answer(); }\n")
if build("libgone.so", "gcc", "-shared", "-fPIC", "lib.c") and build("needs", "gcc", "needs.c", "-L.", "-lgone"):
    os.unlink(path("libgone.so"))
    equal(Doctor("./needs").says("libraries", "FAIL", "libgone.so is not found", "LD_LIBRARY_PATH").code, 125, "a missing library")
    got, process = recorded("./needs")
    check(got.returncode == 125 and process is None and "libgone.so" in got.stderr.splitlines()[-1] and
          "never loaded" in got.stderr, f"record names the library: {got}")

# --- a loader and a C library of its own, older than the recorder's ---
os.mkdir(path("old"))
loader = os.path.realpath("/lib64/ld-linux-x86-64.so.2")
if os.path.exists(loader):
    files = {}
    for name, whole in (("ld.so", loader), ("libc.so.6", "/lib/x86_64-linux-gnu/libc.so.6")):
        with open(whole, "rb") as file:
            files[name] = file.read()
        write("old/" + name, files[name], 0o755)
    if build("old/p", "gcc", "-O0", "p.c", f"-Wl,--dynamic-linker={path('old/ld.so')}", f"-Wl,-rpath,{path('old')}"):
        equal(Doctor("old/p").code, 0, "a loader of its own, as new")
        equal(recorded("old/p")[1]["allocations"], ordinary, "a loader of its own, as new")
        for name, text in files.items():
            write("old/" + name, text.replace(f"\0GLIBC_{version}\0".encode(), b"\0GLIBC_2.00\0"), 0o755)
        equal(run([path("old/p")]).returncode, 3, "it runs with an older glibc")
        same_verdict("old/p", 125, path("old/libc.so.6"), f"older than the glibc {version}")
        check(run([path("old/p")], env={"LD_PRELOAD": SHIM, "MALLOSCOPE_OUTPUT": LOG}).returncode != 3, "and not with the library")

# A loader of another make is not asked: it might run the program.
write("loader.c", f'#include <fcntl.h>\nint main(void) {{ open("{path("loader-ran")}", O_CREAT | O_WRONLY, 0600); return 5; }}\n')
if build("loader", "gcc", "-static", "loader.c") and build("odd", "gcc", "p.c", f"-Wl,--dynamic-linker={path('loader')}"):
    Doctor("./odd").says("program", "FAIL", path("loader"), "not glibc's")
    check(not os.path.exists(path("loader-ran")), "it was not run")
    got, process = recorded("./odd")
    check(got.returncode == 125 and process is None and "not glibc's" in got.stderr, f"a loader of another make: {got}")

# --- as another user ---
if os.getuid() == 0:
    shutil.copy(MALLOSCOPE, path("malloscope"))
    shutil.copy(SHIM, path("shim.so"))
    os.mkdir(path("nobody"))
    os.chown(path("nobody"), 65534, 65534)
    for name, mode in (("hidden", 0o711), ("suid", 0o4755)):
        shutil.copy(path("plain"), path(name))
        os.chmod(path(name), mode)
    if build("secret", "gcc", "-static", "s.c"):
        os.chmod(path("secret"), 0o711)

    def as_nobody(*words):
        return subprocess.run([path("malloscope"), *words], user=65534, group=65534, extra_groups=[], cwd=path("nobody"),
                              env={**os.environ, "MALLOSCOPE_SHIM": path("shim.so")}, capture_output=True, text=True)

    got = as_nobody("doctor", "../hidden")
    check(got.returncode == 0 and "warn  program" in got.stdout and "cannot be read" in got.stdout, f"unreadable: {got}")
    got = as_nobody("record", "-q", "../hidden")
    equal((got.returncode, got.stderr), (3, ""), "unreadable, and recorded")
    got = as_nobody("record", "-q", "../secret")
    check(got.returncode == 125 and "cannot be read" in got.stderr and "statically linked" in got.stderr,
          f"unreadable, and not recorded: {got}")
    for words in (["doctor"], ["record"]):
        got = as_nobody(*words, "../suid")
        check(got.returncode == 125 and "set-user-ID to root" in got.stdout + got.stderr, f"{words} set-user-ID: {got}")
    got = as_nobody("doctor", "-o", "/x.mscope")
    check(got.returncode == 125 and "Permission denied" in got.stdout, f"a place that is not ours: {got}")

# --- usage ---
got = run([MALLOSCOPE, "doctor", "--no-such-option"])
check(got.returncode == 2 and got.stdout == "" and "doctor --help" in got.stderr, f"usage: {got}")
got = run([MALLOSCOPE, "doctor", "--help"])
check(got.returncode == 0 and all(word in got.stdout for word in ("125", "126", "127", "2 usage", "MALLOSCOPE_OUTPUT")), "help")
with open("/dev/full", "w") as full:
    got = subprocess.run([MALLOSCOPE, "doctor"], stdout=full, stderr=subprocess.PIPE, text=True, cwd=WORK)
    check(got.returncode == 125 and "cannot write the output" in got.stderr, f"a full output: {got}")
sys.exit(done())
