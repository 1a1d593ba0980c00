"""For pytest: copy this file beside the tests, or into their conftest.py. A test says

    def test_parse(check_allocations):
        check_allocations(["build/prog", "input.json"], "--max", "leaked=0")

and fails with the call sites that allocate more than the test's baseline, allocations/FILE.CLASS.TEST.json beside the test
file; a second call in one test has TEST-2, and so on.
`pytest --update-baselines` writes the baselines; they are to be committed. MALLOSCOPE names the malloscope to use."""
import hashlib
import json
import os
import re
import subprocess

import pytest


def pytest_addoption(parser):
    parser.addoption("--update-baselines", action="store_true", help="write the baselines of check_allocations")


def describe(verdict):
    """The lines of a failure: each metric that is beyond its limit, and the stacks that account for it."""
    lines = [problem["text"] for problem in verdict["problems"]]
    for metric in verdict["metrics"]:
        if metric["state"] in ("within", "new", "not measured"):
            continue
        limit = metric["limit"] and metric["limit"]["value"]
        lines.append(f"{metric['name']}: {metric['state']}: {metric['value']} {metric['unit']}, may be {limit}")
        for culprit in metric["culprits"]:
            between = "from run to run: " if metric["state"] == "unstable" else ""
            lines.append(f"  {between}{culprit['now']}" if culprit["before"] is None else
                         f"  {between}{culprit['before']} {'to' if between else '->'} {culprit['now']}")
            for frame in culprit["frames"]:
                place = f"{frame['file']}:{frame['line']}" if frame["line"] else frame["module"]
                lines.append(f"    {frame['function']}  {place}")
    return "\n".join(lines)


def name_baseline(node):
    """Of a test: its file, its classes and itself, with their parameters; what is not plain in these has a number behind it."""
    file = os.path.splitext(os.path.basename(str(node.fspath)))[0]
    names = [file, *(above.name for above in node.listchain() if isinstance(above, pytest.Class)), node.name]
    name = ".".join(names)
    plain = re.sub(r"[^A-Za-z0-9._]", "_", name)[:150]
    return plain if plain == name else plain + "-" + hashlib.sha256("\n".join(names).encode()).hexdigest()[:10]


USED = {}  # baseline → the test that it is of


@pytest.fixture
def check_allocations(request):
    """Runs a command (list) under `malloscope check`, with more of its options behind it."""
    calls = 0

    def check(command, *options):
        nonlocal calls
        calls += 1
        directory = os.path.join(os.path.dirname(str(request.node.fspath)), "allocations")
        baseline = os.path.join(directory, name_baseline(request.node) + (f"-{calls}" if calls > 1 else "") + ".json")
        if USED.setdefault(baseline, request.node.nodeid) != request.node.nodeid:
            pytest.fail(f"{baseline} is {USED[baseline]}'s baseline, too: give this test another name", pytrace=False)
        if request.config.getoption("--update-baselines"):
            os.makedirs(directory, exist_ok=True)
            options += ("--update",)
        got = subprocess.run([os.environ.get("MALLOSCOPE", "malloscope"), "check", "--json", "--baseline", baseline, *options, "--", *command],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
        if got.returncode == 64:
            pytest.fail(got.stderr, pytrace=False)
        if got.returncode != 0:
            pytest.fail(describe(json.loads(got.stdout)), pytrace=False)

    return check
