"""What the real programs are run on."""
import os
import subprocess
import sys

import big_file
import ways

LINES = 34_000  # of the file that BENCH_CFILE names: some seconds


def _cut(name, most):
    """Leaves the first lines (None: all), up to the last end of a function. Returns their number."""
    with open(name) as file:
        lines = file.readlines()[:most]
    while lines and lines[-1] != "}\n":
        lines.pop()
    with open(name, "w") as file:
        file.writelines(lines)
    return len(lines)


def cc1(directory, scale):
    """The C compiler proper, on the big C file that BENCH_CFILE names or on one of this
    project's own code. A description, and the command."""
    source, out = os.environ.get("BENCH_CFILE"), os.path.join(directory, "big.i")
    title, most = os.path.basename(source or ""), max(1000, int(LINES * scale))
    if not source:
        source, title, most = os.path.join(directory, "big.c"), "this project's code", None
        with open(source, "w") as file:
            file.write(big_file.make(scale))
    subprocess.run(["gcc", "-E", "-P", *big_file.FLAGS, source, "-o", out], check=True)
    lines = _cut(out, most)
    compiler = subprocess.run(["gcc", "-print-prog-name=cc1"], stdout=subprocess.PIPE, text=True, check=True)
    return (f"cc1 -O1 on {lines:,} lines of {title}",
            [compiler.stdout.strip(), "-quiet", "-w", "-O1", "-fpreprocessed", out, "-o", "/dev/null"])


def python(scale):
    """A description, the command, and its environment."""
    script = os.path.join(ways.SOURCE, "tests/bench/objects.py")
    return ("python3, PYTHONMALLOC=malloc, trees, dicts and JSON", [sys.executable, script, str(scale)],
            {"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0"})
