#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Real programs through the two firewalls, on each card: curl, nginx, wrk, nc, and peers that do
what programs seldom do. Short by default; --long has the full sizes and times. After each case the
forwarder is back at its start."""

import argparse
import hashlib
import os
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from support import BOX, NICS, PORT, SERVER, Bad, bench, finish, must, need, side_by_side  # noqa: E402

from laboratory.nginx import Nginx  # noqa: E402  (support has put tools/ on the path)

GRAPHS = ("firewall-2path", "firewall-1path")
SETTINGS = {"msl": "200ms", "tcp.idle": "120s"}
TRANSPARENT = {"plug.listen": f"*:{PORT}", "plug.to": "none", "plug.transparent": "on"}
MIB = 1 << 20
AT_ONCE = 2.0  # seconds


def url(b):
    return f"http://{b.target}:{PORT}/"


def make_file(path, size):
    digest = hashlib.sha256()
    with open(path, "wb") as f:
        for left in range(size, 0, -MIB):
            block = os.urandom(min(left, MIB))
            digest.update(block)
            f.write(block)
    return digest.hexdigest()


def sum_of(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def curl(b, *words, limit):
    status, out = b.run("client", "curl", "-sS", "--fail", "--max-time", limit, *words, timeout=limit + 10)
    must(status == 0, f"curl ended with status {status}: {out.strip()}")


def download(b, web, size, limit):
    want = make_file(web.html / "file", size)
    begun = time.monotonic()
    curl(b, "-o", b.folder / "got", url(b) + "file", limit=limit)
    seconds = time.monotonic() - begun
    must(sum_of(b.folder / "got") == want, "the file came out different")
    if size >= MIB:
        print(f"    {size / MIB:.0f} MiB: {size * 8 / seconds / 1e6:.0f} Mbit/s", flush=True)


def upload(b, web, size, limit):
    want = make_file(b.folder / "up", size)
    curl(b, "-T", b.folder / "up", url(b) + "up/file", limit=limit)
    must(sum_of(web.html / "up/file") == want, "the file came out different")


def both_at_once(b, web, size, limit):
    down, up = make_file(web.html / "file", size), make_file(b.folder / "up", size)
    jobs = [b.popen("client", "curl", "-sS", "--fail", "--max-time", limit, *words, stdin=subprocess.DEVNULL,
                    stderr=subprocess.STDOUT)
            for words in (("-o", b.folder / "got", url(b) + "file"), ("-T", b.folder / "up", url(b) + "up/both"))]
    for p in jobs:
        out = p.communicate(timeout=limit + 10)[0]
        must(p.returncode == 0, f"curl ended with status {p.returncode}: {out.strip()}")
    must(sum_of(b.folder / "got") == down and sum_of(web.html / "up/both") == up, "a file came out different")


def wrk(b, web, seconds, connections=200):
    need("wrk")
    (web.html / "small").write_bytes(b"x" * 1000)
    status, out = b.run("client", "wrk", "-t", 2, "-c", connections, "-d", f"{seconds}s", "--timeout", "10s", url(b) + "small",
                        timeout=seconds + 40)
    must(status == 0, f"wrk ended with status {status}")
    for bad in ("Socket errors", "Non-2xx"):
        must(bad not in out, next((line.strip() for line in out.splitlines() if bad in line), bad))
    rate = next((line.split()[1] for line in out.splitlines() if line.startswith("Requests/sec")), None)
    must(rate and float(rate) > 0, "not one request was answered")
    print(f"    {rate} requests/s", flush=True)


def web_cases(b, long, big):
    with Nginx(b.lab, b.folder / "nginx") as web:
        (web.html / "up").mkdir(exist_ok=True)
        # The first transfer resolves addresses; what is there afterwards is the start.
        with b.case("curl of 1 byte"):
            download(b, web, 1, 20)
        if b.dead:
            return
        time.sleep(1)
        b.settle()
        with b.case("curl of 1 byte again"):
            download(b, web, 1, 20)
        with b.case("curl of 1 MiB"):
            download(b, web, MIB, 60)
        size = 1024 if long else 64 if big else 0
        if size:
            with b.case(f"curl of {size} MiB"):
                download(b, web, size * MIB, 30 + size)
        size = 256 if long else 16
        with b.case(f"upload of {size} MiB"):
            upload(b, web, size * MIB, 30 + size)
        with b.case(f"{size} MiB in both directions at once"):
            both_at_once(b, web, size * MIB, 30 + 2 * size)
        seconds = 20 if long else 5
        with b.case(f"wrk with 200 connections for {seconds} s without a socket error"):
            wrk(b, web, seconds)


def half_close_client(b):
    """The client's nc sends all and finishes; the server answers only then."""
    need("nc")
    make_file(b.folder / "out", 300000)
    server = b.server("recvall", "send:200000", "close")
    with open(b.folder / "out", "rb") as source, open(b.folder / "in", "wb") as sink:
        nc = b.popen("client", "nc", "-N", "-w", 20, b.target, PORT, stdin=source, stdout=sink)
        facts = b.facts(server)
        nc.wait(20)
    must(facts["got"] == 300000 and facts["got_sum"] == sum_of(b.folder / "out"), f"the server got {facts['got']} of 300000")
    must(facts["error"] is None and sum_of(b.folder / "in") == facts["sent_sum"], "the answer came out different")
    must(nc.returncode == 0, f"nc ended with status {nc.returncode}")


def half_close_server(b):
    """The server's nc finishes first; the client goes on sending."""
    need("nc")
    make_file(b.folder / "out", 100000)
    with open(b.folder / "out", "rb") as source, open(b.folder / "in", "wb") as sink:
        nc = b.popen("server", "nc", "-l", "-N", SERVER, PORT, stdin=source, stdout=sink)
        time.sleep(0.5)
        facts = b.facts(b.client("recvall", "sleep:0.5", "send:300000", "close"))
        nc.wait(20)
    must(facts["error"] is None, f"the client saw {facts['error']}")
    must(facts["got"] == 100000 and facts["got_sum"] == sum_of(b.folder / "out"), f"the client got {facts['got']} of 100000")
    must(sum_of(b.folder / "in") == facts["sent_sum"], "what the client sent after the server's end came out different")


def reset_by_client(b):
    server = b.server("send:1000000", "recvall")
    client = b.client("recv:100000", "reset")
    b.facts(client)
    facts = b.facts(server)
    must(facts["error"] in ("ECONNRESET", "EPIPE"), f"the server saw {facts['error'] or 'a clean end'}")
    must(facts["seconds"] < 10, f"the server was told after {facts['seconds']:.1f} s")


def reset_by_server(b):
    server = b.server("recv:100000", "reset")
    client = b.client("send:50000000")
    b.facts(server)
    facts = b.facts(client)
    must(facts["error"] in ("ECONNRESET", "EPIPE"), f"the client saw {facts['error'] or 'a clean end'}")


def stopped_reader(b, seconds):
    """The reader stops: the window closes, memory stays bounded, the sender waits, all arrives later."""
    total = 40 * MIB
    server = b.server(f"send:{total}", "close")
    client = b.client(f"recv:{MIB}", "say:stopped", "line", "recvall")
    must(client.stdout.readline() == "stopped\n", "the client did not get its first MiB")
    time.sleep(seconds / 2)
    first = b.memory()
    time.sleep(seconds / 2)
    second = b.memory()
    moved = abs(second["path_bytes"] - first["path_bytes"])
    held = second["path_bytes"] - b.start["path_bytes"]
    must(held <= 2 * MIB, f"{held} bytes are held for one connection")
    must(moved <= 65536, f"memory still moves ({moved} bytes) though nobody reads")
    must(server.poll() is None, "the sender was not stopped")
    print(f"    held while stopped: {held} bytes, messages {second['msgs_full']}", flush=True)
    client.stdin.write("go on\n")
    client.stdin.flush()
    got, sent = b.facts(client, 120), b.facts(server, 120)
    must(got["error"] is None and sent["error"] is None, f"errors: {got['error']}, {sent['error']}")
    must(got["got"] == total and got["got_sum"] == sent["sent_sum"], f"{got['got']} bytes of {total} arrived, or others")


def refused(b):
    facts = b.facts(b.client("recvall"))
    must(facts["error"] in ("ECONNREFUSED", "ECONNRESET"), f"the client saw {facts['error'] or 'a clean end'}")
    must(facts["seconds"] < AT_ONCE, f"it took {facts['seconds']:.1f} s")


def server_down(b):
    b.lab.command("set tcp.connect=2s")
    b.link("server", False)
    try:
        facts = b.facts(b.client("recvall"), 30)
    finally:
        b.link("server", True)
        b.lab.command("set tcp.connect=60s")
    must(facts["error"] in ("ECONNREFUSED", "ECONNRESET", "EHOSTUNREACH"), f"the client saw {facts['error'] or 'a clean end'}")
    must(facts["seconds"] < 10, f"it took {facts['seconds']:.1f} s")


def client_gone(b):
    b.lab.command("set tcp.giveup=3s")
    server = b.server("send:100000000", "recvall")
    client = b.client("recv:1000000", "say:enough", "recvall")
    try:
        must(client.stdout.readline() == "enough\n", "nothing arrived")
        b.link("client", False)
        facts = b.facts(server, 60)
    finally:
        client.kill()
        b.link("client", True)
        b.lab.command("set tcp.giveup=300s")
    must(facts["error"] in ("ECONNRESET", "EPIPE"), f"the server saw {facts['error'] or 'a clean end'}")


def peer_cases(b, long):
    seconds = 60 if long else 5
    for name, function, words in (
            ("half-close by the client (nc -N)", half_close_client, ()),
            ("half-close by the server (nc -N)", half_close_server, ()),
            ("RST by the client", reset_by_client, ()),
            ("RST by the server", reset_by_server, ()),
            (f"a reader that stops for {seconds} s", stopped_reader, (seconds,)),
            ("a server that refuses", refused, ()),
            ("a server that is down", server_down, ()),
            ("a client that is gone", client_gone, ())):
        with b.case(name):
            function(b, *words)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--long", action="store_true", help="full sizes and times")
    p.add_argument("--graph", action="append", help="default: both")
    p.add_argument("--nic", action="append", help="default: all four")
    p.add_argument("--transparent", action="store_true", help="the client addresses the server itself")
    args = p.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    nics, graphs = args.nic or NICS, args.graph or GRAPHS
    if len(nics) * len(graphs) > 1:
        long = ["--long"] if args.long else []
        jobs = [["--nic", n, "--graph", g, *long] for n in nics for g in graphs]
        jobs += [[*job, "--transparent"] for job in jobs if args.long or "e1000" in job]
        return side_by_side(__file__, jobs)
    for nic in nics:
        for graph in graphs:
            with bench(graph, nic, SETTINGS | (TRANSPARENT if args.transparent else {})) as b:
                if not b:
                    continue
                b.target = SERVER if args.transparent else BOX[0]
                b.title += " transparent" if args.transparent else ""
                big = nic == "e1000" and graph == "firewall-1path" and not args.transparent
                try:
                    web_cases(b, args.long, big)
                    if not b.dead:
                        peer_cases(b, args.long)
                except (Bad, OSError) as e:
                    print(f"not ok {b.title}: runs to the end: {e}", flush=True)
    return finish()


if __name__ == "__main__":
    sys.exit(main())
