#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The graph compiler under graph files of any content: R-BAD-73, and mutations by seed.

It either says what is wrong, a line each that begins with FILE:LINE, and leaves what was compiled
before as it is, or it writes C. It never raises. --seed S --count 1 replays one.
"""

import argparse
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from graph import check, emit, graphfile, modules, text  # pylint: disable=wrong-import-position

COUNT, LONGER = 4000, 25
FAILED = []


def verdict(name, why):
    print(f"not ok {name}: {why}" if why else f"ok {name}", flush=True)
    if why:
        FAILED.append(name)


def wrong_lines(lines, name):
    """What is not as an error has to be."""
    for line in lines:
        if not re.match(rf"\S*{re.escape(name)}\.graph:\d+: .*\S", line) and not re.match(r"\S+\.module:\d+: ", line):
            return f"an error without its place: {line[:100]!r}"
        if not line.isprintable() or len(line) > 2000:
            return f"an error that cannot be read: {line[:100]!r}"
    return None


def in_process(path, found):
    """None, or why not: what tools/mkgraph.py does, without starting it."""
    errors = text.Errors()
    try:
        g = graphfile.parse_graph(path, path.parent, errors)
        check.check(g, found, ROOT, errors)
        if not errors:
            source = emit.graph_c(g, found, path.name) + emit.graph_mk(g, path.name)
            return None if "\0" not in source else "a NUL in what was compiled"
    except Exception as e:  # pylint: disable=broad-except
        return f"{type(e).__name__}: {e}"
    return wrong_lines(errors.sorted(), path.stem)


WORDS = ["node", "graph", "set", "path", "rule", "->", "tcp", "ip", "eth", "eth0", "=", "msl=1", "msl=1q", "unit=0", "\"", "#",
         "\0", "\r\n", "\t", "\xff", "a" * 300, "listen=:", "10.0.1.1:99999", "plug", "-> tcp fwd", "idle=", "\\", "é", "1e9"]


def mutate(rng, lines):
    lines = list(lines)
    for _ in range(rng.randrange(1, 6)):
        i = rng.randrange(len(lines) + 1)
        kind = rng.randrange(7)
        if kind == 0 and lines:
            del lines[min(i, len(lines) - 1)]
        elif kind == 1 and lines:
            lines.insert(i, rng.choice(lines))
        elif kind == 2:
            lines.insert(i, " ".join(rng.choice(WORDS) for _ in range(rng.randrange(1, 6))))
        elif lines:
            i = min(i, len(lines) - 1)
            words = lines[i].split(" ")
            j = rng.randrange(len(words))
            if kind == 3:
                words[j] = rng.choice(WORDS)
            elif kind == 4:
                words.insert(j, rng.choice(rng.choice(lines).split(" ")))
            elif kind == 5 and words[j]:
                at = rng.randrange(len(words[j]))
                words[j] = words[j][:at] + chr(rng.randrange(256)) + words[j][at + rng.randrange(2):]
            else:
                del words[j]
            lines[i] = " ".join(words)
    return "\n".join(lines) + rng.choice(["\n", "", "\r\n"])


def mutations(folder, found, first, count):
    originals = [p.read_text(encoding="utf-8").split("\n") for p in sorted(ROOT.glob("config/*.graph"))]
    path = folder / "g.graph"
    for seed in range(first, first + count):
        rng = random.Random(seed)
        lines = [re.sub(r"^graph \S+", "graph g", line) for line in rng.choice(originals)]
        path.write_bytes(mutate(rng, lines).encode("latin-1" if rng.randrange(4) == 0 else "utf-8", "replace"))
        why = in_process(path, found)
        if why:
            return f"{why}; again by: tests/fuzz/graphfile.py --seed {seed} --count 1"
    return None


GRAPH = 'graph g "a test"\nnode eth0 eth unit=0\nnode arp arp -> eth0\nnode ip ip addr="eth0=10.0.1.1/24" -> eth0\n'
# name, what follows GRAPH, its line that is wrong (None: all is well)
CASES = (
    ("R-BAD-73 a line of 1 MB", "node x " + "a" * (1 << 20) + "\n", 5),
    ("R-BAD-73 a value of 1 MB", "node icmp icmp x=" + "a" * (1 << 20) + " -> ip\n", 5),
    ("R-BAD-73 10^5 rules that do not exist", "".join(f"rule r{i}\n" for i in range(100000)), 5),
    ("R-BAD-73 10^5 times the same rule", "rule join\n" * 100000, 6),
    ("R-BAD-73 a NUL", "node icmp icmp\0 -> ip\n", 5),
    ("R-BAD-73 CRLF", "rule join\r\nrule joiner\r\n", 6),
    ("R-BAD-73 an unknown statement", "nodes icmp icmp -> ip\n", 5),
    ("R-BAD-73 an unknown setting", "node icmp icmp mtl=3 -> ip\n", 5),
    ("R-BAD-73 a time without its unit", "node tcp tcp msl=30 -> ip\n", 5),
    ("R-BAD-73 a number beyond 64 bits", "node tcp tcp msl=99999999999999999999s -> ip\n", 5),
    ("R-BAD-73 a cycle of nodes", "node d delay -> e\nnode e delay -> d\n", 5),
    ("R-BAD-73 10^4 nodes in a row", "".join(f"node d{i} delay -> {f'd{i - 1}' if i else 'eth0'}\n" for i in range(10000)), 1),
    ("R-BAD-73 a node on itself", "node d delay -> d\n", 5),
    ("R-BAD-73 bytes that are no UTF-8", b"node icmp icmp \xff\xfe -> ip\n", 5),
    ("R-BAD-73 a quotation without end", 'node icmp icmp x="abc\n', 5),
)


def cases(folder):
    """By the program itself: exit status 1, the place, and what was there before stays."""
    path, out = folder / "g.graph", folder / "out"
    words = ["/usr/bin/python3", str(ROOT / "tools/mkgraph.py"), "--root", str(ROOT), "--out", str(out), str(path)]
    path.write_text(GRAPH + "node icmp icmp -> ip\npath local\n", encoding="utf-8")
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        verdict("R-BAD-73 a graph that is right", done.stderr.strip())
        return
    before = (out / "graph.c").read_bytes()
    for name, more, line in CASES:
        path.write_bytes(GRAPH.encode() + (more if isinstance(more, bytes) else more.encode()))
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        why = None
        if done.returncode != 1:
            why = f"exit status {done.returncode}: {done.stderr[-300:]}"
        elif not any(re.search(rf"g\.graph:{line}: ", said) for said in done.stderr.splitlines()):
            why = f"no word of line {line}: {done.stderr[:300]!r}"
        else:
            why = wrong_lines(done.stderr.splitlines(), "g")
        if not why and (out / "graph.c").read_bytes() != before:
            why = "what was compiled before has changed"
        verdict(name, why)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--count", type=int)
    options = parser.parse_args()
    first = options.seed if options.seed is not None else int(time.time()) * 1000000
    count = options.count or COUNT * (LONGER if options.long else 1)
    errors = text.Errors()
    found = modules.read_modules(ROOT, errors)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if options.count is None:
            cases(folder)
        why = mutations(folder, found, first, count)
    verdict(f"R-BAD-73 fuzz/graphfile: {count} runs, seed {first}", why)
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
