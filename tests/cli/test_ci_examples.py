#!/usr/bin/env python3
"""What scripts/ci gives to others does what it says: in small projects of CMake, Meson and pytest, as the steps of a
workflow, as a job of GitLab's, and in git bisect. Each passes, then something is planted, and each fails with its line."""
import json
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import MALLOSCOPE, SOURCE, check, done, equal, must, path, run

import yaml

if os.environ.get("TEST_SANITIZED"):
    sys.exit(done())

CI = os.path.join(SOURCE, "scripts/ci")
# As a user has it: malloscope on the PATH, and nothing of ours in the environment.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOSCOPE", "GITHUB_", "CI"))}
ENVIRONMENT["PATH"] = os.path.dirname(MALLOSCOPE) + ":" + ENVIRONMENT["PATH"]
ENVIRONMENT["GIT_CONFIG_GLOBAL"] = ENVIRONMENT["GIT_CONFIG_SYSTEM"] = "/dev/null"
PROGRAM = """#include <stdio.h>
#include <stdlib.h>
static void *volatile sink;
__attribute__((noinline)) static void parse(void)
{
    for (int i = 0; i < ALLOCATIONS; i++) {
        sink = malloc(10); /* line 7 */
        free(sink);
    }
}
int main(int argc, char **argv)
{
    FILE *file = argc > 1 ? fopen(argv[1], "r") : NULL;
    if (argc > 1 && !file)
        return 3;
    if (file)
        fclose(file);
    parse();
    return 0;
}
"""


def user(command, directory, **more):
    """Runs it as a user would. command: a list, or a text for bash."""
    if isinstance(command, str):
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command]
    env = {**ENVIRONMENT, **more.pop("env", {})}
    return subprocess.run(command, cwd=directory, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", timeout=300, **more)


def plant(project, allocations):
    """The program allocates so often; with a new time stamp, as builds go by those."""
    with open(os.path.join(project, "prog.c"), "w") as file:
        file.write(PROGRAM.replace("ALLOCATIONS", str(allocations)))


def make_project(name):
    project = path(name)
    os.makedirs(os.path.join(project, "tests"))
    shutil.copytree(CI, os.path.join(project, "ci"))
    with open(os.path.join(project, "tests/input.json"), "w") as file:
        file.write("{}\n")
    plant(project, 20)
    return project


def passes(got, what):
    return check(got.returncode == 0, f"{what}: {got.returncode}: {got.stdout[-1500:]}")


def fails(got, what, *wanted, code=None):
    return check((got.returncode == code if code else got.returncode != 0) and all(text in got.stdout for text in wanted),
                 f"{what}: {got.returncode}: {got.stdout[-1500:]}")


def try_runner(what, project, build, test, update):
    """Without a baseline it fails, and says why; it is written; passes; with one more allocation it fails with its line."""
    passes(user(build, project), f"{what}: builds")
    fails(user(test, project), f"{what}: no baseline", "there is no such file; make it with --save-baseline")
    passes(user(update, project), f"{what}: writes baselines")
    check(os.listdir(os.path.join(project, "tests/allocations")), f"{what}: baselines are there")
    passes(user(test, project), f"{what}: passes")
    plant(project, 21)
    passes(user(build, project), f"{what}: builds anew")
    fails(user(test, project), f"{what}: the planted one", "allocations", "parse", "prog.c:7")


# --- Meson ---
meson = make_project("meson")
with open(os.path.join(meson, "meson.build"), "w") as file:
    file.write("project('example', 'c', default_options: ['debug=true', 'optimization=1'])\n"
               "prog = executable('prog', 'prog.c')\ntest('parse', prog, args: files('tests/input.json'))\nsubdir('ci/meson')\n"
               "test('tap', malloscope, args: ['check', '--tap', '--max', 'allocations=100', '--', prog], protocol: 'tap', suite: 'tap')\n")
try_runner("meson", meson, "[ -d build ] || meson setup build; ninja -C build", "meson test -C build --setup allocations --no-suite tap --print-errorlogs",
           "UPDATE_BASELINES=1 meson test -C build --setup allocations --no-suite tap --print-errorlogs")
passes(user("meson test -C build --setup leaks --no-suite tap --print-errorlogs", meson), "meson: nothing leaks")
got = user("meson test -C build --suite tap -v", meson)
check(passes(got, "meson reads TAP") and "allocations" in got.stdout and "SKIP" in got.stdout, f"meson reads TAP: {got.stdout}")
with open(os.path.join(meson, "prog.c"), "w") as file:
    file.write(PROGRAM.replace("ALLOCATIONS", "20").replace("free(sink);", ""))
fails(user("ninja -C build && meson test -C build --setup leaks --no-suite tap --print-errorlogs", meson), "meson: a leak", "leaked_blocks", "prog.c:7")

# Two programs of one name in two directories, and a file as an argument: each has a baseline, and it is the same in another checkout.
units = make_project("units")
for directory, count in ("a", 11), ("b", 22):
    os.mkdir(os.path.join(units, directory))
    with open(os.path.join(units, directory, "meson.build"), "w") as file:
        file.write("unit = executable('unit', 't.c')\ntest('unit', unit)\ntest('file', unit, args: files('../tests/input.json'))\n")
    with open(os.path.join(units, directory, "t.c"), "w") as file:
        file.write(PROGRAM.replace("ALLOCATIONS", str(count)))
with open(os.path.join(units, "meson.build"), "w") as file:
    file.write("project('units', 'c', default_options: ['debug=true'])\nsubdir('ci/meson')\nsubdir('a')\nsubdir('b')\n")
passes(user("meson setup build && ninja -C build && UPDATE_BASELINES=1 meson test -C build --setup allocations", units), "units: writes baselines")
written = sorted(os.path.relpath(os.path.join(where, name), os.path.join(units, "tests/allocations"))
                 for where, _, names in os.walk(os.path.join(units, "tests/allocations")) for name in names)
equal([re.sub(r"-[0-9]+\.json", "-N.json", name) for name in written],
      ["a/unit+@@tests_input.json-N.json", "a/unit.json", "b/unit+@@tests_input.json-N.json", "b/unit.json"], "one for each program and its arguments")
equal(len({re.search("-[0-9]+", name)[0] for name in written if "+" in name}), 1, "the same arguments")
shutil.copytree(units, path("another/checkout"), ignore=shutil.ignore_patterns("build"))
passes(user("meson setup elsewhere && ninja -C elsewhere && meson test -C elsewhere --setup allocations --print-errorlogs", path("another/checkout")),
       "units: another checkout")

# --- CMake ---
cmake = make_project("cmake")
with open(os.path.join(cmake, "CMakeLists.txt"), "w") as file:
    file.write("cmake_minimum_required(VERSION 3.18)\nproject(example C)\nenable_testing()\nadd_executable(prog prog.c)\n"
               "include(ci/ctest/MalloscopeCheck.cmake)\nmalloscope_check(prog ARGS ${CMAKE_SOURCE_DIR}/tests/input.json OPTIONS --max leaked=1M)\n")
workflow = yaml.safe_load(open(os.path.join(CI, "github.yml")))
steps = workflow["jobs"]["allocations"]["steps"]
build = next(step["run"] for step in steps if "cmake" in step.get("run", ""))
try_runner("ctest", cmake, build, "ctest --test-dir build -L allocations --output-on-failure",
           "UPDATE_BASELINES=1 ctest --test-dir build -L allocations --output-on-failure")
check([re.sub("-[0-9]+", "", name) for name in os.listdir(os.path.join(cmake, "tests/allocations"))] == ["prog+@@tests_input.json.json"],
      f"its name: {os.listdir(os.path.join(cmake, 'tests/allocations'))}")
check("allocations.prog-tests/input.json" in user("ctest --test-dir build -N", cmake).stdout, "ctest: its test's name")

# A name with a space, in a project that asks for an old CMake.
with open(os.path.join(cmake, "CMakeLists.txt")) as file:
    lists = file.read()
with open(os.path.join(cmake, "CMakeLists.txt"), "w") as file:
    file.write(lists.replace("3.18", "3.13") + "".join(f"malloscope_check(prog ARGS \"${{CMAKE_SOURCE_DIR}}/tests/{name}\")\n"
                                                           for name in ("a b", "a_b")))
for name in "a b", "a_b":
    open(os.path.join(cmake, "tests", name), "w").close()
passes(user(build.rstrip() + " && UPDATE_BASELINES=1 ctest --test-dir build -L allocations --output-on-failure && ctest --test-dir build -L allocations", cmake),
       "ctest: an argument with a space")
named = re.findall("allocations.prog-tests/a_b(.*)", user("ctest --test-dir build -N", cmake).stdout)
check(len(set(named)) == 2 and "" in named, f"its test's name, and another one's: {named}")
with open(os.path.join(cmake, "CMakeLists.txt"), "w") as file:
    file.write(lists)

# --- the action, in the workflow's steps ---
action = yaml.safe_load(open(os.path.join(CI, "action.yml")))
used = next(step for step in steps if "malloscope/scripts/ci" in step.get("uses", ""))
check(set(used["with"]) <= set(action["inputs"]), f"the workflow's inputs: {used['with']}")


def act(project, **inputs):
    """Runs the action's steps as GitHub's runner would: (exit code, output, summary, the step's outputs)."""
    values = {name: given.get("default", "") for name, given in action["inputs"].items()}
    values.update(inputs)
    files = {name: path("act_" + name) for name in ("GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STEP_SUMMARY")}
    for file in files.values():
        open(file, "w").close()

    def expand(text):
        for name, value in values.items():
            text = text.replace("${{ inputs.%s }}" % name, value)
        check("${{" not in text, f"an expression is left in {text}")
        return text

    text, code = "", 0
    for step in action["runs"]["steps"]:
        equal(step["shell"], "bash", "the step's shell")
        env = {**files, "GITHUB_WORKSPACE": project, "GITHUB_ACTION_PATH": CI, "RUNNER_TEMP": path("."),
               **{name: expand(value) for name, value in step.get("env", {}).items()}}
        check("${{" not in step["run"], "inputs are not part of a script")
        got = user(step["run"], os.path.join(project, expand(step.get("working-directory", "."))), env=env)
        text, code = text + got.stdout, got.returncode
        if code:
            break
    read = {name: open(file).read() for name, file in files.items()}
    return code, text, read["GITHUB_STEP_SUMMARY"], dict(line.split("=", 1) for line in read["GITHUB_OUTPUT"].splitlines())


plant(cmake, 20)
passes(user(build, cmake), "builds")
passes(user(["malloscope", "check", "--baseline", "tests/allocations.json", "--save-baseline", "--", "build/prog", "tests/input.json"], cmake), "a baseline")
code, text, summary, outputs = act(cmake, **used["with"])
# The program's stdio buffer is libc's own; nothing is left here, as it closes its file.
equal((code, outputs.get("exit-code")), (0, "0"), f"the action passes: {text}")
check("malloscope check: passed" in summary and "malloscope check: passed" in text, f"its summary: {summary}")
plant(cmake, 22)
passes(user(build, cmake), "builds")
code, text, summary, outputs = act(cmake, **used["with"])
equal((code, outputs.get("exit-code"), outputs.get("reports")), (2, "2", os.path.join(cmake, "malloscope-check")), f"the action fails: {text}")
check("::error file=prog.c,line=7,title=allocations +2%2C" in text, f"its annotation: {text}")
check("`prog.c:7`" in summary, f"its summary: {summary}")
equal(sorted(os.listdir(outputs["reports"])), ["benchmark.json", "check.json", "check.md", "check.xml"], "its reports")
equal(json.load(open(os.path.join(outputs["reports"], "check.json")))["exit_code"], 2, "its JSON")
code, text, summary, outputs = act(cmake, program="build/prog 'tests/$(touch owned).json'", options="--max 'allocations=100000' --runs 1", reports="r")
equal((code, os.path.exists(os.path.join(cmake, "owned"))), (3, False), f"nothing is expanded, a failing program is not measured: {text}")
code, text, summary, outputs = act(cmake, program="build/prog", options="--max nonsense", reports="r")
equal((code, outputs.get("exit-code")), (64, "64"), f"wrong options: {text}")
equal({os.path.getsize(os.path.join(cmake, "r", name)) for name in os.listdir(os.path.join(cmake, "r"))}, {0}, "no report of an earlier step stays")
check("###" not in text, f"nor is one shown: {text}")
code, text, summary, outputs = act(cmake, program="build/prog", options="--help", reports="r")
equal((code, outputs.get("exit-code"), os.path.getsize(os.path.join(cmake, "r/check.json"))), (64, "64", 0), f"what measures nothing passes nothing: {text}")
act(cmake, program="build/prog", options="--max allocations=1000", reports="r")
for inputs in {"program": "build/prog tests/input.json", "options": "--max allocations=1 'unclosed"}, {"program": 'build/prog "tests/input.json'}:
    code, text, summary, outputs = act(cmake, **inputs, reports="r")
    equal((code, outputs.get("exit-code")), (64, "64"), f"a quote that is not closed: {text}")
    check("has a quote without its second one" in text and sorted(os.listdir(os.path.join(cmake, "r"))) == ["benchmark.json", "check.json", "check.md", "check.xml"],
          f"it says so: {text}")
    equal({os.path.getsize(os.path.join(cmake, "r", name)) for name in os.listdir(os.path.join(cmake, "r"))}, {0}, "and no report of an earlier step stays")
    act(cmake, program="build/prog", options="--max allocations=1000", reports="r")

# The step that is commented out is one when it is not.
with open(os.path.join(CI, "github.yml")) as file:
    text = "".join(line.replace("      # ", "      ", 1) if line.startswith("      # ") and "A chart" not in line and "it needs" not in line else line for line in file)
chart = yaml.safe_load(text)["jobs"]["allocations"]["steps"][-1]
equal((chart["with"]["tool"], chart["with"]["output-file-path"]), ("customSmallerIsBetter", "malloscope-check/benchmark.json"), "the chart's step")

# --- GitLab's job ---
job = yaml.safe_load(open(os.path.join(CI, "gitlab.yml")))["allocations"]
check("/opt/malloscope/scripts/packages build" in job["before_script"], "the job builds malloscope")
script = "\n".join(job["script"])
fails(user(script, cmake, env={"CI_PROJECT_DIR": cmake}), "GitLab's script", "prog.c:7", code=2)
check(all(os.path.exists(os.path.join(cmake, file)) for file in job["artifacts"]["paths"]), "its artifacts")
check(job["artifacts"]["reports"]["junit"] in job["artifacts"]["paths"] and job["artifacts"]["when"] == "always", "its JUnit")
plant(cmake, 20)
passes(user(build, cmake), "builds")
passes(user(script, cmake), "GitLab's script")

# --- pytest ---
suite = make_project("pytest")
shutil.copy(os.path.join(CI, "pytest/conftest.py"), os.path.join(suite, "tests"))
with open(os.path.join(suite, "tests/test_parse.py"), "w") as file:
    file.write("def test_parse(check_allocations):\n    check_allocations(['./prog', 'tests/input.json'], '--max', 'leaked=1M')\n")
pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
describe = {}
exec(open(os.path.join(CI, "pytest/conftest.py")).read(), describe)
for state, before, wanted in ("regression", 3, "  3 -> 237"), ("unstable", 3, "  from run to run: 3 to 237"), ("regression", None, "  237"):
    metric = {"name": "allocations", "state": state, "value": 237, "unit": "calls", "limit": {"value": 5}, "culprits": [{"before": before, "now": 237, "frames": []}]}
    equal(describe["describe"]({"problems": [], "metrics": [metric]}).splitlines()[1:], [wanted], f"pytest: {state} from {before}")
try_runner("pytest", suite, ["cc", "-g", "-O1", "prog.c", "-o", "prog"], pytest, pytest + ["--update-baselines"])


def go(count):
    return f"check_allocations(['./prog{count}'])\n"


with open(os.path.join(suite, "prog.c"), "w") as file:
    file.write(PROGRAM)
for count in range(1, 7):
    must("cc", "-g", "-O1", "-DALLOCATIONS=" + str(10 * count), "prog.c", "-o", f"prog{count}", cwd=suite)
shutil.rmtree(os.path.join(suite, "tests/allocations"))
with open(os.path.join(suite, "tests/test_one.py"), "w") as file:
    file.write("import pytest\nclass TestA:\n    def test_go(self, check_allocations): " + go(1) + "class TestB:\n    def test_go(self, check_allocations): " + go(2) +
               "def test_go(check_allocations):\n    " + go(3) + "    " + go(4) +
               "@pytest.mark.parametrize('which', ['a b', 'a_b'])\ndef test_kind(check_allocations, which):\n    check_allocations(['./prog' + str(1 + (which == 'a b'))])\n")
with open(os.path.join(suite, "tests/test_two.py"), "w") as file:
    file.write("def test_go(check_allocations):\n    " + go(5))
passes(user(pytest + ["--update-baselines"], suite), "pytest: several tests of one name")
equal(len(os.listdir(os.path.join(suite, "tests/allocations"))), 8, f"each has a baseline: {os.listdir(os.path.join(suite, 'tests/allocations'))}")
passes(user(pytest, suite), "pytest: and passes with it")
with open(os.path.join(suite, "tests/test_two.py"), "w") as file:
    file.write("import pytest\ndef test_go(check_allocations):\n    " + go(6) + "class TestC:\n    def test_go(self, check_allocations): " + go(5) +
               "@pytest.fixture\ndef other(request):\n    request.node.name = 'test_go'\ndef test_else(other, check_allocations):\n    " + go(6))
fails(user(pytest + ["--update-baselines"], suite), "pytest: two tests with one baseline", "is tests/test_two.py::test_go's baseline, too")

# --- git bisect ---
repository = make_project("repository")
git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
user(git + ["init", "-q", "."], repository)
# Six commits: the third does not compile, the fourth allocates more, the fifth cannot be measured.
for number, content in enumerate([20, 20, "this is no program", 30, "fails", 30]):
    plant(repository, 30 if content == "fails" else content)
    if content == "fails":
        with open(os.path.join(repository, "prog.c"), "a") as file:
            file.write("__attribute__((destructor)) static void fail(void) { _Exit(1); }\n")
    with open(os.path.join(repository, "notes"), "w") as file:
        file.write(f"{number}\n")
    must(*git, "add", "-A", cwd=repository, env=ENVIRONMENT)
    must(*git, "commit", "-q", "-m", f"commit {number}", cwd=repository, env=ENVIRONMENT)
bisect = path("bisect")
shutil.copy(os.path.join(CI, "bisect"), bisect)
good = path("good.json")
passes(user(f"git checkout -q HEAD~5; cc -g -O1 prog.c -o prog; malloscope check --baseline {good} --save-baseline -- ./prog; git checkout -q -", repository),
       "the good commit's baseline")
must(*git, "bisect", "start", "HEAD", "HEAD~5", cwd=repository, env=ENVIRONMENT)
got = user(git + ["bisect", "run", bisect, "cc -g -O1 prog.c -o prog", "--baseline", good, "--", "./prog"], repository)
log = user(git + ["bisect", "log"], repository).stdout
# What comes between the last good and the first bad one may be it, too: git says that it cannot tell.
first = [line for line in log.splitlines() if "first bad commit" in line or "possible first bad commit" in line]
check(any("commit 3" in line for line in first) and not any("commit 5" in line or "commit 1" in line for line in first), f"bisect: {got.stdout}\n{log}")
check("# skip:" in log and "# bad:" in log and "# good:" in log, f"bisect skips: {log}")
# The same, as the page says it without the script.
page = open(os.path.join(SOURCE, "docs/ci.md")).read()
inline = page[page.index("git bisect run sh -c"):]
inline = inline[:inline.index("esac'") + 5].replace("ninja -C build", "cc -g -O1 prog.c -o prog").replace("=1200", "=25").replace("build/prog input", "./prog")
user("git bisect reset; git checkout -q .", repository)
planted = user("git rev-parse HEAD~2", repository).stdout.strip()
got = user("git bisect start HEAD HEAD~5; " + inline + " || git bisect log", repository)
check("# skip:" in got.stdout and f"possible first bad commit: [{planted}]" in got.stdout, f"inline: {got.stdout}")
for options, build, code in ((["--max", "allocations=25"], "true", 1), (["--max", "allocations=100"], "true", 0), (["--max", "leaked=0"], "false", 125),
                             (["--max", "nonsense"], "true", 255), (["--max", "allocations=25"], "sleep 0; rm prog", 125)):
    plant(repository, 30)
    must("cc", "-g", "prog.c", "-o", "prog", cwd=repository)
    got = user([bisect, build, *options, "--", "./prog"], repository)
    equal(got.returncode, code, f"bisect {options} {build}: {got.stdout}")

# --- names of baselines: of each command another one ---
def name_of(*words, roots=("/s/build", "/s")):
    got = user([os.path.join(CI, "check-each"), *(word for root in roots for word in ("--root", root)), "D", "--", *words], path("."), env={"MALLOSCOPE": "echo"})
    return re.fullmatch(r"check --baseline D/(.*)\.json -- (?s:.*)\n", got.stdout)[1]


names = [name_of(*words) for words in (["p", "/s"], ["p", "."], ["p", "/s/build"], ["p", "@"], ["p", "/s/a"], ["p", "/s/build/a"], ["p", "@a"], ["p", "a@b"], ["p"], ["a/p"], ["b/p"], ["p", ""], ["p", "a"], ["p-a"], ["p", "a", "b"], ["p", "a-b"], ["p", "a_b"], ["p", "a b"], ["p", "a/b"],
                                       ["p", "a\nb"], ["p q"], ["p_q"], ["../p"], [".._p"], ["p", "x" * 400], ["p", "x" * 401])]
equal(len(set(names)), len(names), f"names: {names}")
check(all(re.fullmatch("[A-Za-z0-9._@/+-]{1,180}", name) and ".." not in name.split("/") for name in names), f"files in the directory: {names}")
equal([name_of("/s/build/a/p", word) for word in ("/s/x.y", "/s/build/x.y", "x.y", "/s", "/s/build/.")],
      ["a/p+@@x.y", "a/p+@x.y", "a/p+x.y", "a/p+@@", "a/p+@."], "the roots' names say which it was")
equal(name_of("/t/o/a/p", "--in=/t/x", roots=("/t/o", "/t")), name_of("/s/build/a/p", "--in=/s/x"), "the same in each checkout")
equal(name_of("/usr/bin/python3", "x.py"), "python3+x.py", "a program from elsewhere")

# --- the scripts themselves ---
for script in ("check-each", "bisect"):
    got = run(["shellcheck", "-s", "sh", os.path.join(CI, script)])
    equal((got.returncode, got.stdout), (0, ""), f"shellcheck {script}")
    equal(user([os.path.join(CI, script)], path(".")).returncode, 255 if script == "bisect" else 64, f"{script} without arguments")
for step in action["runs"]["steps"]:
    script = path("step")
    with open(script, "w") as file:
        file.write("".join(f"export {name}=1\n" for name in step.get("env", {})) + step["run"])
    got = run(["shellcheck", "-s", "bash", script])
    equal((got.returncode, got.stdout), (0, ""), "shellcheck of the action")

sys.exit(done())
