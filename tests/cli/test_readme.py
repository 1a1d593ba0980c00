"""What README, manual and --help promise: their commands run, their options exist."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

with open(os.path.join(SOURCE, "README.md")) as file:
    readme = file.read()
with open(os.path.join(SOURCE, "docs/man/malloscope.1")) as file:
    manual = file.read().replace("\\-", "-")

for script in ("scripts/quickstart", "scripts/test", "scripts/measure-small", "tests/bench/run"):
    check(os.access(os.path.join(SOURCE, script), os.X_OK), f"{script} is there")
for directory, _, names in [(SOURCE, (), ("README.md", "NEWS.md")), *os.walk(os.path.join(SOURCE, "docs"))]:
    for name in names:
        with open(os.path.join(directory, name), "rb") as file:
            check(not re.search(rb"^(<{7}|={7}|>{7})( |$)", file.read(), re.M), f"{name} has no conflict markers")
for name in re.findall(r"\]\(([^)#]+)\)", readme):
    check(os.path.exists(os.path.join(SOURCE, name)), f"README links to {name}")
check(readme.index("## Reference") > 0 and readme[:readme.index("## Reference")].count("\n") <= 90,
      "README is under two screens before its reference part")

for command in ("record", "hist", "plot", "report", "dump"):
    text = run([MALLOSCOPE, command, "--help"]).stdout
    options = set(re.findall(r"--[a-z][a-z-]+", text))
    for option in options - {"--help"}:
        check(option in manual, f"{command} {option} is in the manual page")
    check(f"`{command}" in readme or f"`{command} " in readme, f"README names {command}")
    check("Exit" in text, f"{command} --help gives the exit codes")
    check(all(len(line) <= 80 for line in text.splitlines()), f"{command} --help fits a terminal")
if run(["sh", "-c", "command -v man"]).returncode == 0:
    got = run(["man", "--warnings", "-E", "UTF-8", "-l", os.path.join(SOURCE, "docs/man/malloscope.1")])
    equal(got.stderr, "", "the manual page has no mistakes")

if not os.environ.get("TEST_SANITIZED"):
    got = run([os.path.join(SOURCE, "scripts/quickstart")], timeout=300)
    equal(got.returncode, 0, f"scripts/quickstart: {got.stderr}")
    for wanted in ("Small and large, parted at 100 bytes", "the picture: ", "Quantiles"):
        check(wanted in got.stdout, f"scripts/quickstart shows {wanted!r}")
    with open(os.path.join(SOURCE, "sizes.png"), "rb") as file:
        check(file.read(4) == b"\x89PNG", "scripts/quickstart makes sizes.png")
    got = run([os.path.join(SOURCE, "scripts/measure-small")], timeout=300)
    rows = [row.split("|") for row in got.stdout.splitlines()[2:]]
    equal((got.returncode, len(rows)), (0, 3), f"scripts/measure-small: {got.stderr}")
    for row in rows:
        # The README's shares, within two points: programs differ a little from machine to machine.
        published = [line.split("|") for line in readme.splitlines() if row[1].strip() in line]
        if check(len(published) == 1, f"README has {row[1]}"):
            shares = [float(cells[3].strip(" %")) for cells in (row, published[0])]
            check(abs(shares[0] - shares[1]) < 2, f"README's share of {row[1]}: measured {shares[0]}, says {shares[1]}")
sys.exit(done())
