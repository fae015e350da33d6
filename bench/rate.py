#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""How much of the bridge's rate the router carries, on each card, in the same run.

Both are booted side by side and get turns, so that what the machine does meanwhile hits both. The
gate is 80 % of the frames; absolute rates depend on the machine and are only printed. A share below
the gate is looked at again with as many turns on top: the medians are those of all turns.
"""

import argparse
import statistics
import sys

from measure import Forwarder, LabError

GATE = 0.80
ROUNDS = 9  # turns of each
AGAIN = 2   # times


def compare(nic, frames, sizes):
    """{size: (bridge, router)}: medians of frames a second."""
    rates = {}
    with Forwarder("bridge", nic) as bridge, Forwarder("router", nic) as router:
        for size in sizes:
            turns = {bridge: [], router: []}
            for _ in range(1 + AGAIN):
                for _ in range(ROUNDS):
                    for f in turns:
                        turns[f].append(f.burst(frames, size))
                rates[size] = statistics.median(turns[bridge]), statistics.median(turns[router])
                if rates[size][1] >= GATE * rates[size][0]:
                    break
    return rates


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--nic", action="append", help="e1000 e1000e tulip virtio (default: all)")
    p.add_argument("--frames", type=int, default=100000, metavar="N", help="frames offered in a turn")
    args = p.parse_args()
    failed = 0
    for nic in args.nic or ["e1000", "e1000e", "tulip", "virtio"]:
        name = f"rate: router carries at least {GATE:.0%} of bridge on {nic}"
        try:
            rates = compare(nic, args.frames, (64, 1514))
        except LabError as e:
            print(f"not ok {name}: {str(e).splitlines()[-1]}", flush=True)
            failed += 1
            continue
        shares = []
        for size, (bridge, router) in rates.items():
            shares.append(router / bridge if bridge else 0.0)
            print(f"{nic:7} {size:4} bytes: bridge {bridge / 1e3:6.1f} kframes/s, router {router / 1e3:6.1f}, "
                  f"{shares[-1]:.0%}", flush=True)
        failed += min(shares) < GATE
        print(f"ok {name}" if min(shares) >= GATE else f"not ok {name}: {min(shares):.0%}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
