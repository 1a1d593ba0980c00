"""Names that come from outside and would have their way with a terminal, or forge a line of a report: of the program,
its arguments, a module, its allocator, a function, a source file, a thread, a mark, the log. No command's text has a
control character of theirs, and each has as many lines as with plain names."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

EVIL = "e\033[31mX\nTrust: fake\r\u009b31m\u202ez\x7f"
PLAIN = "e-plain-one"
ESCAPED = r"e\x1b[31mX\x0aTrust: fake\x0d\xc2\x9b31m\xe2\x80\xaez\x7f"
# What is no more than shown where it would be: control characters, C1's among them, and what turns the writing round.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

PROGRAM = r"""
#include <dlfcn.h>
#include <malloscope.h>
#include <pthread.h>
#include <stdlib.h>
static void *work(void *f) { ((void (*)(void))f)(); return NULL; }
int main(int count, char **words)
{
    pthread_t thread;
    void *library = dlopen(words[1], RTLD_NOW);
    void (*evil)(void) = (void (*)(void))dlsym(library, words[2]);
    if (count < 3 || !evil)
        return 9;
    malloscope_mark(words[2]);
    evil();
    pthread_create(&thread, NULL, work, (void *)evil);
    pthread_setname_np(thread, words[3]);
    pthread_join(thread, NULL);
    return 0;
}
"""
LIBRARY = r"""
#include <stdlib.h>
#include <unistd.h>
#line 1 "SOURCE"
void *kept[9];
void evil_name(void)
{
    usleep(20000);
    for (int i = 0; i < 9; i++) kept[i] = malloc(1000 + (unsigned long)i);
    free(malloc(7));
}
"""
# The symbol is all that is known of the function's name: there is no debug information.
CALLER = """
#include <stdlib.h>
void evil_name(void);
void *also;
void evil_symbol(void) { evil_name(); also = malloc(3000); }
"""
ALLOCATOR = """
#include <stddef.h>
void *__libc_malloc(size_t); void __libc_free(void *); void *__libc_calloc(size_t, size_t); void *__libc_realloc(void *, size_t);
void *malloc(size_t n) { return __libc_malloc(n); }
void free(void *p) { __libc_free(p); }
void *calloc(size_t a, size_t b) { return __libc_calloc(a, b); }
void *realloc(void *p, size_t n) { return __libc_realloc(p, n); }
"""


def run_plain(command, **more):
    """As run(), but that a carriage return stays one."""
    got = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                         env={**os.environ, "COLUMNS": "2000", "DEBUGINFOD_URLS": ""}, **more)
    got.stdout, got.stderr = (text.decode(errors="surrogateescape") for text in (got.stdout, got.stderr))
    return got


def must(*command, **more):
    got = run(list(command), cwd=WORK, **more)
    check(got.returncode == 0, f"{command}: {got.stderr[-300:]}")


def make(name):
    """A directory of that kind: the program, its library and allocator, the log; returns the log and what record said."""
    here = path("evil" if name == EVIL else "plain")
    os.mkdir(here)
    own = lambda ending="": os.path.join(here, name + ending)
    for file, text in (("p.c", PROGRAM), ("l.c", LIBRARY.replace("SOURCE", r"e\033[31mX\nTrust: fake\rz.c" if name == EVIL else "plain.c")),
                       ("c.c", CALLER), ("a.c", ALLOCATOR)):
        with open(path(file), "w") as to:
            to.write(text)
    must("gcc", "-O0", "-fno-builtin", "-fPIC", "-shared", "a.c", "-o", own("-malloc.so"))
    must("gcc", "-g", "-I", os.path.join(SOURCE, "interpose"), "p.c", "-Wl,--no-as-needed", own("-malloc.so"), "-o", own())
    must("gcc", "-g", "-O0", "-fno-builtin", "-fPIC", "-c", "l.c")
    must("gcc", "-O0", "-fno-builtin", "-fPIC", "-c", "c.c")
    must("objcopy", "--redefine-sym", "evil_symbol=" + name, "c.o")
    must("gcc", "-shared", "l.o", "c.o", "-o", own(".so"))
    log = own(".mscope")
    got = run_plain([MALLOSCOPE, "record", "-f", "-o", log, "--", own(), own(".so"), name, name[:12]], cwd=here)
    equal(got.returncode, 0, f"record {name!r}: {got.stderr}")
    return log, got


evil, said_evil = make(EVIL)
plain, said_plain = make(PLAIN)


def compare(got, wanted, what, named=True):
    for name in "stdout", "stderr":
        text, other = getattr(got, name), getattr(wanted, name)
        found = CONTROL.search(text)
        check(not found, f"{what}: {name} has {found and found.group()!r} in {found and text[max(0, found.start() - 60):found.end() + 40]!r}")
        equal(text.count("\n"), other.count("\n"), f"{what}: lines of {name}")
        equal([line for line in text.splitlines() if line.startswith("Trust: fake")], [], f"{what}: a forged line")
    equal(got.returncode, wanted.returncode, f"{what}: exit code")


compare(said_evil, said_plain, "record")
picture = path("picture")
for words in (["report"], ["report", "--module", "e"], ["hist"], ["sites"], ["sites", "--stacks"],
              ["leaks"], ["leaks", "--depth", "1"], ["tree"], ["tree", "--inverted"], ["info"], ["dump"], ["dump", "--stacks"],
              ["timeline"], ["leaks", "--tsv"], ["symbolize"], ["report"], ["leaks"], ["merge"], ["diff"],
              ["flame", "-o", picture + ".svg"], ["flame"],
              ["plot", "sizes", "-o", picture + ".svg"], ["trim", "-f", "--from", "0", "-o", picture + ".mscope"]):
    got = [run_plain([MALLOSCOPE, *words, *([log] * (2 if words[0] in ("diff", "merge") else 1))]) for log in (evil, plain)]
    check(got[1].returncode == 0, f"{words}: {got[1]}")
    compare(*got, " ".join(words))
    if words[0] == "flame" and picture + ".svg" in words:
        run_plain([MALLOSCOPE, *words, evil])
        with open(picture + ".svg", encoding="utf-8") as file:
            found = CONTROL.search(file.read())
        check(not found, f"a flame graph has {found}")
    if os.environ.get("SHOW"):
        print(words, got[0].stdout, got[0].stderr)
for words, ending in (["report"], ".so"), (["dump"], ".so"), (["info"], ""), (["dump", "--stacks"], ".so+0x"), (["hist"], "-malloc.so)"):
    check(ESCAPED + ending in run_plain([MALLOSCOPE, *words, evil]).stdout, f"{words}: the name is there, so that one can tell which it is")
sys.exit(done())
