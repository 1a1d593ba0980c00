"""Names, inlined functions and lines against llvm-symbolizer's, for programs of several compilers and for
python3; where files with names are found; what is said when they are not there, are another build's, or
lie; and what reports and dumps show of it.

2,000 random addresses of each program, 20,000 in the long suite. Names are compared mangled: what llvm-symbolizer
gives goes through c++filt, which has the same demangler as we do. Differences that are right, all of them:

- llvm-symbolizer takes the name of the real function from the table of symbols, we take it from the debug
  information. Where a linker or compiler has folded functions with the same code into one, or a function has several
  names, these differ; both are then symbols of the same address. Both are compared without .cold and .part.0.
- gcc's linking-time optimizer leaves labels like pegen.c.1163e7bb, which have no size, in the middle of functions;
  llvm-symbolizer takes them for functions.
- Where there is no line (no debug information for this code) it takes the file from the symbols' STT_FILE; that is a guess.
- Of a local class's function, and of a template with such an argument, gcc has no linkage name in the debug information. Where it
  is inlined, llvm-symbolizer gives its last part, and we put in front what it is declared in (`std::`); where it is not, both take the
  symbol's. Lambdas in it are as the symbol table has them, `main::{lambda(int)#2}`, where gcc says `main()::<lambda(int)>`; and of
  functions of one name that nothing else tells apart we give the number.
- What clang calls `$_4`, as it has no name, has the number of its declaration, and no parameters.
- Rust's compiler folds functions with the same code, too: those are names of one address again.
- It does not join what dwz has shared. The same program's names before dwz are the truth there."""
import http.server
import lzma
import os
import random
import re
import resource
import shutil
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

BUILD = os.path.dirname(os.path.dirname(MALLOSCOPE))
PRINT_NAMES = os.path.join(BUILD, "tests/unit/print_names")
LLVM = shutil.which("llvm-symbolizer-14") or shutil.which("llvm-symbolizer")
LTO_LABEL = re.compile(r"\w+\.c\.[0-9a-f]{8}")
COUNT = 20000 if os.environ.get("TEST_LONG") else 2000
SOURCE_FILE = os.path.join(SOURCE, "tests/programs/names.cpp")
os.environ.pop("DEBUGINFOD_URLS", None)
os.environ["XDG_CACHE_HOME"] = path("no-cache")


def build_id_of(file):
    return re.search(r"Build ID: ([0-9a-f]+)", must("readelf", "-n", file)).group(1)


def some_addresses(file, count=COUNT):
    for line in must("readelf", "-SW", file).splitlines():
        fields = line.replace("[ ", "[").split()
        if len(fields) > 5 and fields[1] == ".text":
            start, size = int(fields[3], 16), int(fields[5], 16)
    chosen = random.Random(file.rsplit("/", 1)[-1])
    return sorted({start + chosen.randrange(size) for _ in range(count)})


def names(file, addresses, env=None, **options):
    """For each address its frames, each (function, signature, file, line, column); and what is wrong."""
    got = run([PRINT_NAMES, file, *(f"{name.replace('_', '-')}={value}" for name, value in options.items())],
              input="".join(f"{a:x}\n" for a in addresses), stdin=None, env=env)
    equal((got.returncode, got.stderr), (0, ""), f"print_names {file}")
    *groups, problem = got.stdout.split("\n\n")
    frames = [[tuple(line.split("\t")) for line in group.strip("\n").split("\n")[1:]] for group in groups]
    equal(len(frames), len(addresses), f"{file}: an answer for each address")
    return frames, problem.strip("\n")


def others_names(file, addresses):
    """The same from llvm-symbolizer, as (mangled function, file, line, column)."""
    text = must(LLVM, "--no-demangle", "--inlines", "--obj=" + file, input="".join(f"0x{a:x}\n" for a in addresses), stdin=None)
    found = []
    for group in text.rstrip("\n").split("\n\n"):
        lines = group.split("\n")
        found.append([(lines[i], *lines[i + 1].rsplit(":", 2)) for i in range(0, len(lines), 2)])
    return found


def bare(name):
    return re.sub(r"( \[clone [^]]*\])+$|(\.(cold|part|constprop|isra|lto_priv|localalias)(\.\d+)?)+$", "", name)


def demangled(mangled):
    mangled = sorted(mangled)
    text = must("c++filt", input="".join(re.sub(r"\.llvm\.\d+$", "", name) + "\n" for name in mangled), stdin=None)
    # Of Rust's it shows hashes and the types of numbers, too.
    lines = re.sub(r"::h[0-9a-f]{16}$|(?<=\w)\[[0-9a-f]{12,16}\]|: ([ui](8|16|32|64|128|size)|bool|char)\b", "", text, flags=re.M).split("\n")
    return {name: bare(line) for name, line in zip(mangled, lines)}


def without_lambdas(name):
    """All of them are one, and no namesake has a number."""
    parameters = r"\((?:[^()]|\([^()]*\))*\)"
    path = r"(\(anonymous namespace\)::|\w+(%s)?::)*" % parameters
    return re.sub(path + r"(<lambda%s>|\{lambda%s#\d+\})|#\d+$" % (parameters, parameters), "", name).replace(" ", "")


def without_arguments(name):
    """Of templates: gcc's debug information has them with other words, and without defaults (test_namesakes.py has what is right)."""
    name = without_lambdas(name)
    while name.endswith(">") and not re.search(r"operator[<>]", name) and re.search(r"<[^<>]*>", name):
        name = re.sub(r"<[^<>]*>", "", name)
    return name


def spelled(name):
    """c++filt's names without the spaces and the suffixes of literals that ours have not."""
    name = re.sub(r"(?<=[<( ])(-?\d+)[ul]+(?=[,>])", r"\1", re.sub(r"\((?:char|short|unsigned char)\)(?=-?\d)", "", name))
    return name.replace(" ", "")


def unnumbered(name):
    """clang's `main::$_0` is `main::{lambda(int)#1}`, as with gcc."""
    return re.sub(r"\{lambda\((?:[^()]|\([^()]*\))*\)#\d+\}|\{unnamed type#\d+\}|\$_\d+", "$_", spelled(name))


def symbols_at(file):
    """Start of a symbol → all of its names."""
    found = {}
    for line in run(["nm", "-P", file]).stdout.splitlines():
        fields = line.split()
        if len(fields) > 2 and fields[1] in "tTwWi":
            found.setdefault(fields[2], set()).add(bare(fields[0]))
    return [names for names in found.values() if len(names) > 1]


def compare(file, where=None, env=None, **options):
    """where: the file with the debug information; file: what is asked."""
    addresses = some_addresses(file)
    ours, problem = names(file, addresses, env, **options)
    theirs = others_names(where or file, addresses)
    equal(problem, "", f"{file}: nothing is wrong")
    equal(len(theirs), len(addresses), f"{file}: llvm-symbolizer answers")
    aliases = symbols_at(where or file)
    shown = demangled({frame[0] for frames in theirs for frame in frames}.union(*aliases))
    wrong, inlined, within = [], 0, 0
    for address, mine, yours in zip(addresses, ours, theirs):
        inlined += len(yours) - 1
        mine = mine or [("", "", "", "0", "0")]
        same = len(mine) == len(yours)
        for i, (a, b) in enumerate(zip(mine, yours)):
            name = "" if b[0] == "??" else shown[b[0]]
            source = "" if b[1] == "??" else os.path.normpath(b[1])
            is_real = i == len(mine) - 1
            is_within = not re.match("_Z|_R[A-Z]", b[0]) and any(("::" + without_arguments(own)).endswith("::" + without_arguments(name)) for own in a[:2])
            within += is_within
            same_name = spelled(a[1]) == spelled(name) or ("$_" in b[0] and unnumbered(a[0]) in unnumbered(name)) or (is_within and not is_real) or (is_real and LTO_LABEL.fullmatch(name)) or (is_real and any({spelled(a[1]), spelled(name)} <= {spelled(shown[n]) for n in group} for group in aliases))
            same &= same_name and (a[3], a[4]) == (b[2], b[3]) and (a[2] == source or (not a[2] and b[2] == "0"))
        if not same:
            wrong.append((hex(address), mine, yours))
    if not equal(wrong[:3], [], f"{file}: {len(wrong)} of {len(addresses)} differ from llvm-symbolizer's"):
        return ours
    check(inlined > len(addresses) / 2, f"{file}: many calls are inlined: {inlined}")
    if file == path("gcc"):
        check(within, "some have no linkage name")
    return ours


# --- compilers ---------------------------------------------------------------------------
check(LLVM, "llvm-symbolizer is there: install llvm-14 (scripts/packages test)") or sys.exit(done())
jobs = {name: subprocess.Popen(command + ["-std=c++17", SOURCE_FILE, "-o", path(name)], cwd=WORK, stderr=subprocess.PIPE)
        for name, command in (
            ("gcc", ["g++", "-O2", "-g", "-Wl,--build-id"]),
            ("clang", ["clang++", "-O2", "-gdwarf-5"]),
            ("lto", ["g++", "-O2", "-g", "-flto=1"]),
            ("dwarf4", ["g++", "-O2", "-gdwarf-4"]),
            ("split.o", ["clang++", "-O2", "-gdwarf-5", "-gsplit-dwarf", "-c"]))}
for name, job in jobs.items():
    _, errors = job.communicate(timeout=300)
    equal(job.returncode, 0, f"{name} is compiled: {errors}")
must("clang++", path("split.o"), "-o", path("split"))
of_gcc = compare(path("gcc"))
for name in ("clang", "lto", "dwarf4", "split"):
    compare(path(name))
os.rename(path("split.dwo"), path("split.gone"))
without, problem = names(path("split"), some_addresses(path("split")))
check("files that are not here" in problem and sum(len(frames) for frames in without) > COUNT / 2, f"a .dwo is missed: {problem}")
# Rust, where there is a compiler that does not ask the network: its two manglings.
if os.path.exists("/usr/bin/rustc"):
    for name, options in (("rust", []), ("rust-v0", ["-C", "symbol-mangling-version=v0"])):
        must("/usr/bin/rustc", "-O", "-g", *options, os.path.join(SOURCE, "tests/programs/names.rs"), "-o", path(name), cwd=WORK)
        compare(path(name))
must("objcopy", "--compress-debug-sections=zlib", path("gcc"), path("packed"))
check(os.path.getsize(path("packed")) < os.path.getsize(path("gcc")) / 2, "its debug information is packed")
addresses = some_addresses(path("gcc"))
equal(names(path("packed"), addresses), (of_gcc, ""), "packed debug information")
if shutil.which("dwz"):
    for name in ("gcc", "dwarf4"):
        shutil.copy(path(name), path(name + "-dwz"))
    must("dwz", "-m", path("shared"), path("gcc-dwz"), path("dwarf4-dwz"))
    equal(names(path("gcc-dwz"), addresses), (of_gcc, ""), "what dwz has shared")
    os.rename(path("shared"), path("gone"))
    without, problem = names(path("gcc-dwz"), addresses)
    equal([len(frames) for frames in without], [len(frames) for frames in of_gcc], "frames without the shared file")
    equal([frames[-1][:2] for frames in without if frames], [frames[-1][:2] for frames in of_gcc if frames], "real functions' names")
    check("files that are not here" in problem, f"the shared file is missed: {problem}")
    shared_id = build_id_of(path("gone"))
    os.makedirs(path(f"shared-paths/.build-id/{shared_id[:2]}"))
    os.rename(path("gone"), path(f"shared-paths/.build-id/{shared_id[:2]}/{shared_id[2:]}.debug"))
    equal(names(path("gcc-dwz"), addresses, debug_paths=path("shared-paths")), (of_gcc, ""), "the shared file by its build-id")
else:
    check(False, "dwz is there: install dwz (scripts/packages test)")

# --- python3 with its debug file -----------------------------------------------------------
python = os.path.realpath("/usr/bin/python3")
identifier = build_id_of(python)
debug = f"/usr/lib/debug/.build-id/{identifier[:2]}/{identifier[2:]}.debug"
if check(os.path.exists(debug), f"{debug} is there: install python3.11-dbg (scripts/packages test)"):
    of_python = compare(python, debug)
    addresses = some_addresses(python)
    # The cache gives the same, without the files' being read.
    env = {"XDG_CACHE_HOME": path("cache")}
    os.makedirs(path("cache"))
    for when in ("before it is filled", "from the cache"):
        equal(names(python, addresses, env, cache=1, build_id=identifier), (of_python, ""), when)
    equal(os.listdir(path("cache/malloscope")), [identifier], "the cache's files")
    kept = open(path(f"cache/malloscope/{identifier}"), "rb").read()
    chosen = random.Random(1)
    for i in range(30):  # whatever is in it: names are the same, or come from it, but nothing breaks
        bad = bytearray(kept)
        for _ in range(chosen.choice((1, 10, 1000))):
            bad[chosen.randrange(len(bad))] = chosen.randrange(256)
        with open(path(f"cache/malloscope/{identifier}"), "wb") as file:
            file.write(bad[:chosen.randrange(len(bad))] if i % 3 == 0 else bad)
        equal(names(python, addresses[:20], env, cache=1, build_id=identifier), (of_python[:20], ""), "a damaged cache")
    # A directory that cannot be: no cache, no words.
    equal(names(python, addresses[:20], {"XDG_CACHE_HOME": "/proc/none"}, cache=1, build_id=identifier),
          (of_python[:20], ""), "no cache")
    # The speed, in CPU time: a machine that is busy does not count. libdw's own look-ups take a hundred times as long.
    if not os.environ.get("TEST_SANITIZED"):
        asked = path("asked")
        with open(asked, "w") as file:
            file.writelines(f"{address:x}\n" for address in some_addresses(python, 20000))
        for when, options, most in (("first time", [], 1), ("into the cache", ["cache=1"], 1), ("from the cache", ["cache=1"], 0.12)):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            with open(asked) as file:
                got = run([PRINT_NAMES, python, "build-id=" + identifier, *options], stdin=file, env={"XDG_CACHE_HOME": path("speed")})
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            check(got.returncode == 0 and got.stdout.count("\n\n") > 19000 and seconds < most, f"20,000 addresses {when}: {seconds:.3f} s")
    half, third = names(python, addresses, jobs=1), names(python, addresses, jobs=3)
    equal(half, third, "the number of processes changes nothing")

# --- where files are -------------------------------------------------------------------------
addresses = some_addresses(path("gcc"), 300)
full = names(path("gcc"), addresses)
identifier = build_id_of(path("gcc"))
must("objcopy", "--only-keep-debug", path("gcc"), path("debug"))
must("strip", "-o", path("stripped"), path("gcc"))
by_id = path(f"paths/.build-id/{identifier[:2]}/{identifier[2:]}.debug")
os.makedirs(os.path.dirname(by_id))
shutil.copy(path("debug"), by_id)
equal(names(path("stripped"), addresses)[0] == full[0], False, "a stripped program has fewer names")
equal(names(path("stripped"), addresses, debug_paths="/nonexistent:" + path("paths"), build_id=identifier), full, "--debug-paths")
os.makedirs(path("root/usr/lib/debug"))
os.makedirs(path("root/opt"))
shutil.copytree(path("paths/.build-id"), path("root/usr/lib/debug/.build-id"))
shutil.copy(path("stripped"), path("root/opt/program"))
equal(names("/opt/program", addresses, sysroot=path("root"), build_id=identifier), full, "--sysroot")
check(": no such file" in names("/opt/program", addresses)[1], "and without it")
equal(names("/opt/gone", addresses, debug_paths=path("paths"), build_id=identifier), full, "a debug file alone")
# By link: the checksum decides, where there is no build-id.
must("objcopy", "--remove-section=.note.gnu.build-id", path("gcc"), path("anonymous"))
os.makedirs(path("linked/.debug"))
must("objcopy", "--only-keep-debug", path("anonymous"), path("linked/.debug/anonymous.debug"))
must("objcopy", "--strip-all", "--add-gnu-debuglink=" + path("linked/.debug/anonymous.debug"), path("anonymous"),
     path("linked/anonymous"))
equal(names(path("linked/anonymous"), addresses), full, "a debug link")
with open(path("linked/.debug/anonymous.debug"), "r+b") as file:
    file.seek(-1, 2)
    last = file.read(1)
    file.seek(-1, 2)
    file.write(bytes([last[0] ^ 1]))
check(names(path("linked/anonymous"), addresses)[0] != full[0], "a debug link whose checksum is another")
# .gnu_debugdata: names from symbols only.
must("objcopy", "--strip-debug", path("gcc"), path("symbols"))
with open(path("symbols"), "rb") as file, lzma.open(path("mini.xz"), "wb") as mini:
    mini.write(file.read())
must("objcopy", "--add-section", ".gnu_debugdata=" + path("mini.xz"), path("stripped"), path("mini"))
equal(names(path("mini"), addresses), names(path("symbols"), addresses), "symbols in .gnu_debugdata")
check(sum(len(frames) for frames in names(path("mini"), addresses)[0]) > 290, "they are names")

# --- files that are not what they were ----------------------------------------------------------
other = identifier[:-1] + ("0" if identifier[-1] != "0" else "1")
for file, options, words in (
        (path("gcc"), {"build_id": other}, "was replaced since the recording"),
        (path("gcc") + " (deleted)", {"build_id": other}, "was replaced since the recording"),
        (path("never") + " (deleted)", {"build_id": other}, "was deleted before"),
        ("/etc/passwd", {}, "no ELF program"),
        ("/", {}, "no ELF program")):
    frames, problem = names(file, addresses[:5], **options)
    check(frames == [[]] * 5 and words in problem, f"{file} {options}: {frames} {problem}")
equal(names(path("gcc") + " (deleted)", addresses, build_id=identifier), full, "one that was deleted and is there again")

# Debug information that takes for ever: half a million functions, all of them everywhere. Its reader is ended, here after
# a second; names are from the symbols then, and it is not kept in the cache.
with open(path("bomb.s"), "w") as file:
    file.write('''.globl bomb
.type bomb, %function
bomb: .skip 20000, 0
.size bomb, 20000
.section .debug_abbrev, "", %progbits
.byte 1, 0x11, 1, 0x11, 1, 0x12, 7, 0, 0, 2, 0x2e, 0, 0x11, 1, 0x12, 7, 0, 0, 0
.section .debug_info, "", %progbits
.long .Lend - .Lbegin
.Lbegin: .short 4
.long 0
.byte 8, 1
.quad bomb, 20000
.rept 500000
.byte 2
.quad bomb, 20000
.endr
.byte 0
.Lend:
''')
must("gcc", "-shared", "-nostdlib", "-Wl,--build-id", path("bomb.s"), "-o", path("bomb"))
start = int(re.search(r"^([0-9a-f]+) T bomb$", must("nm", path("bomb")), re.M).group(1), 16)
with open(path("asked"), "w") as file:
    file.writelines(f"{start + i:x}\n" for i in range(20000))
for _ in range(2):
    with open(path("asked")) as file:
        got = run([PRINT_NAMES, path("bomb"), "jobs=1", "cache=1", "build-id=" + build_id_of(path("bomb"))], stdin=file,
                  env={"XDG_CACHE_HOME": path("bombed")}, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (1, 60)))
    check(got.returncode == 0 and got.stdout.count("\nbomb\tbomb\t\t0\t0\n") == 20000 and "did not end well" in got.stdout,
          f"names from the symbols: {got.returncode} {got.stdout[-300:]} {got.stderr}")

# --- the kernel's code in every process -------------------------------------------------------------
mapped = [line.split() for line in open("/proc/self/maps") if line.rstrip().endswith("[vdso]")]
if mapped:
    start, end = (int(text, 16) for text in mapped[0][0].split("-"))
    with open("/proc/self/mem", "rb") as memory, open(path("vdso"), "wb") as file:
        memory.seek(start)
        file.write(memory.read(end - start))
    symbols = {fields[-1].split("@")[0]: int(fields[0], 16) for fields in map(str.split, must("nm", "-D", path("vdso")).splitlines())
               if len(fields) == 3 and fields[1] in "TW"}
    frames, problem = names("[vdso]", [symbols["__vdso_clock_gettime"]], build_id=build_id_of(path("vdso")))
    check(frames[0] and "clock_gettime" in frames[0][0][0] and not problem, f"the vdso's functions have names: {frames} {problem}")
    equal(names("[vdso]", [symbols["__vdso_clock_gettime"]], build_id=other)[0], [[]], "another kernel's have none")

# --- generated code --------------------------------------------------------------------------------
root = path("jit")
os.makedirs(root + "/tmp")
map_file = root + "/tmp/perf-4711.map"
with open(map_file, "w") as file:
    file.write("1000 100 old name\n2000 10 py::f:/x.py\n1080 10 new name\nnonsense\n3000\n4000 zz x\n5000 10 \nffffffffffffff00 1000 end\n")
asked = [0xfff, 0x1000, 0x107f, 0x1080, 0x108f, 0x1090, 0x10ff, 0x1100, 0x2000, 0x3000, 0x5000, 0xffffffffffffff80]
wanted = [None, "old name", "old name", "new name", "new name", "old name", "old name", None, "py::f:/x.py", None, None, "end"]
frames, problem = names("-", asked, sysroot=root, pid=4711)
equal(([f[0][0] if f else None for f in frames], problem), (wanted, ""), "a perf map; later lines win")
equal(names("-", asked, sysroot=root, pid=4712), ([[]] * len(asked), ""), "no perf map")
check("an earlier process" in names("-", asked, sysroot=root, pid=4711, began=int(4e18))[1], "one that is too old")
os.rename(map_file, map_file + ".real")
os.symlink(map_file + ".real", map_file)
check("may not be read" in names("-", asked, sysroot=root, pid=4711)[1], "a symbolic link is not followed")
os.remove(map_file)
os.mkfifo(map_file)
check("no regular file" in names("-", asked, sysroot=root, pid=4711)[1], "a pipe is not waited for")
if os.geteuid() == 0:
    os.remove(map_file)
    shutil.copy(map_file + ".real", map_file)
    os.chown(map_file, 12345, 12345)
    check("another user" in names("-", asked, sysroot=root, pid=4711)[1], "another user's is not believed")


# --- debuginfod: only where it is asked for -----------------------------------------------------------
class Server(http.server.BaseHTTPRequestHandler):
    asked = []

    def do_GET(self):
        Server.asked.append(self.path)
        found = self.path == f"/buildid/{identifier}/debuginfo"
        data = open(path("debug"), "rb").read() if found else b""
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
env = {"DEBUGINFOD_URLS": f"http://127.0.0.1:{server.server_port}", "DEBUGINFOD_CACHE_PATH": path("fetched")}
check(names(path("stripped"), addresses, env, build_id=identifier)[0] != full[0], "debuginfod is off")
equal(Server.asked, [], "and is not asked")
equal(names(path("stripped"), addresses, env, build_id=identifier, debuginfod=1), full, "--debuginfod")
check(Server.asked, "it was asked")
server.shutdown()
check("names no server" in names(path("stripped"), addresses, build_id=identifier, debuginfod=1)[1], "no server")

# --- reports and dumps ----------------------------------------------------------------------------------
lines = {}
with open(os.path.join(SOURCE, "tests/programs/inlined.c")) as file:
    for number, line in enumerate(file, 1):
        if line.rstrip().endswith("*/") and "/* " in line and ";" in line:
            lines[line[line.rindex("/* ") + 3:].rstrip()[:-3]] = number
shutil.copy(program("inlined"), path("inlined"))
log = path("inlined.mscope")
equal(record([path("inlined")], log).returncode, 0, "record inlined")
sites = {site["bytes"]: site for site in report(log)["top_sites"]["by_bytes"]}
in_work = [(f["function"], f["line"]) for f in sites[1001]["frames"]]
equal(in_work, [("leaf", lines["leaf"]), ("middle", lines["middle"]), ("work", lines["work"])], "inlined functions in JSON")
equal([(f["function"], f["line"]) for f in sites[2000]["frames"]], [("plain", lines["plain"])], "a function that is not inlined")
check(all(f["file"].endswith("tests/programs/inlined.c") and f["column"] for f in sites[1001]["frames"]), "files and columns")
text = must(MALLOSCOPE, "report", log)
for words in (f"      leaf  programs/inlined.c:{lines['leaf']} (inlined)\n      ← middle  programs/inlined.c:{lines['middle']} (inlined)\n"
              f"      ← work  programs/inlined.c:{lines['work']}\n      ← main  programs/inlined.c:{lines['main work']}\n",):
    check(words in text, f"the report's words: {words!r} in {text}")
text = must(MALLOSCOPE, "dump", "--stacks", log)
check(re.search(rf"\t#0 inlined\+0x\S+ leaf\t/\S+inlined\.c:{lines['leaf']}:\d+\tinlined\n\t#0 inlined\+0x\S+ middle\t\S+\tinlined\n"
                rf"\t#0 inlined\+0x\S+ work\t/\S+:{lines['work']}:\d+\n\t#1 inlined\+0x\S+ main\t\S+:{lines['main work']}:\d+\n", text),
      f"the dump's words: {text}")
# Another program is there now: said once, and frames have no names but are there.
shutil.copy(path("stripped"), path("inlined.new"))
os.rename(path("inlined.new"), path("inlined"))
got = run([MALLOSCOPE, "report", "--json", log])
equal(got.returncode, 0, "a replaced program is no damage of the log")
equal(got.stderr.count("was replaced since the recording"), 1, f"said once: {got.stderr}")
again = {site["bytes"]: site for site in json.loads(got.stdout)["top_sites"]["by_bytes"]}
equal((again[1001]["offset"], again[1001]["frames"]), (sites[1001]["offset"], []), "a frame without a name")
# The signal of a file that is cut while it is read kills a child at most; here it is cut before.
with open(path("inlined"), "wb") as file:
    file.write(open(program("inlined"), "rb").read()[:6000])
got = run([MALLOSCOPE, "report", log])
check(got.returncode == 0 and "inlined" in got.stderr and got.stderr.count("\n") == 1, f"a file cut short: {got.stderr}")
# What is given already is not recommended.
must("strip", "-o", path("bare"), program("inlined"))
equal(record([path("bare")], log).returncode, 0, "record a stripped program")
for options, wanted in ([], "or say --debug-paths or --debuginfod\n"), (["--debuginfod"], "or say --debug-paths\n"):
    got = run([MALLOSCOPE, "report", "--no-cache", *options, log], env={"DEBUGINFOD_URLS": "http://127.0.0.1:1", "DEBUGINFOD_CACHE_PATH": path("none fetched")})
    check(got.returncode == 0 and "no debug file for" in got.stderr and wanted in got.stderr, f"{options}: {got.stderr}")
sys.exit(done())
