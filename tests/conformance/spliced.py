# SPDX-License-Identifier: BSD-2-Clause
"""The same kinds of segments at more places, on a connection that is spliced both ways: the table and the scripts.
What state it is in afterwards shows when nobody says anything: open, it stays; half-closed, both hosts are reset; over,
it goes in silence."""

import itertools

from forwarder import FAR, Flow, Side, arrives
from plain import KINDS
from rfc9293 import Segment
from states import MODULUS, WINDOW, Case, Tcb, opened

COUNTERS = ("tcp.flags", "tcp.closed", "tcp.seq", "fwd.window", "fwd.syn")
TIMES = "fwd.halfidle=10s fwd.rst=10s fwd.waiting=10s fwd.idle=7440s"
# As what the connection is forwarded: frames rewritten in place, or segments between two stages of IP.
SHAPES = {"ipfwd": ("eth0 ipfwd eth1", ""), "fwd": ("eth0 ip fwd ip eth1", " fwd.merge=off")}
STATES = ("open", "closed by this host", "closed by the other", "closing", "waiting", "reset by this host",
          "reset by the other")


def reach(state, role, shape):
    c = Case(role, [], Tcb("", role == "client"), Tcb("", role != "client"))
    opened_and_spliced(c, shape)
    f = Flow(Side(101, 101, WINDOW), Side(101, 101, WINDOW))
    if state in ("closed by this host", "waiting"):
        closes(c, f, "S")
    if state in ("closed by the other", "waiting"):
        closes(c, f, "O")
    if state == "closing":
        for a, b in (("S", "O"), ("O", "S")):
            c.sends(a, "F.", 101, 101)
            c.hears(b, "F.", 101, 101)
        f.s, f.o = Side(102, 101, WINDOW, fin=102), Side(102, 101, WINDOW, fin=102)
    if state.startswith("reset"):
        a, b = ("S", "O") if state == "reset by this host" else ("O", "S")
        c.sends(a, "R", 101)
        c.hears(b, "R", 101)
        f.rst = True
    return c, f


def opened_and_spliced(c, shape):
    client, server = ("S", "O") if c.role == "client" else ("O", "S")
    opened(c, "SYN-RECEIVED", WINDOW)  # each is offered what the other one offers
    c.sends(client, ".", 1, 1)
    c.say(f'expect path "{SHAPES[shape][0]}" 1')
    for a, b in ((client, server), (server, client)):
        at, acked = (1, 1) if a == client else (1, 101)
        c.sends(a, "P.", at, acked, n=100)
        c.hears(b, "P.", at, acked, n=100)
        c.sends(b, ".", 1 if b == server else 101, 101)
        c.hears(a, ".", 1 if b == server else 101, 101)


def closes(c, f, who):
    mine, theirs = (f.s, f.o) if who == "S" else (f.o, f.s)
    other = "O" if who == "S" else "S"
    c.sends(who, "F.", 101, theirs.sent)
    c.hears(other, "F.", 101, theirs.sent)
    c.sends(other, ".", theirs.sent, 102)
    c.hears(who, ".", theirs.sent, 102)
    mine.sent = mine.acked = mine.fin = 102
    mine.done = True


def segments(f):
    at = f.s.acked
    seqs = {"RCV.NXT": at, "RCV.NXT-FAR": at - FAR - 500, "RCV.NXT-200": at - 200, "RCV.NXT-1": at - 1, "RCV.NXT+100": at + 100,
            "the window's last number": at + f.s.window - 1, "the window's right edge": at + f.s.window,
            "RCV.NXT+60000": at + 60000, "RCV.NXT+FAR": at + FAR + 500, "RCV.NXT+2^31": at + (1 << 31)}
    acks = {"SND.UNA": f.o.acked, "SND.UNA-FAR": f.o.acked - FAR - 500, "SND.UNA-1": f.o.acked - 1,
            "SND.UNA+1000": f.o.acked + 1000, "SND.UNA+FAR": f.o.acked + FAR + 500}
    if f.o.sent > f.o.acked:
        acks["SND.NXT"] = f.o.sent
    for kind, (flags, n) in KINDS.items():
        for place, seq in seqs.items():
            yield f"{kind} at {place}", Segment(flags, seq, acks["SND.UNA"], n)
        if "." in flags:
            for name, ack in list(acks.items())[1:]:
                yield f"{kind} at RCV.NXT of {name}", Segment(flags, at, ack, n)


def cases():
    for shape, state, role in itertools.product(SHAPES, STATES, ("client", "server")):
        for name, g in segments(reach(state, role, shape)[1]):
            yield script(shape, state, role, name, g)


def script(shape, state, role, name, g):
    c, f = reach(state, role, shape)
    v = arrives(f, g, role == "client")
    c.sends("S", g.flags, g.seq, g.ack if g.acks else None, g.len, more=" urp=1" if g.urg else "")
    if v.passed:
        c.hears("O", g.flags, g.seq, g.ack if g.acks else None, g.len, more=" urp=1" if g.urg else "")
    if v.answer:
        flags, seq, ack = v.answer
        if seq is None:  # nobody has a number of ours there any more
            c.say(f"server < tcp p>8080 R ack={ack % MODULUS}")
        else:
            c.hears("S", flags, seq, ack)
    if v.begun:
        c.say("server < tcp q>8080 S 0:0(0)")
    c.say("silence 0.1")
    for counter in COUNTERS:
        c.say(f"expect drop {counter} {int(v.drop == counter)}")
    afterwards(c, v, shape)
    title = f"R-BAD-78 {v.ids}: {shape}, {state} ({role}), {name}: {v.says}"
    return title, TIMES + SHAPES[shape][1], c.lines


def afterwards(c, v, shape):
    state = v.flow.state
    if v.begun:  # refused, which ends it
        c.say("server > tcp 8080>q R 0:0(0) ack=1")
        c.say("client < tcp 8080>40000 R.")
    elif state == "half-closed":
        c.say("+9~30 client < tcp 8080>40000 R.")
        c.say("server < tcp p>8080 R.")
    else:
        c.say("silence 30")
    if state != "open":
        c.say("expect paths 0")
        return
    c.say(f'expect path "{SHAPES[shape][0]}" 1')
    c.sends("S", "R", v.flow.s.acked)  # at the left edge: believed whatever has passed
    c.hears("O", "R", v.flow.s.acked)
