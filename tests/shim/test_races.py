"""What the library's threads share has no data race: tests/unit/races drives it under the thread sanitizer. And
what it logs meanwhile is right: every event is there once, with the function that made it in its stack."""
import collections
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *

directory, races = path("races"), os.path.join(os.path.dirname(PROGRAMS), "unit", "races")
os.mkdir(directory)
command = [races, directory, program("plugin1.so"), program("plugin2.so")]
options = {"TSAN_OPTIONS": "exitcode=66:halt_on_error=0"}
got = run(command, env=options)
if "unexpected memory mapping" in got.stderr:  # addresses are more random than the sanitizer can stand
    got = run(["setarch", "-R", *command], env=options)
check(got.returncode == 0 and not got.stderr, f"races: exit {got.returncode}: {got.stderr[:3000]}")
told, log = int(got.stdout.split()[-1]), directory + "/log"
report = run([MALLOSCOPE, "report", "--json", log])
trust = json.loads(report.stdout)["trust"]
equal((trust["events"], trust["missing_chunks"], trust["truncated_bytes"]), (told, 0, 0), "races: events")
equal(trust["partial_stacks"] + trust["guessed_stacks"], 0, "races: stacks that are not whole")
events = [event for event in dump(log, stacks=True) if event.is_heap]
equal(len({event.address for event in events}), told, "races: each event once")
wrong = collections.Counter()
for event in events:
    names = [frame.split(" ")[-1].split(".")[0] for frame in event.frames]
    own = [name for name in names if name.startswith("function")]
    if not own or set(own) != {f"function{event.size}"} or "work" not in names:
        wrong[" ".join(names[:6])] += 1
equal(wrong.most_common(3), [], "races: stacks that name others than the caller")
sys.exit(done())
