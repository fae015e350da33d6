#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Guest instructions per forwarded frame, counted by a QEMU plugin: interrupts and driver included.

Two runs push N and 2N frames under load; the slope between them is the cost of a frame, what is
fixed vanishes. The counter is read before and after each run, so an idle second's instructions are
known too, and printed. `ping-pong` sends one frame at a time: each wakes the guest from hlt.
Prints `ok NAME` or `not ok NAME: why` for the gates, which stand for e1000 under load.
"""

import argparse
import bisect
import collections
import subprocess
import sys
import time

from measure import ROOT, Forwarder, LabError

# Measured on the same QEMU: a bare loop between two e1000, and a Linux 6.1 router.
REFERENCE = {"bare loop": {"load": 10, "ping-pong": 90}, "Linux 6.1 router": {"load": 3393, "ping-pong": 8066}}
GATE = {"bridge": 100, "router": 215}  # on e1000, under load
AIM = {"bridge": 100, "router": 200}


ROUNDS = 20  # runs at most until enough frames have arrived


def slope(f, run, n):
    """Cost of one frame in each counter, and the frames that were counted: from two points, the second
    with at least twice the frames of the first. How many of the n offered arrive is up to the tap,
    which drops what the guest is too busy for; so it is offered again until there are enough."""
    points = [(n // 32, None)]
    for least in (1, 2):
        before, frames, rounds = f.read(), 0, 0
        while rounds < least or frames < 2 * points[-1][0]:
            if rounds == ROUNDS:
                raise LabError(f"{frames} frames of {rounds} times {n} arrived: too few to measure")
            frames += run(n)[0]
            rounds += 1
            time.sleep(0.1)
        points.append((frames, [b - a for a, b in zip(before, f.read())]))
    _, (few, low), (many, high) = points
    return [(b - a) / (many - few) for a, b in zip(low, high)], many


def hot_functions(graph, nic, n, ping):
    """Where the instructions went, by function, from boot to end, per frame."""
    done = subprocess.run(["nm", str(ROOT / f"build/x86_64/{graph}.elf64")], check=True, capture_output=True, text=True)
    symbols = sorted((int(w[0], 16), w[2]) for w in (line.split() for line in done.stdout.splitlines())
                     if len(w) == 3 and w[1] in "tTwW")
    starts = [a for a, _ in symbols]
    f = Forwarder(graph, nic, count=True, hot=True)
    with f:
        frames = 2 * f.ping(n // 20)[0] if ping else sum(f.push(n)[0] for _ in range(3))
        f.lab.down()  # the plugin writes when QEMU ends
        sums = collections.Counter()
        for line in f.hot.read_text().splitlines():
            address, times = line.split()
            at = bisect.bisect_right(starts, int(address, 16)) - 1
            sums[symbols[at][1] if at >= 0 else "firmware"] += int(times)
    print(f"{graph} {nic} {'ping-pong' if ping else 'load'}, {frames} frames: instructions per frame, booting included")
    for name, times in sums.most_common(25):
        print(f"{times / frames:9.1f} {name}")


def idle_rate(f):
    """Instructions a second with nothing to do."""
    time.sleep(0.3)
    before = f.read()
    time.sleep(1)
    return f.read().instructions - before.instructions


def measure(graph, nic, n, extra):
    """{"load": ..., "ping-pong": ...} instructions per frame."""
    found = {}
    with Forwarder(graph, nic, count=True, extra=extra) as f:
        idle = idle_rate(f)
        for mode, run, count in (("load", f.push, n), ("ping-pong", f.ping, max(n // 20, 500))):
            cost, frames = slope(f, run, count)
            if mode == "ping-pong":
                cost = [c / 2 for c in cost]  # a round trip is two forwarded frames
            found[mode] = cost[0]
            line = f"{graph:8} {nic:7} {mode:10} {cost[0]:8.1f} instructions/frame"
            if extra:
                line += f" {cost[1]:7.1f} loads {cost[2]:7.1f} stores {cost[3]:6.2f} device accesses"
            print(f"{line}   ({frames} frames; idle {idle}/s)", flush=True)
    return found


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--graph", action="append", help="bridge, router (default: both)")
    p.add_argument("--nic", action="append", help="e1000 e1000e tulip virtio (default: e1000)")
    p.add_argument("--frames", type=int, default=200000, metavar="N", help="frames offered (default: 200000)")
    p.add_argument("--memory", action="store_true", help="count loads, stores and device accesses too (slower)")
    p.add_argument("--hot", choices=["load", "ping-pong"], help="show the hottest functions instead")
    args = p.parse_args()
    failed = 0
    if args.hot:
        for nic in args.nic or ["e1000"]:
            for graph in args.graph or ["bridge", "router"]:
                hot_functions(graph, nic, args.frames, args.hot == "ping-pong")
        return 0
    for nic in args.nic or ["e1000"]:
        for graph in args.graph or ["bridge", "router"]:
            try:
                cost = measure(graph, nic, args.frames, args.memory)["load"]
            except LabError as e:
                print(f"not ok instructions: {graph} on {nic}: {str(e).splitlines()[-1]}", flush=True)
                failed += 1
                continue
            gate = GATE.get(graph) if nic == "e1000" else None
            if gate:
                good = cost <= gate
                failed += not good
                name = f"instructions: {graph} on {nic} takes at most {gate} a frame under load"
                print(f"ok {name}" if good else f"not ok {name}: {cost:.1f}", flush=True)
    for who, what in REFERENCE.items():
        print(f"for comparison, e1000: {who}: load {what['load']}, ping-pong {what['ping-pong']}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
