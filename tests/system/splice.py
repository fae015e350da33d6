#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Splices between real Linux hosts, on each card: a transfer that is spliced and unspliced under way,
a capture at the receiver, the hosts' own counters, the proof from outside (acknowledgements withheld
and raised), and programs that people use. Short by default; --long has the full sizes."""

import argparse
import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import segments  # noqa: E402
import transfers  # noqa: E402
from splicing import (AGAIN, NEVER, captured, counted, line_of, nstat, sysctl, transfer_done,  # noqa: E402
                      wait_proxied, wait_road, wait_spliced)
from support import BOX, CLIENT, NICS, PORT, ROOT, SERVER, Bad, Skip, bench, finish, must, need, side_by_side  # noqa: E402

from laboratory.nginx import Nginx  # noqa: E402  (support has put tools/ on the path)

MIB = 1 << 20
GRAPH = "firewall"
SETTINGS = {"msl": "200ms", "tcp.idle": "120s", "waiting": "400ms", "rst": "1s", "unsplice": "copy"}
RAW = {"client": "10.0.1.9", "server": "10.0.2.9"}  # hosts that are no kernel
PACE = {"e1000": 24, "e1000e": 24, "tulip": 16, "virtio": 24, "hosted": 48}  # MiB a second, below what the card carries


# --- bulk transfers ---

def toggled(b, size, times, pace, down=True):
    """R-SPL-19: spliced and unspliced so many times while bytes flow."""
    words = (f"pace:{pace}", f"sendtil:{size}", "shut", "recvall")
    if down:
        sender, receiver = b.server(*words), b.client("recvall", "shut")
    else:
        receiver = b.server("recvall", "shut")
        sender = b.client(*words)
    begun, shapes = time.monotonic(), set()
    wait_road(b, lambda _: True, "from card to card")
    for _ in range(times):
        b.lab.command("unsplice all")
        wait_proxied(b)
        b.lab.command("splice all")
        shapes.add(" ".join(wait_spliced(b)))
    seconds = time.monotonic() - begun
    sender.stdin.write("enough\n")
    sender.stdin.flush()
    n = transfer_done(b, sender, receiver, 60 + 2 * size / pace)
    print(f"    {n / MIB:.0f} MiB, {times} times spliced and unspliced in {seconds:.1f} s; {'; '.join(sorted(shapes))}", flush=True)


def toggle_cases(b, long, nic):
    pace = PACE[nic] * MIB
    size, times = (1024 * MIB, 1000) if long else (16 * MIB, 20)
    with b.case(f"R-SPL-19 R-SPL-14 {size // MIB} MiB spliced and unspliced {times} times, download"):
        with counted(b, *NEVER, *AGAIN):
            toggled(b, size, times, pace)
    with b.case(f"R-SPL-18 R-SPL-19 {size // MIB} MiB spliced and unspliced {times} times, upload, unsplice=wait"):
        b.lab.command("set unsplice=wait")
        try:
            with counted(b, *NEVER):
                toggled(b, size, times, pace, down=False)
        finally:
            b.lab.command("set unsplice=copy")


def busy_splices(b, count, size, pace, down):
    """Connections that are spliced once, while bytes flow: what the receiver notices of it."""
    side, address = ("client", CLIENT) if down else ("server", SERVER)
    with captured(b, side) as capture:
        for _ in range(count):
            words = (f"pace:{pace}", f"send:{size // 2}", "say:half", f"sendtil:{size // 2}", "shut", "recvall")
            if down:
                sender, receiver = b.server(*words), b.client("recvall", "shut")
            else:
                receiver = b.server("recvall", "shut")
                sender = b.client(*words)
            must(wait_proxied(b), "the transfer is not proxied at first")
            must(line_of(sender) == "half\n", "the first half is not sent")
            b.lab.command("set plug.splice=on")
            b.lab.command("splice all")
            wait_spliced(b)
            b.lab.command("set plug.splice=off")
            time.sleep(0.1)
            sender.stdin.write("enough\n")
            sender.stdin.flush()
            transfer_done(b, sender, receiver)
    traces = [segments.Trace(s, segments.number(address)) for s in segments.connections(capture.segments).values()]
    must(len(traces) == count, f"{len(traces)} connections in the capture, not {count}")
    for t in traces:
        must(t.bytes >= size, f"{t.bytes} of {size} bytes in the capture")
        must(not t.problem(), f"the receiver noticed the splice: {t.problem()}")


def busy_cases(b, long, nic):
    count, size = (50, 16 * MIB) if long else (3, 4 * MIB)
    for down in (True, False):
        b.lab.command("set plug.splice=off")
        way = "download" if down else "upload"
        with b.case(f"R-SPL-7 {count} times a splice of a busy connection, {way}: nothing sent twice, no duplicate ACK"):
            with counted(b, *NEVER, *AGAIN):
                busy_splices(b, count, size, PACE[nic] * MIB, down)
    b.lab.command("set plug.splice=on")


def both_ways(b, size):
    """One connection, spliced before its first byte but five: up, half-closed, then down, with small segments in between."""
    server = b.server("send:5", "recv:5", *["recv:100", "send:100"] * 20, "recvall", f"send:{size}", "shut")
    client = b.client("recv:5", "send:5", "say:on", "line", *["send:100", "recv:100"] * 20, f"send:{size}", "shut", "recvall")
    must(line_of(client) == "on\n", "no answer")
    wait_spliced(b)
    client.stdin.write("go\n")
    client.stdin.flush()
    up, down = b.facts(client, 120), b.facts(server)
    must(up["error"] is None and down["error"] is None, f"errors: {up['error']}, {down['error']}")
    for one, other in ((up, down), (down, up)):
        must(one["sent"] == size + 2005, f"{one['sent']} bytes were sent")
        must(other["got_sum"] == one["sent_sum"], f"{other['got']} bytes of {one['sent']} arrived, or came out different")


def both_ways_case(b, long):
    size = (64 if long else 8) * MIB
    with b.case(f"R-FLOW-7 {size // MIB} MiB each way through a splice: no host counts a violation of the protocol"):
        with counted(b, *NEVER):
            both_ways(b, size)


# --- proof from outside (flow-splicing 12) ---

class Outside:
    """A Linux host that sends, a host of ours that receives, and a capture at the sender."""

    def __init__(self, b, forward, how, send=100):
        self.b, self.forward = b, forward
        raw = "server" if forward else "client"
        self.linux = "client" if forward else "server"
        words = [sys.executable, ROOT / "tests/system/rawhost.py", b.lab.device, RAW[raw]]
        if forward:
            self.raw = b.popen(raw, *words, "listen", PORT, how)
            self.expect("listening")
            self.sender = b.client("say:open", "line", f"send:{send}", "line", "reset")
        else:
            self.sender = b.server("line", f"send:{send}", "line", "reset")
            self.raw = b.popen(raw, *words, "connect", BOX[0], BOX[0], PORT, how)
        self.expect("open")

    def expect(self, word):
        line = line_of(self.raw).strip()
        must(line == word, f"the bare host says {line!r}, not {word!r}")

    def words(self, seconds):
        """What the bare host says in that time, which is its last."""
        time.sleep(seconds)
        self.go(self.raw)
        while line := line_of(self.raw):
            yield line.split()

    def go(self, p):
        with contextlib.suppress(BrokenPipeError):  # it has ended
            p.stdin.write("go\n")
            p.stdin.flush()

    def acknowledged(self, seconds=1.0):
        """Sends 100 bytes; by how many the sender's own are acknowledged within the time, at most."""
        with captured(self.b, self.linux) as capture:
            self.go(self.sender)
            self.expect("got 100")
            time.sleep(seconds)
        here = segments.number(CLIENT if self.forward else SERVER)
        sent = [s for s in capture.segments if s.src == here and s.length]
        must(sent, "the capture does not show the bytes")
        acks = [(s.ack - sent[0].seq) & 0xFFFFFFFF for s in capture.segments
                if s.dst == here and s.sport == sent[0].dport and s.dport == sent[0].sport and s.flags & segments.ACK]
        return max((a for a in acks if a < 1 << 31), default=0)

    def end(self):
        self.go(self.raw)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.raw.wait(3)
        self.b.end_programs()


def outside(b, forward, how, spliced):
    o = Outside(b, forward, how)
    try:
        wait_spliced(b) if spliced else wait_proxied(b)
        return o.acknowledged()
    finally:
        o.end()


def outside_cases(b, forward, spliced):
    way = ("A to B, " if forward else "B to A, ") + ("spliced" if spliced else "not spliced")
    with b.case(f"R-FLOW-64 acknowledgement withheld, {way}"):
        n = outside(b, forward, "withhold", spliced)
        must(n == (0 if spliced else 100), f"{n} of 100 bytes are acknowledged")
    with b.case(f"R-FLOW-65 acknowledgement raised by 1000, {way}"):
        n = outside(b, forward, "raise:1000", spliced)
        must(n == (1100 if spliced else 100), f"100 bytes were sent, and {n} acknowledged")


def icmp_case(b, forward, spliced):
    """The sender's kernel must recognize its segment in the quotation, or it sends the same again for ever."""
    way = ("A to B, " if forward else "B to A, ") + ("spliced" if spliced else "not spliced")
    with b.case(f"R-SPL-15 an ICMP error about a segment reaches who sent it, {way}"):
        o = Outside(b, forward, "icmp:1000", send=5000)
        try:
            wait_spliced(b) if spliced else wait_proxied(b)
            o.go(o.sender)
            words = list(o.words(2))
        finally:
            o.end()
            for side in ("client", "server"):
                b.run(side, "ip", "route", "flush", "cache")
        large, got = ([int(n) for kind, n in words if kind == k] for k in ("large", "got"))
        must(large, "no segment was too large")
        must(sum(got) == 5000, f"{sum(got)} of 5000 bytes arrived, in segments of {got}, after {large}")


# Positive in each spliced shape, negative without.
OUTSIDE = (({}, True), ({"merge": "off"}, True), ({"splice": "off"}, False))


def all_outside(graph, card, title, extra, options):
    for words, spliced in OUTSIDE:
        for forward in (True, False):
            to = {"plug.to": f"{RAW['server']}:{PORT}"} if forward else {}
            # The bare host has no time stamps, and what only one side has negotiated keeps a connection proxied.
            with bench(graph, card, SETTINGS | {"timestamps": "off"} | to | words | extra, **options) as b:
                if b:
                    b.title = title + "".join(f" {k}={v}" for k, v in words.items())
                    outside_cases(b, forward, spliced)
                    icmp_case(b, forward, spliced)


# --- programs ---

def url(b, name):
    return f"http://{b.target}:{PORT}/{name}"


def keep_alive(b, web, count):
    """R-SPL-4: curl gets many files over one connection."""
    for i in range(count):
        (web.html / f"file{i}").write_bytes(os.urandom(100 + i * 517))
    out = b.folder / "got"
    out.mkdir(exist_ok=True)
    status, said = b.run("client", "curl", "-sS", "--fail", "--max-time", 60, "-w", "%{num_connects}\\n", "-o", out / "#1",
                         url(b, f"file[0-{count - 1}]"))
    must(status == 0, f"curl ended with status {status}: {said.strip()}")
    must(sum(map(int, said.split())) == 1, f"{sum(map(int, said.split()))} connections were made")
    for i in range(count):
        must((out / str(i)).read_bytes() == (web.html / f"file{i}").read_bytes(), f"answer {i} came out different")


PIPELINE = """
import socket, sys
count, host, port = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
s = socket.create_connection((host, port), 20)
s.sendall(b"".join(b"GET /small HTTP/1.1\\r\\nHost: x\\r\\n%s\\r\\n" % (b"Connection: close\\r\\n" if i == count - 1 else b"")
                   for i in range(count)))
data = b""
while more := s.recv(65536):
    data += more
print(data.count(b"HTTP/1.1 200 OK"), data.count(b"<" + b"y" * 1000 + b">"))
"""


def pipelined(b, web, count):
    (web.html / "small").write_bytes(b"<" + b"y" * 1000 + b">")
    status, out = b.run("client", sys.executable, "-c", PIPELINE, count, b.target, PORT)
    must(status == 0 and out.split() == [str(count)] * 2, f"{count} requests in one go: {out.strip()}")


SSHD = """
Port {port}
ListenAddress {address}
HostKey {folder}/key
AuthorizedKeysFile {folder}/user.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
PermitRootLogin yes
LogLevel ERROR
"""


def ssh(b):
    """An interactive protocol: prompts, answers, then a bulk transfer in the same connection."""
    need("ssh", "sshd", "ssh-keygen")
    if os.geteuid():
        raise Skip("sshd needs root")
    folder = b.folder / "ssh"
    folder.mkdir()
    for name in ("key", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True, stdin=subprocess.DEVNULL)
    (folder / "sshd.conf").write_text(SSHD.format(port=PORT, address=SERVER, folder=folder), encoding="ascii")
    pathlib.Path("/run/sshd").mkdir(exist_ok=True)
    server = b.popen("server", "/usr/sbin/sshd", "-D", "-e", "-f", folder / "sshd.conf", stdin=subprocess.DEVNULL,
                     stderr=subprocess.STDOUT)
    time.sleep(0.5)
    p = b.popen("client", "ssh", "-T", "-F", "none", "-i", folder / "user", "-o", "StrictHostKeyChecking=no", "-o",
                "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-p", PORT, f"root@{b.target}", "/bin/sh",
                stderr=subprocess.STDOUT)
    for i in range(50):
        p.stdin.write(f"echo answer $(({i} * 7))\n")
        p.stdin.flush()
        line = line_of(p)
        must(line == f"answer {i * 7}\n", f"command {i} was answered {line!r}" + (server.stdout.read() if server.poll() else ""))
    wait_spliced(b)
    p.stdin.write("head -c 3000000 /dev/zero | tr '\\0' x; echo; exit 7\n")
    p.stdin.flush()
    line = line_of(p)
    must(len(line) == 3000001 and line.count("x") == 3000000, f"{len(line)} bytes of 3000001 came")
    must(p.wait(20) == 7, f"ssh ended with status {p.returncode}")


def program_cases(b):
    with Nginx(b.lab, b.folder / "nginx") as web:
        with b.case("curl: 100 requests over one connection"):
            keep_alive(b, web, 100)
        with b.case("100 requests, pipelined"):
            pipelined(b, web, 100)
    with b.case("ssh: an interactive session, then 3 MB"):
        ssh(b)


def end_cases(b):
    """R-SPL-12: how connections end; each is spliced when it does."""
    for name, function, words in (
            ("half-close by the client (nc -N)", transfers.half_close_client, ()),
            ("half-close by the server (nc -N)", transfers.half_close_server, ()),
            ("RST by the client", transfers.reset_by_client, ()),
            ("RST by the server", transfers.reset_by_server, ()),
            ("a reader that stops for 4 s", transfers.stopped_reader, (4,))):
        with b.case(f"R-SPL-12 {name}"):
            function(b, *words)


# --- the http proxy ---

HTTP = {"msl": "200ms", "waiting": "400ms", "rst": "1s", "http.listen": f"{BOX[0]}:{PORT}",
        "http.routes": f"*/={SERVER}:{PORT},*/other={SERVER}:{PORT + 1}"}


def routed(b, webs, count, size):
    """Requests of one connection, in turn to two servers; the answers are compared."""
    folders = [webs[0].html, webs[1].html / "other"]
    words = []
    for i in range(count):
        transfers.make_file(folders[i % 2] / f"file{i}", size + i * 37)
        words += ["-o", b.folder / f"got{i}", url(b, f"{'other/' if i % 2 else ''}file{i}")]
    status, said = b.run("client", "curl", "-sS", "--fail", "--max-time", 60, "-w", "%{num_connects}\\n", *words)
    must(status == 0, f"curl ended with status {status}: {said.strip()}")
    must(sum(map(int, said.split())) == 1, f"{sum(map(int, said.split()))} connections were made")
    for i in range(count):
        must(transfers.sum_of(b.folder / f"got{i}") == transfers.sum_of(folders[i % 2] / f"file{i}"), f"answer {i} came out different")


def spliced_answer(b, webs):
    """A large answer is spliced while it passes, and the next request on the connection is answered too."""
    transfers.make_file(webs[0].html / "large", 32 * MIB)
    p = b.popen("client", "curl", "-sS", "--fail", "--max-time", 60, "--limit-rate", "16M", "-o", b.folder / "got0", url(b, "large"),
                "-o", b.folder / "got1", url(b, "large"), stdin=subprocess.DEVNULL)
    wait_spliced(b)
    must(p.wait(60) == 0, f"curl ended with status {p.returncode}")
    for i in range(2):
        must(transfers.sum_of(b.folder / f"got{i}") == transfers.sum_of(webs[0].html / "large"), f"answer {i} came out different")


def http_cases(b, long):
    with Nginx(b.lab, b.folder / "one") as one, Nginx(b.lab, b.folder / "two", listen=f"{SERVER}:{PORT + 1}") as two:
        webs = (one, two)
        (two.html / "other").mkdir()
        with b.case("curl: 1 request"):
            routed(b, webs, 1, 10)
        time.sleep(1)
        b.settle()
        with b.case("curl: 100 requests of one connection to two servers"):
            routed(b, webs, 100, 10000)
        with b.case("100 requests, pipelined"):
            pipelined(b, one, 100)
        with b.case("R-SPL-18 large answers are spliced, one by one"):
            spliced_answer(b, webs)
        seconds = 20 if long else 5
        with b.case(f"wrk with 500 connections for {seconds} s without a socket error"):
            transfers.wrk(b, one, seconds, 500)


# --- the login proxy: the client's side is open before the server is known ---

LOGIN = {"msl": "200ms", "waiting": "400ms", "rst": "1s", "login.listen": f"{BOX[0]}:{PORT}", "login.hosts": f"shell={SERVER}:{PORT}"}
DIALOGUE = ("until:login: ", "tell:guest", "until:password: ", "tell:guest", "until:host: ", "tell:shell", "until:Connected.\r\n")
SMALL_MTU = 1200


def logged_in(b, size):
    """An upload after the dialogue."""
    server = b.server("recvall", "shut")
    client = b.client(*DIALOGUE, "say:in", "line", f"send:{size}", "shut", "recvall")
    must(line_of(client) == "in\n", "the login did not succeed")
    wait_spliced(b)
    client.stdin.write("go\n")
    client.stdin.flush()
    transfer_done(b, client, server)


def login_cases(b):
    with b.case("login, then spliced"):
        logged_in(b, 100)
    time.sleep(1)
    b.settle()
    with b.case("login, then an upload of 4 MiB, spliced"):
        with counted(b, *NEVER):
            logged_in(b, 4 * MIB)
    b.run("server", "ip", "link", "set", b.lab.device, "mtu", SMALL_MTU)
    with b.case(f"R-SPL-13 the server's MTU is {SMALL_MTU}: the client is told by ICMP, and all arrives"):
        before = nstat(b, "client").get("IcmpInDestUnreachs", 0)
        logged_in(b, 4 * MIB)
        must(nstat(b, "client").get("IcmpInDestUnreachs", 0) > before, "the client got no ICMP error")
        b.run("client", "ip", "route", "flush", "cache")
    with b.case(f"R-SPL-13 the server's MTU is {SMALL_MTU}, and the client sets no DF: datagrams are fragmented"):
        sysctl(b, "client", "ip_no_pmtu_disc", 1)
        before = nstat(b, "server").get("IpReasmOKs", 0)
        logged_in(b, 4 * MIB)
        sysctl(b, "client", "ip_no_pmtu_disc", 0)
        must(nstat(b, "server").get("IpReasmOKs", 0) > before, "the server got no fragments")


# --- all of it ---

def run_all(b, nic, long, first):
    with b.case("R-SPL-1 a connection's path is spliced"):
        server, client = b.server("recv:5", "send:5", "recvall", "close"), b.client("send:5", "recv:5", "say:on", "line", "close")
        must(line_of(client) == "on\n", "no answer")
        print("    " + " ".join(wait_spliced(b)), flush=True)
        client.stdin.write("\n")
        client.stdin.flush()
        b.facts(client)
        b.facts(server)
    if b.dead:
        return
    for side in ("client", "server"):
        # A tail loss probe (RFC 8985 7) is sent when an ACK is some milliseconds late, which a busy test machine is.
        sysctl(b, side, "tcp_early_retrans", 0)
        # Whole windows must fit into the queues of taps and cards, and as copies into the memory of a path.
        sysctl(b, side, "tcp_rmem", "4096 131072 400000")
    time.sleep(1)
    b.settle()
    both_ways_case(b, long)
    toggle_cases(b, long, nic)
    busy_cases(b, long, nic)
    if long or first:
        program_cases(b)
        end_cases(b)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--long", action="store_true", help="full sizes and times")
    p.add_argument("--graph", default=GRAPH)
    p.add_argument("--nic", action="append", help="e1000 e1000e tulip virtio hosted (default: all cards)")
    p.add_argument("--outside", action="store_true", help="the proof from outside only")
    p.add_argument("--http", action="store_true", help="the http proxy only")
    p.add_argument("--login", action="store_true", help="the login proxy only")
    p.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    args = p.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    nics = args.nic or NICS
    if len(nics) > 1:
        long = ["--long"] if args.long else []
        jobs = [["--nic", n, *long] for n in nics]
        some = jobs[:] if args.long else jobs[:1]
        jobs += [[*job, what] for what in ("--outside", "--http", "--login") for job in some]
        return side_by_side(__file__, jobs)
    nic, = nics
    options = {"hosted": True} if nic == "hosted" else {}
    card = "e1000" if nic == "hosted" else nic
    extra = dict(s.split("=", 1) for s in args.set)
    if args.outside:
        all_outside(args.graph, card, f"{args.graph} {nic}", extra, options)
        return finish()
    graph, settings = ("http", HTTP) if args.http else ("login", LOGIN) if args.login else (args.graph, SETTINGS)
    with bench(graph, card, settings | extra, **options) as b:
        if b:
            b.title = f"{graph} {nic}"
            try:
                if args.http:
                    http_cases(b, args.long)
                elif args.login:
                    login_cases(b)
                else:
                    run_all(b, nic, args.long, nic in ("e1000", "hosted"))
            except (Bad, OSError) as e:
                print(f"not ok {b.title}: runs to the end: {e}", flush=True)
    return finish()


if __name__ == "__main__":
    sys.exit(main())
