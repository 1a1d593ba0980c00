"""objects.py [SCALE]  a Python program of many small objects, a second or two long: a tree
of nodes, an index of words in dicts and lists, JSON both ways. It prints what it made,
which is the same in each run (PYTHONHASHSEED=0)."""
import json
import random
import sys

scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
chosen = random.Random(7)


class Node:
    """Of a treap: a search tree by key, a heap by priority."""

    def __init__(self, key):
        self.key, self.priority, self.left, self.right = key, chosen.random(), None, None


def insert(tree, key):
    if tree is None:
        return Node(key)
    if key < tree.key:
        tree.left = insert(tree.left, key)
        if tree.left.priority < tree.priority:
            top = tree.left
            tree.left, top.right = top.right, tree
            return top
    elif key > tree.key:
        tree.right = insert(tree.right, key)
        if tree.right.priority < tree.priority:
            top = tree.right
            tree.right, top.left = top.left, tree
            return top
    return tree


def height(tree):
    return 0 if tree is None else 1 + max(height(tree.left), height(tree.right))


tree = None
for _ in range(int(60_000 * scale)):
    tree = insert(tree, chosen.randrange(1_000_000_000))

syllables = ["mal", "lo", "sco", "pe", "re", "cord", "heap", "trace"]
lines = [" ".join("".join(chosen.choices(syllables, k=4)) for _ in range(8)) for _ in range(int(40_000 * scale))]
places = {}
for number, line in enumerate(lines):
    for column, word in enumerate(line.split()):
        places.setdefault(word, []).append((number, column))

entries = [{"word": word, "count": len(found), "first": found[0], "lines": [str(line) for line, _ in found[:20]]}
           for word, found in sorted(places.items())]
text = ""
for _ in range(int(10 * scale) or 1):
    text = json.dumps(entries)
    entries = sorted(json.loads(text), key=lambda entry: (-entry["count"], entry["word"]))
print(height(tree), len(places), len(text), entries[0]["word"])
