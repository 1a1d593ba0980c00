"""80 columns are enough for all that is ours to say: helps, and reports where no name is long;
and what is repeated or missing is told once."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

# --- help ---
overview = run([MALLOSCOPE, "--help"]).stdout
commands = [name for name in re.findall(r"^    (\w+) ", overview, re.M)]
check(len(commands) >= 16 and {"record", "report", "doctor", "trim"} <= set(commands), f"the commands: {commands}")
for command in [[], *([name] for name in commands)]:
    got = run([MALLOSCOPE, *command, "--help"])
    check(got.returncode == 0 and len(got.stdout) > 200, f"{command} has a help")
    equal([line for line in got.stdout.splitlines() if len(line) > 80], [], f"{command} --help")

# --- what a program looks like from outside whose names are short ---
with open(path("w.c"), "w") as file:
    file.write("""#include "malloscope.h"
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
void *volatile kept;
void *one(void *n) { kept = malloc((size_t)n); free(malloc(7)); return 0; }
int main(int argc, char **argv)
{
    pthread_t t;
    int count = atoi(argv[argc - 1]);
    kept = calloc(3, 5000000); kept = aligned_alloc(64, 640); kept = realloc(0, 99);
    for (int i = 0; i < count; i++) { malloscope_mark(i % 2 ? "odd" : "even"); kept = realloc(malloc(100), 200 + i); }
    for (long i = 0; i < 3; i++) { pthread_create(&t, 0, one, (void *)(1234567 * i)); pthread_join(t, 0); }
    if (fork() == 0) { free(kept); one((void *)5); exit(0); }
    wait(0);
    return 0;
}
""")
equal(run(["gcc", "-O0", "-g", "-fno-builtin", "-I", os.path.join(SOURCE, "interpose"), "w.c", "-o", "w", "-pthread"], cwd=WORK).returncode, 0, "compiling")
LOGS = (("a", []), ("b", ["--sample=1000"]), ("c", ["--min-size=60", "--max-depth=1"]))
for name, options in LOGS:
    equal(run([MALLOSCOPE, "record", "-q", "-o", name, *options, "./w", "20000"], cwd=WORK).returncode, 0, f"recording {name}")


def wide(*words, code=0):
    """The lines of more than 80 columns, and all of them."""
    got = run([MALLOSCOPE, *words], cwd=WORK)
    equal(got.returncode, code, f"{words}: {got.stderr}")
    return [line for line in got.stdout.splitlines() if len(line) > 80 and "/libmalloscope.so" not in line], got.stdout


for name, _ in LOGS:
    for words in (["report"], ["report", "--threads"], ["report", "--merge-threads"], ["report", "--from", "even", "--to", "odd"],
                  ["report", "-n", "50", "--depth", "9"], ["leaks"], ["leaks", "--no-default-suppressions"], ["tree"],
                  ["tree", "--inverted", "--cost", "leaked", "--min-share", "1%"], ["hist"], ["timeline"], ["info"]):
        equal(wide(*words, name)[0], [], f"{words} {name}")
for words in (["diff", "a", "b"], ["diff", "a", "c"], ["diff", "--sites", "--cost", "leaked", "a", "c"], ["merge", "a", "b", "c"],
              ["merge", "--stacks", "a", "c"]):
    equal(wide(*words)[0], [], f"{words}")

# Rows whose text is longer than what is left beside their figures are folded.
with open(path("rows.c"), "w") as file:
    file.write("""#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
void *volatile kept;
int main(int argc, char **argv)
{
    kept = malloc(123456789 + atoi(argv[1]));
    if (argc == 3)
        return 0;
    if (fork() == 0) {
        kept = malloc(123456);
        if (fork() == 0)
            execl("/proc/self/exe", "some-other-name-of-it", "77", "3", (char *)0);
        wait(0);
        abort();
    }
    wait(0);
    for (int i = 0; i < atoi(argv[1]); i++)
        free(malloc(1234567));
    return 0;
}
""")
equal(run(["gcc", "-O0", "-g", "rows.c", "-o", "a-program-of-a-long-name"], cwd=WORK).returncode, 0, "compiling rows")
for name, count in ("r1", "1234"), ("r2", "43210"):
    equal(run([MALLOSCOPE, "record", "-q", "-o", name, "./a-program-of-a-long-name", count, "with", "several", "words", "behind", "it"], cwd=WORK).returncode,
          0, f"recording {name}")
for words in (["report"], ["leaks"], ["info"], ["diff", "r2"], ["merge", "r2"]):
    lines, text = wide(*words, "r1")
    equal([line for line in lines if " " in line.strip()], [], f"{words}: rows of several words")
    check("\n " + " " * 40 in text or words[0] in ("diff", "info", "merge"), f"{words}: something is folded: {text}")
check(re.search(r"\n  [0-9a-f]{40}\n      /", wide("info", "r1")[1]), "info: a long path on its own line")

# What a long path makes wide is its own line, but not what is said after it.
where = "ranks/of/a/job/with/a/name/of/its/own"
os.makedirs(os.path.join(WORK, where))
for name in "a", "c":
    os.rename(path(name), path(f"{where}/{name}"))
    os.symlink(path(f"{where}/{name}"), path(name))
for words in (["merge"], ["diff"]):
    lines = wide(*words, f"{where}/a", f"{where}/c")[1].splitlines()
    first = next(i for i, line in enumerate(lines) if "Trust: " in line)
    equal([line for line in lines[first:] if len(line) > 80], [], f"{words}: how far each can be trusted")
    check("".join(lines[first:]).count("damaged") == 2, f"{words}: of both: {lines[first:]}")

# --- one is no ones, nothing is told once, and a mark in a loop is a line ---
text = wide("report", "a")[1]
check(re.search(r"\n +0\.\d+ +\d+ +[\d,.]+ \S+  even  \(\d+,000 times, the last at \d+\.\d{3} s\)\n", text), f"a mark that repeats: {text}")
marks = text.split("\nMarks\n")[1].split("\n\n")[0]
check(len(marks.splitlines()) <= 4, f"marks: {marks}")
for words in (["report"], ["report", "--filter", "nothing of that name"], ["diff", "a"], ["merge"], ["leaks"]):
    text = wide(*words, "a")[1]
    equal(re.findall(r"(?<![\d,.])1 (?:\w+ )?(?:frees|blocks|sizes|sites|stacks|threads|events|places|processes|bytes|allocations|streams)\b", text), [],
          f"{words}: one is no more than one: {text}")
    check("Top 0" not in text and "- % of" not in text, f"{words}: lists of nothing: {text}")
with open(path("n.c"), "w") as file:
    file.write("int main(void) { return 0; }\n")
equal(run(["gcc", "n.c", "-o", "n"], cwd=WORK).returncode, 0, "compiling nothing")
equal(run([MALLOSCOPE, "record", "-q", "-o", "nothing", "./n"], cwd=WORK).returncode, 0, "recording nothing")
text = wide("report", "nothing")[1]
check("temporary                      0\n" in text and "Top" not in text, f"of nothing there is no share: {text}")
sys.exit(done())
