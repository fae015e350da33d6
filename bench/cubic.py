#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Our CUBIC against Linux's over the same bad wire: 100 Mbit/s, 50 ms, a queue of one such product, and loss.

Linux sends to Linux through badwire; then Linux sends to our proxy over a good wire, and our TCP on
to the client through badwire. In turn, with the same seeds: the same numbers of frames are lost.
What counts is what the client has got. The gate: within 15 % of Linux, by the medians.
"""

import argparse
import os
import shlex
import statistics
import subprocess
import sys

from measure import ROOT, Lab, LabError

sys.path.insert(0, str(ROOT / "tools"))
from laboratory import netns  # noqa: E402
from laboratory.wire import Wire, plain  # noqa: E402

GATE = 0.15
LOSS = ("0", "0.01%", "0.1%", "1%")
PORT = 8080
RATE, DELAY, QUEUE = "100M", "25ms", 625000
DIRECT = {"client": "10.0.9.1", "server": "10.0.9.2"}  # beside the forwarder
BUFFER = 8 << 20  # of hosts; twice what Linux lets a window use
SETTINGS = {"tcp.sndbuf": "4m", "tcp.rcvbuf": "4m", "pathmem": "16m", "plug.splice": "off"}
SEND = """
import socket
s = socket.create_server(("0.0.0.0", {port}))
print("listening", flush=True)
c = s.accept()[0]
try:
    while True:
        c.sendall(bytes(1 << 16))
except OSError:
    pass
"""
RECEIVE = """
import socket, time
s = socket.create_connection(("{host}", {port}))
n, begun = 0, time.monotonic()
s.settimeout({seconds})
while time.monotonic() - begun < {seconds}:
    n += len(s.recv(1 << 16))
print(n)
"""


def prepare(lab):
    """Buffers that hold the product, nothing remembered between runs, addresses for the way past us."""
    for side in netns.SIDES:
        for words in ("sysctl -qw net.ipv4.tcp_no_metrics_save=1",
                      f"sysctl -qw net.ipv4.tcp_rmem='4096 {BUFFER} {BUFFER}'",
                      f"sysctl -qw net.ipv4.tcp_wmem='4096 {BUFFER} {BUFFER}'",
                      f"ip addr add {DIRECT[side]}/24 dev {netns.DEVICE} noprefixroute",
                      f"ip route add 10.0.9.0/24 dev {netns.DEVICE} src {DIRECT[side]} congctl cubic"):
            done = lab.run(side, shlex.split(words), capture_output=True, text=True)
            if done.returncode:
                raise LabError(f"{words}: {done.stderr.strip()}")


def transfer(lab, host, seconds):
    """Bits a second that reach the client."""
    server = lab.popen("server", [sys.executable, "-c", SEND.format(port=PORT)], stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, text=True)
    try:
        server.stdout.readline()
        done = lab.run("client", [sys.executable, "-c", RECEIVE.format(host=host, port=PORT, seconds=seconds)],
                       capture_output=True, text=True, timeout=seconds + 60)
        if done.returncode:
            raise LabError(f"the client: {done.stderr.strip()}")
        return int(done.stdout) * 8 / seconds
    finally:
        server.kill()
        server.communicate()


def bad(lab, one, other, loss, seed):
    return Wire(lab, one, other, ab={"loss": loss}, seed=seed, delay=DELAY, rate=RATE, queue=QUEUE)


def by_linux(lab, loss, seed, seconds):
    with bad(lab, "server", "client", loss, seed) as wire:
        rate = transfer(lab, DIRECT["server"], seconds)
    return rate, wire.counters


def by_us(lab, loss, seed, seconds):
    with plain(lab, "server"), bad(lab, "box-client", "client", loss, seed) as wire:
        rate = transfer(lab, netns.SIDES["client"]["gateway"], seconds)
    return rate, wire.counters


def compare(lab, loss, rounds, seconds, seed, verbose):
    rates = {by_linux: [], by_us: []}
    for n in range(rounds):
        for way, list_ in rates.items():
            rate, counters = way(lab, loss, seed + n, seconds)
            list_.append(rate)
            if verbose:
                data = {k: v for k, v in counters["ab"].items() if v}
                print(f"    {way.__name__} {rate / 1e6:.2f} Mbit/s {data}", flush=True)
    return statistics.median(rates[by_linux]), statistics.median(rates[by_us])


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--loss", action="append", help=f"default: {' '.join(LOSS)}")
    p.add_argument("--rounds", type=int, default=3, help="turns of each")
    p.add_argument("--seconds", type=int, default=20, help="a turn takes")
    p.add_argument("--seed", type=int, default=1, help="of the first turn")
    p.add_argument("--nic", help="the image in QEMU with that card; default: the Linux program")
    p.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of ours")
    p.add_argument("--verbose", action="store_true", help="each turn")
    args = p.parse_args()
    subprocess.run(["make", "--no-print-directory", "badwire"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    settings = SETTINGS | dict(s.split("=", 1) for s in args.set)
    failed = 0
    try:  # one that waits for its turn is a delay the wire was not asked for
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        print("without real-time priority: other work on this machine will show", flush=True)
    with Lab("firewall-1path", nic=args.nic or "e1000", hosted=not args.nic, settings=settings, wired=True) as lab:
        prepare(lab)
        for loss in args.loss or LOSS:
            linux, ours = compare(lab, loss, args.rounds, args.seconds, args.seed, args.verbose)
            off = ours / linux - 1
            failed += off < -GATE
            print(f"{'not ok' if off < -GATE else 'ok'} cubic: loss {loss}: Linux {linux / 1e6:.2f} Mbit/s, "
                  f"ours {ours / 1e6:.2f}, {off:+.0%}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
