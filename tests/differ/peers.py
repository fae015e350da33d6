# SPDX-License-Identifier: BSD-2-Clause
"""The two TCPs that are compared, behind one face: a datagram goes in, or a wish of the user, and out
come datagrams and what the user has heard. Linux answers while the write to its tun device lasts, as
nothing that is asked of it here waits for a timer."""

import collections
import errno
import fcntl
import os
import pathlib
import socket
import struct
import subprocess

import wire

ROOT = pathlib.Path(__file__).resolve().parents[2]
IFF_TUN_NO_PI, TUNSETIFF = 0x1001, 0x400454CA
STATES = ("CLOSED", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING", "LAST-ACK")
# What the user has heard; and how far the connection has come, in numbers acknowledged: by the far end, by it.
HEARD = ("opened", "ended", "reset", "bytes", "others", "state", "una", "nxt")

Heard = collections.namedtuple("Heard", HEARD)
LINUX_STATES = {1: "ESTABLISHED", 4: "FIN-WAIT-1", 5: "FIN-WAIT-2", 8: "CLOSE-WAIT", 9: "LAST-ACK", 11: "CLOSING"}
# What Linux does by a timer, by guesses about the network or against floods is switched off, so that one segment has
# one answer, at once. rfc1337: a RST does not end TIME-WAIT.
SYSCTLS = {"tcp_syncookies": 0, "tcp_ecn": 0, "tcp_challenge_ack_limit": 0x7FFFFFFF, "tcp_invalid_ratelimit": 0,
           "tcp_autocorking": 0, "tcp_early_retrans": 0, "tcp_comp_sack_nr": 0, "tcp_rfc1337": 1, "tcp_timestamps": 1,
           "tcp_sack": 1, "tcp_dsack": 0, "tcp_window_scaling": 1, "tcp_max_syn_backlog": 65536, "tcp_no_metrics_save": 1,
           "tcp_moderate_rcvbuf": 0, "tcp_max_tw_buckets": 1000000, "tcp_tw_reuse": 0, "tcp_fastopen": 0}


class Ours:
    name = "ours"

    def __init__(self, program):
        self.p = subprocess.Popen([str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.state = "LISTEN"

    def begin(self, _):
        self.p.stdin.write(b"N")
        self.state = "LISTEN"

    def read(self, n):
        got = self.p.stdout.read(n)
        if len(got) < n:
            raise ChildProcessError(f"our TCP has ended: {self.p.wait()}")
        return got

    def ask(self, command):
        self.p.stdin.write(command)
        self.p.stdin.flush()
        count, = struct.unpack("!I", self.read(4))
        out = [self.read(struct.unpack("!I", self.read(4))[0]) for _ in range(count)]
        state, *heard, una, nxt = struct.unpack("!8I", self.read(32))
        self.state = STATES[state] if state < len(STATES) else "TIME-WAIT" if state == 21 else "LISTEN"
        live = self.state in LINUX_STATES.values()
        return out, Heard(*heard, self.state if live else None, una if live else None, nxt if live else None)

    def segment(self, datagram):
        return self.ask(b"F" + struct.pack("!I", len(datagram)) + datagram)

    def wish(self, what, number):
        return self.ask({"push": b"P" + struct.pack("!I", number), "shut": b"H", "stop": b"S", "go": b"G", "abort": b"X"}[what])

    def end(self):
        self.p.stdin.close()
        self.p.stdout.close()
        return self.p.wait(60)


class Connection:
    """One that Linux has accepted, and its user."""

    def __init__(self, s):
        self.s = s
        s.setblocking(False)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.heard = [1, 0, 0, 0, 0]
        self.reading = True
        self.shut = False
        self.sent = self.owed = 0

    def progress(self):
        info = self.s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 136)
        state = LINUX_STATES.get(info[0])
        return (state, *struct.unpack_from("=QQ", info, 120)) if state else (None,) * 3

    def turn(self):
        if self.s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.heard[2] = 1
        while self.reading and not self.heard[1]:
            try:
                got = self.s.recv(65536)
            except BlockingIOError:
                break
            except OSError:
                self.heard[2] = 1
                break
            if not got:
                self.heard[1] = not self.heard[2]
                break
            want = wire.pattern(self.heard[3], len(got))
            self.heard[3] += len(got)
            if got != want:
                self.heard[4] += sum(a != b for a, b in zip(got, want))
        try:
            while self.owed:
                n = self.s.send(wire.pattern(self.sent, self.owed))
                self.sent, self.owed = self.sent + n, self.owed - n
        except BlockingIOError:
            pass
        except OSError as e:
            if e.errno != errno.EPIPE:
                self.heard[2] = 1
            self.owed = 0


class Linux:
    """In the network namespace that this process is in."""
    name = "linux"

    def __init__(self):
        for name, value in SYSCTLS.items():
            pathlib.Path("/proc/sys/net/ipv4", name).write_text(str(value), encoding="ascii")
        pathlib.Path("/proc/sys/net/core/somaxconn").write_text("65535", encoding="ascii")
        self.tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(self.tun, TUNSETIFF, struct.pack("16sH22x", b"differ", IFF_TUN_NO_PI))
        for line in ("link set lo up", "addr add 10.0.0.1/32 dev differ", "link set differ up mtu 1500 txqueuelen 10000",
                     "route add 10.0.0.0/8 dev differ src 10.0.0.1 rto_min 4s quickack 1 initcwnd 10 congctl reno"):
            subprocess.run(["ip", *line.split()], check=True)
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)  # RFC 6093, as we do
        self.listener.bind(("10.0.0.1", wire.PORT))
        self.listener.listen(65535)
        self.listener.setblocking(False)
        self.connections = []
        self.close()

    def drain(self):
        out = []
        while True:
            try:
                out.append(os.read(self.tun, 65536))
            except BlockingIOError:
                return out

    def begin(self, ends):
        self.ends = ends
        self.close()

    def close(self):
        for c in self.connections:
            c.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            c.s.close()
        self.connections = []
        self.before = [0] * 5  # what users have heard that reset their connections
        self.drain()

    def answer(self):
        while True:
            try:
                s, who = self.listener.accept()
            except BlockingIOError:
                break
            if who == self.ends:
                self.connections.append(Connection(s))
            else:  # of a sequence before, opened by what came late
                s.close()
        for c in self.connections:
            c.turn()
        mine = [d for d in self.drain() if d[16:20] == socket.inet_aton(self.ends[0]) and d[22:24] == struct.pack("!H", self.ends[1])]
        heard = map(sum, zip(self.before, *(c.heard for c in self.connections)))
        return mine, Heard(*heard, *(self.connections[-1].progress() if self.connections else (None,) * 3))

    def segment(self, datagram):
        os.write(self.tun, datagram)
        return self.answer()

    def wish(self, what, number):
        if self.connections:
            self.do(self.connections[-1], what, number)
        return self.answer()

    def do(self, c, what, number):
        if what == "push" and not c.shut:
            c.owed += number
        elif what == "shut" and not c.shut:
            c.shut = True
            try:
                c.s.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        elif what in ("stop", "go"):
            c.reading = what == "go"
        elif what == "abort":
            c.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            c.s.close()
            self.connections.remove(c)
            self.before = [a + b for a, b in zip(self.before, c.heard)]

    def end(self):
        self.close()
        self.listener.close()
        os.close(self.tun)
        return 0
