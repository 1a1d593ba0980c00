"""`tree` and `flame`: against what the program says of itself, against each other, against
heaptrack, and the picture in a browser."""
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

COSTS = ("allocations", "allocated", "peak", "leaked", "temporary")
SVG = "{http://www.w3.org/2000/svg}"


def ask(command, log, *options, code=0, env=None):
    got = run([MALLOSCOPE, command, *options, log], env=env)
    equal(got.returncode, code, f"{command} {options}: {got.stderr}")
    return got.stdout


def tree(log, *options):
    return json.loads(ask("tree", log, "--json", *options))["nodes"]


def folded(log, *options):
    """path → cost"""
    found = {}
    for line in ask("flame", log, *options).splitlines():
        stack, cost = line.rsplit(" ", 1)
        found[stack] = found.get(stack, 0) + int(cost)
    return found


def paths(nodes):
    """The folded name of each node's stack, by its place in the list."""
    names = [""]
    for node in nodes[1:]:
        above = names[node["parent"]]
        names.append((above + ";" if above else "") + node["name"])
    return names


# --- a program whose allocations are known ---
log = path("known.mscope")
equal(record([program("known")], log).returncode, 7, "recording")
nodes = tree(log)
by_name = {}
for node, name in zip(nodes, paths(nodes)):
    by_name.setdefault(";".join(name.split(";main;")[-1:]), node)
root = nodes[0]
equal(root["total"], {"allocations": 1070, "allocated": 600 * 10 + 300 * 99 + 100 * 100 + 50 * 5000 + 10 * (64 + 200000), "peak": 2260000,
                      "leaked": 2250000, "temporary": 900}, "the root's costs")
equal(by_name["temporary;take"]["total"], {"allocations": 900, "allocated": 600 * 10 + 300 * 99, "peak": 0, "leaked": 0, "temporary": 900},
      "temporary → take")
equal(by_name["leak;take"]["total"]["leaked"], 250000, "leak → take")
equal(by_name["leak"]["self"]["leaked"], 0, "leak itself has none")
for log_name in ("known", "leaking", "deep"):
    if log_name != "known":
        log = path(log_name + ".mscope")
        equal(record([program("leaking")] if log_name == "leaking" else [sys.executable, "-c", "import json, re; re.compile('a|b'); exec('f=lambda n: n and [f(n-1)]; f(200)')"],
                     log).returncode, 0, f"recording {log_name}")
    nodes = tree(log)
    names = paths(nodes)
    check(len(nodes) > (100 if log_name == "deep" else 5), f"{log_name}: {len(nodes)} nodes")
    check(all(node["parent"] < i for i, node in enumerate(nodes) if i), "callers come before whom they call")
    inverted = tree(log, "--inverted")
    for cost in COSTS:
        sums = [node["self"][cost] for node in nodes]
        for i in range(len(nodes) - 1, 0, -1):
            sums[nodes[i]["parent"]] += sums[i]
        equal(sums, [node["total"][cost] for node in nodes], f"{log_name}: totals are the sums of what is below, {cost}")
        equal(inverted[0]["total"][cost], nodes[0]["total"][cost], f"{log_name}: all is all the other way round, {cost}")
        stacks = {}
        for node, name in zip(nodes, names):
            if node["self"][cost]:
                key = name.replace("; ", ", ")
                stacks[key] = stacks.get(key, 0) + node["self"][cost]
        equal(folded(log, "--cost", cost), stacks, f"{log_name}: folded stacks, {cost}")
        turned = {}
        for stack, value in stacks.items():
            stack = ";".join(reversed(stack.split(";")))
            turned[stack] = turned.get(stack, 0) + value
        equal(folded(log, "--cost", cost, "--inverted"), turned, f"{log_name}: inverted, {cost}")
    pruned = folded(log, "--min-share", "5")
    equal(sum(pruned.values()), nodes[0]["total"]["allocations"], f"{log_name}: --min-share loses nothing")
    check(len(pruned) < len(folded(log)), f"{log_name}: but shows less")

# --- heaptrack, of the same program: each stack's functions in the source, and their costs ---
known_functions = set()
with open(os.path.join(SOURCE, "tests/programs/leaking.c")) as file:
    known_functions = set(re.findall(r"^(?:static |int |NOINLINE |void |\*)*(\w+)\([^;]*$", file.read(), re.M))
check({"main", "lose", "wrapped", "in_thread"} <= known_functions, f"functions of the source: {known_functions}")


def own_frames(stacks):
    """Of the stacks that are the program's: but of pthread_create's there is thread-local storage, whose size depends
    on the libraries that are loaded, and a recorder is one."""
    sums = {}
    for names, cost in stacks:
        own = tuple(name for name in names if name in known_functions)
        if own and cost and not any("pthread_create" in name for name in names):
            sums[own] = sums.get(own, 0) + cost
    return sums


leaking = path("leaking.mscope")
data = heaptrack([program("leaking")], "heaptrack") or sys.exit(done())
for cost in ("allocations", "peak", "leaked", "temporary"):
    output = path("heaptrack-" + cost)
    run(["heaptrack_print", "-f", data, "-F", output, "--flamegraph-cost-type", cost])
    with open(output) as file:
        theirs = [line.rsplit(" ", 1) for line in file.read().splitlines()]
    theirs = own_frames(([frame.split(" (")[0] for frame in stack.rstrip(";").split(";")], int(value)) for stack, value in theirs)
    ours = own_frames((stack.split(";"), value) for stack, value in folded(leaking, "--cost", cost).items())
    check(len(ours) > (1 if cost != "temporary" else 0), f"{cost}: there is something to compare")
    if cost == "temporary":
        # To heaptrack each step of a realloc is a temporary allocation; to us a block that moves on is none.
        theirs.pop(("main", "leak_all", "grow_and_lose"))
    equal(ours, theirs, f"heaptrack's {cost}")

# --- the tree in a terminal ---
log = path("known.mscope")


def shown(*options, **more):
    """The tree on a wide terminal, without source lines: a build may have them or not."""
    return re.sub(r"  programs/\S+\.c(:\d+)?", "", ask("tree", log, *options, env={"COLUMNS": "200", **more}))


text = shown()
for cost, amount, few in (("temporary", "900 temporary allocations", True), ("leaked", r"\S+ MiB leaked", True), ("allocations", "1,070 allocations", False)):
    heading = run([MALLOSCOPE, "tree", "--cost", cost, log]).stdout
    count = re.match(rf"{amount}, from (\d+) stacks?, ", heading)
    check(count and 1 <= int(count[1]) <= 6 and (int(count[1]) < 6) == few, f"stacks that have some of the cost: {heading}")
for wanted in ("1,070 allocations, from 6 stacks, callers first; without frames of less than 1 %", "├ temporary → take", "└ leak → take",
               "900   84.1  ", "0 lost"):
    check(wanted in text, f"tree says {wanted!r}: {text}")
check("(itself)" not in text, "main's own 0.9 % are not shown")
text = shown("--min-share", "0.5%")
check(re.search(r" 10    0\.9  └ \(itself\)$", text, re.M), f"what main allocates itself: {text}")
text = shown("--cost", "leaked", "--inverted")
check(re.search(r"1\.9 MiB   88\.9  main", text) and re.search(r"244\.1 KiB   11\.1  take(  known)? → leak → main", text),
      f"inverted: {text}")
text = shown(LC_ALL="C")
check(text.isascii() and "|-temporary > take" in text and "`-leak > take" in text, f"in the C locale: {text}")
text = shown("-n", "1")
check("temporary" in text and "... 2 more" in text and "leak" not in text.split("Trust")[0], f"-n 1: {text}")
text = shown("--depth", "4")
check("main" in text and "temporary" not in text, f"--depth 4: {text}")
equal(len(tree(log, "--depth", "2")), 3, "--depth 2 as JSON")
equal([n.get("name") for n in tree(log, "-n", "1")][-2:], ["temporary", "take"], "-n 1 as JSON")
equal([n.get("name") for n in tree(log, "-n", "2")][-3:], ["temporary", "take", "take"], "-n 2 as JSON")
equal([n["name"] for n in tree(log, "--min-share", "50") if n["parent"] is not None][-2:], ["temporary", "take"], "--min-share as JSON")
check("leak" not in shown("--filter", "^temporary$").split("Trust")[0], "--filter")
equal(tree(log, "--filter", "^temporary$")[0]["total"]["allocations"], 900, "--filter leaves its stacks' costs")
for columns in (50, 80, 120):
    for name in ("known", "leaking", "deep"):
        rows = ask("tree", path(name + ".mscope"), env={"COLUMNS": str(columns)}).split("\nTrust")[0].splitlines()
        # The heading is prose; all below it is figures and the tree.
        widest = max(len(row) for row in rows[rows.index(""):])
        check(widest <= max(columns, 22 + 30), f"{name} in {columns} columns: {widest}")
text = ask("tree", path("deep.mscope"), env={"COLUMNS": "60"})
check(re.search(r"[│ ] \+1 \w.*\n(?:.*\n)*?.*[│ ] \+2 \w", text), "frames beyond the last column have numbers")
text = ask("tree", leaking)
check(re.search(r"lose  programs/leaking\.c\n", text) and re.search(r"lose_list  programs/leaking\.c:\d+\n", text),
      f"a line where all stacks are in one: {text}")

# --- the picture ---


def shares(nodes, cost, least):
    """name and total of each node that has at least so much."""
    all_of_it = nodes[0]["total"][cost]
    return [(n["name"], n["total"][cost]) for n in nodes[1:] if n["total"][cost] >= least * all_of_it and n["total"][cost]]


def look(picture, nodes, cost, least, what):
    frames = list(picture.iter(SVG + "svg"))
    frames = [f for f in frames if f.get("class") == "f"]
    number = lambda f, name: float(f.get(name).rstrip("%"))
    all_of_it = nodes[0]["total"][cost]
    wanted = sorted(shares(nodes, cost, least))
    equal(sorted((f.find(SVG + "text").text, round(number(f, "width") * all_of_it / 100)) for f in frames[1:]), wanted,
          f"{what}: a frame for each, as wide as its cost")
    ends, rows, wrong = [], {}, []
    for i, f in enumerate(frames):
        while ends and i > ends[-1][0]:
            ends.pop()
        if ends:
            over = ends[-1][1]
            if number(f, "y") != number(over, "y") + 17:
                wrong.append("not below its caller")
            if number(f, "x") < number(over, "x") - 1e-5 or number(f, "x") + number(f, "width") > number(over, "x") + number(over, "width") + 1e-5:
                wrong.append("not within its caller")
        if number(f, "x") < rows.get(f.get("y"), 0) - 1e-5:
            wrong.append("over the one before")
        rows[f.get("y")] = number(f, "x") + number(f, "width")
        ends.append((i + int(f.get("data-below")), f))
    equal(wrong, [], f"{what}: places")
    equal(int(frames[0].get("data-below")), len(frames) - 1, f"{what}: the first has all below it")
    check(all(f.find(SVG + "title").text.startswith(f.find(SVG + "text").text + "\n") for f in frames), f"{what}: what the pointer shows")
    return frames


def draw(log, *options, name="flame.svg"):
    said = ask("flame", log, "-o", path(name), *options)
    return xml.parse(path(name)).getroot(), said


for name in ("known", "leaking", "deep"):
    for cost in ("allocations", "peak"):
        for options in ((), ("--inverted",)):
            picture, said = draw(path(name + ".mscope"), "--cost", cost, *options)
            frames = look(picture, tree(path(name + ".mscope"), *options), cost, 0.001, f"{name} {cost} {options}")
            check(f"in {len(frames) - 1:,} frame" in said, f"the frames that are said: {said}")
for log_name, cost, options in (("deep", "allocated", ("--min-share", "0")), ("deep", "allocated", ("--min-share", "0.02", "--inverted")),
                                ("leaking", "peak", ("--min-share", "0.06"))):
    log = path(log_name + ".mscope")
    look(draw(log, "--cost", cost, *options)[0], tree(log, *options[2:]), cost, float(options[1]) / 100, f"{log_name} {options}")
check(", <0.1 %" in "".join(t.text or "" for t in draw(path("deep.mscope"), "--cost", "allocated", "--min-share", "0")[0].iter(SVG + "title")), "shares below a tenth of a per cent are said, too")
picture, said = draw(path("deep.mscope"), "--min-share", "3")
nodes = tree(path("deep.mscope"))
frames = look(picture, nodes, "allocations", 0.03, "3 %")
hidden = len([n for n in nodes[1:] if n["total"]["allocations"]]) - len(frames) + 1
check(f"{hidden:,} more, with less than 3 % each" in said, f"what is left out is said: {hidden} {said}")
check(any(f"{hidden:,} frames with less than 3 % of it" in (t.text or "") for t in picture.iter(SVG + "text")), "in the picture, too")
check(any("0 lost" in (t.text or "") for t in picture.iter(SVG + "text")), "and how complete it is")
plain = open(path("flame.svg")).read()
check("http" not in re.sub(r'xmlns="[^"]*"', "", plain) and "src=" not in plain and "href" not in plain and "onclick" not in plain,
      "nothing is fetched, and no attribute is a script")
colours = {f.find(SVG + "text").text: f.find(SVG + "rect").get("fill") for f in look(draw(path("known.mscope"))[0], tree(path("known.mscope")), "allocations", 0.001, "again")}
equal({name: colour for name, colour in colours.items() if name in ("main", "take")},
      {f.find(SVG + "text").text: f.find(SVG + "rect").get("fill") for f in draw(path("known.mscope"), "--cost", "leaked")[0].iter(SVG + "svg")
       if f.get("class") == "f" and f.find(SVG + "text").text in ("main", "take")}, "colours are the same in all pictures")
title = draw(path("known.mscope"), "--title", "a <b> & \"c\" \udcff\x01")[0].find(SVG + "title").text
equal(title, 'a <b> & "c" ??', "--title")

# Names that mean something in XML and in folded stacks: of a file, as its functions have none.
hostile = path("a<b>&\"'];--\n\udcff")
shutil.copy(program("known"), hostile)
equal(run(["strip", hostile]).returncode, 0, "strip")
equal(record([hostile], path("hostile.mscope")).returncode, 7, "recording it")
nodes = tree(path("hostile.mscope"))
equal(sum(folded(path("hostile.mscope")).values()), 1070, "its folded stacks add up")
check(any("a<b>&\"'],--?" in stack for stack in folded(path("hostile.mscope"))), "with , for ; and ? for a newline")
names = [f.find(SVG + "text").text for f in draw(path("hostile.mscope"))[0].iter(SVG + "svg") if f.get("class") == "f"]
check(any(name.startswith("a<b>&\"'];--??+0x") for name in names), f"and in the picture as they are: {names}")
check("a<b>&\"'];--" in ask("tree", path("hostile.mscope")), "and in the tree")

# --- where it goes, and what is refused ---
for name in ("out.folded", "out.txt"):
    said = ask("flame", path("known.mscope"), "-o", path(name))
    equal(open(path(name)).read(), ask("flame", path("known.mscope")), name)
    check("Trust: " in said, f"{name}: {said}")
for words, code, wanted in ((["-o", path("out.png")], 2, ".svg"), (["-o", path("no/out.svg")], 1, "No such file"), 
                            (["--cost", "time"], 2, "allocations, allocated, peak, leaked or temporary"), (["--min-share", "101"], 2, "--min-share"),
                            (["--min-share", "x"], 2, "--min-share"), (["--filter", "("], 2, "--filter")):
    got = run([MALLOSCOPE, "flame", *words, path("known.mscope")])
    check(got.returncode == code and wanted in got.stderr and not got.stdout and len(got.stderr.splitlines()) == 1, f"{words}: {got.stderr}")
os.symlink("/dev/full", path("full.svg"))
got = run([MALLOSCOPE, "flame", "-o", path("full.svg"), path("known.mscope")])
check(got.returncode == 1 and "full.svg: cannot be written: No space" in got.stderr and not got.stdout, f"a full disk: {got.stderr}")

# What was there stays until the new one is complete; a link stays one; what is no regular file is written straight.
os.mkdir(path("results"))
FULL = 'ulimit -f 0; exec "$0" "$@"'
for name, command in (("r.svg", ["flame"]), ("r.folded", ["flame"]), ("r.png", ["plot", "sizes"])):
    result = os.path.join(path("results"), name)
    make = [*command, "-o", result, path("known.mscope")]

    def fails(words, wanted, before):
        check(words.returncode == 1 and wanted in words.stderr and len(words.stderr.splitlines()) == 1 and not words.stdout, f"{name}: {words}")
        equal({file: open(os.path.join(path("results"), file), "rb").read() for file in os.listdir(path("results"))}, before, f"{name}: {wanted}")

    fails(run(["bash", "-c", FULL, MALLOSCOPE, *make]), "File too large", {})
    with open(result, "w") as file:
        file.write("earlier")
    os.chmod(result, 0o640)
    fails(run(["bash", "-c", FULL, MALLOSCOPE, *make]), "File too large", {name: b"earlier"})
    os.symlink(name, os.path.join(path("results"), "link-" + name))
    equal(run([MALLOSCOPE, *command, "-o", os.path.join(path("results"), "link-" + name), path("known.mscope")]).returncode, 0, f"{name}: by a link")
    check(os.path.islink(os.path.join(path("results"), "link-" + name)) and not os.path.islink(result), f"{name}: a link stays one")
    made = open(result, "rb").read()
    check(len(made) > 100 and b"earlier" not in made, f"{name}: what it leads to is replaced")
    equal((os.stat(result).st_mode & 0o777, sorted(os.listdir(path("results")))), (0o640, ["link-" + name, name]), f"{name}: its mode stays, and nothing is beside it")
    os.unlink(os.path.join(path("results"), "link-" + name))
    os.mkfifo(path("fifo-" + name))
    run(["bash", "-c", 'cat "$1" > "$2" & "$0" "${@:3}" -o "$1"; wait', MALLOSCOPE, path("fifo-" + name), path("piped"), *command, path("known.mscope")])
    equal(open(path("piped"), "rb").read(), made, f"{name}: a pipe is written into")
    os.unlink(result)
# gnuplot has SIGXFSZ as we were given it, and is ended with us; nothing is left.
for directory in "bin", "temporary":
    os.mkdir(path(directory))
env = {"PATH": path("bin") + ":" + os.environ["PATH"], "TMPDIR": path("temporary")}
drawing = [MALLOSCOPE, "plot", "sizes", "-o", path("results/r.png"), path("known.mscope")]


def draws_by(script):
    with open(path("bin/gnuplot"), "w") as file:
        file.write(f"#!/bin/sh\n{script}\n")
    os.chmod(path("bin/gnuplot"), 0o755)


draws_by("grep SigIgn /proc/self/status >&2; exit 3")
plain = run(["grep", "SigIgn", "/proc/self/status"]).stdout.split()[1]
got = run(drawing, env=env).stderr
check("gnuplot failed: SigIgn:" in got and plain in got, f"gnuplot's signals: {plain}, {got}")
draws_by(f"echo > '{path('draws')}'; exec sleep 60")
for how in signal.SIGTERM, signal.SIGHUP:
    process = subprocess.Popen(drawing, env={**os.environ, **env}, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while not os.path.exists(path("draws")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(how)
    complaint = process.communicate(timeout=30)[1]
    equal((process.returncode, complaint), (1, f"malloscope: gnuplot was ended by signal {int(how)}\n"), f"plot, ended by {how.name}")
    equal((os.listdir(path("temporary")), os.listdir(path("results"))), ([], []), f"{how.name}: nothing is left")
    os.unlink(path("draws"))
if os.getuid() == 0:
    os.mkdir(path("small"))
    if run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", path("small")]).returncode == 0:
        try:
            for name in "r.svg", "r.folded":
                with open(path("small/" + name), "w") as file:
                    file.write("earlier")
            with open(path("small/filling"), "wb", buffering=0) as file:
                file.write(bytes(4096 * 2))
            names = os.listdir(path("small"))
            for name in "r.svg", "r.folded":
                got = run([MALLOSCOPE, "flame", "-o", path("small/" + name), path("known.mscope")])
                check(got.returncode == 1 and "cannot be written: No space" in got.stderr and not got.stdout, f"{name} on a full disk: {got.stderr}")
                equal((open(path("small/" + name)).read(), sorted(os.listdir(path("small")))), ("earlier", sorted(names)), f"{name}: what was there stays")
        finally:
            run(["umount", path("small")])
os.symlink(path("known.mscope"), path("same.svg"))
got = run([MALLOSCOPE, "flame", "-o", path("same.svg"), path("known.mscope")])
check(got.returncode == 2 and "is the log itself" in got.stderr, f"over the log: {got.stderr}")
equal(record([program("known")], path("sampled.mscope"), "--sample", "100").returncode, 7, "a sample")
for command in (["tree", "--cost", "temporary"], ["flame", "--cost", "temporary"], ["report", "--sort", "temporary"], ["sites", "--sort", "temporary"],
                ["report", "--temporary-within", "5"], ["sites", "--temporary-within", "1ms"], ["merge", "--cost", "temporary", path("known.mscope")],
                ["diff", "--cost", "temporary", path("known.mscope")]):
    got = run([MALLOSCOPE, *command, path("sampled.mscope")])
    check(got.returncode == 2 and "does not tell" in got.stderr and not got.stdout, f"{command}: temporary of a sample: {got.stderr}")
check("≈" in ask("tree", path("sampled.mscope")), "estimates are marked")
equal(tree(path("sampled.mscope"))[0]["total"]["temporary"], None, "null as JSON")
for words in (["-n", "0"], ["--depth", "0"], ["--cost", ""], ["-x"]):
    got = run([MALLOSCOPE, "tree", *words, path("known.mscope")])
    check(got.returncode == 2 and len(got.stderr.splitlines()) == 1, f"tree {words}: {got.stderr}")
with open(path("known.mscope"), "rb") as file, open(path("torn.mscope"), "wb") as torn:
    torn.write(file.read()[:-3])
for command in ("tree", "flame"):
    got = run([MALLOSCOPE, command, path("torn.mscope")])
    check(got.returncode == 1 and "damaged at offset" in got.stderr and got.stdout, f"{command} of a torn log: {got.stderr}")
empty = path("empty.mscope")
equal(record(["true"], empty, "--min-size", "1G").returncode, 0, "nothing recorded")
ask("tree", empty, "--json")
equal(ask("flame", empty), "", "no stacks")
draw(empty)

# --- in a browser ---
PROBE = """
<script><![CDATA[
(function () {
  var frames = Array.prototype.slice.call(document.querySelectorAll('.f')), input = document.getElementById('search'), out = {};
  function named(name) { return frames.filter(function (f) { return f.querySelector('text').textContent === name; })[0]; }
  function state() {
    return frames.map(function (f) {
      return [f.querySelector('text').textContent, f.getAttribute('display') !== 'none', parseFloat(f.getAttribute('x')),
              parseFloat(f.getAttribute('width')), f.classList.contains('above'), f.classList.contains('match')];
    });
  }
  function click(f) { f.querySelector('rect').dispatchEvent(new MouseEvent('click', { bubbles: true })); }
  function search(text) { input.value = text; input.dispatchEvent(new Event('input', { bubbles: true })); }
  out.first = state();
  out.pixels = [named('take').querySelector('rect').getBoundingClientRect().width, document.documentElement.getBoundingClientRect().width];
  click(named('temporary'));
  out.zoomed = state();
  click(frames[frames.length - 1]);
  out.last = state();
  click(named('all'));
  out.out = state();
  search('TAKE');
  out.found = [state(), document.getElementById('info').textContent];
  search('take|leak');
  out.nested = document.getElementById('info').textContent;
  search('(');
  out.bad = document.getElementById('info').textContent;
  document.documentElement.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }));
  out.escaped = [state(), input.value];
  named('leak').querySelector('rect').dispatchEvent(new MouseEvent('mouseover', { bubbles: true }));
  out.info = document.getElementById('info').textContent;
  var desc = document.createElementNS('http://www.w3.org/2000/svg', 'desc');
  desc.textContent = 'PROBE' + JSON.stringify(out) + 'EBORP';
  document.documentElement.appendChild(desc);
})();
]]></script>
</svg>
"""
draw(path("known.mscope"))
with open(path("flame.svg")) as file:
    picture = file.read()
with open(path("probe.svg"), "w") as file:
    file.write(picture.rstrip()[:-len("</svg>")] + PROBE)
got = run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000", f"--user-data-dir={path('chromium')}",
           "--window-size=1000,700", "--dump-dom", "file://" + path("probe.svg")], env={"HOME": WORK})
found = re.search(r"PROBE(\{.*\})EBORP", got.stdout, re.S)
if check(found, f"chromium ran the script: {got.stdout[-300:]} {got.stderr[-600:]}"):
    import html
    out = json.loads(html.unescape(found[1]))
    take = next(s for s in out["first"] if s[0] == "take" and s[3] > 80)
    check(abs(take[3] - 900 / 1070 * 100) < 0.001 and abs(out["pixels"][0] / out["pixels"][1] - 900 / 1070) < 0.01,
          f"as wide on the screen as its cost: {take}, {out['pixels']}")
    shown = {s[0]: s for s in out["zoomed"] if s[1]}
    equal(set(shown), {"all", "_start", "main", "temporary", "take"} | {n for n in shown if "libc_start" in n}, "zoomed: its callers and whom it calls")
    check(all(abs(s[3] - 100) < 1e-3 and abs(s[2]) < 1e-3 for s in shown.values()), f"in full width: {shown}")
    equal((shown["main"][4], shown["take"][4]), (True, False), "callers are paler")
    equal({s[0] for s in out["last"] if s[1]}, set(shown) - {"temporary"} | {"leak"}, "zoomed to the last frame: its callers")
    equal(out["out"], [[*s[:1], True, *s[2:]] for s in out["first"]], "and back")
    state, info = out["found"]
    equal({s[0] for s in state if s[5]}, {"take"}, "search marks what matches")
    equal(info, f"{sum(s[0] == 'take' for s in state)} frames match, {1060 / 1070 * 100:.1f} % of all", "and counts it")
    check(out["nested"].endswith(f" {1060 / 1070 * 100:.1f} % of all"), f"what is found within what is found counts once: {out['nested']}")
    check(out["bad"].startswith("0 frames match"), f"what is no regular expression is looked for as it is: {out['bad']}")
    equal((out["escaped"][0], out["escaped"][1]), (out["out"], ""), "Escape ends it")
    check("leak" in out["info"] and "known" in out["info"] and "50 allocations, 4.7 %" in out["info"], f"the line of what is pointed at: {out['info']}")

with open(os.path.join(SOURCE, "docs/man/malloscope.1")) as file:
    manual = file.read().replace("\\-", "-")
# What all reading commands have is the business of test_readme.py.
shared = set(re.findall(r"--[a-z][a-z-]+", run([MALLOSCOPE, "report", "--help"]).stdout))
for command in ('tree', 'flame'):
    text = run([MALLOSCOPE, command, "--help"]).stdout
    check("Exit codes" in text and all(len(line) <= 80 for line in text.splitlines()), f"{command} --help")
    for option in set(re.findall(r"--[a-z][a-z-]+", text)) - shared:
        check(option in manual, f"{command} {option} is in the manual page")
sys.exit(done())
