#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs the seeded simulation (run.c) over its seeds: 2,000, or 100,000 with --long, for each treatment of splices and
for splicing that is switched off, and half as many (as many) with all faults (faults.h); fewer with the sanitizers; and
the later ones that have failed once. A failing seed is run again alone, with captures of both links left under
build/test/sim/, and the command that repeats it is printed. `seeds.py FIRST:COUNT [GRAPH [FAULTS]]` runs just those.

What is compared besides: each treatment delivers the same bytes as no splicing; each transition of the splice machine
has fired often enough, with bytes in every place where some can be; each fault has struck often enough; and the same
seed sends the same frames at the same times, again and by another compiler. Then hours of virtual time (--soak).
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
HUNG_S = 240  # for a chunk, which takes seconds (with a sanitizer: tens of seconds)
SHOWN = 10  # failing seeds that are repeated for their captures
TREATMENTS = ("absorb", "hold", "concurrent")
OFTEN = 100  # each transition, of all treatments together
TRANSITION = re.compile(r"transition ([^:]*): (\d+), with bytes received (\d+), in the proxy (\d+), to be sent (\d+)")
STREAMS = re.compile(r"streams ([0-9a-f]{16})")
# Beyond the first 10,000. What they found: stamps behind those that had passed; bytes behind a limit when the other
# direction was closed; a connection kept alive by its rewriting; closed windows on both sides; a FIN that went with
# the first piece of its segment; a damaged acknowledgement that was believed later; a FIN beyond the window that was
# known, passed and not noted; a SACK block where the acknowledgement ends.
FORMER = {"absorb": (20879, 24859, 26420, 39864, 56647, 56856, 70428, 80288, 98154, 121968, 310523, 345677),
          "hold": (20879, 24859, 63277, 71479, 72717, 91211, 121968), "concurrent": (39864, 56647, 121968)}
# With all faults: bytes out of order that nobody paid for; a limit that came while segments were on their way; a port
# used again by a host that answers each challenge; no memory to cut a segment at a limit.
FORMER_FAULTS = {"off": (8341,), "absorb": (3015, 6741, 300876, 310699), "hold": (2318, 3015, 11171, 24440),
                 "concurrent": (3015,)}
FAULT = re.compile(r"fault (\S+): (\d+)")
STRUCK = 20  # each fault, of all treatments together
TRACE = re.compile(r"trace ([0-9a-f]{16})")
# What must have fired: with bytes of ours in the receive buffer, in the proxy, in the send buffer
# when the splice began; or with none there, where that is what the transition says.
FULL = ("UNSPLICED, start buffered", "PENDING, sent", "FORWARDING, acknowledged", "ESTABLISHED, FIN acked")
PLAIN = ("UNSPLICED, start unacknowledged", "UNSPLICED, start clean", "PENDING, sent and acknowledged",
         "PENDING, FIN taken", "PENDING, stopped", "ESTABLISHED, stopped")


class Said:
    """What the program has said of many seeds, added up."""

    def __init__(self):
        self.failed, self.summaries = [], []  # (seed, graph, why)
        self.streams = self.trace = 0
        self.transitions, self.faults = {}, {}

    def read(self, lines):
        self.failed += [(int(m[1]), m[2], m[3]) for m in map(FAILED.match, lines) if m]
        self.summaries += [line for line in lines if line.startswith("ran ")]
        for m in filter(None, map(STREAMS.match, lines)):
            self.streams += int(m[1], 16)
        for m in filter(None, map(TRACE.match, lines)):
            self.trace += int(m[1], 16)
        for m in filter(None, map(FAULT.match, lines)):
            self.faults[m[1]] = self.faults.get(m[1], 0) + int(m[2])
        for m in filter(None, map(TRANSITION.match, lines)):
            self.count(m[1], [int(n) for n in m.groups()[1:]])

    def count(self, name, numbers):
        self.transitions[name] = [a + b for a, b in zip(self.transitions.get(name, [0] * 4), numbers)]

    def add(self, other):
        self.failed += other.failed
        self.summaries += other.summaries
        self.streams += other.streams
        self.trace += other.trace
        for name, n in other.faults.items():
            self.faults[name] = self.faults.get(name, 0) + n
        for name, numbers in other.transitions.items():
            self.count(name, numbers)


def chunk(program, graph, first, count, more):
    said = Said()
    while count > 0:
        words = [program, *(["--graph", graph] if graph else []), "--seeds", f"{first}:{count}", *more]
        try:
            done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, errors="replace", timeout=HUNG_S)
        except subprocess.TimeoutExpired:
            said.failed.append((first, graph or "?", f"one of the next {count} seeds does not end"))
            break
        lines = done.stdout.splitlines()
        before = len(said.failed)
        said.read(lines)
        here = said.failed[before:]
        if done.returncode in (0, 1) and any(line.startswith("ran ") for line in lines):
            break
        # It died, in the seed that was named last; the others still have to run.
        if not here or "signal" not in here[-1][2]:
            said.failed.append((first, graph or "?", f"exit status {done.returncode}: {done.stdout[-300:]}"))
            break
        count -= here[-1][0] + 1 - first
        first = here[-1][0] + 1
    return said


def add_up(summaries):
    """The numbers of all `ran` lines, added by their place; the words are the same in each."""
    totals = None
    for line in summaries:
        numbers = [int(n) for n in re.findall(r"\d+", line)]
        totals = numbers if totals is None else [a + b for a, b in zip(totals, numbers)]
    it = iter(totals or [])
    return re.sub(r"\d+", lambda _: str(next(it)), summaries[0]) if summaries else "ran nothing"


def repeat(program, seed, graph, more):
    """Once more, alone, for the captures and the log."""
    prefix = FOLDER / f"seed-{seed}"
    words = [str(program), "--graph", graph, "--seed", str(seed), "--trace", str(prefix), *more]
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace", timeout=HUNG_S)
    except subprocess.TimeoutExpired:
        return
    prefix.with_suffix(".log").write_text(done.stdout, encoding="utf-8")
    print(f"  again: {program.relative_to(ROOT)} --graph {graph} --seed {seed} {' '.join(more)}; "
          f"{prefix.relative_to(ROOT)}-client.pcap, -server.pcap, .log", flush=True)


def verdict(name, why=None):
    print(f"not ok {name}: {why}" if why else f"ok {name}", flush=True)
    return not why


def run_seeds(variant, graph, first, count, faults=None, name=None):
    """(Said, all good)"""
    more = ["--faults", faults] if faults else []
    program = ROOT / "build" / variant / "tests/sim/run"
    if not name:
        name = f"R-SPL-5 R-FLOW-66 {graph}, " if graph else ""
        name += f"{count} seeds deliver every stream intact and give everything back ({variant})"
        name = f"R-SIM-1 all faults, {name}" if faults else name
    said = Said()
    if not program.exists():
        return said, verdict(name, f"{program.relative_to(ROOT)} was not built")
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        jobs = [pool.submit(chunk, program, graph, at, min(CHUNK, first + count - at), more)
                for at in range(first, first + count, CHUNK)]
        for job in jobs:
            said.add(job.result())
    print(f"  {add_up(said.summaries)}; {time.monotonic() - began:.0f} s", flush=True)
    for seed, where, why in said.failed:
        print(f"  seed {seed} {where}: {why}", flush=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for seed, where, _ in said.failed[:SHOWN]:
        repeat(program, seed, where, more)
    bad = said.failed
    return said, verdict(name, f"{len(bad)} failed, the first is {bad[0][0]}: {bad[0][2]}" if bad else None)


def run_former():
    good = True
    for former, faults in ((FORMER, None), (FORMER_FAULTS, "all")):
        for treatment, seeds in former.items():
            for seed in seeds:
                good &= run_seeds("hosted", f"firewall/{treatment}", seed, 1, faults)[1]
    return good


def run_treatments(count, faults=None):
    """Each treatment over the same seeds as no splicing at all."""
    off, good = run_seeds("hosted", "firewall/off", 1, count, faults)
    every = Said()
    every.add(off)
    for treatment in TREATMENTS:
        said, fine = run_seeds("hosted", f"firewall/{treatment}", 1, count, faults)
        good &= fine
        good &= verdict(f"R-SPL-8 {treatment}: the same byte streams as without splicing, {count} seeds"
                        + (", all faults" if faults else ""),
                        "they differ" if said.streams != off.streams else None)
        every.add(said)
    return every, good


def run_faults(count):
    """All that can go wrong, together; each often enough."""
    every, good = run_treatments(count, "all")
    known = re.findall(r'X\(\w+, "([^"]+)"', (ROOT / "tests/sim/faults.h").read_text(encoding="utf-8"))
    print("  faults: " + ", ".join(f"{name} {every.faults.get(name, 0)}" for name in known))
    seldom = [name for name in known if every.faults.get(name, 0) < STRUCK]
    return good & verdict(f"R-SIM-1 each of {len(known)} faults has struck",
                          f"fewer than {STRUCK} times: {', '.join(seldom)}" if seldom else None)


def run_again(count):
    """The same frames, at the same times: again, and from another compiler's program."""
    good = True
    for graph, faults in (("firewall/hold", "all"), ("firewall-2path", None)):
        traces = {}
        for which in ("hosted", "hosted", "asan-clang"):
            said, fine = run_seeds(which, graph, 1, count, faults,
                                   f"R-SIM-4 {graph}, {count} seeds, for their traces ({which})")
            good &= fine
            traces.setdefault(said.trace, []).append(which)
        good &= verdict(f"R-SIM-4 {graph}: {count} seeds send the same frames at the same times, twice and by gcc and clang",
                        f"traces differ: {traces}" if len(traces) > 1 or 0 in traces else None)
    return good


def run_soak(hours):
    good = True
    for graph, seed in (("firewall/absorb", 1), ("firewall/hold", 4), ("firewall/concurrent", 8), ("firewall-2path", 3)):
        program = ROOT / "build/hosted/tests/sim/run"
        words = [str(program), "--graph", graph, "--seed", str(seed), "--soak", str(hours)]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace", check=False)
        said = [line for line in done.stdout.splitlines() if line.startswith(("soak ", "failed "))]
        print("\n".join(f"  {line}" for line in said), flush=True)
        good &= verdict(f"R-SIM-5 {graph}, {hours} virtual hours: connections come and go, memory drifts by 0 bytes",
                        f"{said}; again: {' '.join(words)}" if done.returncode else None)
    return good


def run_long(size):
    """One stream until its numbers have wrapped, and the identifications of its datagrams many times."""
    good = True
    for graph, seed in (("firewall/absorb", 5), ("firewall/concurrent", 12)):
        words = [str(ROOT / "build/hosted/tests/sim/run"), "--graph", graph, "--seed", str(seed), "--bytes", str(size)]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace", check=False)
        failed = [line for line in done.stdout.splitlines() if line.startswith("failed ")]
        good &= verdict(f"R-SIM-1 {graph}: {size} bytes in one stream, exact",
                        f"{failed}; again: {' '.join(words)}" if done.returncode else None)
    return good


def run_cuts(variant, long):
    """Transfers cut at each of their events, and allocations that fail (test_cuts.c): it says itself what it proved."""
    program = ROOT / "build" / variant / "tests/sim/test_cuts"
    done = subprocess.run([str(program)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", cwd=ROOT, env=dict(os.environ, TEST_LONG="1" if long else "0"),
                          check=False)
    print(re.sub(r"^((?:not )?ok .*)$", rf"\1 ({variant})", done.stdout, flags=re.M), end="", flush=True)
    if done.returncode and "\nnot ok" not in done.stdout:
        verdict("R-SIM-2 R-SIM-3 cuts", f"exit status {done.returncode}")
    return done.returncode == 0


def transitions_fired(every):
    for name, numbers in sorted(every.transitions.items()):
        print("  transition {}: {}, with bytes received {}, in the proxy {}, to be sent {}".format(name, *numbers))
    seldom = [name for name in FULL if min(every.transitions.get(name, [0])) < OFTEN]
    seldom += [name for name in PLAIN if every.transitions.get(name, [0])[0] < OFTEN]
    return verdict("R-SPL-4 every transition fires with bytes received, in the proxy and to be sent",
                          f"fewer than {OFTEN} times: {'; '.join(seldom)}" if seldom else None)


def main():
    long = "--long" in sys.argv[1:]
    words = [a for a in sys.argv[1:] if not a.startswith("--")]
    if words:
        first, count = map(int, words[0].split(":"))
        return 0 if run_seeds("hosted", words[1] if len(words) > 1 else None, first, count, *words[2:3])[1] else 1
    good = run_seeds("hosted", None, 1, 10000 if long else 1000)[1]
    every, fine = run_treatments(100000 if long else 2000)
    good &= fine & transitions_fired(every)
    good &= run_faults(100000 if long else 1000)
    good &= run_former()
    good &= run_cuts("hosted", long)
    good &= run_again(1000 if long else 100)
    good &= run_long(4500000000 if long else 5000000)
    good &= run_soak(100 if long else 10)
    for variant in ("asan-gcc", "asan-clang"):
        if long:
            good &= run_cuts(variant, False)
        good &= run_seeds(variant, None, 100001, 2000 if long else 100)[1]
        for treatment in TREATMENTS:
            good &= run_seeds(variant, f"firewall/{treatment}", 100001, 2000 if long else 60)[1]
            good &= run_seeds(variant, f"firewall/{treatment}", 100001, 2000 if long else 60, "all")[1]
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
