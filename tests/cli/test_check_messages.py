"""What `check` says where something is not as whoever calls it thinks: a mark that is not set, a log that was cut, no room for logs, options
without effect, and a rule that lets something pass."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *
import junitparser

ONE = program("checked1")
os.environ["XDG_CACHE_HOME"] = path("cache")
schema = schema_validator("check")


def gate(*arguments, code=0, **more):
    got = run([MALLOSCOPE, "check", *arguments], **more)
    equal(got.returncode, code, f"check {arguments}: {got.stdout}{got.stderr}")
    return got


def build(name, source, *options):
    with open(path(f"{name}.c"), "w") as file:
        file.write(source)
    must("gcc", "-O1", "-g", "-fno-builtin", *options, "-o", path(name), path(f"{name}.c"))
    return path(name)


# --- what there is none of ---
for options in ["--max", "marks.never.allocations=1"], ["--mark", "never", "--max", "bytes=1"], ["--within", "nobody", "--max", "bytes=1"]:
    verdict = json.loads(gate(*options, "--json", "--markdown", path("none.md"), "--", ONE, code=3).stdout)
    equal([problem["kind"] for problem in verdict["problems"]], ["not found"], f"{options}: not that nothing was recorded")
    equal(list(schema.iter_errors(verdict)), [], f"{options}: the verdict by its schema")
    check(open(path("none.md")).read().startswith("### malloscope check: not measurable: not found\n"), f"{options}: its heading")

# --- a log of which nothing is left ---
equal(record([ONE], path("whole.mscope")).returncode, 0, "recording")
with open(path("whole.mscope"), "rb") as file, open(path("cut.mscope"), "wb") as to:
    to.write(file.read()[:300])
got = gate("--max", "allocations=10", path("cut.mscope"), code=3)
check("the log is damaged or cut, and nothing of any process is left in it" in got.stderr and "doctor" not in got.stderr, f"a cut log: {got.stderr}")

# --- no room for logs ---
got = gate("--max", "allocations=10", "--", ONE, code=3, preexec_fn=lambda: __import__("resource").setrlimit(__import__("resource").RLIMIT_FSIZE, (8192, 8192)))
check("name another place with TMPDIR\n" in got.stderr and "-o" not in got.stderr.split(), f"check has no -o: {got.stderr}")

# --- options without effect ---
gate("--baseline", path("base.json"), "--save-baseline", "--", ONE)
given = ["--tolerance", "sites.nosuch.allocations=5", "--tolerance", "sites.parse.allocations=5", "--tolerance", "all=1", "--tolerance", "sites=1",
         "--tolerance", "peak=1", "--tolerance", "bytes=1"]
got = gate("--baseline", path("base.json"), "--metrics", "bytes,sites", *given, "--", ONE)
equal(sorted(re.findall(r"^Note: --tolerance (\S+): no metric of this name", got.stdout, re.M)), ["peak", "sites.nosuch.allocations"], "tolerances of nothing")
got = gate("--exclude-module", "libx", "--exclude-module", "^check", "--exclude-module", "^liby", "--max", "allocations=10", "--", ONE, code=3)
plus = build("both", "#include <stdlib.h>\n#include <stdio.h>\nstatic void *volatile keep;\nint main(void) { keep = malloc(3); puts(\"a\"); return 0; }\n")
got = gate("--exclude-module", "libx", "--exclude-module", "^libc", "--exclude-module", "^liby", "--max", "allocations=10", "--", plus)
equal(re.findall(r"^Note: --exclude-module (\S+): matches no module", got.stdout, re.M), ["libx", "^liby"], f"expressions that match nothing: {got.stdout}")

# --- more temporary ones, and nothing else ---
temporary = """#include <stdlib.h>
int main(void) { for (int i = 0; i < 100; i++) { void *volatile a = malloc(8);
#if NEW
    free(a); a = malloc(8); free(a);
#else
    void *volatile b = malloc(8); free(a); free(b);
#endif
    } return 0; }
"""
gate("--baseline", path("temporary.json"), "--save-baseline", "--", build("old", temporary, "-DNEW=0"))
new = build("new", temporary, "-DNEW=1")
words = "is 200, more than the baseline's 100, but allocations, bytes and peak have not grown"
for options in [], ["--metrics", "temporary", "--tolerance", "temporary=1%"]:
    got = gate("--baseline", path("temporary.json"), *options, "--junit", path("t.xml"), "--markdown", path("t.md"), "--", new)
    check(re.search(r"^  temporary .* within$", got.stdout, re.M) and f"temporary: within: {words}\n" in got.stdout, f"the rule is said: {got.stdout}")
    with open(path("t.xml")) as xml, open(path("t.md")) as markdown:
        check(all(words in text.replace("&#39;", "'") for text in (xml.read(), markdown.read())), "in JUnit and Markdown")
    check(words in gate("--baseline", path("temporary.json"), *options, "--tap", "--", new).stdout, "in TAP")

# --- one is one ---
got = gate("--max", "leaked_blocks=0", "--max", "allocations=0", "--", build("single", "#include <stdlib.h>\nvoid *keep;\nint main(void) { keep = malloc(1); return 0; }\n"), code=2)
check("    1 call  main" in got.stdout and "    1 block  main" in got.stdout, f"singular: {got.stdout}")
sys.exit(done())
