#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Linux's own tools through the router, on each card: ping, traceroute, iperf3, path MTU discovery,
fragments; then through the bridge, where both hosts are on one network. --long: longer, all cards
with everything."""

import argparse
import json
import re
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from support import BOX, NICS, SERVER, Bad, bench, finish, must, need, side_by_side  # noqa: E402

from laboratory import netns  # noqa: E402  (support has put tools/ on the path)

SETTINGS = {"keep": "1s", "fragtime": "1s"}
SMALL_MTU = 1300
BRIDGE_CLIENT, BRIDGE_SERVER = "10.0.9.1", "10.0.9.2"


def ping(b, to, *words, count=5, expect=None):
    status, out = b.run("client", "ping", "-n", "-c", count, "-i", "0.2", "-W", "2", *words, to)
    got = re.search(r"(\d+) received", out)
    expect = count if expect is None else expect
    must(got and int(got[1]) == expect, f"{got[1] if got else 'no'} answers of {count}: {out.strip().splitlines()[-1]}")
    return out


def ttl_falls(b):
    out = ping(b, SERVER)
    must("ttl=63" in out, "the answer's time to live is not one less (RFC 1812 5.3.1)")


def traceroute(b, how):
    need("traceroute")
    status, out = b.run("client", "traceroute", "-n", "-w", "2", "-q", "1", *how, SERVER)
    hops = re.findall(r"^\s*(\d+)\s+(\S+)", out, re.M)
    must(("1", BOX[0]) in hops, f"the router is not the first hop: {hops}")
    must(("2", SERVER) in hops, f"the server is not the second hop: {hops}")


def iperf(b, seconds, *words, server=SERVER):
    need("iperf3")
    host = b.popen("server", "iperf3", "-s", "-1", "-J", stdin=subprocess.DEVNULL)
    time.sleep(0.5)
    status, out = b.run("client", "iperf3", "-c", server, "-t", seconds, "-J", *words, timeout=seconds + 30)
    host.communicate(timeout=20)
    facts = json.loads(out)
    must("error" not in facts, facts.get("error"))
    return facts["end"]


def iperf_tcp(b, seconds, *words, server=SERVER):
    end = iperf(b, seconds, *words, server=server)
    rate = end["sum_received"]["bits_per_second"] / 1e6
    print(f"    {rate:.0f} Mbit/s, {end['sum_sent'].get('retransmits', 0)} retransmissions", flush=True)
    must(end["sum_received"]["bytes"] > 1 << 20, "less than 1 MiB arrived")


def iperf_udp(b, seconds, server=SERVER):
    """At a rate that everything here can carry, nothing may be lost."""
    end = iperf(b, seconds, "-u", "-b", "20M", server=server)["sum"]
    print(f"    {end['packets']} datagrams, {end['lost_packets']} lost", flush=True)
    must(end["packets"] > 1000 and end["lost_percent"] < 1, f"{end['lost_packets']} of {end['packets']} datagrams were lost")


def fragments(b):
    """4,000 bytes and more in one datagram: three fragments each way, which the router passes on."""
    ping(b, SERVER, "-s", "4000", "-M", "dont")
    ping(b, SERVER, "-s", "20000", "-M", "dont")
    ping(b, BOX[0], "-s", "4000", "-M", "dont")  # put together by the router itself, and answered


def forget_mtu(b):
    for side in netns.SIDES:
        b.run(side, "ip", "route", "flush", "cache")


def needs_fragmentation(b):
    """RFC 1191 4: with DF, the router says which MTU fits; Linux remembers it."""
    forget_mtu(b)
    status, out = b.run("client", "ping", "-n", "-c", "2", "-i", "0.3", "-W", "2", "-s", "1400", "-M", "do", SERVER)
    must(f"mtu = {SMALL_MTU}" in out or f"mtu={SMALL_MTU}" in out, f"no word of the MTU: {out.strip()[-200:]}")
    status, out = b.run("client", "ip", "route", "get", SERVER)
    must(f"mtu {SMALL_MTU}" in out, f"Linux has not learnt it: {out.strip()}")
    ping(b, SERVER, "-s", str(SMALL_MTU - 28), "-M", "do")


def fragmented_on_the_way(b):
    """Without DF the router cuts the datagram to the link's size (RFC 1812 5.3.3)."""
    forget_mtu(b)
    ping(b, SERVER, "-s", "1400", "-M", "dont")


def tcp_discovers(b, seconds):
    forget_mtu(b)
    iperf_tcp(b, seconds)
    status, out = b.run("client", "ip", "route", "get", SERVER)
    must(f"mtu {SMALL_MTU}" in out, f"TCP has not learnt the path's MTU: {out.strip()}")


def begin(b):
    """Addresses are resolved; what is there now is the start."""
    ping(b, SERVER, count=2)
    time.sleep(2)
    b.settle()


def router_cases(b, seconds):
    for name, function, words in (
            ("ping the router", ping, (BOX[0],)),
            ("ping the router's far side", ping, (BOX[1],)),
            ("ping through it, TTL one less", ttl_falls, ()),
            ("traceroute by UDP shows the hop", traceroute, ((),)),
            ("traceroute by ICMP shows the hop", traceroute, (("-I",),)),
            ("traceroute by TCP shows the hop", traceroute, (("-T", "-p", "9"),)),
            ("iperf3 TCP", iperf_tcp, (seconds,)),
            ("iperf3 TCP, the other way", iperf_tcp, (seconds, "-R")),
            ("iperf3 UDP without loss", iperf_udp, (seconds,)),
            ("fragments", fragments, ())):
        with b.case(name):
            function(b, *words)


def mtu_cases(b, seconds):
    for name, function, words in (
            ("RFC 1191: fragmentation needed, with the MTU", needs_fragmentation, ()),
            ("RFC 1812 5.3.3: fragments what may be", fragmented_on_the_way, ()),
            ("TCP finds the path MTU", tcp_discovers, (seconds,))):
        with b.case(name):
            function(b, *words)


def bridge_cases(b, seconds):
    b.run("client", "ip", "addr", "add", BRIDGE_CLIENT + "/24", "dev", netns.DEVICE)
    b.run("server", "ip", "addr", "add", BRIDGE_SERVER + "/24", "dev", netns.DEVICE)
    ping(b, BRIDGE_SERVER, count=1)
    b.settle()
    with b.case("ping through it, TTL unchanged"):
        must("ttl=64" in ping(b, BRIDGE_SERVER), "the time to live is not what the host sent")
    with b.case("fragments"):
        ping(b, BRIDGE_SERVER, "-s", "4000", "-M", "dont")
    with b.case("iperf3 TCP"):
        iperf_tcp(b, seconds, server=BRIDGE_SERVER)
    with b.case("iperf3 UDP without loss"):
        iperf_udp(b, seconds, server=BRIDGE_SERVER)


def scene(graph, nic, settings, cases, seconds):
    with bench(graph, nic, settings) as b:
        if not b:
            return
        try:
            if graph == "router":
                begin(b)
            cases(b, seconds)
        except (Bad, OSError) as e:
            with b.case("runs to the end"):
                raise Bad(e)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--long", action="store_true", help="longer")
    p.add_argument("--graph", action="append", help="router, bridge (default: both)")
    p.add_argument("--nic", action="append", help="default: all four")
    args = p.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    seconds = 20 if args.long else 2
    nics, graphs = args.nic or NICS, args.graph or ("router", "bridge")
    if len(nics) * len(graphs) > 1:
        long = ["--long"] if args.long else []
        return side_by_side(__file__, [["--nic", n, "--graph", g, *long] for n in nics for g in graphs])
    for nic in nics:
        if "router" in graphs:
            scene("router", nic, SETTINGS, router_cases, seconds)
            scene("router", nic, SETTINGS | {"ip.mtu": f"eth1={SMALL_MTU}"}, mtu_cases, seconds)
        if "bridge" in graphs:
            scene("bridge", nic, None, bridge_cases, seconds)
    return finish()


if __name__ == "__main__":
    sys.exit(main())
