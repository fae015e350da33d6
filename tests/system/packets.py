#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The packet scripts of tests/path against the booted image: the same lines, in real time, a guest for each test.

Tests whose script lasts too long for that are left out; the last line of each card counts them. Everything that a test
took must be given back when its guest ends. --long: all scripts, all cards, and one in fifty of the cases of
tests/conformance. Needs `make image GRAPH=all` and
build/hosted/tests/path/run before (the runner does that); by hand: tools/pkt --image NIC [FILE.pkt]...
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUN = ROOT / "build/hosted/tests/path/run"
QUICK = ("tcp.pkt", "splice*.pkt", "fragments.pkt", "filter.pkt", "router.pkt")
JOBS = "8"  # guests at a time: they wait most of the time


def scripts(card, files, most, every="1"):
    words = [RUN, "--image", card, "--most", most, "--every", every, "--jobs", JOBS, *files]
    return subprocess.run(words, cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode


def matrix(card):
    with tempfile.TemporaryDirectory() as where:
        words = [ROOT / "tests/conformance/matrix.py", "--write", where]
        subprocess.run(words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
        return scripts(card, sorted(pathlib.Path(where).glob("*.pkt")), "30", "50")


def main():
    parser = argparse.ArgumentParser(description="packet scripts against the image")
    parser.add_argument("--long", action="store_true", help="all scripts of up to 30 s, all cards")
    parser.add_argument("--nic", action="append", help="this card only")
    options = parser.parse_args()
    if not RUN.exists():
        print(f"not ok packets: {RUN.relative_to(ROOT)} is not there; `make {RUN.relative_to(ROOT)} GRAPH=all` makes it")
        return 1
    if options.long:
        cards, files, most = ("e1000", "e1000e", "tulip", "virtio"), [], "30"
    else:
        cards, files, most = ("e1000",), [f for name in QUICK for f in sorted((ROOT / "tests/path").glob(name))], "3"
    failed = [scripts(card, files, most) for card in options.nic or cards]
    if options.long:
        failed.append(matrix("virtio"))
    return 1 if any(failed) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
