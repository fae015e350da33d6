#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""tools/badwire.c by itself: its command line, its faults, that a seed repeats them, how it ends.

It runs itself again in a network namespace (`unshare -n`) with two veth pairs: near - one, badwire, other - far.
"""

import argparse
import collections
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = str(ROOT / "build/hosted/tools/badwire")
FRAMES = 2000
failed = 0


def check(name, ok, why=""):
    global failed
    failed += not ok
    print(f"ok badwire: {name}" if ok else f"not ok badwire: {name}: {' / '.join(str(why).splitlines()[:3])}", flush=True)


def run(*words):
    return subprocess.run([PROGRAM, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10)


def command_line():
    r = run("--help")
    check("--help lists the faults", r.returncode == 0 and "--reorder" in r.stdout, r)
    for words, says in ((["a", "b"], "expected packet:"), (["packet:nonesuch", "tap:x"], "packet:nonesuch"), (["tap:x"], "expected two"),
                        (["--loss", "101%", "a", "b"], "more than all"), (["--delay", "3m", "a", "b"], "unknown unit"),
                        (["--rate", "fast", "a", "b"], "a number"), (["--way", "up", "a", "b"], "ab, ba or both"), (["--nonsense"], "nonsense")):
        r = run(*words)
        check(f"says what is wrong with {' '.join(words)}", r.returncode == 2 and says in r.stderr, r)


class Wire:
    def __init__(self, *words):
        self.p = subprocess.Popen([PROGRAM, *words, "packet:one", "packet:other"], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if self.p.stdout.readline() != "ready\n":
            raise SystemExit(f"not ok badwire: starts: {self.p.communicate()[0]}")

    def end(self, number=signal.SIGTERM):
        """(exit status, what it counted from near to far)"""
        self.p.send_signal(number)
        out = self.p.communicate(timeout=10)[0]
        m = re.search(r"^ab (.*)$", out, re.M)
        words = m[1].split() if m else []
        return self.p.returncode, dict(zip(words[::2], map(int, words[1::2])))


def frame(i, kind):
    """Its number is the sender's address, which is never damaged."""
    return b"\x02\0\0\0\0\x02\x02\x07" + i.to_bytes(4, "big") + kind + b"U" * 100


def send(near, far, apart, kind=b"\x08\0", both=False):
    """What arrives at the far end of FRAMES numbered frames, in order; noise the other way when asked."""
    got = []
    for i in range(FRAMES):
        near.send(frame(i, kind))
        if both and i % 3 == 0:
            far.send(frame(i, kind))
        if i % apart == 0:
            time.sleep(0.002)
        drain(far, got)
    limit = time.monotonic() + 0.5
    while time.monotonic() < limit:
        drain(far, got)
        time.sleep(0.01)
    return got


def drain(far, got):
    while True:
        try:
            data, where = far.recvfrom(2048)
        except BlockingIOError:
            return
        if where[2] != socket.PACKET_OUTGOING and data[6:8] == b"\x02\x07":
            got.append(data)


def inside():
    for name in ("all", "default"):  # Linux is not to say anything by itself
        pathlib.Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1", encoding="ascii")
    for line in ("link add near type veth peer name one", "link add far type veth peer name other", "link set near up", "link set one up",
                 "link set far up", "link set other up"):
        subprocess.run(["ip", *line.split()], check=True)
    near, far = (socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) for _ in range(2))
    near.bind(("near", 0))
    far.bind(("far", 0))
    far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    near.setblocking(False)
    far.setblocking(False)

    w = Wire()
    got = send(near, far, 20)
    status, said = w.end(signal.SIGINT)
    check("without faults every frame arrives, once, in order, as it was", got == [frame(i, b"\x08\0") for i in range(FRAMES)], len(got))
    check("SIGINT ends it with its counters", status == 0 and said.get("sent") == said.get("arrived") >= FRAMES, said)

    # Jitter and reordering move arrivals, the other way's noise their order; none of it the fate of a frame.
    faults = ("--loss", "3%", "--burst", "4", "--double", "3%", "--damage", "3%", "--reorder", "3%", "--late", "2ms", "--jitter", "1ms")
    runs = []
    for seed, apart, both in (("5", 20, False), ("5", 7, True), ("6", 20, False)):
        w = Wire("--seed", seed, *faults)
        got = send(near, far, apart, both=both)
        status, said = w.end()
        runs.append((collections.Counter(got), got, said))
        check(f"SIGTERM ends it, seed {seed}", status == 0, status)
    first, again, other = runs
    check("the same seed does the same to the same frames, whatever the time", first[0] == again[0], len(first[0] - again[0]))
    check("another seed does not", first[0] != other[0])
    numbers = [int.from_bytes(f[8:12], "big") for f in first[1]]
    late = sum(a > b for a, b in zip(numbers, numbers[1:]))
    damaged = sum(n for f, n in first[0].items() if f not in {frame(i, b"\x08\0") for i in range(FRAMES)})
    said = first[2]
    check("counters tell what happened", said["lost"] and said["doubled"] and said["reordered"] and late and said["damaged"] == damaged
          and len(first[1]) == said["arrived"] == said["sent"] - said["lost"] + said["doubled"], said)

    w = Wire("--damage", "100%")
    got = send(near, far, 20, kind=b"\x08\x06")
    w.end()
    check("ARP, which has no checksum, is not damaged", got == [frame(i, b"\x08\x06") for i in range(FRAMES)], len(got))


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--long", action="store_true", help="the same")
    p.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.inside:
        inside()
        return 1 if failed else 0
    if not os.access(PROGRAM, os.X_OK):
        print("not ok badwire: is not there; make badwire makes it")
        return 1
    command_line()
    words = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-Urn"]
    if subprocess.run([*words, "true"], capture_output=True).returncode:
        print("skip badwire: faults: no network namespaces here")
    elif subprocess.run([*words, sys.executable, __file__, "--inside"], cwd=ROOT).returncode:
        return 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
