#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What it costs to rewrite a path, in guest instructions, with few and with many connections open (R-SPL-23).

Graph `firewall` under QEMU's -icount shift=0, where the time stamp counter counts instructions; so the cycles that
the history of a path prints (`show path N`) are the instructions of each rule. A connection is opened while
0, 1,000 and 20,000 others are open and spliced, eight times each; the median is printed. Then one is unspliced and
spliced again by command. The splice is idle, as the paper's (its section 5.2.3: 25 us to FWD, 94 us to IP/FWD).
"""

import argparse
import collections
import re
import statistics
import sys

from guest import Crowd
from measure import LabError

SETTINGS = {"plug.transparent": "on", "buffers": 4096, "paths": 100000, "flows": 200000, "arp.reachable": "1h"}
OTHERS = (0, 1000, 20000)
SAMPLES, NEAR, WIDTH, SIZE = 8, 80, 64, 64
TO_FWD, TO_IPFWD = ("splice", "settle"), ("splice", "settle", "merge")
# What is held, and what is wanted and not reached yet (docs/RESULTS.md).
MOST = {TO_FWD: (6500, 2000), TO_IPFWD: (8000, 4000)}
RULE = re.compile(r"\s+rule (\w+) at .* (\d+) cycles")


def history(c, number):
    """[(rule, instructions)] of a path; empty: no such path, or it is too long ago."""
    return [(m[1], int(m[2])) for m in map(RULE.match, c.command(f"show path {number}").splitlines()) if m]


def samples(c, others):
    """{rule: [instructions]} of the connections that were opened last."""
    c.open(others, SAMPLES, 1, SIZE)
    live = c.numbers("show mem")["paths"]
    found = collections.defaultdict(list)
    newest = [h for h in (history(c, n) for n in range(live - 1 + NEAR, max(live - NEAR, 0), -1)) if h]
    whole = [h for h in newest if h[0][0] == "join" and h[-1][0] == "merge"]
    for h in whole[:SAMPLES]:
        for rule, cost in h:
            found[rule].append(cost)
    if not found:
        raise LabError(f"no path with a whole history among {len(newest)}: {newest[:1]}")
    return found, live


def back_and_forth(c, live):
    """Prints what the way back costs, and the second way there."""
    number = next((n for n in range(live - 1 + NEAR, 0, -1) if history(c, n)), None)
    was = len(history(c, number))
    for line in (f"unsplice {number}", f"splice {number}"):
        c.command(line)
        for _ in range(3):  # the trigger of a rule may need segments; acknowledgements are enough
            c.data(0, 1, 1, 1, SIZE)
        new = history(c, number)[was:]
        was += len(new)
        print(f"{line.split()[0]:9} by command: " + (", ".join(f"{r} {n}" for r, n in new) or "nothing yet"), flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--nic", default="e1000")
    args = p.parse_args()
    failed, cost = 0, {}
    try:
        with Crowd("firewall", args.nic, OTHERS[-1] + SAMPLES * len(OTHERS), SETTINGS, count=False, icount=True) as c:
            opened = 0
            for others in OTHERS:
                if others > opened:
                    c.open(opened, others - opened, WIDTH, SIZE)
                    opened = others
                found, live = samples(c, opened)
                opened += SAMPLES
                cost[others] = {rule: statistics.median(of) for rule, of in found.items()}
                print(f"{others:6} others: " + ", ".join(f"{r} {int(n)}" for r, n in cost[others].items()), flush=True)
            back_and_forth(c, live)
    except LabError as e:
        print(f"not ok R-SPL-23 the cost of a splice: {str(e).splitlines()[-1]}")
        return 1
    for rules, (most, aim) in MOST.items():
        sums = [sum(of.get(rule, 0) for rule in rules) for of in cost.values()]
        name = f"R-SPL-23 {' and '.join(rules)} take at most {most} instructions (aim {aim})"
        good = max(sums) <= most
        print(f"ok {name}" if good else f"not ok {name}: {sums}")
        failed += not good
        name = f"R-SPL-23 {' and '.join(rules)} cost the same with {OTHERS[-1]} connections open"
        good = sums[-1] <= 1.10 * sums[0]
        print(f"ok {name}" if good else f"not ok {name}: {sums}")
        failed += not good
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
