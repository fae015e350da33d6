#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Guest instructions per bogus SYN: from the frame on the ring to the SYN-ACK with a cookie, interrupts included.

There is no room in the backlog, so every SYN is answered with a cookie and forgotten. The sources are 131,072 addresses
behind one gateway; the options are those of Linux's SYN, and so are those of the answer. WIDTH are under way at once.
The slope between N and 2N SYNs is the cost of one. `--hot` says by function where the instructions went.
"""

import argparse
import bisect
import collections
import statistics
import subprocess
import sys

from guest import Crowd
from measure import ROOT, LabError

GRAPH = "firewall"
SETTINGS = {"plug.transparent": "on", "ip.route": "default=10.0.1.16", "tcp.backlog": 0, "arp.reachable": "1h"}
MOST, AIM, TURNS = 3150, 2000, 5


def flooded(nic, **more):
    c = Crowd(GRAPH, nic, conns=1, settings=SETTINGS, **more)
    try:
        c.open(0, 1)  # by a cookie too, and the stations know each other
    except BaseException:
        c.end()
        raise
    return c


def measure(nic, n, width):
    seen = []
    with flooded(nic) as c:
        c.flood(n, width)
        for _ in range(TURNS):
            marks = [c.instructions()]
            for times in (1, 2):
                c.flood(times * n, width)
                marks.append(c.instructions())
            seen.append((marks[2] - 2 * marks[1] + marks[0]) / n)
        cookies = c.numbers("show nodes")["cookies-sent"]
    if cookies < (3 * TURNS + 1) * n:
        raise LabError(f"{cookies} cookies for {(3 * TURNS + 1) * n} SYNs")
    return seen


def functions(nic, n, width):
    """{function: instructions} from boot to end."""
    said = subprocess.run(["nm", str(ROOT / f"build/x86_64/{GRAPH}.elf64")], check=True, capture_output=True, text=True).stdout
    symbols = sorted((int(w[0], 16), w[2]) for w in map(str.split, said.splitlines()) if len(w) == 3 and w[1] in "tTwW")
    starts, sums = [a for a, _ in symbols], collections.Counter()
    with flooded(nic, hot=True) as c:
        c.flood(n, width)
        c.quit()  # the plugin writes when QEMU ends
        for line in c.hot.read_text().splitlines():
            address, times = line.split()
            at = bisect.bisect_right(starts, int(address, 16)) - 1
            sums[symbols[at][1] if at >= 0 else "firmware"] += int(times)
    return sums


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--nic", action="append", help="e1000 e1000e tulip virtio (default: e1000)")
    p.add_argument("--syns", type=int, default=20000, metavar="N", help="default: 20000")
    p.add_argument("--width", type=int, default=64, help="SYNs under way at once (default: 64)")
    p.add_argument("--hot", action="store_true", help="show the hottest functions instead")
    args = p.parse_args()
    failed = 0
    for nic in args.nic or ["e1000"]:
        name = f"R-ATK-4 a bogus SYN costs at most {MOST} instructions on {nic} (aim {AIM})"
        try:
            if args.hot:
                one, two = (functions(nic, n * args.syns, args.width) for n in (1, 2))
                for f, times in sorted(((f, two[f] - one[f]) for f in two), key=lambda item: -item[1])[:45]:
                    print(f"{times / args.syns:9.1f} {f}")
                continue
            seen = measure(nic, args.syns, args.width)
        except LabError as e:
            print(f"not ok {name}: {str(e).splitlines()[-1]}", flush=True)
            failed += 1
            continue
        cost = statistics.median(seen)
        print(f"bogus SYN on {nic}, {args.width} under way: {cost:.0f} instructions ({min(seen):.0f} to {max(seen):.0f})")
        print(f"ok {name}" if cost <= MOST else f"not ok {name}: {cost:.0f}", flush=True)
        failed += cost > MOST
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
