#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The gates of bench/: guest instructions per forwarded frame and per TCP segment in each configuration, what a
rewrite of a path and a bogus SYN cost, and, in the long form (--long, with more frames), a million connections in a guest and
the router's share of the bridge's rate on each card. Counts are judged always; rates, though compared within
one run, swing with what else the machine does, so only the long form judges them."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main():
    long = "--long" in sys.argv[1:]
    scripts = {"instructions.py": ["--frames", "400000" if long else "200000"], "segments.py": [], "splice.py": [], "syn.py": []}
    if long:
        scripts.update({"million.py": [], "rate.py": ["--frames", "400000"]})
    failed = 0
    for script, words in scripts.items():
        done = subprocess.run([sys.executable, str(ROOT / "bench" / script), *words], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        print(done.stdout, end="", flush=True)
        if done.returncode and "not ok" not in done.stdout:
            print(f"not ok {script}: exit status {done.returncode}", flush=True)
        failed |= done.returncode
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
