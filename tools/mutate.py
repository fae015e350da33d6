#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Would the tests notice? Makes one-line faults in the code that carries packets and runs the fast tests on each.

A seeded operator draws (file, line, change) over all lines of TCP, the forwarding stages, IP and the rules. A fault that
does not compile, or whose object code is that of the unchanged file, is none, and the next is drawn; so are changes of an
assertion, which is a check and no behaviour. A fault is noticed when a test program fails, crashes or hangs. The tests run
in copies of the tree under build/mutate/, one for each job, hosted, at -O1. Each survivor is printed; docs/MUTANTS.md has
the reason for those that are known. Exit status 1 when less than 90 % were noticed. Nothing of it is run by `make test`.

    tools/mutate.py --count 200            two hundred faults of seed 1
    tools/mutate.py --seed 7 --skip 40 --count 1    the 41st of seed 7 alone
    tools/mutate.py --file modules/tcp/sack.c       faults of that file only
"""

import argparse
import concurrent.futures
import os
import pathlib
import queue
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCOPE = ("modules/tcp/*.c", "modules/fwd/*.c", "modules/ip/*.c", "modules/wire/*.c", "paths/rules/*.c")
SLOW = 20  # a program that takes so many times what it takes without a fault hangs
ENOUGH = 0.9
SIM_SEEDS = "1:60"
GRAPHS = ("firewall/absorb", "firewall/hold", "firewall/concurrent", "firewall-1path", "firewall-2path")

# (name, pattern, what it becomes); applied to one place of a line that is code.
SWAPS = (
    ("compare", r"(?<![<>=!-])<(?![<=])", "<="), ("compare", r"(?<![<>])<=(?!=)", "<"),
    ("compare", r"(?<![<>-])>(?![>=])", ">="), ("compare", r"(?<![<>-])>=(?!=)", ">"),
    ("equal", r"==", "!="), ("equal", r"!=", "=="), ("logic", r"&&", "||"), ("logic", r"\|\|", "&&"),
    ("sign", r"(?<![+\w(,=] )(?<=\s)\+(?=\s)", "-"), ("sign", r"(?<=[\w)\]]\s)-(?=\s)", "+"),
    ("sign", r"\+=", "-="), ("sign", r"-=", "+="), ("step", r"\+\+", "--"), ("step", r"(?<!-)--(?!-)", "++"),
    ("not", r"!(?=[\w(])", ""), ("truth", r"\btrue\b", "false"), ("truth", r"\bfalse\b", "true"),
    ("bits", r"(?<=\s)\|(?=\s)", "&"), ("bits", r"(?<=\s)&(?=\s)", "|"), ("bits", r"\|=", "="),
    ("shift", r"<<", ">>"), ("shift", r">>", "<<"),
)
NUMBER = re.compile(r"(?<![\w.\"'])(0x[0-9a-fA-F]+|\d+)([uUlL]*)\b(?![\"'.])")
STRING = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])'")
STATEMENT = re.compile(r"\s+[^#/{}]*;\s*$")


def code_lines(text):
    """(number from 0, line without its comments and strings blanked) of lines that do something."""
    def blank(m):
        return re.sub(r"[^\n]", " ", m[0])
    bare = re.sub(r"/\*.*?\*/", blank, text, flags=re.S)
    depth, declares = 0, False
    for n, line in enumerate(bare.split("\n")):
        line = STRING.sub(blank, line)
        inside = depth > 0
        if depth == 0:
            declares = bool(re.match(r"(static |const |extern )*(struct|enum|union)\b[^()]*\{?$", line))
        depth += line.count("{") - line.count("}")
        if line.strip() and not line.startswith("#") and "assert(" not in line and (inside and not declares):
            yield n, line


def faults_of(path):
    """Every change that can be made in a file: (path, line number, name, new line)."""
    text = (ROOT / path).read_text()
    lines = text.split("\n")
    before = ""
    for n, bare in code_lines(text):
        line = lines[n]
        for name, pattern, new in SWAPS:
            for m in re.finditer(pattern, bare):
                yield path, n, name, line[:m.start()] + new + line[m.end():]
        for m in NUMBER.finditer(bare):
            yield path, n, "number", line[:m.start()] + f"{int(m[1], 0) + 1}{m[2]}" + line[m.end():]
        starts = before.rstrip().endswith((";", "{", "}", ":", ")", "else")) or not before
        if STATEMENT.match(bare) and not re.match(r"\s+return [^;]", bare) and starts and bare.count("(") == bare.count(")"):
            yield path, n, "deleted", re.match(r"\s*", line)[0] + ";"
        m = re.match(r"(\s*(?:\} else )?if )\((.*)\)( \{)?$", bare)
        if m and bare.count("(") == bare.count(")"):
            inner = line[m.end(1) + 1:m.end(2)]
            yield path, n, "inverted", f"{line[:m.end(1)]}(!({inner})){m[3] or ''}"
        before = bare


class Copy:
    """A copy of the tree in which faults are made and tests are run."""

    def __init__(self, number):
        self.root = ROOT / f"build/mutate/{number}"
        done = subprocess.run(["git", "ls-files", "-c"], cwd=ROOT, capture_output=True, text=True, check=True)
        for name in done.stdout.splitlines():
            to = self.root / name
            to.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_file() and (not to.exists() or to.read_bytes() != (ROOT / name).read_bytes()):
                shutil.copy(ROOT / name, to)
        mains = [p.relative_to(self.root) for f in ("unit", "path", "sim")
                 for g in ("test_*.c", "run.c") for p in sorted((self.root / "tests" / f).glob(g))]
        self.programs = [f"build/hosted/{m.with_suffix('')}" for m in mains]
        self.shared = self.root / "build/hosted/libtowpath.so"
        self.times, self.noticed = {}, {}

    def make(self, *goals):
        words = ["make", "--no-print-directory", "-k", "CC=gcc -fPIC -Wl,--unresolved-symbols=ignore-in-shared-libs", "O=1", "WARNINGS=-w", "GRAPH=all", *goals]
        return self.run(words, 900)[0] == 0

    def share(self):
        """What the programs are linked with becomes a shared library, so that a fault links nothing else anew."""
        objects = (self.root / "build/hosted/libtowpath.list").read_text().split()
        return self.run(["gcc", "-shared", "-o", str(self.shared), *objects], 100)[0] == 0

    def run(self, words, limit):
        """(status, seconds); a program that is too slow, or asks for too much memory, has failed."""
        began = time.monotonic()
        env = dict(os.environ, TEST_LONG="0", MUTANT="1")
        child = subprocess.Popen(["prlimit", "--as=8000000000", *words], cwd=self.root, env=env, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        CHILDREN.add(child)
        try:
            status = child.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            status = "too slow"
        CHILDREN.discard(child)
        return status, time.monotonic() - began

    def tests(self, path=None):
        """(name, words) of the fast tests: first those that have noticed faults of that file, then those that end soon."""
        def words():
            yield "conformance/matrix", ["/usr/bin/python3", "tests/conformance/matrix.py", "--variant", "hosted"]
            for p in self.programs:
                if "/sim/run" not in p:
                    yield p, [p]
                else:
                    yield from ((f"{p} {g}", [p, "--graph", g, "--seeds", SIM_SEEDS]) for g in GRAPHS)
        return sorted(words(), key=lambda t: (-self.noticed.get((path, t[0]), 0), self.times.get(t[0], 0)))

    def prepare(self):
        archive = self.root / "build/hosted/libtowpath.a"
        good = self.make(str(archive.relative_to(self.root))) and self.share()
        archive.write_text(f"INPUT({self.shared})\n")  # a script, to the linker
        if not good or not self.make(*self.programs):
            raise SystemExit(f"mutate: the tests do not build in {self.root}")
        for name, words in self.tests():
            status, took = self.run(words, 300)
            if status != 0:
                raise SystemExit(f"mutate: without any fault {name} fails: {status}")
            self.times[name] = took

    def plain(self, target):
        out = self.root / "build/plain.o"
        subprocess.run(["objcopy", "--strip-debug", str(target), str(out)], check=True)
        return out.read_bytes()

    def judge(self, path, n, new):
        """None: no fault. Else the name of the test that notices, or "" """
        source, target = self.root / path, self.root / "build/hosted" / pathlib.Path(path).with_suffix(".o")
        whole = (ROOT / path).read_text()
        lines = whole.split("\n")
        before = self.plain(target)
        lines[n] = new
        try:
            source.write_text("\n".join(lines))
            if not self.make(str(target.relative_to(self.root))) or self.plain(target) == before:
                return None
            if not self.share():
                return None
            for name, words in self.tests(path):
                status, _ = self.run(words, 10 + SLOW * self.times[name])
                if status != 0:
                    self.noticed[path, name] = self.noticed.get((path, name), 0) + 1
                    return f"{name.removeprefix('build/hosted/tests/')} ({status})"
            return ""
        finally:
            source.write_text(whole)
            self.make(str(target.relative_to(self.root)))


CHILDREN = set()


def interrupted(number, _):
    for child in list(CHILDREN):
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    print("\ninterrupted", flush=True)
    os._exit(128 + number)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=200, help="faults to be judged (200)")
    parser.add_argument("--skip", type=int, default=0, help="drawn changes to leave out first")
    parser.add_argument("--file", action="append", help="faults of this file only (may be repeated)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    files = options.file or sorted({str(p.relative_to(ROOT)) for g in SCOPE for p in ROOT.glob(g)})
    faults = [f for path in files for f in faults_of(path)]
    random.Random(options.seed).shuffle(faults)
    print(f"{len(faults)} changes of {len(files)} files can be made; seed {options.seed}", flush=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupted)
    copies = queue.Queue()

    def prepare(number):
        copy = Copy(number)
        copy.prepare()
        copies.put(copy)

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(prepare, range(options.jobs)))
    tests, lock = len(copies.queue[0].tests()), threading.Lock()
    times = copies.queue[0].times
    slow = ", ".join(f"{name.removeprefix('build/hosted/tests/')} {s:.0f}" for name, s in times.items() if s > 5)
    print(f"{tests} test programs pass without a fault, in {sum(times.values()):.0f} s; {slow or 'none over 5 s'}", flush=True)
    judged, survived, at = 0, [], options.skip

    def worker():
        nonlocal judged, at
        copy = copies.get()
        while True:
            with lock:
                if judged >= options.count or at >= len(faults):
                    break
                number, at = at, at + 1
                judged += 1
            path, n, name, new = faults[number]
            by = copy.judge(path, n, new)
            with lock:
                if by is None:
                    judged -= 1
                    continue
                old = (ROOT / path).read_text().split("\n")[n].strip()
                what = f"{number} {path}:{n + 1}: {name}: `{old}` -> `{new.strip()}`"
                print(f"noticed by {by}: {what}" if by else f"SURVIVED {what}", flush=True)
                if not by:
                    survived.append(what)

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for job in [pool.submit(worker) for _ in range(options.jobs)]:
            job.result()
    noticed = judged - len(survived)
    print(f"\n{noticed} of {judged} faults noticed ({100 * noticed / max(judged, 1):.1f} %), {len(survived)} survived; "
          f"the next draw is {at}")
    return 0 if noticed >= ENOUGH * judged else 1


if __name__ == "__main__":
    sys.exit(main())
