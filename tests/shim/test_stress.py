"""Some kills at random moments: nothing that was done is lost, nothing is invented. tests/long/test_stress.py
has a thousand of them."""
import os
import resource
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *
from stress import WITH_SAFE_MALLOC, stress

resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
counts = stress(1, 30)
check(counts["kills"] >= 30 and counts["in flight"] > 0 and counts["told"] > 1000000, f"the kills hit: {dict(counts)}")
check(all(counts["kills of " + victim] for victim in ("program", "children", "group", "record")),
      f"of all kinds: {dict(counts)}")
# What takes an allocator without locks: signal handlers and children of _Fork allocate, threads are cancelled in it.
counts = stress(2, 6, flags=WITH_SAFE_MALLOC, allocator=program("safe_malloc.so"))
check(counts["kills"] >= 6 and counts["told"] > 100000, f"with another allocator: {dict(counts)}")
sys.exit(done())
