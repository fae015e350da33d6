# SPDX-License-Identifier: BSD-2-Clause
"""How each state is reached, by packets alone, through a null proxy: for the connection of the client (that we accept)
and for that of the server (that we open). S is the host of the connection in question, O the one at the other side."""

from dataclasses import dataclass, replace

from rfc9293 import Tcb

WINDOW = 8000  # what S offers, always: MAX.SND.WND
MODULUS = 1 << 32


@dataclass
class Case:
    """A script that grows, and what is known of both connections."""
    role: str  # whose connection: "client", "server"
    lines: list
    s: Tcb = None
    o: Tcb = None

    def say(self, line):
        self.lines.append(line)

    def _ports(self, name, hears):
        host, near = (("40000", "8080") if name == "client" else ("8080", "p"))
        return f"{near}>{host}" if hears else f"{host}>{near}"

    def name(self, who):
        return self.role if who == "S" else {"client": "server", "server": "client"}[self.role]

    def sends(self, who, flags, seq, ack=None, n=0, more="", window=WINDOW):
        name, seq = self.name(who), seq % MODULUS
        acks = "" if ack is None else f" ack={ack % MODULUS}"
        plain = flags.replace(".", "") or ("." if acks else "-")
        self.say(f"{name} > tcp {self._ports(name, False)} {plain} {seq}:{(seq + n) % MODULUS}({n}){acks} win={window}{more}")

    def hears(self, who, flags, seq, ack=None, n=0, soon=False, more=""):
        name, seq = self.name(who), seq % MODULUS
        acks = "" if ack is None else f" ack={ack % MODULUS}"
        plain = flags.replace(".", "") or "."
        wait = "+0~0.1 " if soon else ""
        self.say(f"{wait}{name} < tcp {self._ports(name, True)} {plain} {seq}:{(seq + n) % MODULUS}({n}){acks}{more}")


def opened(c, until=None, window=65535):
    """Both handshakes, or as far as `until`; 100 bytes each way. window: ours, as both hosts hear of it."""
    client, server = ("S", "O") if c.role == "client" else ("O", "S")
    c.sends(client, "S", 0, more=" <mss=1460>")
    c.hears(server, "S", 0)
    if until == "SYN-SENT":
        return
    if until == "simultaneous":
        c.sends(server, "S", 0, more=" <mss=1460>")
        c.hears(server, "S.", 0, 1, more=f" win={window}")
        return
    c.sends(server, "S", 0, 1, more=" <mss=1460>")
    c.hears(server, ".", 1, 1, more=f" win={window}")
    c.hears(client, "S.", 0, 1, more=f" win={window}")
    if until == "SYN-RECEIVED":
        return
    c.sends(client, ".", 1, 1)
    if until == "ESTABLISHED":
        return
    for a, b in (("S", "O"), ("O", "S")):
        c.sends(a, "P.", 1, 1 if a == "S" else 101, n=100)
        c.hears(b, ".", 1, n=100)
        c.hears(a, ".", 1 if a == "S" else 101, 101, soon=True, more=f" win={window}")
        c.sends(b, ".", 1 if b == "O" else 101, 101)


def fin(c, who, ack=True):
    """Host `who` closes; the other one hears of it, and acknowledges (or not)."""
    mine, other = (c.s, c.o) if who == "S" else (c.o, c.s)
    whom = "O" if who == "S" else "S"
    c.sends(who, "F.", mine.rcv_nxt, mine.snd_una)
    mine.rcv_nxt += 1
    c.hears(whom, "F.", other.snd_nxt, other.rcv_nxt)
    other.snd_nxt += 1
    c.hears(who, ".", mine.snd_nxt, mine.rcv_nxt)
    if ack:
        c.sends(whom, ".", other.rcv_nxt, other.snd_nxt)
        other.snd_una = other.snd_nxt


def reach(state, role):
    """A Case whose connection is in that state; None: this role has no such state."""
    c = Case(role, [], Tcb("", role == "client", max_wnd=WINDOW), Tcb("CLOSED", role != "client", max_wnd=WINDOW))
    c.s.state = state
    if state == "CLOSED":
        return c
    if state == "LISTEN":
        return c if role == "client" else None
    if state == "SYN-SENT":
        if role == "client":
            return None
        opened(c, state)
        c.s.snd_nxt = 1
        c.o.state = "SYN-RECEIVED"
        return c
    if state == "SYN-RECEIVED":
        opened(c, state if role == "client" else "simultaneous")
        c.s.rcv_nxt = c.s.snd_nxt = 1
        c.o = replace(c.s, state="ESTABLISHED" if role == "client" else "SYN-RECEIVED")
        return c
    if state in SMALL:
        opened(c, "ESTABLISHED", window=4096)
    else:
        opened(c)
    for t in (c.s, c.o):
        t.rcv_nxt = t.snd_una = t.snd_nxt = 1 if state in SMALL else 101
        t.state = "ESTABLISHED"
    PATHS[state](c)
    c.s.state = state.split(",")[0]
    return c


def _fin_wait_1(c):
    fin(c, "O", ack=False)
    c.o.state = "CLOSE-WAIT"


def _fin_wait_2(c):
    fin(c, "O")
    c.o.state = "CLOSE-WAIT"


def _close_wait(c):
    fin(c, "S")
    c.o.state = "FIN-WAIT-2"


def _closing(c):
    fin(c, "O", ack=False)
    fin(c, "S")
    c.o.state = "CLOSED"


def _closing_both(c):
    """Nor has O acknowledged the FIN of S: a RST of S must not cut that short."""
    fin(c, "O", ack=False)
    fin(c, "S", ack=False)
    c.o.state = "LAST-ACK"


def _last_ack(c):
    fin(c, "S")
    fin(c, "O", ack=False)
    c.o.state = "TIME-WAIT"


def _time_wait(c):
    fin(c, "O")
    fin(c, "S")
    c.o.state = "CLOSED"


def _zero_window(c):
    """O takes nothing, and S sends what then fits on the way."""
    c.sends("O", ".", 1, 1, window=0)
    for at, room in ((1, 4096), (2049, 4096), (4097, 2048), (6145, 0)):
        c.sends("S", ".", at, 1, n=1024)
        c.sends("S", ".", at + 1024, 1, n=1024)
        c.hears("S", ".", 1, at + 2048, more=f" win={room}")
    c.s.rcv_nxt, c.s.rcv_wnd = 8193, 0


SMALL = {"ESTABLISHED, RCV.WND 0": "tcp.rcvbuf=4k tcp.sndbuf=4k"}  # settings that a state needs
PATHS = {"ESTABLISHED": lambda c: None, "ESTABLISHED, RCV.WND 0": _zero_window, "FIN-WAIT-1": _fin_wait_1, "FIN-WAIT-2": _fin_wait_2,
         "CLOSE-WAIT": _close_wait, "CLOSING": _closing, "CLOSING, O in LAST-ACK": _closing_both,
         "LAST-ACK": _last_ack, "TIME-WAIT": _time_wait}
STATES = ("CLOSED", "LISTEN", "SYN-SENT", "SYN-RECEIVED", *PATHS)
