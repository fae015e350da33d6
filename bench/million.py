#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A million spliced connections in a guest of 512 MiB: opened by handshake, spliced by the rules, used, closed by
both ends; no record is written directly. Graph `firewall`, both sides the crowd of tests/million.

Prints time and instructions for each phase, bytes per connection by the accounts (`show mem`), and what a segment
costs with one, a thousand and all connections: instructions are judged (at most 1.05 of those with one),
nanoseconds only plotted. What the guest does by the clock whether segments come or not (one timer looks at every
connection) is measured while it is left alone, printed, and taken off: it belongs to seconds, not to segments.
Afterwards everything must be back, and `quit` must find nothing missing.
"""

import argparse
import sys
import time

from guest import Crowd
from measure import LabError

SETTINGS = {"plug.transparent": "on", "buffers": 4096, "paths": 1100000, "flows": 2200000, "arp.reachable": "1h"}
MEMORY, WIDTH, SIZE, ROUND = 512, 64, 64, 8
BYTES, RATIO = 256, 1.05


class Report:
    def __init__(self):
        self.failed = 0

    def gate(self, name, good, why=""):
        print(f"ok {name}" if good else f"not ok {name}: {why}", flush=True)
        self.failed += not good


def idle_rate(c):
    """Instructions a second with nothing to do, over a round of the timer that looks at all connections."""
    before, began = c.instructions(), time.monotonic()
    time.sleep(ROUND)
    return (c.instructions() - before) / (time.monotonic() - began)


def phase(c, name, work, *numbers, idle=0):
    """Prints what it took; instructions per segment that came into the guest, and nanoseconds."""
    before = c.instructions()
    done = work(*numbers)
    cost = (c.instructions() - before - idle * done["microseconds"] / 1e6) / done["sent"]
    ns = done["microseconds"] * 1000 / done["sent"]
    print(f"{name:32} {done['finished']:8} done {done['sent']:8} segments {done['microseconds'] / 1e6:7.1f} s"
          f" {cost:8.1f} instructions/segment {ns:7.0f} ns/segment  resent {done['resent']}", flush=True)
    return cost, ns


def accounts(c):
    mem = c.numbers("show mem")
    return mem["kernel_bytes"] + mem["path_bytes"] + mem["node_bytes"], mem


def plot(points):
    """Nanoseconds of a segment, a bar per number of connections."""
    most = max(ns for _, _, ns in points)
    for n, cost, ns in points:
        print(f"{n:8} connections {cost:7.1f} instructions {ns:6.0f} ns {'#' * round(40 * ns / most)}")


def spliced(c, number):
    """Stages of a path that `show path` knows."""
    return c.command(f"show path {number}").splitlines()[1].split(None, 2)[-1]


def run(c, conns, segments, report):
    start, before = accounts(c)
    points = []
    opened = 0
    for n in (1, 1000, conns):
        phase(c, f"open up to {n}", c.open, opened, n - opened, WIDTH, SIZE)
        opened = n
        c.data(0, n, 1000, WIDTH, SIZE, True)
        idle = idle_rate(c)
        print(f"{n} connections at rest: {idle:.0f} instructions a second", flush=True)
        points.append((n, *phase(c, f"data with {n}", c.data, 0, n, max(segments, n), WIDTH, SIZE, True, idle=idle)))
    total, mem = accounts(c)
    each = (total - start) / conns
    print(f"accounts: {total} bytes, {start} before; {mem['paths']} paths, {mem['flows']} flows, {mem['timers']} timers")
    stages = {spliced(c, number) for number in range(before["paths"], before["paths"] + conns, max(conns // 50, 1))}
    report.gate(f"R-SPL-21 {conns} connections are open and in their final state",
                mem["paths"] == before["paths"] + conns and stages == {"eth0 ipfwd eth1"}, f"{mem['paths']} {stages}")
    report.gate(f"R-SPL-21 a connection takes at most {BYTES} bytes by the accounts", each <= BYTES, f"{each:.1f}")
    print(f"{each:.1f} bytes per connection")
    plot(points)
    for n, cost, _ in points[1:]:
        report.gate(f"R-SPL-22 a segment costs at most {RATIO} with {n} connections of what it costs with one",
                    cost <= RATIO * points[0][1], f"{cost:.1f} against {points[0][1]:.1f}")
    c.command("set waiting=2s")
    phase(c, f"close {conns}", c.close, 0, conns, WIDTH)
    limit = time.monotonic() + 60
    while c.numbers("show mem")["paths"] > before["paths"] and time.monotonic() < limit:
        time.sleep(1)
    _, after = accounts(c)
    same = [k for k in ("paths", "flows", "path_bytes", "msgs_small") if after[k] > before[k]]
    report.gate("R-SPL-12 FIN both ways ends every spliced path; nothing is left of them", not same,
                " ".join(f"{k} {after[k]} was {before[k]}" for k in same))
    drops = [line for line in c.command("show drops").splitlines() if line.startswith("drop ")]
    print("\n".join(drops) or "no drops")
    report.gate("R-SPL-24 at quit everything is given back", "0 bytes not given back" in c.quit())


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--nic", default="e1000")
    p.add_argument("--conns", type=int, default=1000000, metavar="N")
    p.add_argument("--exchanges", type=int, default=20000, metavar="N", help="exchanges of a point")
    args = p.parse_args()
    report = Report()
    try:
        with Crowd("firewall", args.nic, args.conns, SETTINGS, MEMORY) as c:
            run(c, args.conns, args.exchanges, report)
    except LabError as e:
        report.gate(f"million: {args.conns} connections on {args.nic}", False, str(e).splitlines()[-1])
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
