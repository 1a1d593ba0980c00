"""What the figures were measured on: CPU, kernel, compiler of the benchmark programs,
libraries."""
import json
import os
import platform
import re
import shutil
import subprocess

import ways


def _first_line(*command):
    try:
        got = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except FileNotFoundError:
        return "unknown"
    return got.stdout.splitlines()[0] if got.stdout else "unknown"


def describe():
    """One line."""
    with open("/proc/cpuinfo") as file:
        model = re.search(r"^model name\s*: (.*)", file.read(), re.M)
    with open(os.path.join(ways.BUILD, "compile_commands.json")) as file:
        compiler = next(entry["command"].split()[0] for entry in json.load(file)
                        if entry["file"].endswith("tests/bench/pairs.c"))
    parts = [model.group(1) if model else platform.machine(), f"{os.cpu_count()} cores", "Linux " + platform.release(),
             _first_line(os.path.realpath(shutil.which(compiler) or compiler), "--version"),
             "glibc " + platform.libc_ver()[1], "libunwind " + _first_line("pkg-config", "--modversion", "libunwind")]
    if ways.TRACED[-1].name == "heaptrack":
        parts.append(_first_line("heaptrack", "--version"))
    return ", ".join(parts)
