#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a TCP segment costs in each configuration of the paper, in guest instructions, the whole guest counted.

96 honest connections of the crowd (tests/million) exchange data segments of 1 and of 1460 bytes, one each way at
a time, acknowledgements riding on them: few enough under way for the card's ring, so nothing is lost.
The cost is what the guest executes for N exchanges divided by the 2 N segments that pass; the median of some turns.
Prints `ok NAME` or `not ok NAME: why` for the gates (R-SPL-22), and the paper's speed-ups beside ours.
"""

import argparse
import statistics
import sys

from guest import Crowd
from measure import LabError

CONNS, TURNS = 96, 5
SIZES = (1, 1460)
TRANSPARENT = {"plug.transparent": "on"}
# What is held, and what is wanted and not reached yet (docs/RESULTS.md says where it goes).
NEAR = 30  # what the size of the bursts makes of a turn of the main loop, and a sum verified now and then
RATIO = (1.20, 1.10)
MOST = {"IP/FWD": (275, 250), "1-path": (4700, 4000)}
# name: graph, settings, stages that `show paths` must print, the paper's speed-up for 1 and 1460 bytes
ROWS = {
    "2-path": ("firewall-2path", TRANSPARENT, "eth0 ip tcp proxy", (1.0, 1.0)),
    "1-path": ("firewall", {**TRANSPARENT, "fwd.splice": "off"}, "eth0 ip tcp proxy tcp ip eth1", (1.04, 1.03)),
    "FWD": ("firewall", {**TRANSPARENT, "fwd.merge": "off"}, "eth0 ip fwd ip eth1", (1.76, 2.56)),
    "IP/FWD": ("firewall", TRANSPARENT, "eth0 ipfwd eth1", (2.85, 4.21)),
    "router": ("router", {}, "eth0 ip eth1", (3.06, 4.51)),
}


def measure(name, nic, exchanges):
    """{size: instructions per segment}"""
    graph, settings, stages, _ = ROWS[name]
    found = {}
    with Crowd(graph, nic, conns=CONNS, settings=settings) as c:
        c.open(0, CONNS, 32, 64)
        for size in SIZES:
            c.data(0, CONNS, 4 * CONNS, CONNS, size)
            turns = []
            for _ in range(TURNS):
                before = c.instructions()
                done = c.data(0, CONNS, exchanges, CONNS, size)
                turns.append((c.instructions() - before) / (2 * done["finished"]))
            found[size] = statistics.median(turns)
            print(f"{name:7} {nic:7} {size:4} bytes {found[size]:8.1f} instructions/segment"
                  f"   ({min(turns):.0f} to {max(turns):.0f} in {TURNS} turns of {exchanges})", flush=True)
        shapes = c.command("show paths")
        if sum(line.split(None, 2)[2] == stages for line in shapes.splitlines()
               if line.startswith("path ")) < (CONNS if graph != "router" else 1):
            raise LabError(f"its paths are not `{stages}`")
    return found


def gate(name, good, why):
    print(f"ok {name}" if good else f"not ok {name}: {why}", flush=True)
    return not good


def gates(cost):
    failed = 0
    for row in ("FWD", "IP/FWD"):
        if row in cost:
            small, large = (cost[row][size] for size in SIZES)
            near, or_near = (NEAR, f" or {NEAR} instructions") if row == "IP/FWD" else (0, "")
            failed += gate(f"R-SPL-22 {row} costs the same for 1 and 1460 bytes within 5 %{or_near}",
                           abs(small - large) <= max(0.05 * large, near), f"{small:.1f} and {large:.1f}")
    if "IP/FWD" in cost and "router" in cost:
        for size in SIZES:
            mine, floor = cost["IP/FWD"][size], cost["router"][size]
            failed += gate(f"R-SPL-22 IP/FWD costs at most {RATIO[0]} of the router with {size} bytes (aim {RATIO[1]})",
                           mine <= RATIO[0] * floor, f"{mine:.1f} against {floor:.1f}")
    for row, (most, aim) in MOST.items():
        if row in cost:
            worst = max(cost[row].values())
            failed += gate(f"R-SPL-22 {row} takes at most {most} instructions a segment (aim {aim})", worst <= most,
                           f"{worst:.1f}")
    return failed


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--nic", action="append", help="e1000 e1000e tulip virtio (default: e1000)")
    p.add_argument("--row", action="append", choices=list(ROWS), help="default: all")
    p.add_argument("--exchanges", type=int, default=20000, metavar="N", help="in a turn (default: 20000)")
    args = p.parse_args()
    failed = 0
    for nic in args.nic or ["e1000"]:
        cost = {}
        for name in args.row or ROWS:
            try:
                cost[name] = measure(name, nic, args.exchanges)
            except LabError as e:
                failed += gate(f"segments: {name} on {nic}", False, str(e).splitlines()[-1])
        if nic == "e1000":
            failed += gates(cost)
        for name in cost if "2-path" in cost else ():
            ours = [cost["2-path"][size] / cost[name][size] for size in SIZES]
            print(f"{name:7} {nic:7} speed-up against 2-path: {ours[0]:.2f} and {ours[1]:.2f} (the paper: "
                  f"{ROWS[name][3][0]:.2f} and {ROWS[name][3][1]:.2f})")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
