# SPDX-License-Identifier: BSD-2-Clause
"""What a segment costs in one row, three ways, all between the two halves of the crowd (guest.py).

    per_segment(...)   the whole guest's instructions, loads, stores, device accesses, segments coming in bursts
    by_part(...)       Towpath's instructions by the part of the tree they are in, from the addresses executed
    round_trip(...)    microseconds of one exchange at a time, the paper's method
    lifetime(...)      a connection from SYN to the last FIN, with 1 KiB each way: instructions, and how many a second
"""

import collections
import statistics
import subprocess

from guest import CABLE, Crowd
from measure import ROOT, LabError
from rows import ROWS, is_linux

CONNS = 96  # few enough under way for any card's ring, so nothing is lost


def opened(row, nic, **more):
    r = ROWS[row]
    return Crowd(r.graph, nic, conns=CONNS, settings=r.settings, **more)


def check_shape(c, row):
    """The paths are those that the row is named after."""
    stages, shapes = ROWS[row].stages, c.command("show paths")
    found = sum(line.split(None, 2)[2] == stages for line in shapes.splitlines() if line.startswith("path "))
    if found < (1 if ROWS[row].routes else CONNS):
        raise LabError(f"its paths are not `{stages}`")


def per_segment(row, nic, sizes, exchanges=20000, turns=5, extra=False):
    """{size: {"median", "min", "max", "turns", and with extra "loads", "stores", "io"}}"""
    found = {}
    exchanges = exchanges // 10 if is_linux(row) else exchanges
    with opened(row, nic, extra=extra) as c:
        c.open(0, CONNS, 32, 64)
        for size in sizes:
            c.data(0, CONNS, 4 * CONNS, CONNS, size)
            seen = []
            for _ in range(turns):
                before = c.counts()
                done = c.data(0, CONNS, exchanges, CONNS, size)
                seen.append([(b - a) / (2 * done["finished"]) for a, b in zip(before, c.counts())])
            insns = [s[0] for s in seen]
            found[size] = {"median": statistics.median(insns), "min": min(insns), "max": max(insns), "turns": turns,
                           "segments": 2 * exchanges}
            if extra:
                found[size].update({name: statistics.median(s[i] for s in seen)
                                    for i, name in ((1, "loads"), (2, "stores"), (3, "io"))})
        if not is_linux(row):
            check_shape(c, row)
    return found


def part_of(path):
    """The part of the tree that a source file belongs to."""
    words = path.split("/")
    for top in ("modules", "drivers", "kernel", "boot", "paths"):
        if top in words:
            rest = words[words.index(top) + 1:]
            return rest[0] if top == "modules" and len(rest) > 1 else top
    return "other"


def executed(row, nic, size, exchanges):
    """{part: instructions} from boot to end."""
    c = opened(row, nic, hot=True)
    with c:
        c.open(0, CONNS, 32, 64)
        c.data(0, CONNS, exchanges, CONNS, size)
        c.quit()  # the plugin writes when QEMU ends
        times = [line.split() for line in c.hot.read_text().splitlines()]
    elf = ROOT / f"build/x86_64/{ROWS[row].graph}.elf64"
    said = subprocess.run(["addr2line", "-e", str(elf)], input="\n".join(a for a, _ in times), text=True, check=True,
                          stdout=subprocess.PIPE).stdout.splitlines()
    sums = collections.Counter()
    for (_, n), where in zip(times, said):
        sums[part_of(where.split(":")[0])] += int(n)
    return sums


def by_part(row, nic, size, exchanges=20000):
    """{part: instructions per segment} from ring to ring: what a run of twice as many exchanges takes more. Firmware,
    boot and the idle loop are not in it: they differ from run to run."""
    one, two = (executed(row, nic, size, n * exchanges) for n in (1, 2))
    found = {part: (two[part] - one[part]) / (2 * exchanges) for part in two if part not in ("boot", "other")}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def round_trip(row, nic, sizes, count=10000, turns=3):
    """{size: {"median", "min", "max"}} microseconds there and back; row `cable` is back to back."""
    found = {}
    with (Crowd(CABLE, conns=CONNS, count=False) if row == CABLE else opened(row, nic, count=False)) as c:
        c.open(0, CONNS, 32, 64)
        for size in sizes:
            c.data(0, 1, 200, 1, size)
            us = [c.data(0, 1, count, 1, size)["microseconds"] / count for _ in range(turns)]
            found[size] = {"median": statistics.median(us), "min": min(us), "max": max(us), "turns": turns, "count": count}
    return found


def lifetime(row, nic, conns=None, size=1024, turns=3):
    """{"instructions": {...}, "per_second": {...}} of whole connections, 64 at a time."""
    conns = conns or (500 if is_linux(row) else 5000)
    r, cost, rate = ROWS[row], [], []
    with Crowd(r.graph, nic, conns=conns * turns, settings=r.settings) as c:
        for turn in range(turns):
            before = c.instructions()
            a = c.open(turn * conns, conns, 64, size)
            b = c.close(turn * conns, conns)
            cost.append((c.instructions() - before) / conns)
            rate.append(conns / ((a["microseconds"] + b["microseconds"]) / 1e6))
    return {name: {"median": statistics.median(v), "min": min(v), "max": max(v), "turns": turns}
            for name, v in (("instructions", cost), ("per_second", rate))}
