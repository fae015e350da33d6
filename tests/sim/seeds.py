#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs the seeded simulation (run.c) over its seeds: 2,000, or 10,000 with --long, and fewer with
the sanitizers. A failing seed is run again alone, with captures of both links left under
build/test/sim/, and the command that repeats it is printed. `seeds.py FIRST:COUNT` runs just those.
"""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build/test/sim"
CHUNK = 250
FAILED = re.compile(r"failed seed (\d+) (\S+): (.*)")
SHOWN = 10  # failing seeds that are repeated for their captures


def chunk(program, first, count):
    """[(seed, graph, why)] of the seeds that failed, and the program's summary lines."""
    failed, said = [], []
    while count > 0:
        done = subprocess.run([program, "--seeds", f"{first}:{count}"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                              timeout=1200)
        lines = done.stdout.splitlines()
        here = [(int(m[1]), m[2], m[3]) for m in map(FAILED.match, lines) if m]
        said += [line for line in lines if line.startswith("ran ")]
        failed += here
        if done.returncode in (0, 1) and any(line.startswith("ran ") for line in lines):
            break
        # It died, in the seed that was named last; the others still have to run.
        if not here or "signal" not in here[-1][2]:
            failed.append((first, "firewall-?", f"exit status {done.returncode}: {done.stdout[-300:]}"))
            break
        count -= here[-1][0] + 1 - first
        first = here[-1][0] + 1
    return failed, said


def add_up(summaries):
    """The numbers of all `ran` lines, added by their place; the words are the same in each."""
    totals = None
    for line in summaries:
        numbers = [int(n) for n in re.findall(r"\d+", line)]
        totals = numbers if totals is None else [a + b for a, b in zip(totals, numbers)]
    it = iter(totals or [])
    return re.sub(r"\d+", lambda _: str(next(it)), summaries[0]) if summaries else "ran nothing"


def repeat(program, seed, graph):
    """Once more, alone, for the captures and the log."""
    prefix = FOLDER / f"seed-{seed}"
    words = [str(program), "--graph", graph, "--seed", str(seed), "--trace", str(prefix)]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", timeout=600)
    prefix.with_suffix(".log").write_text(done.stdout, encoding="utf-8")
    print(f"  again: {program.relative_to(ROOT)} --graph {graph} --seed {seed}; "
          f"{prefix.relative_to(ROOT)}-client.pcap, -server.pcap, .log", flush=True)


def run_seeds(variant, first, count):
    program = ROOT / "build" / variant / "tests/sim/run"
    name = f"{count} seeds deliver every stream intact and give everything back ({variant})"
    if not program.exists():
        print(f"not ok {name}: {program.relative_to(ROOT)} was not built", flush=True)
        return False
    began = time.monotonic()
    failed, said = [], []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        jobs = [pool.submit(chunk, program, at, min(CHUNK, first + count - at))
                for at in range(first, first + count, CHUNK)]
        for job in jobs:
            more, lines = job.result()
            failed += more
            said += lines
    print(f"  {add_up(said)}; {time.monotonic() - began:.0f} s", flush=True)
    for seed, graph, why in failed:
        print(f"  seed {seed} {graph}: {why}", flush=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for seed, graph, why in failed[:SHOWN]:
        repeat(program, seed, graph)
    if failed:
        print(f"not ok {name}: {len(failed)} failed, the first is {failed[0][0]}: {failed[0][2]}", flush=True)
    else:
        print(f"ok {name}", flush=True)
    return not failed


def main():
    long = "--long" in sys.argv[1:]
    ranges = [a for a in sys.argv[1:] if ":" in a]
    if ranges:
        first, count = map(int, ranges[0].split(":"))
        return 0 if run_seeds("hosted", first, count) else 1
    good = run_seeds("hosted", 1, 10000 if long else 2000)
    for variant in ("asan-gcc", "asan-clang"):
        good &= run_seeds(variant, 100001, 2000 if long else 300)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
