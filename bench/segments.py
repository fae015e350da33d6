#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a TCP segment costs in each configuration of the paper, in guest instructions, the whole guest counted.

96 honest connections of the crowd (tests/million) exchange data segments of 1 and of 1460 bytes, one each way at
a time, acknowledgements riding on them: few enough under way for the card's ring, so nothing is lost.
The cost is what the guest executes for N exchanges divided by the 2 N segments that pass; the median of some turns.
Prints `ok NAME` or `not ok NAME: why` for the gates (R-SPL-22), and the paper's speed-ups beside ours.
"""

import argparse
import sys

from cost import per_segment
from measure import LabError
from rows import ROWS, SIZES, title

NAMES = ("2-path", "1-path", "fwd", "ipfwd", "router")
# What is held, and what is wanted and not reached yet (docs/RESULTS.md says where it goes).
NEAR = 30  # what the size of the bursts makes of a turn of the main loop, and a sum verified now and then
RATIO = (1.20, 1.10)
MOST = {"ipfwd": (275, 250), "1-path": (4700, 4000)}


def measure(name, nic, exchanges):
    """{size: instructions per segment}"""
    found = per_segment(name, nic, SIZES, exchanges)
    for size, m in found.items():
        print(f"{name:7} {nic:7} {size:4} bytes {m['median']:8.1f} instructions/segment"
              f"   ({m['min']:.0f} to {m['max']:.0f} in {m['turns']} turns of {exchanges})", flush=True)
    return {size: m["median"] for size, m in found.items()}


def gate(name, good, why):
    print(f"ok {name}" if good else f"not ok {name}: {why}", flush=True)
    return not good


def gates(cost):
    failed = 0
    for row in ("fwd", "ipfwd"):
        if row in cost:
            small, large = (cost[row][size] for size in SIZES)
            near, or_near = (NEAR, f" or {NEAR} instructions") if row == "ipfwd" else (0, "")
            failed += gate(f"R-SPL-22 {title(row)} costs the same for 1 and 1460 bytes within 5 %{or_near}",
                           abs(small - large) <= max(0.05 * large, near), f"{small:.1f} and {large:.1f}")
    if "ipfwd" in cost and "router" in cost:
        for size in SIZES:
            mine, floor = cost["ipfwd"][size], cost["router"][size]
            failed += gate(f"R-SPL-22 IP/FWD costs at most {RATIO[0]} of the router with {size} bytes (aim {RATIO[1]})",
                           mine <= RATIO[0] * floor, f"{mine:.1f} against {floor:.1f}")
    for row, (most, aim) in MOST.items():
        if row in cost:
            worst = max(cost[row].values())
            failed += gate(f"R-SPL-22 {title(row)} takes at most {most} instructions a segment (aim {aim})", worst <= most,
                           f"{worst:.1f}")
    return failed


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--nic", action="append", help="e1000 e1000e tulip virtio (default: e1000)")
    p.add_argument("--row", action="append", choices=NAMES, help="default: all")
    p.add_argument("--exchanges", type=int, default=20000, metavar="N", help="in a turn (default: 20000)")
    args = p.parse_args()
    failed = 0
    for nic in args.nic or ["e1000"]:
        cost = {}
        for name in args.row or NAMES:
            try:
                cost[name] = measure(name, nic, args.exchanges)
            except LabError as e:
                failed += gate(f"segments: {name} on {nic}", False, str(e).splitlines()[-1])
        if nic == "e1000":
            failed += gates(cost)
        for name in cost if "2-path" in cost else ():
            ours = [cost["2-path"][size] / cost[name][size] for size in SIZES]
            theirs = [a / b for a, b in zip(ROWS["2-path"].paper, ROWS[name].paper)]
            print(f"{name:7} {nic:7} speed-up against 2-path: {ours[0]:.2f} and {ours[1]:.2f} (the paper: "
                  f"{theirs[0]:.2f} and {theirs[1]:.2f})")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
