"""A big C file made of this project's own: every source file COPIES times over, one after
the other, what a file defines renamed in each copy. Without this the compiler would be
measured on many short runs, where its start counts most.

Names are found by patterns, not by a parser. A file of which two copies do not compile
together is left out, so that a new file can make the result a little smaller, no more."""
import concurrent.futures
import glob
import os
import re
import subprocess

import ways

FLAGS = ["-I", ways.SOURCE, "-D_GNU_SOURCE",
         *(f'-DMALLOSCOPE_{name}=""' for name in ("VERSION", "LIBDIR", "DATADIR", "SOURCE_DIR"))]
COPIES = 6

INCLUDE = re.compile(r"^#include .*\n", re.M)
COMMENT = re.compile(r"/\*.*?\*/", re.S)
MACRO = re.compile(r"^#define (\w+)", re.M)
DEFINITION = re.compile(r"^[a-z_][\w ]*[ *](\w+)(?:\(|\[| =|;)"  # functions, variables
                        r"|^\} (\w+)(?:\[| =|;)"                # static const struct { ... } name
                        r"|^(?:static |const )*(?:struct|enum|union) (\w+) \{", re.M)
ENUM = re.compile(r"\benum (?:\w+ )?\{([^}]*)\}")


def _names(body):
    names = {name for found in DEFINITION.findall(body) for name in found if name} | set(MACRO.findall(body))
    for constants in ENUM.findall(body):
        names.update(re.findall(r"(?:^|,)\s*(\w+)", constants))
    return names


def _copy(body, suffix):
    """Members, after a dot or an arrow, keep their names: they may be a header's."""
    ours = r"(?<![\w.])(?<!->)(?:%s)\b" % "|".join(sorted(_names(body)))
    return re.sub(ours, lambda match: match[0] + suffix, body)


def _compiles(text):
    return subprocess.run(["gcc", "-fsyntax-only", "-w", *FLAGS, "-x", "c", "-"], input=text, text=True,
                          stderr=subprocess.DEVNULL).returncode == 0


def make(scale):
    """The text; scale: the share of it that is wanted, one file at least."""
    includes, bodies = [], []
    for name in sorted(glob.glob(os.path.join(ways.SOURCE, "analyze/*/*.c")) +
                       glob.glob(os.path.join(ways.SOURCE, "format/*.c"))):
        with open(name) as file:
            text = file.read()
        includes += [line for line in INCLUDE.findall(text) if line not in includes]
        bodies.append(COMMENT.sub("", INCLUDE.sub("", text)))
    head = "".join(sorted(includes, key=lambda line: '"' in line))  # the system's first
    wanted = max(1, round(len(bodies) * COPIES * scale))
    bodies = bodies[:wanted]
    twice = (head + _copy(body, "_0") + _copy(body, "_1") for body in bodies)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        bodies = [body for body, good in zip(bodies, pool.map(_compiles, twice)) if good]
    copies = [_copy(body, f"_{number}_{copy}") for copy in range(COPIES) for number, body in enumerate(bodies)]
    return head + "".join(copies[:wanted])
