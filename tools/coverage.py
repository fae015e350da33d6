#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Branch coverage of the code that wires reach; called by `make coverage`.

Builds the variant `cover` (gcc --coverage, -O0), runs the unit tests, the models of the cards, the packet
scripts, the conformance matrix, the transfers that are cut everywhere and some hundred seeds of each
treatment of the simulation in it, and reads gcov's counts. No limit of time: a busy machine only takes longer. A function of a header counts once, as
taken when any program took the branch. The branches of assert() are left out: that they are never
taken is what the tests show. Exit status 1 when a folder of GATES is below its share.

    coverage.py               build, run, report
    coverage.py --report      report on what has run already
    coverage.py --missing F   and print the branches of that file that were never taken
"""

import argparse
import collections
import json
import os
import pathlib
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parent.parent
COVER = ROOT / "build/cover"
# Percent of the branches; None: shown only. `ipfwd` is the fwd module and the lane, modules/ip/lane.c.
GATES = {"modules/wire": 90, "modules/tcp": 90, "modules/fwd": 90, "modules/ip/lane.c": 90, "modules/ip": None, "kernel": None}
SIMULATIONS = [["--graph", "firewall/" + how, "--seeds", "1:200", *faults]
               for how in ("off", "absorb", "hold", "concurrent") for faults in ([], ["--faults", "all"])]
GROUPS = ("unit", "path", "drivers", "sim")
SLOW = ("test_cuts", "test_evict", "test_tcp_cubic", "test_record", "test_flow", "test_tcp_parts")  # first, so none runs alone at the end


def programs():
    mains = [main for group in GROUPS for main in sorted(ROOT.glob(f"tests/{group}/test_*.c"))]
    for main in sorted(mains, key=lambda m: SLOW.index(m.stem) if m.stem in SLOW else len(SLOW)):
        yield [str(COVER / main.relative_to(ROOT).with_suffix(""))]
    yield [str(COVER / "tests/path/run")]
    yield [sys.executable, str(ROOT / "tests/conformance/matrix.py"), "--variant", "cover"]
    for words in SIMULATIONS:
        yield [str(COVER / "tests/sim/run"), *words]


def build_and_run():
    words = ["make", "--no-print-directory", f"-j{os.cpu_count() or 2}", "VARIANTS=cover", "GRAPH=all", "test-programs"]
    done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")})
    if done.returncode:
        sys.exit(f"not ok coverage: make failed:\n{done.stdout[-2000:]}")
    for counts in COVER.rglob("*.gcda"):
        counts.unlink()

    def run(words):
        done = subprocess.run(words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace")
        return f"{words[0]}: exit status {done.returncode}: {done.stdout[-300:]}" if done.returncode else None

    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        failed = [why for why in pool.map(run, programs()) if why]
    for why in failed:
        print(f"not ok coverage: {why}", flush=True)
    return not failed


def asserts(path):
    """Numbers of the lines that belong to an assert."""
    found, depth = set(), 0
    for number, line in enumerate((ROOT / path).read_text(encoding="utf-8").splitlines(), 1):
        if depth or re.search(r"\b(static_)?assert\(", line):
            found.add(number)
            depth += line.count("(") - line.count(")")
            depth = max(depth, 0) if not line.rstrip().endswith(";") else 0
    return found


def branches():
    """{file: {(line, number): how often}}"""
    counts = collections.defaultdict(lambda: collections.Counter())
    objects = sorted(str(o) for folder in GATES for o in (COVER / folder).rglob("*.gcda"))  # of a file: none, its folder has it
    objects += sorted(str(o) for group in GROUPS for o in (COVER / "tests" / group).rglob("*.gcda"))
    for at in range(0, len(objects), 50):
        done = subprocess.run(["gcov", "-b", "--json-format", "--stdout", *objects[at:at + 50]], cwd=ROOT,
                              capture_output=True, text=True, check=True)
        for line in done.stdout.splitlines():
            for f in json.loads(line)["files"]:
                name = f["file"]
                if not any(within(name, folder) for folder in GATES):
                    continue
                for code in f["lines"]:
                    for i, b in enumerate(code["branches"]):
                        counts[name][code["line_number"], i] += b["count"]
    for name, found in counts.items():
        left_out = asserts(name)
        for key in [k for k in found if k[0] in left_out]:
            del found[key]
    return counts


def within(name, folder):
    return name == folder or name.startswith(folder + "/")


def share(found):
    return sum(1 for n in found.values() if n), len(found)


def report(counts):
    good = True
    for folder, gate in GATES.items():
        files = {name: share(found) for name, found in sorted(counts.items()) if within(name, folder)}
        for name, (taken, there) in files.items():
            if there and name != folder:
                print(f"  {100 * taken / there:5.1f} %  {taken:4} of {there:4}  {name}")
        taken, there = map(sum, zip(*files.values())) if files else (0, 0)
        percent = 100 * taken / there if there else 0
        line = f"{folder}: {percent:.1f} % of {there} branches"
        fine = gate is None or percent >= gate
        good &= fine
        print(f"{'ok' if fine else 'not ok'} coverage {line}" + ("" if fine else f": the gate is {gate} %"), flush=True)
    return good


def missing(counts, name):
    text = (ROOT / name).read_text(encoding="utf-8").splitlines()
    lines = collections.defaultdict(list)
    for (line, i), n in sorted(counts[name].items()):
        lines[line].append(n)
    for line, taken in lines.items():
        if not all(taken):
            print(f"{name}:{line}: {taken}  {text[line - 1].strip()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report", action="store_true", help="of what has run before")
    parser.add_argument("--missing", action="append", default=[], metavar="FILE")
    options = parser.parse_args()
    ran = options.report or options.missing or build_and_run()
    counts = branches()
    for name in options.missing:
        missing(counts, name)
    return 0 if report(counts) and ran else 1


if __name__ == "__main__":
    sys.exit(main())
