#!/usr/bin/env python3
"""What `check` writes for others, read by others: junitparser, prove, a JSON schema, cmark-gfm, and what GitHub's
runner does with a workflow command. First of verdicts made by hand (tests/unit/print_verdict), then of real runs."""
import html.parser
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import MALLOSCOPE, SOURCE, WORK, check, done, equal, must, path, program, run, schema_validator

import junitparser

PRINT_VERDICT = os.path.join(os.path.dirname(os.path.dirname(MALLOSCOPE)), "tests/unit/print_verdict")
SCHEMA = schema_validator("check")
SUITE = {"GITHUB_WORKSPACE": WORK, "GITHUB_STEP_SUMMARY": "", "CI_PROJECT_DIR": ""}
CODES = {"regression": 2, "within": 0, "improvement": 0, "improvement-fails": 4, "unstable": 3, "unstable-allowed": 0, "nothing": 3, "hostile": 3}
# In all states, what a runner has to see: cases that failed, that are errors, that were skipped.
COUNTS = {"regression": (2, 0, 0), "within": (0, 0, 1), "improvement": (0, 0, 0), "improvement-fails": (1, 0, 0), "unstable": (0, 1, 1),
          "unstable-allowed": (0, 0, 1), "nothing": (0, 1, 1), "hostile": (152, 1, 0)}

os.makedirs(path("src"))
os.makedirs(path("many"))
for name in ("parser.c", "load.c", "race.c"):
    open(path("src/" + name), "w").close()


def made(name, *options, env=None):
    """What print_verdict writes to stdout, as bytes."""
    got = subprocess.run([PRINT_VERDICT, name, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=WORK,
                         env={**os.environ, **SUITE, **(env or {})}, timeout=60)
    equal((got.returncode, got.stderr.decode(errors="replace")), (CODES[name], ""), f"print_verdict {name} {options}")
    return got.stdout


def commands(text):
    """Workflow commands, as GitHub's runner reads a step's output: a line at a time, ended by :: and split at commas."""
    found = []
    for line in text.splitlines():
        line = line.strip()
        if not line.startswith("::") or "::" not in line[2:]:
            continue
        info, data = line[2:].split("::", 1)
        name, _, properties = info.partition(" ")
        pairs = dict(pair.split("=", 1) for pair in properties.split(",") if "=" in pair)
        unescape = lambda value: value.replace("%0D", "\r").replace("%0A", "\n").replace("%3A", ":").replace("%2C", ",").replace("%25", "%")
        found.append((name, {key: unescape(value) for key, value in pairs.items()}, data.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")))
    return found


class Page(html.parser.HTMLParser):
    """A rendered page: its elements, its links, and the text of its tables' cells and code."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.links, self.code, self.rows, self.open, self.text = [], [], [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append(tag)
        self.open.append(tag)
        self.links += [value for key, value in attributes if key in ("href", "src")]
        if tag == "code":
            self.code.append("")
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        self.text += data
        if "code" in self.open:
            self.code[-1] += data
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data


def page(markdown):
    got = subprocess.run(["cmark-gfm", "--unsafe", "-e", "table", "-e", "autolink", "-e", "strikethrough", "-e", "tagfilter"], input=markdown,
                         stdout=subprocess.PIPE, timeout=60)
    equal(got.returncode, 0, "cmark-gfm")
    return Page(got.stdout.decode())


def schema_errors(data):
    return [f"{list(error.path)}: {error.message[:200]}" for error in SCHEMA.iter_errors(data)]


def read_tap(file):
    """What prove says of a file of TAP: (all passed, its output)."""
    got = run(["prove", "--exec", "cat", file])
    return got.returncode == 0, got.stdout + got.stderr


# --- made by hand ---
for name, (failures, errors, skipped) in COUNTS.items():
    text = made(name, "--json")
    data = json.loads(text)
    equal(schema_errors(data), [], f"{name} by its schema")
    equal(data["exit_code"], CODES[name], f"{name}: its exit code")

    file = path(name + ".xml")
    made(name, "--junit", file)
    suites = junitparser.JUnitXml.fromfile(file)
    suite = list(suites)[0]
    cases = list(suite)
    equal((suites.failures, suites.errors, suites.skipped, suites.tests), (failures, errors, skipped, len(cases)), f"{name}: JUnit's sums")
    found = [sum(any(isinstance(result, kind) for result in case.result) for case in cases)
             for kind in (junitparser.Failure, junitparser.Error, junitparser.Skipped)]
    equal(tuple(found), (failures, errors, skipped), f"{name}: JUnit's cases")
    equal(len({case.name for case in cases}), len(data["metrics"]) + 1, f"{name}: JUnit's names")

    with open(path(name + ".tap"), "wb") as to:
        to.write(made(name, "--tap"))
    passed, said = read_tap(path(name + ".tap"))
    equal(passed, failures + errors == 0, f"{name}: prove: {said}")
    if not passed:
        check(f"Failed {failures + errors}/{len(data['metrics']) + 1} subtests" in said and "Parse errors" not in said, f"{name}: prove counts: {said}")

    entries = json.loads(made(name, "--benchmark-json", "-"))
    for entry in entries:
        check(set(entry) <= {"name", "unit", "value", "range", "extra"} and type(entry["value"]) is int and entry["name"] and entry["unit"], f"{name}: {entry}")
        check(all(isinstance(entry.get(key, ""), str) for key in ("name", "unit", "range", "extra")), f"{name}: {entry}")
    measured = [metric["name"] for metric in data["metrics"] if metric["value"] is not None]
    equal(len(entries), 0 if name in ("nothing", "hostile") else len(measured), f"{name}: what the chart gets")

equal(json.loads(made("unstable", "--benchmark-json", "-")), [{"name": "allocations", "unit": "calls", "value": 100, "range": "+ 31",
      "extra": "100 to 131 calls in 3 runs, baseline 100 (as before), tolerance 1\nlinux/x86_64/glibc"}], "benchmark-json")
case = list(list(junitparser.JUnitXml.fromfile(path("regression.xml")))[0])[1]
equal((case.name, case.classname, case._elem.get("file"), case._elem.get("line")), ("allocations", "./prog input", "src/parser.c", "42"), "JUnit's place")
check("in json_parse" not in case.result[0].message and "from json_parse  src/parser.c:42" in case.result[0].text, "JUnit's stack")
check("110 calls, baseline 100 (+10, +10.0 %)" in case.result[0].message, f"JUnit's message: {case.result[0].message}")

cases = list(list(junitparser.JUnitXml.fromfile(path("hostile.xml")))[0])
check(cases[1].name.startswith("sites.a\"'<b>&amp;\\x0a::error") and "from v::w<nnnn" in cases[1].result[0].text and "\\x1b[2J" in cases[1].name, f"JUnit's names: {cases[1].name}")

# --- workflow commands, and what a hostile name makes of them ---
got = commands(made("regression", "--github").decode())
equal([(name, p.get("file"), p.get("line"), p["title"]) for name, p, data in got], [("error", "src/parser.c", "42", "allocations +10, bytes +448")], "annotations")
text = made("hostile", "--github").decode()  # is UTF-8
got = commands(text)
equal(len(got), len(text.splitlines()), "a line is a command")
equal([name for name, _, _ in got], ["error"] * 10 + ["notice"], "no other command, and no more than GitHub shows; the note")
check(all(set(p) <= {"file", "line", "title"} for _, p, _ in got), "no other property")
check(not any(p.get("file") == "x" for _, p, _ in got), "no place that a name claims")
check("more places" in got[9][2], f"the last one counts the others: {got[9]}")
check(all(ord(c) >= 32 or c == "\n" for _, p, data in got for c in data + "".join(p.values())), "no control characters")
check(got[1][1]["file"].startswith("src/a\"'<b>&amp;\\x0a::error file=x,line=1::owned\\x0d%0A%25,x:y|``") and got[1][1]["line"] == "5",
      f"the name is all there: {got[1][1]}")

# --- Markdown, and the step's summary ---
shown = page(made("regression", "--markdown", "-"))
equal(shown.rows[:3], [["metric", "baseline", "now", "change", "limit", "verdict"], ["allocations", "100", "110", "+10 (+10.0 %)", "101", "regression"],
                       ["bytes", "13,312", "13,760", "+448 (+3.4 %)", "13,313", "regression"]], "the table")
check("src/parser.c:42" in shown.code and shown.elements.count("li") == 7, f"the list: {shown.elements}")
summary = path("summary.md")
for _ in range(2):
    made("hostile", "--github", "--markdown", path("hostile.md"), env={"GITHUB_STEP_SUMMARY": summary})
with open(summary, "rb") as file, open(path("hostile.md"), "rb") as one:
    text, once = file.read(), one.read()
equal(text, once + once, "the summary is appended to")
check(len(once) < 1 << 20, f"GitHub takes it: {len(once)} bytes")
shown = page(once)
equal(shown.links, [], "no links")
equal(sorted(set(shown.elements)), sorted({"h3", "h4", "p", "blockquote", "table", "thead", "tbody", "tr", "th", "td", "code", "strong", "ol", "ul", "li", "sub"}),
      "no elements but ours")
check(all(len(row) == 6 for row in shown.rows), "no cells but ours")
equal(len(shown.rows), 101, "rows")
check("sites.operator|.allocations # TODO \\#" in [row[0] for row in shown.rows], "operator| is one name")
check("operator||" in shown.code and any(text.startswith("src/a\"'<b>&amp;\\x0a::error") for text in shown.code), "names as they are")
left_out = re.search("What accounts for ([0-9]+) more metrics is left out", shown.text)
check("and 52 more metrics." in shown.text and left_out and int(left_out[1]) == 152 - shown.elements.count("h4") > 132, f"what is left out: {left_out}")

# --- of real runs ---
if os.environ.get("TEST_SANITIZED"):
    sys.exit(done())
CHECKED = os.path.join(SOURCE, "tests/programs/checked.c")
PLANTED = next(number for number, line in enumerate(open(CHECKED), 1) if "/* planted */" in line)
os.chdir(SOURCE)
baseline = path("baseline.json")
ENVIRONMENT = {"GITHUB_WORKSPACE": SOURCE, "GITHUB_STEP_SUMMARY": path("step.md"), "CI_PROJECT_DIR": ""}


def checked(version, *options, mode=("steady",), code=0, env=None):
    got = run([MALLOSCOPE, "check", "--baseline", baseline, *options, "--", program("checked" + version), *mode], env={**ENVIRONMENT, **(env or {})})
    equal(got.returncode, code, f"check {version} {options}: {got.stdout[-600:]}{got.stderr[-600:]}")
    return got


data = json.loads(checked("1", "--json", "--save-baseline").stdout)
equal((schema_errors(data), data["verdict"], data["baseline_saved"]), ([], "saved", True), "a baseline that was saved")
check("baseline.json" in checked("2", "--json", "--save-baseline", code=64).stderr, "not twice")

data = json.loads(checked("1", "--json").stdout)
equal((schema_errors(data), data["verdict"], data["exit_code"], data["problems"]), ([], "within", 0, []), "the same again")
equal([(m["name"], m["value"], m["change"]) for m in data["metrics"] if m["kind"] == "allocations"], [("allocations", 113, 0)], "its allocations")

got = checked("2", "--json", "--github", "--junit", path("real.xml"), "--markdown", path("real.md"), "--benchmark-json", path("real.bench"), code=2)
data = json.loads(got.stdout)
equal((schema_errors(data), data["verdict"], data["exit_code"]), ([], "regression", 2), "more")
metric = data["metrics"][0]
equal((metric["name"], metric["state"], metric["baseline"]["value"], metric["value"], metric["change"], metric["limit"]),
      ("allocations", "regression", 113, 123, 10, {"value": 113, "from": "baseline"}), "its figures")
culprit = metric["culprits"][0]
equal((culprit["frames"][0]["function"], culprit["frames"][0]["line"], os.path.basename(culprit["frames"][0]["file"]), culprit["before"], culprit["now"]),
      ("parse", PLANTED, "checked.c", 0, 10), "its culprit")
found = commands(got.stderr)
check(("error", "tests/programs/checked.c", str(PLANTED)) in [(name, p.get("file"), p.get("line")) for name, p, _ in found], f"its annotation: {found}")
check("allocations +10" in found[0][1]["title"] and "0 → 10 calls (+10)" in found[0][2], f"its title: {found[0]}")
suite = list(junitparser.JUnitXml.fromfile(path("real.xml")))[0]
case = next(case for case in suite if case.name == "allocations")
equal((case._elem.get("file"), case._elem.get("line"), case.result[0].type), ("tests/programs/checked.c", str(PLANTED), "regression"), "its JUnit")
equal({entry["name"]: entry["value"] for entry in json.load(open(path("real.bench")))}, {m["name"]: m["value"] for m in data["metrics"]}, "its chart")
equal(open(path("step.md")).read(), open(path("real.md")).read(), "its summary")
check(f"tests/programs/checked.c:{PLANTED}" in page(open(path("real.md"), "rb").read()).code, "its page")

got = checked("2", "--github", code=2)
check(got.stdout.startswith("check: ") and commands(got.stdout) == found and not commands(got.stderr), "annotations behind the table")

with open(path("real.tap"), "w") as to:
    to.write(checked("1", "--tap").stdout)
check(read_tap(path("real.tap"))[0], "prove of what passes")
got = run(["prove", "-v", "--exec", f"{MALLOSCOPE} check --tap --baseline {baseline} --", program("checked2")], env=ENVIRONMENT)
check(got.returncode != 0 and "not ok 2 - allocations" in got.stdout and f"checked.c:{PLANTED}" in got.stdout and "Dubious, test returned 2" in got.stdout + got.stderr,
      f"prove runs it: {got.stdout[-1500:]}")

# What is not the same in each run is told once, at its line and with what to do; without a line once for each metric.
for stripped in False, True:
    with open(path("run"), "wb") as file:
        file.write(b"\0")
    unsteady = program("checked1")
    if stripped:
        unsteady = path("stripped")
        must("strip", "-g", "-o", unsteady, program("checked1"))
    got = run([MALLOSCOPE, "check", "--github", "--baseline", baseline, "--metrics", "allocations,bytes,leaked", "--", unsteady, "unsteady", path("run"), "1"],
              env=ENVIRONMENT)
    found = [one for one in commands(got.stdout + got.stderr) if one[0] == "error"]
    equal((got.returncode, len(found), {p.get("file") for _, p, _ in found}), (3, 3, {None}) if stripped else (3, 1, {"tests/programs/checked.c"}),
          f"unstable metrics: {got.stdout}")
    told = "\n".join(data for _, _, data in found)
    check(all(told.count(f"{name} is not the same in each run") == 1 for name in ("allocations", "bytes", "leaked")) and "--tolerance" in told, f"told once: {told}")

# What the program itself prints is no command.
for code in "echo ::error::mine >&2; printf '  ::warning::mine' >&2; exit 1", "echo ::error::mine >&2; exit 1":
    got = run([MALLOSCOPE, "check", "--github", "--max", "allocations=100000", "-r", "1", "--", "sh", "-c", code], env=ENVIRONMENT)
    stop = re.search(r"^::stop-commands::([0-9a-f]{32})\n((?:.*\n)*?)::\1::\n", got.stderr, re.M)
    check(stop and "::error::mine" in stop[2] and "mine" not in got.stderr.replace(stop[0], ""), f"between words that it cannot know: {got.stderr}")
got = run([MALLOSCOPE, "check", "--max", "allocations=100000", "-r", "1", "--", "sh", "-c", code], env=ENVIRONMENT)
check("stop-commands" not in got.stderr, f"nobody reads commands: {got.stderr}")

got = checked("1", "--json", "--junit", path("fails.xml"), "--benchmark-json", path("fails.bench"), mode=("fails",), code=3)
data = json.loads(got.stdout)
equal((schema_errors(data), data["verdict"], [p["kind"] for p in data["problems"]]), ([], "not measurable", ["program failed"]), "a program that fails")
case = list(list(junitparser.JUnitXml.fromfile(path("fails.xml")))[0])[0]
check(case.name == "measured" and isinstance(case.result[0], junitparser.Error) and "status 7" in case.result[0].message, "its JUnit")
equal(json.load(open(path("fails.bench"))), [], "no point in the chart")
got = checked("1", "--tap", mode=("unsteady", path("run"), "5"), code=3)
check("not ok 2 - allocations" in got.stdout and "run to run" in got.stdout and "unsteady" in got.stdout, f"TAP of what differs: {got.stdout}")
data = json.loads(checked("1", "--json", "--max", "sites.parse.allocations=7", "--metrics", "peak", code=2).stdout)
equal([(m["name"], m["scope"], m["scope_name"], m["limit"]["from"], m["state"]) for m in data["metrics"] if m["scope"] == "site"],
      [("sites.parse.allocations", "site", "parse", "--max", "regression")], "a function's limit")
equal(schema_errors(data), [], "by its schema")

data = json.loads(checked("1", "--json", "--platform", "x/y/z", code=3).stdout)
equal((schema_errors(data), data["program"], data["metrics"], [p["kind"] for p in data["problems"]]), ([], program("checked1") + " steady", [], ["no baseline"]),
      "another platform")

for options, wanted in ((("--json", "--tap"), "only one of --json"), (("--junit", baseline), "baseline.json is read, and would be overwritten"),
                        (("--junit", "/nowhere/x.xml"), "cannot write /nowhere/x.xml: No such file"), (("--markdown", "--tap"), "--tap is no file"),
                        (("--junit", path("x"), "--markdown", path("x")), "are both to be")):
    got = checked("1", *options, code=64)
    check(wanted in got.stderr and len(got.stderr.splitlines()) == 1 and not got.stdout, f"{options}: {got.stderr}")
with open(path("old.xml"), "w") as file:
    file.write("of an earlier run")
checked("1", "--junit", path("old.xml"), "--budget", path("none.json"), code=64)
checked("1", "--junit", path("old.xml"), "--save-baseline", code=64)
equal(os.path.getsize(path("old.xml")), 0, "no result of an earlier run stays")
got = checked("1", "--junit", "/dev/full", code=3)
check("--junit: not all was written to /dev/full: No space left on device" in got.stderr, f"a full disk: {got.stderr}")
with open("/dev/full", "w") as full:
    got = subprocess.run([MALLOSCOPE, "check", "--json", "--baseline", baseline, "--", program("checked1")], stdout=full, stderr=subprocess.PIPE, text=True)
equal(got.returncode, 3, f"stdout is full: {got.stderr}")

sys.exit(done())
