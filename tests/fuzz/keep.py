"""keep.py NAME [DIRECTORY...]: makes the corpus of a fuzzer anew: the fewest and shortest inputs, of the old one and of these
directories, that reach all code that they reach together; and all that are named found-..., which once found something."""
import os
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), name) for name in ("..", ".")]
from lib import done, path, run
from fuzzing import build, corpus, corpus_path, write_corpus


def read_all(directory):
    found = {}
    for one in os.listdir(directory):
        with open(os.path.join(directory, one), "rb") as file:
            found[one] = file.read()
    return found


name, *directories = sys.argv[1:]
fuzzer = build(name)
old, new = path("old"), path("new")
os.mkdir(old)
os.mkdir(new)
inputs = corpus(name) if os.path.exists(corpus_path(name)) else {}
for one, data in inputs.items():
    with open(os.path.join(old, one), "wb") as file:
        file.write(data)
for directory in directories:
    inputs.update(read_all(directory))
merged = run([fuzzer, "-merge=1", "-use_counters=0", "-timeout=20", "-rss_limit_mb=2560", new, old, *directories],
             timeout=3600) if fuzzer else None
if merged and merged.returncode == 0:
    inputs = {one: data for one, data in inputs.items() if one.startswith("found-")}
    inputs.update((one[:12], data) for one, data in read_all(new).items())
    write_corpus(name, inputs)
    print(f"{len(inputs)} inputs, {sum(map(len, inputs.values()))} bytes, packed {os.path.getsize(corpus_path(name))}")
elif merged:
    print(merged.stderr[-3000:])
sys.exit(done())
