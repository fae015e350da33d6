#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The paper's Table 2 and more, measured on this machine: Towpath's configurations and Linux doing the same job.

Boots every row between the same two synthetic networks, with the same QEMU flags and the same pinning, and writes
build/bench/results.json as it goes and build/bench/report.md with its plots at the end. A row that cannot be measured
says so there, with the reason. Figures of different runs are never mixed: the file is begun anew each time.

    bench/run.py                                         all rows, all cards, at most an hour
    bench/run.py --quick                                 six rows, one card, some minutes
    bench/run.py --rows ipfwd,linux-router --nic e1000 --sizes 1,1460
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import time

import bulk
import cost
import memory
import report
import splice
import trace
from guest import CABLE
from measure import BUILD, ROOT, LabError, cores
from rows import QUICK, ROWS, SIZES, is_linux, title

OTHER_CARDS = ("tulip", "virtio")
CONNECTIONS = (1, 3, 100)


def said(*words):
    done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return done.stdout.strip()


def about(nic):
    """What the figures hold for."""
    return {"schema": 1, "date": datetime.date.today().isoformat(), "commit": said("git", "rev-parse", "--short", "HEAD"),
            "changed": bool(said("git", "status", "--porcelain", "--untracked-files=no")),
            "host": f"Linux {platform.release()}, {os.cpu_count()} cores", "load": os.getloadavg()[0],
            "qemu": said("qemu-system-x86_64", "--version").splitlines()[0], "nic": nic,
            "compiler": said(os.environ.get("CC", "gcc"), "--version").splitlines()[0],
            "linux": said("apt-cache", "depends", "linux-image-amd64").rpartition("linux-image-")[2].strip(),
            "pinning": "QEMU on the second core, the peers on the first" if cores() else "none: one core"}


class Results:
    """The file, written after each row, so that nothing is lost when the rest is."""

    def __init__(self, nic):
        self.path = BUILD / "results.json"
        self.data = {**about(nic), "rows": {}, "missing": [], "ratios": {}}
        self.began = time.monotonic()
        BUILD.mkdir(parents=True, exist_ok=True)
        self.write()

    def write(self):
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(self.data, indent=1, sort_keys=True) + "\n")
        new.rename(self.path)

    def take(self, row, nic, what, measure, *args, **more):
        """One measurement; when it fails, the reason."""
        print(f"[{time.monotonic() - self.began:5.0f} s] {title(row) if row in ROWS else row}, {nic}: {what}", flush=True)
        try:
            found = measure(row, nic, *args, **more)
        except (LabError, OSError, subprocess.SubprocessError) as e:
            why = str(e).splitlines()[-1] if str(e) else type(e).__name__
            self.data["missing"].append({"row": row, "nic": nic, "what": what, "why": why})
            print(f"         not measured: {why}", flush=True)
        else:
            self.data["rows"].setdefault(row, {}).setdefault(nic, {})[what] = found
            print(f"         {brief(found)}", flush=True)
        self.data["seconds"] = round(time.monotonic() - self.began)
        self.write()


def brief(found):
    words = []
    for key, value in found.items():
        if isinstance(value, dict) and "median" in value:
            words.append(f"{key}: {value['median']:.1f} ({value['min']:.1f} to {value['max']:.1f})")
        elif isinstance(value, (int, float)):
            words.append(f"{key}: {value:.0f}")
    return ", ".join(words)


def rules(_, nic):
    """Instructions of each rule, connections idle and as they open, with 0 ... 20,000 others open."""
    found, back = splice.measure(nic)
    return {"ways": found, "back": back}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--quick", action="store_true", help="six rows, fewer turns")
    p.add_argument("--rows", help=f"of: {','.join(ROWS)}")
    p.add_argument("--nic", default="e1000")
    p.add_argument("--sizes", default=",".join(map(str, SIZES)))
    args = p.parse_args()
    rows = args.rows.split(",") if args.rows else list(QUICK) if args.quick else list(ROWS)
    unknown = [r for r in rows if r not in ROWS]
    if unknown:
        p.error(f"no row {unknown[0]}; expected some of: {' '.join(ROWS)}")
    sizes = [int(s) for s in args.sizes.split(",")]
    turns = 3 if args.quick else 5
    results = Results(args.nic)
    for row in rows:
        results.take(row, args.nic, "instructions", cost.per_segment, sizes, turns=turns, extra=not args.quick)
        if not is_linux(row):
            results.take(row, args.nic, "parts", cost.by_part, sizes[0])
    results.take(CABLE, args.nic, "microseconds", cost.round_trip, sizes)
    for row in ["bridge", *(r for r in rows if r != "bridge")]:
        results.take(row, args.nic, "microseconds", cost.round_trip, sizes, count=2000 if args.quick or is_linux(row) else 10000)
    for row in rows:
        results.take(row, args.nic, "mbit_s", bulk.bulk, (1,) if args.quick else CONNECTIONS, turns=1 if args.quick else 3)
    for row in () if args.quick else [r for r in rows if r != "bridge"]:
        results.take(row, args.nic, "lifetime", cost.lifetime)
    if not args.quick and not args.rows:
        results.take("ipfwd", args.nic, "memory", memory.ours)
        results.take("1-path", args.nic, "memory", memory.ours, spliced=False)
        results.take("linux-haproxy", args.nic, "memory", memory.theirs)
        results.take("ipfwd", args.nic, "rules", rules)
    results.take("ipfwd", args.nic, "trace", trace.trace)
    for nic in () if args.quick or args.rows else OTHER_CARDS:
        for row in rows:
            results.take(row, nic, "instructions", cost.per_segment, sizes, turns=3)
            results.take(row, nic, "mbit_s", bulk.bulk, (1,))
    results.data["ratios"] = report.ratios(results.data)
    results.write()
    report.write(results.data, BUILD)
    print(f"\n{(BUILD / 'report.md').relative_to(ROOT)}, results.json beside it; {results.data['seconds']} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
