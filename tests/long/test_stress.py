"""tests/long/test_stress.py [KILLS [SEED]]: kills at random moments (default 1000) of a program that does all at
once: nothing that was done is lost, nothing is invented. A failed round is repeated by tests/stress.py."""
import os
import resource
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import *
from stress import WITH_SAFE_MALLOC, stress

kills = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
seed = sys.argv[2] if len(sys.argv) > 2 else time.strftime("%Y%m%d")
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
begin = time.monotonic()
counts = stress(seed, kills)
check(counts["kills"] >= kills and counts["in flight"] >= kills / 2, f"the kills hit: {dict(counts)}")
more = stress(seed + "s", kills // 5, flags=WITH_SAFE_MALLOC, allocator=program("safe_malloc.so"))
check(more["kills"] >= kills // 5, f"with another allocator: {dict(more)}")
for sums in counts, more:
    print(", ".join(f"{count:,} {name}" for name, count in sums.items()))
print(f"{time.monotonic() - begin:.0f} s")
sys.exit(done())
