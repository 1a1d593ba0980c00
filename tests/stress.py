"""Kills at random moments. Rounds of tests/programs/stress under `record`; something of it is killed (the
program, its children, all with `record`, `record` alone), and then the log must hold what the program has kept
of itself: all that was done, and nothing else (tests/programs/stress_check).

    tests/stress.py SEED FIRST LAST [FLAGS]     some rounds of a seed alone, verbosely

In a round all is by the seed and the round's number but what the machine adds."""
import collections
import ctypes
import multiprocessing
import os
import random
import shutil
import signal
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib import *

PLUGINS = [program("plugin1.so"), program("plugin2.so")]
VICTIMS = ["program"] * 5 + ["children"] * 2 + ["group"] * 3 + ["record"] * 2
TRUTH_BYTES = 1 << 30
PR_SET_CHILD_SUBREAPER = 36
WITH_SAFE_MALLOC = "fha"  # flags of stress that an allocator without locks allows
PATIENCE = 60  # seconds that a round may take


class Round:
    """One run and its kills; .problems is empty if all is well."""

    def __init__(self, seed, number, flags="-", allocator=None):
        self.random = random.Random(f"{seed}.{number}")
        self.name = f"seed {seed} round {number}"
        self.problems, self.kills, self.counts = [], 0, collections.Counter()
        self.directory = path(f"round-{os.getpid()}")
        shutil.rmtree(self.directory, ignore_errors=True)
        os.mkdir(self.directory)
        self.truth, self.log = f"{self.directory}/truth", f"{self.directory}/log"
        with open(self.truth, "wb") as file:
            file.write(struct.pack("<I", 1))  # pieces that are given out: the header
            file.truncate(TRUTH_BYTES)
        self.victim = self.random.choice(VICTIMS)
        self.moment = self.random.choice((0.02, 0.2)) * self.random.random()
        milliseconds = 60 + int(self.moment * 1000) if self.victim in ("children", "record") else 1000
        mode = self.random.choice(("auto", "auto", "none", "fp"))
        self.command = [MALLOSCOPE, "record", "-q", "-f", "-o", self.log, "--call-graph", mode, "--", program("stress"),
                        self.truth, str(self.random.getrandbits(48)), str(milliseconds), flags, *PLUGINS]
        self.environment = {**os.environ, **({"LD_PRELOAD": allocator} if allocator else {})}

    def run(self):
        output = os.open(f"{self.directory}/output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        self.pid = os.posix_spawn(self.command[0], self.command, self.environment, setsid=True, file_actions=[
            (os.POSIX_SPAWN_DUP2, output, 1), (os.POSIX_SPAWN_DUP2, output, 2)])
        os.close(output)
        time.sleep(self.moment)
        getattr(self, "kill_" + self.victim)()
        self.reap()
        self.compare()
        return self

    # --- who is killed ---
    def kill(self, pid):
        """Only a process of this session is killed: a number may have gone to another."""
        try:
            descriptor = os.pidfd_open(pid)
        except OSError:
            return
        try:
            if os.getsid(pid) == self.pid:
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                self.kills += 1
        except OSError:
            pass
        os.close(descriptor)

    def children_of(self, pid):
        found = []
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/children") as file:
                    found += map(int, file.read().split())
        except OSError:
            pass
        return found

    def kill_program(self):
        for pid in self.children_of(self.pid):
            self.kill(pid)

    def kill_children(self):
        for _ in range(4):
            for main in self.children_of(self.pid):
                children = self.children_of(main)
                for pid in children[:1] or [grandchild for child in children for grandchild in self.children_of(child)]:
                    self.kill(pid)
            time.sleep(0.015 * self.random.random())

    def kill_group(self):
        try:
            os.killpg(self.pid, signal.SIGKILL)
            self.kills += 1
        except OSError:
            pass

    def kill_record(self):
        programs = self.children_of(self.pid)
        self.kill(self.pid)
        if self.random.random() < 0.5:
            time.sleep(0.05 * self.random.random())
            for pid in programs:
                self.kill(pid)

    # --- what is left ---
    def reap(self):
        """Waits for all that came of it: this process is the one that orphans go to."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid:
                continue
            if time.monotonic() > end:
                self.problems.append("does not end: " + self.what_runs())
                end = float("inf")
                self.kill_group()
            time.sleep(0.001)

    def what_runs(self):
        """Each thread: where it is in the kernel, and in which call with what (or running)."""
        states, todo = [], [self.pid, *self.children_of(os.getpid())]
        while todo:
            pid = todo.pop()
            todo += self.children_of(pid)
            try:
                for thread in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{thread}/wchan") as where, open(f"/proc/{pid}/task/{thread}/syscall") as call:
                        states.append(f"{pid}/{thread} {where.read()} {call.read().strip()}")
            except OSError:
                pass
        return ", ".join(states)

    def compare(self):
        if self.random.random() < 0.25:
            self.check("before anything is merged")
        if not os.path.exists(self.log):
            self.check("no log")
            return
        got = run([MALLOSCOPE, "report", "--json", self.log])
        if got.returncode != 0 and not self.may_be(got.stderr):
            self.problems.append(f"report: exit {got.returncode}: {got.stderr.strip()}")
        if got.stdout:
            trust = json.loads(got.stdout)["trust"]
            for name in "lost_events", "unmatched_frees", "unseen_frees", "truncated_bytes", "missing_chunks":
                if trust[name]:
                    self.problems.append(f"report: {name} {trust[name]}")
        self.check("after the report")
        left = [name for name in os.listdir(self.directory) if ".live." in name]
        if left:
            self.problems.append(f"live files are left: {left}")

    def may_be(self, complaint):
        """Of all that a report may complain of: that the launcher was killed, perhaps before anything was there."""
        return self.victim in ("group", "record") and len(complaint.splitlines()) == 1 and (
            "the launcher was killed" in complaint or "no event was saved" in complaint or
            "not even a log's header" in complaint or "nothing was recorded into it" in complaint)

    def check(self, when):
        got = run([program("stress_check"), self.truth, self.log])
        last = got.stdout.splitlines()[-1:] or [""]
        if got.returncode != 0:
            self.problems.append(f"{when}: {got.stdout}{got.stderr}")
        for part in last[0].split(", "):
            number, _, name = part.partition(" ")
            if number.isdigit():
                self.counts[name] += int(number)


def worker(seed, numbers, kills_wanted, flags, allocator, results):
    """Rounds until so many kills are done; results get (round's name, victim, moment, kills, counts, problems)."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    kills = 0
    for number in numbers:
        if kills >= kills_wanted:
            break
        r = Round(seed, number, flags, allocator).run()
        kills += r.kills
        results.put((r.name, r.victim, r.moment, r.kills, r.counts, r.problems))
        shutil.rmtree(r.directory, ignore_errors=True)
    results.put(None)


def stress(seed, kills, *, flags="-", allocator=None, workers=2, rounds=1 << 30, verbose=False):
    """Checks that in so many kills nothing is lost and nothing is invented. Returns the sums."""
    results = multiprocessing.SimpleQueue()
    processes = [multiprocessing.Process(target=worker, args=(
        seed, range(first, rounds, workers), -(-kills // workers), flags, allocator, results)) for first in range(workers)]
    counts, at_work = collections.Counter(), workers
    for process in processes:
        process.start()
    while at_work:
        result = results.get()
        if result is None:
            at_work -= 1
            continue
        name, victim, moment, done_kills, more, problems = result
        counts.update(more)
        counts.update({"rounds": 1, "kills": done_kills, "kills of " + victim: done_kills})
        if verbose:
            print(name, victim, f"{moment:.3f} s", done_kills, dict(more), problems, flush=True)
        check(not problems, f"{name}, {victim} at {moment:.3f} s, flags {flags}: " + "\n".join(problems))
    for process in processes:
        process.join()
    return counts


if __name__ == "__main__":
    seed, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    flags = sys.argv[4] if len(sys.argv) > 4 else "-"
    for number in range(first, last + 1):
        r = Round(seed, number, flags, None if flags == "-" else program("safe_malloc.so")).run()
        print(r.name, r.victim, f"{r.moment:.3f} s", f"{r.kills} kills", dict(r.counts), *r.problems, flush=True)
