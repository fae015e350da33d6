#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every fuzz target for a little while, two at a time; `make fuzz` is for longer.

Starts from the committed corpora, in a folder of its own each time, with a new seed, which is printed.
--long: ten times as long.
"""

import argparse
import os
import pathlib
import shutil
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "tools"))
import fuzz  # pylint: disable=wrong-import-position

SECONDS, GRAPH_SECONDS, AT_ONCE = 18, 60, 2


def report(run, folder):
    why, (runs, frames) = run.verdict(), run.numbers()
    n = len(list(folder.iterdir()))
    shutil.rmtree(folder, ignore_errors=True)
    if why is None and not runs:
        why = f"it did not run; log: {run.log.relative_to(fuzz.ROOT)}"
    if why:
        print(f"not ok fuzz/{run.name}: {why}", flush=True)
        return 1
    some = f" {frames} frames," if frames else ""
    print(f"ok fuzz/{run.name}: {runs} runs,{some} corpus {n}, seed {run.seed}", flush=True)
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--seed", type=int, default=int(time.time()) & 0xFFFFFF)
    parser.add_argument("names", nargs="*", metavar="NAME", help=" ".join(fuzz.targets()))
    options = parser.parse_args()
    factor = 10 if options.long else 1
    if not shutil.which("clang"):
        print("skip fuzz: clang is not installed")
        return 0
    todo = sorted(options.names or fuzz.targets(), key=lambda name: name != "graph")
    running, bad = [], 0
    try:
        while todo or running:
            while todo and len(running) < AT_ONCE:
                name = todo.pop(0)
                if not os.access(fuzz.program(name), os.X_OK):
                    print(f"not ok fuzz/{name}: was not built; make fuzz-programs GRAPH=all")
                    bad += 1
                    continue
                folder = fuzz.WORK / f"smoke-{os.getpid()}-{name}"
                shutil.copytree(fuzz.corpus(name), folder)
                seconds = factor * (GRAPH_SECONDS if name == "graph" else SECONDS)
                running.append((fuzz.Run(name, options.seed, seconds, folder), folder))
            time.sleep(0.2)
            for pair in [p for p in running if p[0].child.poll() is not None]:
                running.remove(pair)
                bad += report(*pair)
    finally:
        for run, folder in running:
            run.stop()
            shutil.rmtree(folder, ignore_errors=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
