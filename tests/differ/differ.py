#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The same segments to Linux and to our TCP: what they answer is compared, step by step, and so is
what their users hear. A difference must be in explained.txt, with the reason why it may be; it ends
the comparison of its sequence. Others fail: the first of each kind is printed with the command that
repeats it, and leaves captures of both under build/test/differ/.

    differ.py                     3,000 sequences
    differ.py --long              100,000
    differ.py --sequence SEED:INDEX    one, each step printed
"""

import argparse
import collections
import os
import pathlib
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import peers  # noqa: E402
import wire  # noqa: E402
from sequence import Sequence  # noqa: E402
from view import View  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "build/hosted/tests/differ/run"
FOLDER = ROOT / "build/test/differ"
SHOWN = 40
NAME = "RFC 9293 3.10.7, differential: the same segments to Linux and to us"


def explained():
    """{difference: (its reason's title, whether the states are the same after it)}"""
    found, title, goes_on = {}, None, False
    for line in (pathlib.Path(__file__).parent / "explained.txt").read_text(encoding="utf-8").splitlines():
        if line[:3] in ("== ", "=+ "):
            title, goes_on = line[3:], line[1] == "+"
        elif line.startswith("    "):
            found[line.strip()] = title, goes_on
    return found


def ends_of(index):
    """An address and a port of the far end that no other sequence near has."""
    host = index // 40000 + 1
    return f"10.1.{host >> 8}.{host & 255}", 10000 + index % 40000


class Run:
    """One sequence, for both."""

    def __init__(self, both, seed, index):
        self.both = both
        ends = ends_of(index)
        self.sequence = Sequence(seed, index)
        src = bytes(map(int, ends[0].split(".")))
        self.views = [View(self.sequence, (src, ends[1])) for _ in both]
        self.trace = [[] for _ in both]
        for p in both:
            p.begin(ends)

    def step(self, number, step):
        answers = []
        for i, (p, v) in enumerate(zip(self.both, self.views)):
            if "wish" in step:
                out, heard = p.wish(step["wish"], step["number"])
            else:
                d = v.datagram(step)
                self.trace[i].append((number, d))
                out, heard = p.segment(d)
            self.trace[i] += [(number, d) for d in out]
            a = v.heard(out)
            a.fields.update({f"user: {name}": now for name, now in zip(peers.HEARD, heard)})
            v.opened |= heard.opened > v.users
            v.users = heard.opened
            answers.append(a)
        return answers

    def hidden(self, state, kind):
        """Whether Linux has believed it does not show: what follows cannot be compared."""
        stamped_rst = self.views[1].ts and kind == "RST next" and state in ("SYN-RECEIVED", "TIME-WAIT")
        return stamped_rst or any(word in kind for word in (" ack-old", " old-adjacent", " edge"))

    def differences(self, show=None):
        """(step, its kind, whether both are still in the same state) of each."""
        for number, step in enumerate(self.sequence.steps):
            state = self.both[1].state
            self.views[1].reading = state in ("ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2")
            linux, ours = self.step(number, step)
            kind = step.get("wish") or self.views[1].kind
            if show:
                show(number, state, kind, self, linux, ours)
            said = str(linux) if str(linux) == str(ours) else f"Linux {linux}, ours {ours}"
            both = linux.fields.keys() & ours.fields.keys()
            wrong = [name for name in linux.fields if name in both and linux.fields[name] != ours.fields[name]]
            if str(linux) == str(ours) and not wrong:
                if self.hidden(state, kind):
                    return
                continue
            user = [name for name in wrong if name.startswith("user")]
            if user:
                wrong = ["bytes of the stream" if user == ["user: others"] else "its state"]
            if self.views[1].small and ("data" in said or "FIN" in said):
                kind += " small-window"
            yield number, f"{state} | {kind} | {said}" + (f": {', '.join(wrong)}" if wrong else ""), \
                not user


def show(number, state, kind, run, linux, ours):
    step = run.sequence.steps[number]
    print(f"{number:3} {state}: {kind}   ", {k: v for k, v in step.items() if k not in ("flags", "urgent") and v not in (0, (), False)})
    for name, a in (("linux", linux), ("ours", ours)):
        print(f"        {name:5} {a}  " + ", ".join(f"{k} {v}" for k, v in a.fields.items()))


def save(run, seed, index):
    FOLDER.mkdir(parents=True, exist_ok=True)
    for p, trace in zip(run.both, run.trace):
        wire.save(FOLDER / f"{seed}-{index}-{p.name}.pcap", trace)


def compare(both, seed, first, count):
    known, used = explained(), collections.Counter()
    unknown, where = collections.Counter(), {}
    steps, began = 0, time.monotonic()
    for index in range(first, first + count):
        run = Run(both, seed, index)
        steps += len(run.sequence.steps)
        for at, kind, same in run.differences():
            if kind in known:
                title, goes_on = known[kind]
                used[title] += 1
                if goes_on and same:
                    continue
            else:
                unknown[kind] += 1
                if kind not in where:
                    where[kind] = index
                    save(run, seed, index)
            steps -= len(run.sequence.steps) - at - 1
            break
    print(f"  {count} sequences, {steps} steps, {sum(used.values())} explained differences, "
          f"{time.monotonic() - began:.0f} s", flush=True)
    for title, n in used.most_common():
        print(f"  {n:6} {title}")
    for kind, n in unknown.most_common(SHOWN):
        print(f"  {n} x {kind}\n      again: tests/differ/differ.py --sequence {seed}:{where[kind]}; "
              f"build/test/differ/{seed}-{where[kind]}-linux.pcap, -ours.pcap", flush=True)
    return unknown


def inside(options):
    both = [peers.Linux(), peers.Ours(PROGRAM)]
    if options.sequence:
        seed, index = map(int, options.sequence.split(":"))
        run = Run(both, seed, index)
        for found in run.differences(show):
            print(f"    differs: {found[1]}: {explained().get(found[1], ['unknown'])[0]}")
        save(run, seed, index)
        return 0
    count = options.count or (100000 if options.long else 3000)
    unknown = compare(both, options.seed, options.first, count)
    why = f"{sum(unknown.values())} differences of {len(unknown)} kinds are not in explained.txt" if unknown else ""
    print(f"not ok {NAME}: {why}" if why else f"ok {NAME}: {count} sequences", flush=True)
    status = [p.end() for p in both]
    print("not ok differential: our TCP gives everything back: it ended badly" if any(status) else
          "ok differential: our TCP gives everything back")
    return 1 if unknown or any(status) else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true", help="100,000 sequences")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, metavar="INDEX")
    parser.add_argument("--count", type=int)
    parser.add_argument("--sequence", metavar="SEED:INDEX", help="only this one, and print each step")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        return inside(options)
    words = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-Urn"]
    if subprocess.run([*words, "true"], capture_output=True).returncode or not os.access("/dev/net/tun", os.W_OK):
        print(f"skip {NAME}: no network namespaces, or no /dev/net/tun, here")
        return 0
    return subprocess.run([*words, sys.executable, __file__, "--inside", *sys.argv[1:]], cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
