"""The shim built for aarch64 and run under qemu's user mode: the log is the same
format, and this machine's CLI reads it. The stacks of tests/programs/arm_stacks.c,
built in several ways, are those that libgcc's unwinder sees, which shares no code
with the shim's. libunwind is not there for that machine."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *
from told import *
import glob

COMPILER = "aarch64-linux-gnu-gcc"
PROGRAM_SOURCES = os.path.join(SOURCE, "tests/programs")
MAX_DEPTH = 1024
CALL_BYTES_MAX = 40 # between the return addresses of two calls that follow each other
shim, known = path("libmalloscope.so"), path("known")
CLANG = "clang --target=aarch64-linux-gnu"


def build(output, sources, *options, compiler=COMPILER, libraries=()):
    sources = [os.path.join(PROGRAM_SOURCES, name) if "/" not in name else name for name in sources]
    built = run([*compiler.split(), "-D_GNU_SOURCE", *options, *sources, "-o", output, *libraries])
    return check(built.returncode == 0, f"{compiler} builds {os.path.basename(output)}: {built.stderr[-600:]}")


def emulate(command, log, *options, call_graph="auto", **more):
    return run(["qemu-aarch64", *options, "-L", "/usr/aarch64-linux-gnu", "-E", f"LD_PRELOAD={shim}", "-E",
                f"MALLOSCOPE_OUTPUT={log}", "-E", f"MALLOSCOPE_CALL_GRAPH={call_graph}", *command], **more)


def build_shim(*options, compiler=COMPILER):
    sources = [name for part in ("format/*.c", "interpose/*.c", "interpose/inside/*.c", "interpose/outside/*.c")
               for name in glob.glob(os.path.join(SOURCE, part))]
    return build(shim, sources, *options, "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers",
                 "-fPIC", "-shared", "-fvisibility=hidden", "-fno-omit-frame-pointer", "-fno-builtin-malloc",
                 "-fno-builtin-calloc", "-fno-builtin-realloc", "-fno-builtin-free", "-fno-strict-aliasing",
                 "-ftls-model=initial-exec", '-DLIBUNWIND_SONAME="libunwind.so.8"', "-I", SOURCE,
                 f"-Wl,--version-script={SOURCE}/interpose/exports.map", compiler=compiler)


def test_known(*ways):
    for call_graph in ways:
        log, partial = path(f"{call_graph}.mscope"), 1070 if call_graph == "libunwind" else 0
        ran = emulate([known], log, call_graph=call_graph)
        equal((ran.returncode, ran.stdout, ran.stderr), (7, "", ""), f"{call_graph}: the program as untraced")
        r = report(log)
        equal(r["counts"]["by_function"], {"malloc": 1060, "realloc": 10, "free": 1000}, f"{call_graph}: calls")
        equal((r["counts"]["failed"], r["bytes"]["leaked"]), (1, 50 * 5000 + 10 * 200000), f"{call_graph}: facts")
        equal((r["trust"]["lost_events"], r["trust"]["unmatched_frees"]), (0, 0), f"{call_graph}: trust")
        equal(r["trust"]["partial_stacks"], partial, f"{call_graph}: partial stacks are marked")
        if call_graph != "none":
            equal(r["top_sites"]["by_allocations"][0]["function"], "take", f"{call_graph}: the caller's name")


def follows(told, logged):
    """Whether one return address comes shortly after the other, in the same module."""
    (module, offset), (logged_module, logged_offset) = (frame.rsplit("+", 1) for frame in (told, logged))
    return module == logged_module and 0 < int(logged_offset, 16) - int(offset, 16) <= CALL_BYTES_MAX


def same_stack(shape, told, logged, main):
    """main: the outermost frames of the first thread."""
    if not logged or not follows(told[0], logged[0]):
        return False
    if shape == "other-register": # followed only by libunwind
        return 1 < len(logged) < len(told) and logged[1:] == told[1:len(logged)]
    # libgcc has no rule where the PLT was interrupted, and its stack ends there.
    if len(told) > 2 and told[-2].startswith("?+") and told[-1:] != main[-1:]:
        return logged[1:len(told)] == told[1:] and logged[-len(main):] == main and len(logged) > len(told) + len(main)
    return logged[1:] == told[1:MAX_DEPTH]


def compare(log, truth, what, shapes=None):
    """The log's stacks and those that the program told; shapes: others are left out."""
    stacks = [(event.size, [frame.split(" ")[1] for frame in event.frames])
              for event in dump(log, stacks=True) if event.kind == "malloc"]
    logged = dict(stacks)
    with open(truth) as file:
        told = [(int(size), shape, frames) for size, shape, *frames in (line.split() for line in file)]
    main, wrong = told[0][2][-3:], {}
    for size, shape, frames in told:
        if shapes and shape not in shapes:
            continue
        if not same_stack(shape, frames, logged.get(size), main):
            wrong.setdefault(shape, []).append(f"{size}: told {frames[:20]}, logged {(logged.get(size) or ['nothing'])[:20]}")
    check(len(told) > 300, f"{what}: {len(told)} stacks are told")
    for shape in sorted({shape for _, shape, _ in told if not shapes or shape in shapes}):
        check(shape not in wrong, f"{what}, {shape}: {len(wrong.get(shape, []))} differ; {wrong.get(shape, [''])[0]}")
    r = report(log)
    equal((r["trust"]["lost_events"], r["trust"]["unmatched_frees"]), (0, 0), f"{what}: trust")
    equal(r["trust"]["cut_stacks"], sum(len(frames) > MAX_DEPTH for *_, frames in told), f"{what}: cut stacks")
    if shapes: # of the others, some are not whole
        return
    binding = [frames for _, frames in stacks
               if re.match(r"ld-linux.*\+.* (ld-linux.*\+.* )+library-", " ".join(frames))]
    check(binding and all(frames[-3:] == main for frames in binding), f"{what}: the loader binds a call: {binding[:1]}")
    equal((r["trust"]["partial_stacks"], r["trust"]["fallback_stacks"]),
          (sum(shape == "other-register" for _, shape, _ in told), 0), f"{what}: whole stacks")
    without_tables = [len(frames) for _, shape, frames in told if shape == "no-tables"]
    equal(r["trust"]["guessed_stacks"], sum(depth > min(without_tables) for depth in without_tables), f"{what}: guessed")


# Without the tables' help, only where all code keeps frame pointers and no signal is between.
BY_FRAME_POINTER = ("recursion", "alloca", "array", "frames", "aligned", "registers", "arguments", "link-register",
                    "tail-call", "longjmp", "libc", "threads", "deep", "library", "no-tables")
RECORDS = "-DFRAME_RECORDS"
# Name, compiler, its options, qemu's: with -singlestep a signal can come at any instruction.
WAYS = (
    ("O0", COMPILER, ["-O0", RECORDS], ["-singlestep"], 60),
    ("O2", COMPILER, ["-O2", RECORDS], ["-singlestep"], 60),
    ("O3-no-fp", COMPILER, ["-O3", "-fomit-frame-pointer", "-momit-leaf-frame-pointer"], ["-singlestep"], 60),
    ("O1-clash", COMPILER, ["-O1", "-fstack-clash-protection", "-fno-optimize-sibling-calls", RECORDS], [], 20),
    ("O2-signed", COMPILER, ["-O2", "-mbranch-protection=standard", RECORDS], ["-singlestep", "-cpu", "max"], 60),
    ("O2-signed-no-fp", COMPILER, ["-O2", "-fomit-frame-pointer", "-mbranch-protection=pac-ret+leaf+b-key"],
     ["-singlestep", "-cpu", "max"], 60),
    ("O2-not-signed", COMPILER, ["-O2", "-mbranch-protection=standard", RECORDS], ["-cpu", "cortex-a57"], 20),
    # Its tables do not tell of epilogues, where even libgcc's unwinder crashes: no timer.
    ("clang-signed", CLANG, ["-O2", "-mbranch-protection=standard", RECORDS],
     ["-cpu", "max"], 0),
)


def test_stacks(name, compiler, options, emulator_options, ticks):
    arm_stacks, library, provider, odd_frames, exceptions = (path(part + name) for part in
                                                             ("stacks-", "library-", "provider-", "odd-", "cc-"))
    truth = path("truth")
    if not (build(odd_frames, ["arm_odd_frames.c"], "-c", *options, "-fno-asynchronous-unwind-tables",
                  "-fno-unwind-tables", compiler=compiler) and
            build(exceptions, ["arm_exceptions.cc"], "-c", *options,
                  compiler=compiler.replace("gcc", "g++").replace("clang", "clang++")) and
            build(arm_stacks, ["arm_stacks.c", odd_frames, exceptions], *options, "-fno-builtin", "-rdynamic",
                  "-Wl,-z,lazy", compiler=compiler, libraries=["-lstdc++"]) and
            build(library, ["arm_stacks_library.c"], *options, "-fPIC", "-shared", "-Wl,-z,lazy", compiler=compiler) and
            build(provider, ["arm_stacks_library.c"], *options, "-fPIC", "-shared", "-DPROVIDER", compiler=compiler)):
        return
    for call_graph in ("auto", "fp") if RECORDS in options else ("auto",):
        what, log = f"{name} {call_graph}", path(f"{name}-{call_graph}.mscope")
        options_now = [option for option in emulator_options if call_graph == "auto" or option != "-singlestep"]
        for _ in range(4):
            for file in glob.glob(log + "*"):
                os.remove(file)
            descriptor = os.open(truth, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
            os.dup2(descriptor, 3)
            if descriptor != 3:
                os.close(descriptor)
            ran = emulate([arm_stacks, str(ticks if call_graph == "auto" else 0), library, provider], log, *options_now,
                          call_graph=call_graph, pass_fds=(3,))
            os.close(3)
            if ran.returncode != 77: # libgcc's unwinder crashed, as it does without us, once in fifty runs
                break
        if equal((ran.returncode, ran.stdout, ran.stderr), (0, "", ""), f"{what}: the program as untraced"):
            compare(log, truth, what, BY_FRAME_POINTER if call_graph == "fp" else None)
    if compiler == CLANG:
        ran = emulate([arm_stacks, "-60"], path("wrong-rules.mscope"), "-singlestep")
        equal((ran.returncode, ran.stderr), (0, ""), f"{name}: a timer where the tables are wrong")


def test_operators(what):
    """An allocator's own operators, to which calls are redirected, and exceptions through the stand-ins."""
    operators, early, own, library = path("operators"), path("liboperators_early.so"), path("own_operators.so"), path("library.so")
    options = ["-O1", "-fno-builtin", "-fno-optimize-sibling-calls", "-std=gnu++17"]
    compiler = COMPILER.replace("gcc", "g++")
    if not (build(early, ["operators_library.cpp"], *options, "-fPIC", "-shared", compiler=compiler) and
            build(library, ["operators_library.cpp"], *options, "-fPIC", "-shared", compiler=compiler) and
            build(own, ["own_operators.cpp"], *options, "-fPIC", "-shared", compiler=compiler) and
            build(operators, ["operators.cpp", early], *options, "-Wl,-z,now", f"-Wl,-rpath,{WORK}", compiler=compiler)):
        return
    emulator, command, log = ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"], [operators, "throws", library], path("operators.mscope")
    untraced, _ = told_run([*emulator, "-E", f"LD_PRELOAD={own}", *command])
    traced, truth = told_run([*emulator, "-E", f"LD_PRELOAD={shim}:{own}", "-E", f"MALLOSCOPE_OUTPUT={log}", *command])
    # In qemu's user mode the list of mappings has qemu's as well.
    traced.stdout, untraced.stdout = (re.sub(r"\d+ writable", "N writable", got.stdout) for got in (traced, untraced))
    same_run(traced, untraced, what)
    check(len(truth) > 8000, f"{what}: {len(truth)} events are told: {untraced.stderr}")
    # qemu's user mode does not wipe what a child is not to have, and so a child is not recorded.
    match([line for line in truth if line[0] == truth[0][0]], dump(log), what)
    r = report(log)
    equal((r["trust"]["lost_events"], r["trust"]["unmatched_frees"], r["trust"]["unseen_frees"]), (0, 0, 0), f"{what}: trust")
    os.remove(log)


build(known, ["known.c"], "-O1", "-fno-builtin")
for compiler in (CLANG, COMPILER):
    if build_shim("-mbranch-protection=standard", compiler=compiler):
        test_known("auto", "fp")
        test_operators(f"operators, {compiler}")
if build_shim():
    test_known("none", "auto", "fp", "libunwind")
    for way in WAYS:
        test_stacks(*way)
sys.exit(done())
