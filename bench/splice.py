#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What it costs to rewrite a path, in guest instructions, with few and with many connections open (R-SPL-23).

Graph `firewall` under QEMU's -icount shift=0, where the time stamp counter counts instructions; so the cycles that
the history of a path prints (`show path N`) are the instructions of each rule. A connection is opened while
0, 1,000 and 20,000 others are open and spliced, eight times each. `opening`: by the rules, while
the first request is under way, so the acknowledgement of its bytes is sent on the way. `idle`: by command, when
nothing is under way, as the paper's (its section 5.2.3: 25 us to FWD, 94 us to IP/FWD). Then one of these goes back.
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
SAMPLES, NEAR, WIDTH, SIZE, LOOKS = 8, 160, 64, 64, 20
TO_FWD, TO_IPFWD = ("splice", "settle"), ("splice", "settle", "merge")
# The console's interrupts come in the midst of what a command does, so the least is taken there.
ONE = {"opening": statistics.median, "idle": min}
# What is held, and what is wanted (docs/RESULTS.md).
MOST = {("opening", TO_FWD): (4100, 2000), ("opening", TO_IPFWD): (4950, 4000),
        ("idle", TO_FWD): (3400, 2000), ("idle", TO_IPFWD): (4150, 4000)}
RULE = re.compile(r"\s+rule (\w+) at .* (\d+) cycles")


def history(c, number):
    """[(rule, instructions)] of a path; empty: no such path, or it is too long ago."""
    return [(m[1], int(m[2])) for m in map(RULE.match, c.command(f"show path {number}").splitlines()) if m]


def rewrites(c, what, number):
    """[(rule, instructions)] that the command leads to. Rules come a turn later: it is looked at more than once."""
    was, new = len(history(c, number)), []
    c.command(f"{what} {number}")
    for _ in range(LOOKS):
        before, new = new, history(c, number)[was:]
        if new and new == before:
            break
    return new


def near(c):
    """Numbers of the paths that were made last, the latest first."""
    live = c.numbers("show mem")["paths"]
    return range(live - 1 + NEAR, max(live - NEAR, 0), -1)


def opening(c, others):
    """{rule: [instructions]} of connections that are spliced as they open."""
    c.open(others, SAMPLES, 1, SIZE)
    found = collections.defaultdict(list)
    newest = [h for h in (history(c, n) for n in near(c)) if h]
    whole = [h for h in newest if h[0][0] == "join" and h[-1][0] == "merge"]
    for h in whole[:SAMPLES]:
        for rule, cost in h:
            found[rule].append(cost)
    if not found:
        raise LabError(f"no path with a whole history among {len(newest)}: {newest[:1]}")
    return found


def idle(c, others):
    """The same of connections that are left alone first, and the number of one of them."""
    c.command("set plug.splice=off")
    c.open(others, SAMPLES, 1, SIZE)
    c.command("set plug.splice=on")
    found = collections.defaultdict(list)
    proxied = [n for n in near(c) if "proxy" in c.command(f"show path {n}")]
    for number in proxied[:SAMPLES]:
        for rule, cost in rewrites(c, "splice", number):
            found[rule].append(cost)
    if not found["merge"]:
        raise LabError(f"of {len(proxied)} idle paths these were rewritten: {dict(found)}")
    return found, proxied[0]


def measure(nic):
    """({way: {others: {rule: instructions}}}, [(rule, instructions)] of the way back)"""
    cost = {way: {} for way in ONE}
    conns = OTHERS[-1] + len(ONE) * SAMPLES * len(OTHERS)
    with Crowd("firewall", nic, conns, SETTINGS, count=False, icount=True) as c:
        opened = 0
        for others in OTHERS:
            if others > opened:
                c.open(opened, others - opened, WIDTH, SIZE)
                opened = others
            found = {"opening": opening(c, opened)}
            found["idle"], number = idle(c, opened + SAMPLES)
            opened += len(ONE) * SAMPLES
            for way in ONE:
                cost[way][others] = {rule: ONE[way](of) for rule, of in found[way].items()}
                rules = ", ".join(f"{r} {int(n)}" for r, n in cost[way][others].items())
                print(f"{others:6} others, {way:7}: {rules}", flush=True)
        back = rewrites(c, "unsplice", number)
    print("unsplice: " + ", ".join(f"{r} {n}" for r, n in back), flush=True)
    return cost, back


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--nic", default="e1000")
    args = p.parse_args()
    failed = 0
    try:
        cost, _ = measure(args.nic)
    except LabError as e:
        print(f"not ok R-SPL-23 the cost of a splice: {str(e).splitlines()[-1]}")
        return 1
    for (way, rules), (most, aim) in MOST.items():
        sums = [sum(of.get(rule, 0) for rule in rules) for of in cost[way].values()]
        name = f"R-SPL-23 {way}: {' and '.join(rules)} take at most {most} instructions (aim {aim})"
        good = max(sums) <= most
        print(f"ok {name}" if good else f"not ok {name}: {sums}")
        failed += not good
        name = f"R-SPL-23 {way}: {' and '.join(rules)} cost the same with {OTHERS[-1]} connections open"
        good = sums[-1] <= 1.10 * sums[0]
        print(f"ok {name}" if good else f"not ok {name}: {sums}")
        failed += not good
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
