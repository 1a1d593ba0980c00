"""What is said of files with names that are missing, stripped, damaged or of another build: each of it in one line, of a
stripped program only where names are missing for it; and which file it is below a sysroot with symbolic links.
What damage costs is what print_names gives before and after it; where something is lost it must be said."""
import lzma
import os
import random
import re
import shutil
import struct
import sys
import time
import zlib

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

PRINT_NAMES = os.path.join(os.path.dirname(os.path.dirname(MALLOSCOPE)), "tests/unit/print_names")
os.environ.pop("DEBUGINFOD_URLS", None)
os.environ["XDG_CACHE_HOME"] = path("no-cache")


def write(name, text):
    os.makedirs(os.path.dirname(path(name)), exist_ok=True)
    with open(path(name), "wb" if isinstance(text, (bytes, bytearray)) else "w") as file:
        file.write(text)


def read(name):
    with open(path(name), "rb") as file:
        return file.read()


def names(file, addresses, **options):
    """For each address its frames, each (function, signature, file, line, column); and what is wrong."""
    got = run([PRINT_NAMES, file, *(f"{name.replace('_', '-')}={value}" for name, value in options.items())],
              input="".join(f"{a:x}\n" for a in addresses), stdin=None)
    equal((got.returncode, got.stderr), (0, ""), f"print_names {file}")
    *groups, problem = got.stdout.split("\n\n")
    return [[tuple(line.split("\t")) for line in group.strip("\n").split("\n")[1:]] for group in groups], problem.strip("\n")


def sections(file):
    """Name → address, offset, bytes."""
    found = {}
    for line in must("readelf", "-SW", file).splitlines():
        fields = line.replace("[ ", "[").split()
        if len(fields) > 6 and fields[1].startswith("."):
            found[fields[1]] = tuple(int(text, 16) for text in fields[3:6])
    return found


def text_of(file):
    start, _, size = sections(file)[".text"]
    return range(start, start + size)


# --- stripped, and its debug file ------------------------------------------------------------------
write("stripped.c", """#include <stdlib.h>
static __attribute__((noinline)) void *inner(int n) { return malloc(n); }
int main(void) { for (int i = 0; i < 10; i++) free(inner(100)); return 0; }
""")
must("gcc", "-g", "-O1", "-Wl,--build-id", path("stripped.c"), "-o", path("whole"))
must("gcc", "-g", "-O2", "-Wl,--build-id", path("stripped.c"), "-o", path("other"))
debug_file = path("program.debug")
must("objcopy", "--only-keep-debug", path("whole"), debug_file)
must("objcopy", "--only-keep-debug", path("other"), path("other.debug"))
must("objcopy", "--strip-all", path("whole"), path("program"))
log = path("log.mscope")
equal(record([path("program")], log).returncode, 0, "record")
good = read("program.debug")


def said(*options):
    got = run([MALLOSCOPE, "report", "--json", "--no-cache", *options, log])
    equal(got.returncode, 0, f"report {options}: {got.stderr}")
    json.loads(got.stdout)
    return got.stderr


stripped = "malloscope: no debug file for 1 module (program): "
check(said().startswith(stripped) and said().count("\n") == 1, f"a stripped program: {said()}")
must("objcopy", "--add-gnu-debuglink=" + debug_file, path("program"))
equal(said(), "", "its debug file is there")
for what, data, words in (("cut", good[:3000], "is damaged"), ("empty", b"", "is damaged"), ("garbage", b"garbage" * 1000, "is damaged"),
                          ("another's", read("other.debug"), "is of another build")):
    write("program.debug", data)
    check(said().count("\n") == 1 and f"/program: its debug file {debug_file} {words}: only those of its functions that it exports have names\n" in said(),
          f"{what}: {said()}")
os.remove(debug_file)
check(said().startswith(stripped) and said().count("\n") == 1, f"its debug file is gone: {said()}")
identifier = re.search(r"Build ID: ([0-9a-f]+)", must("readelf", "-n", path("whole"))).group(1)
by_id = f"paths/.build-id/{identifier[:2]}/{identifier[2:]}.debug"
write(by_id, good)
equal(said("--debug-paths", path("paths") + ":/usr/lib/debug"), "", "by its build-id")
write(by_id, read("other.debug"))
check("is of another build" in said("--debug-paths", path("paths") + ":/usr/lib/debug"), f"another's, by build-id: {said('--debug-paths', path('paths'))}")
# Where the table of symbols is left there are names, but no lines: that is said, too.
must("objcopy", "--strip-debug", path("whole"), path("program"))
equal(record([path("program")], log).returncode, 0, "record")
equal(said(), "", "nothing says that there was debug information")
write("program.debug", good)
must("objcopy", "--add-gnu-debuglink=" + debug_file, path("program"))
equal(said(), "", "the debug file of a program with symbols")
write("program.debug", read("other.debug"))
check(said().endswith("is of another build: its functions' names are from the symbol table, without lines and inlined calls\n"), f"another's: {said()}")
os.remove(debug_file)
check(re.fullmatch(r"malloscope: .*/program: its debug file program.debug is not found: its functions' names are from the symbol table, "
                   r"without lines and inlined calls\n", said()), f"the debug file of a program with symbols is gone: {said()}")
# Nothing is expected where nothing was taken away, nor said where all that was asked for has names.
must("gcc", "-O1", path("stripped.c"), "-o", path("program"))
equal(record([path("program")], log).returncode, 0, "record")
equal(said(), "", "a program without debug information")
must("gcc", "-O1", "-rdynamic", "-x", "c", "-", "-o", path("program"), input=read("stripped.c").decode().replace("static", ""), stdin=None)
must("strip", path("program"))
equal(record([path("program")], log).returncode, 0, "record")
equal(said(), "", "a stripped program whose functions are exported")
# Several: one line.
for i in range(5):
    write("library.c", f"#include <stdlib.h>\nstatic __attribute__((noinline)) void *inner(int n) {{ return malloc(n + {i}); }}\n"
                       f"void call{i}(void) {{ free(inner({i})); free(inner(7)); }}\n")
    must("gcc", "-shared", "-fPIC", "-O1", path("library.c"), "-o", path(f"libmany{i}.so"))
    must("strip", path(f"libmany{i}.so"))
write("many.c", "".join(f"void call{i}(void);\n" for i in range(5)) + "int main(void) { " + "".join(f"call{i}(); " for i in range(5)) + "return 0; }\n")
must("gcc", path("many.c"), *(path(f"libmany{i}.so") for i in range(5)), "-Wl,-rpath," + WORK, "-o", path("many"))
equal(record([path("many")], log).returncode, 0, "record")
check(re.fullmatch(r"malloscope: no debug file for 5 modules \(libmany\d.so, libmany\d.so, libmany\d.so, \.\.\.\): .*\n", said()), f"one line: {said()}")
# Of a program without sections there is its build-id, and so it is not another one.
if shutil.which("llvm-strip-14") or shutil.which("llvm-strip"):
    shutil.copy(path("whole"), path("program"))
    must(shutil.which("llvm-strip-14") or "llvm-strip", "--strip-sections", path("program"))
    equal(record([path("program")], log).returncode, 0, "record")
    check(said().startswith(stripped), f"a program without sections: {said()}")
    write(by_id, good)
    equal(said("--debug-paths", path("paths") + ":/usr/lib/debug"), "", "a program without sections, and its debug file")
else:
    check(False, "llvm-strip is there: install llvm-14 (scripts/packages test)")

# --- without a build-id, and changed ------------------------------------------------------------------
changed = re.compile(r"malloscope: \S*/(program|libbuilt\.so) has no build-id and was changed after it was recorded, perhaps to another build: "
                     r"its functions have no names; --sysroot DIR takes a copy of the recorded one, --sysroot / this one\n")
put_there = re.compile(r"malloscope: \S*/program has no build-id and was put there, or got another name, mode or owner, after it was recorded "
                       r"\(by its ctime\): names are wrong if it is another build; --sysroot / says that it is not\n")


def functions(*options):
    """Of the frames in `program` and `libbuilt.so`; None: one has no name."""
    sites = json.loads(must(MALLOSCOPE, "report", "--json", "--no-cache", *options, log))["top_sites"]["by_bytes"]
    return {frame["function"] for site in sites for frame in site["stack"] if re.search("program|libbuilt", frame["module"])}


def build(what, *options):
    must("gcc", "-g", "-O1", "-Wl,--build-id=none", *options, path(what))


def age(name, seconds):
    then = time.time() + seconds
    os.utime(path(name), (then, then))


build("stripped.c", "-o", path("program"))
equal(record([path("program")], log).returncode, 0, "record")
equal((said(), functions()), ("", {"inner", "main"}), "a program without a build-id")
kept = path("kept") + path("program")
os.makedirs(os.path.dirname(kept))
shutil.copy(path("program"), kept)
build("stripped.c", "-O2", "-o", path("program"))
check(changed.fullmatch(said()) and functions() == {None}, f"rebuilt: {said()}{functions()}")
age(kept, 60)
equal(functions("--sysroot", path("kept")), {"inner", "main"}, "the recorded one in a sysroot, copied later")
equal(said("--sysroot", "/"), "", "this one is said to be it")
age("program", -3600)
check(put_there.fullmatch(said()), f"older than the recording, but not there then: {said()}")
equal(said("--sysroot", "/"), "", "and said to be it")
os.rename(path("program"), path("program.old"))
check("/program: no such file here: " in said(), f"gone: {said()}")
# One that was built before the recording, and takes the recorded one's place with the time that it has.
must("gcc", "-g", "-O1", "-Wl,--build-id=none", "-x", "c", "-", "-o", path("older"), input=read("stripped.c").decode().replace("inner", "others"), stdin=None)
build("stripped.c", "-o", path("program"))
equal(record([path("program")], log).returncode, 0, "record")
equal(said(), "", "the recorded one")
os.rename(path("older"), path("program"))
check(put_there.fullmatch(said()) and functions() == {"others", "main"}, f"an older build: {said()}{functions()}")
# Each process has its own time; the earliest counts.
build("stripped.c", "-o", path("program"))
write("twice.sh", f"{path('program')}; touch {path('program')}; {path('program')}\n")
equal(record(["/bin/sh", path("twice.sh")], log).returncode, 0, "record")
check(changed.search(said()), f"changed between two processes: {said()}")
# Names that are in the log are of what was recorded.
equal(record([path("program")], log).returncode, 0, "record")
must(MALLOSCOPE, "symbolize", log)
age("program", 60)
equal((said(), functions()), ("", {"inner", "main"}), "names in the log")
# What a program builds and loads itself was changed after it began.
write("library.c", "#include <stdlib.h>\nvoid *built(int n) { return malloc(n); }\n")
build("library.c", "-shared", "-fPIC", "-o", path("libbuilt.so"))
write("loads.c", f"""#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
int main(void)
{{
    usleep(200000);
    utimensat(AT_FDCWD, "{path('libbuilt.so')}", NULL, 0);
    usleep(50000);
    void *library = dlopen("{path('libbuilt.so')}", RTLD_NOW);
    void *(*built)(int) = library ? (void *(*)(int))dlsym(library, "built") : NULL;
    if (built)
        free(built(100));
    return !built;
}}
""")
build("loads.c", "-o", path("program"))
equal(record([path("program")], log).returncode, 0, "record")
check(said() == "" and "built" in functions(), f"a library that the program has made: {said()}{functions()}")
age("libbuilt.so", 60)
check(changed.fullmatch(said()) and functions() == {None, "main"}, f"and that was changed then: {said()}{functions()}")


def damage_packed(what, file, addresses, whole):
    """What is packed, and what the header before it says, is wrong: a section is lost as a whole, and that is said."""
    data, told = read(os.path.basename(file)), 0
    for name, (_, start, size) in sections(file).items():
        if not name.startswith(".debug_") or data[start:start + 4] != struct.pack("<I", 2 if what == "zstd" else 1):
            continue
        middle, end = start + size // 2, start + size
        bytes_at, count = start + 8, struct.unpack_from("<Q", data, start + 8)[0]
        damages = [("begin", start + 24, b"\0"), ("half", middle, bytes(end - middle)), ("end", end - 2, bytes(2))]
        damages += [(f"of {n} bytes", bytes_at, struct.pack("<Q", n)) for n in (0, 1, count - 1, count + 1, 1032 * size, 4 << 30, 2**64 - 1)]
        if what == "zlib":  # which has a checksum
            damages.append(("bit", middle, bytes((data[middle] ^ 16,))))
        for how, at, damage in damages:
            write("damaged", data[:at] + damage + data[at + len(damage):])
            frames, problem = names(path("damaged"), addresses)
            check(frames == whole or problem, f"{what} {name} {how}: nothing is said of {sum(a != b for a, b in zip(frames, whole))} addresses")
            told += bool(problem)
    check(told > 50, f"{what}: {told} were packed wrongly")


def pack_in_two(file):
    """Its .debug_info as two streams of zlib's, at the file's end."""
    data = bytearray(read(os.path.basename(file)))
    _, start, size = sections(file)[".debug_info"]
    content = zlib.decompress(data[start + 24:start + size])
    packed = data[start:start + 24] + zlib.compress(content[:1000]) + zlib.compress(content[1000:])
    table, count = struct.unpack_from("<Q", data, 0x28)[0], struct.unpack_from("<H", data, 0x3c)[0]
    header = next(at for at in range(table, table + 64 * count, 64) if struct.unpack_from("<Q", data, at + 24)[0] == start)
    data += bytes(-len(data) % 8)
    struct.pack_into("<QQ", data, header + 24, len(data), len(packed))
    write(os.path.basename(file), data + packed)


# --- damage -----------------------------------------------------------------------------------------
write("many_names.c", "#include <stdlib.h>\n" + "".join(f"""static inline __attribute__((always_inline)) void *leaf{i}(int n) {{ return n > {i} ? malloc(n) : 0; }}
static inline __attribute__((always_inline)) void *middle{i}(int n) {{ void *p = leaf{i}(n); if (n & 1) free(p); return p; }}
__attribute__((noinline)) void *outer{i}(int n) {{ void *p = n > 7 ? middle{i}(n) : 0; return n & {i} ? p : leaf{i}(n - 3); }}
""" for i in range(30)) + "int main(int argc, char **argv) { return 0; }\n")
for what, options in (("DWARF 5", ["gcc", "-gdwarf-5"]), ("DWARF 4", ["gcc", "-gdwarf-4"]), ("clang", ["clang", "-gdwarf-5"]),
                      ("zstd", ["gcc", "-gdwarf-5"]), ("zlib", ["gcc", "-gz=zlib"]), ("zlib-gnu", ["gcc", "-gz=zlib-gnu"])):
    file = path("damaged")
    must(options[0], "-O2", "-g", *options[1:], path("many_names.c"), "-o", file)
    addresses = text_of(file)
    if what == "zstd":
        plain = names(file, addresses)
        must("objcopy", "--compress-debug-sections=zstd", file)
        equal(names(file, addresses), plain, "debug information that zstd has packed")
    whole, problem = names(file, addresses)
    check(not problem and sum(len(frames) for frames in whole) > 1.5 * len(addresses), f"{what}: {problem}")
    data = read("damaged")
    told = 0
    for name, (_, start, size) in sections(file).items():
        # What cannot be told: offsets of names that all become 0, and addresses like a discarded function's.
        hows = {"zero": b"\0" * size, "ff": b"\xff" * size, "random": random.Random(1).randbytes(size)}
        if name in (".debug_str_offsets", ".debug_addr"):
            hows = {"random": hows["random"]}
        for how, damage in hows.items() if re.match(r"\.z?debug_", name) else ():
            write("damaged", data[:start] + damage + data[start + size:])
            frames, problem = names(file, addresses)
            check(frames == whole or problem, f"{what} {name} {how}: nothing is said of {sum(a != b for a, b in zip(frames, whole))} addresses")
            told += bool(problem)
    check(told > 12, f"{what}: {told} were damaged")
    if what in ("zstd", "zlib"):
        damage_packed(what, file, addresses, whole)
        write("damaged", data)
    if what == "zlib":
        pack_in_two(file)
        equal(names(file, addresses), (whole, ""), "debug information that is packed in two")
# --- calls inlined to any depth ---------------------------------------------------------------------------
write("deep.cpp", """#include <cstdlib>
template <int N> struct F { static inline __attribute__((always_inline)) void *go(int n) { n += N; return F<N - 1>::go(n); } };
template <> struct F<0> { static inline __attribute__((always_inline)) void *go(int n) { return malloc(n); } };
int main(int c, char **)
{
    void *volatile p = F<DEPTH>::go(c);
    free(p);
    return 0;
}
""")
for depth in (300, 900, 1500):
    must("g++", "-g", "-O1", "-ftemplate-depth=2000", f"-DDEPTH={depth}", path("deep.cpp"), "-o", path("program"))
    equal(record([path("program")], log).returncode, 0, "record")
    for options in ([], ["--sysroot", path("nothing")]):  # from the files; then from the log
        site = report(log) if not options else json.loads(must(MALLOSCOPE, "report", "--json", "--no-cache", *options, log))
        frames = next(site["frames"] for site in site["top_sites"]["by_bytes"] if "program" in site["module"])
        equal(len(frames), min(depth + 2, 1023), f"{depth} inlined calls: frames")
        equal([(f["function"], f["line"]) for f in frames[:2]], [("F<0>::go", 3), ("F<1>::go", 2)], "the innermost")
        equal((frames[-1]["function"], frames[-1]["line"]), ("main", 6), "the function itself")
        if not options:
            equal(run([MALLOSCOPE, "symbolize", log]).stderr, "", "nothing is damaged")

# --- units with one table of lines ------------------------------------------------------------------------
link = shutil.which("llvm-link-14") or shutil.which("llvm-link")
if check(link and shutil.which("clang"), "clang and llvm-link are there: install clang and llvm-14 (scripts/packages test)"):
    write("one.c", "#include <stdlib.h>\nvoid *one(int n)\n{\n    return malloc(n);\n}\n")
    write("two.c", "#include <stdlib.h>\nvoid *one(int n);\nint main(int n, char **v)\n{\n    free(one(n));\n    return n == 9;\n}\n")
    for name in ("one", "two"):
        must("clang", "-g", "-O1", "-c", "-emit-llvm", path(name + ".c"), "-o", path(name + ".bc"))
    must(link, path("one.bc"), path("two.bc"), "-o", path("both.bc"))
    must("clang", "-S", path("both.bc"), "-o", path("both.s"))
    must("clang", path("both.s"), "-o", path("both"))
    addresses = {fields[2]: int(fields[0], 16) for fields in map(str.split, must("nm", path("both")).splitlines()) if fields[-1] in ("one", "main")}
    equal(names(path("both"), [addresses["one"], addresses["main"]]),
          ([[("one", "one", path("one.c"), "3", "0")], [("main", "main", path("two.c"), "4", "0")]], ""), "two units' functions")

# Of a lambda's destructor the debug information says ~<lambda> only; its symbol says whose it is.
write("lambda.cpp", "#include <string>\nint main(int n, char **)\n{\n    std::string s(n, 'x');\n    auto f = [s](int i) { return s[i]; };\n    return f(0);\n}\n")
must("g++", "-g", "-O0", path("lambda.cpp"), "-o", path("lambda"))
address = re.search(r"^([0-9a-f]+) \w _ZZ4mainENUl\w+D1Ev$|^([0-9a-f]+) \w _ZZ4mainENUl\w+D2Ev$", must("nm", path("lambda")), re.M)
frames, problem = names(path("lambda"), [int(address[1] or address[2], 16) + 4])
check(frames[0][-1][0].startswith("main::{lambda(int)#1}::~"), f"a lambda's destructor: {frames} {problem}")

# Packed symbols.
must("objcopy", "--strip-debug", path("whole"), path("symbols"))
write("mini.xz", lzma.compress(read("symbols")))
must("objcopy", "--strip-all", path("whole"), path("mini"))
must("objcopy", "--add-section", ".gnu_debugdata=" + path("mini.xz"), path("mini"))
addresses = text_of(path("mini"))
frames, problem = names(path("mini"), addresses)
check(not problem and ["inner"] in [[frame[0] for frame in one] for one in frames], "names of .gnu_debugdata")
data = bytearray(read("mini"))
_, start, size = sections(path("mini"))[".gnu_debugdata"]
data[start + size // 2] ^= 0x10
write("mini", data)
check("damaged" in names(path("mini"), addresses)[1], "damaged symbols in .gnu_debugdata are told")
for part in 0.2, 0.6, 0.9:
    write("mini", read("whole")[:int(len(data) * part)])
    check("damaged" in names(path("mini"), addresses)[1], f"a file of which {part} is left")

# --- links below a sysroot ------------------------------------------------------------------------------
# The same paths are there without it, with another library.
root = "root"
write("library.c", "#include <stdlib.h>\nvoid *right(int n) { return malloc(n); }\n")
write("wrong.c", "#include <stdlib.h>\nvoid *wrong(int n) { return malloc(n); }\n")
inside = f"{root}{WORK}"
for directory in ("real", "lib", inside + "/real", inside + "/lib", inside + "/deep/er", root + "/usr/lib/debug"):
    os.makedirs(path(directory), exist_ok=True)
compile = ["gcc", "-g", "-O1", "-shared", "-fPIC", "-Wl,--build-id=none"]
must(*compile, path("wrong.c"), "-o", path("real/libx.so.1.2"))
must(*compile, path("library.c"), "-o", path(inside + "/real/libx.so.1.2"))
address = int(re.search(r"^([0-9a-f]+) T right$", must("nm", path(inside + "/real/libx.so.1.2")), re.M).group(1), 16)
for target in (f"{WORK}/real/libx.so.1.2", "../real/libx.so.1.2", f"{WORK}/deep/er/../../real/./libx.so.1.2",
               "../../../../../../../../../../.." + f"{WORK}/real/libx.so.1.2"):
    for base in (path("lib"), path(inside + "/lib")):
        if os.path.lexists(base + "/libx.so.1"):
            os.remove(base + "/libx.so.1")
        os.symlink(target, base + "/libx.so.1")
    frames, problem = names(f"{WORK}/lib/libx.so.1", [address], sysroot=path(root))
    equal(([frame[0] for frame in frames[0]], problem), (["right"], ""), f"a link to {target}")
os.symlink(f"{WORK}/lib", path(inside + "/other"))
equal(names(f"{WORK}/other/libx.so.1", [address], sysroot=path(root) + "/")[0], frames, "a directory that is a link")
os.symlink(f"{WORK}/loop", path(inside + "/loop"))
check("no such file" in names(f"{WORK}/loop/libx.so.1", [address], sysroot=path(root))[1], "a circle")
# Debug files likewise: found beside what a link leads to, and by a link themselves.
real = path(inside + "/real/libx.so.1.2")
must("objcopy", "--only-keep-debug", real, path(inside + "/real/libx.debug"))
must("objcopy", "--strip-all", "--add-gnu-debuglink=" + path(inside + "/real/libx.debug"), real)
equal(names(f"{WORK}/lib/libx.so.1", [address], sysroot=path(root)), (frames, ""), "a debug link beside the file itself")
os.makedirs(path(f"{root}/usr/lib/debug{WORK}/real"))
os.makedirs(path(inside + "/store"))
os.rename(path(inside + "/real/libx.debug"), path(inside + "/store/libx.debug"))
os.symlink(f"{WORK}/store/libx.debug", path(f"{root}/usr/lib/debug{WORK}/real/libx.debug"))
equal(names(f"{WORK}/lib/libx.so.1", [address], sysroot=path(root)), (frames, ""), "a debug file that is a link")
sys.exit(done())
