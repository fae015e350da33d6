# SPDX-License-Identifier: BSD-2-Clause
"""State x segment x place, through a proxy that is not spliced: the table of cases, and each case as a script."""

from dataclasses import replace

from rfc9293 import Segment, arrives
from states import SMALL, STATES, reach

# name: flags, bytes
KINDS = {
    "ACK": (".", 0), "null": ("", 0), "URG+ACK": ("U.", 0), "data": ("P.", 100), "data without ACK": ("P", 100),
    "URG+data": ("PU.", 100), "FIN+ACK": ("F.", 0), "FIN without ACK": ("F", 0), "FIN+data": ("FP.", 100),
    "SYN": ("S", 0), "SYN+ACK": ("S.", 0), "SYN+data": ("SP", 100), "SYN+FIN": ("SF", 0), "SYN+FIN+ACK": ("SF.", 0),
    "RST": ("R", 0), "RST+ACK": ("R.", 0), "RST+data": ("R", 10), "RST+FIN": ("FR", 0), "SYN+RST": ("SR", 0),
    "all flags": ("FSRPU.", 0),
}
COUNTERS = ("tcp.seq", "tcp.ack", "tcp.flags", "tcp.closed", "tcp.late")
UNKNOWN = ("CLOSED", "LISTEN", "SYN-SENT")  # nothing has been received: places of seq mean nothing


def seq_places(t):
    if t.state in UNKNOWN:
        return {"0": 0, "5000": 5000}
    if t.rcv_wnd == 0:
        return {"RCV.NXT-200": t.rcv_nxt - 200, "RCV.NXT-1": t.rcv_nxt - 1, "RCV.NXT": t.rcv_nxt, "RCV.NXT+100": t.rcv_nxt + 100}
    return {"RCV.NXT-200": t.rcv_nxt - 200, "RCV.NXT-1": t.rcv_nxt - 1, "RCV.NXT": t.rcv_nxt,
            "RCV.NXT+100": t.rcv_nxt + 100, "the window's last number": t.rcv_nxt + t.rcv_wnd - 1,
            "the window's right edge": t.rcv_nxt + t.rcv_wnd}


def ack_places(t):
    """The first is the one that goes with all places of seq."""
    if t.state in ("CLOSED", "LISTEN"):
        return {"0": 0, "99": 99}
    if t.state in ("SYN-SENT", "SYN-RECEIVED"):
        return {"ISS+1": 1, "ISS": 0, "ISS+2": 2, "ISS-1": -1}
    places = {"SND.UNA": t.snd_una, "SND.NXT": t.snd_nxt, "SND.NXT+1": t.snd_nxt + 1, "SND.UNA-1": t.snd_una - 1,
              "SND.UNA-MAX.WND": t.snd_una - t.max_wnd, "SND.UNA-MAX.WND-1": t.snd_una - t.max_wnd - 1}
    if t.snd_nxt == t.snd_una:
        del places["SND.UNA"]
    return places


def silly(t, kind, place):
    """Combinations for which the RFC and RFC 5961 give no one answer: a segment whose RST or SYN lies left of the
    window and whose rest inside it."""
    if place != "RCV.NXT-1":
        return False
    return kind in ("RST+data", "RST+FIN", "all flags") or (t.state == "SYN-RECEIVED" and kind == "SYN+FIN+ACK")


def segments(t):
    """(name, Segment) of each."""
    seqs, acks = seq_places(t), ack_places(t)
    first = next(iter(acks))
    for kind, (flags, n) in KINDS.items():
        for place, seq in seqs.items():
            if not silly(t, kind, place):
                yield f"{kind} at {place}", Segment(flags, seq, acks[first], n)
        if "." in flags:
            place, seq = ("RCV.NXT", t.rcv_nxt) if t.state not in UNKNOWN else ("0", 0)
            for name, ack in list(acks.items())[1:]:
                yield f"{kind} at {place} of {name}", Segment(flags, seq, ack, n)


def cases():
    """(name, settings, lines of the script)."""
    for state in STATES:
        for role in ("client", "server"):
            c = reach(state, role)
            if c is None:
                continue
            for name, g in segments(c.s):
                yield script(state, reach(state, role), name, g)


def script(state, c, name, g):
    before, v = c.s, arrives(c.s, g)
    clause = v.clause if v.clause.startswith("RFC") else "RFC 9293 " + v.clause
    title = f"{clause}: {state} ({c.role}), {name}: {v.says}"
    if before.state == "CLOSED":
        closed_port(c, g, v)
        return title, "", c.lines
    c.sends("S", g.flags, g.seq, g.ack if g.acks else None, g.len, more=" urp=1" if g.urg else "")
    other = other_side(c, v)
    for flags, seq, ack in v.answers:
        c.hears("S", flags, seq, ack, soon=True)
    c.say("silence 0.15")
    for counter in COUNTERS:
        c.say(f"expect drop {counter} {int(v.drop == counter)}")
    ends(c, before, v, other)
    return title, f"tcp.rtomin=1s {SMALL.get(state, '')}".strip(), c.lines


def closed_port(c, g, v):
    """Nobody listens at 10.0.1.1:81, and the server knows no port of ours."""
    host, port = ("40000", "81") if c.role == "client" else ("8080", "9")
    ack = f" ack={g.ack}" if g.acks else ""
    flags = g.flags.replace(".", "") or ("." if ack else "-")
    c.say(f"{c.role} > tcp {host}>{port} {flags} {g.seq}:{g.seq + g.len}({g.len}){ack}")
    for _, at, of in v.answers:
        c.say(f"{c.role} < tcp {port}>{host} R {at}:{at}(0)" + ("" if of is None else f" ack={of}"))
    c.say("silence 0.1")
    for counter in COUNTERS:
        c.say(f"expect drop {counter} {int(v.drop == counter)}")
    c.say("expect paths 0")


def other_side(c, v):
    """What a null proxy owes the other host: bytes, their end, a reset, and the answer to its SYN. Returns the other
    connection as it is afterwards."""
    o = replace(c.o)
    if v.opened and o.state == "SYN-RECEIVED":  # all else waits for the client's answer
        c.hears("O", "S.", 0, 1)
        return o
    if v.begun:
        port = "p" if c.s.state == "LISTEN" else "q"
        c.say(f"server < tcp {port}>8080 S 0:0(0)")
        o.state = "SYN-SENT"
    if v.taken and o.state in ("ESTABLISHED", "CLOSE-WAIT"):
        c.hears("O", ".", o.snd_nxt, o.rcv_nxt, n=v.taken)
        o.snd_nxt += v.taken
    if v.eof:
        c.hears("O", "F.", o.snd_nxt, o.rcv_nxt)
        o.snd_nxt += 1
        o.state = {"ESTABLISHED": "FIN-WAIT-1", "CLOSE-WAIT": "LAST-ACK"}[o.state]
    if v.reset and o.state == "SYN-RECEIVED":  # the client's SYN has waited for this
        c.say("client < tcp 8080>40000 R ack=1")
    elif v.reset and o.state not in ("CLOSED", "TIME-WAIT"):
        c.hears("O", "R.", o.snd_nxt, o.rcv_nxt)
    if v.reset and o.state != "TIME-WAIT":
        o.state = "CLOSED"
    return o


def ends(c, before, v, o):
    """Both states are asked for; then both hosts reset, which ends what is left only if the numbers are right."""
    alive = lambda t: t.state not in ("CLOSED", "LISTEN", "TIME-WAIT")
    t = v.tcb
    states = [("SYN-RECEIVED" if v.begun else t.state), o.state]
    for state in dict.fromkeys([before.state, *states]):
        if state not in ("CLOSED", "LISTEN"):
            c.say(f'expect says "show nodes" "  {state} {states.count(state)}"')
    for counter in (*COUNTERS, "proxy.closed", "tcp.ooo"):
        c.say(f"allow drop {counter}")
    if v.begun:
        c.say(f"server > tcp 8080>{'p' if before.state == 'LISTEN' else 'q'} R 0:0(0) ack=1")
    elif t.state == "SYN-SENT":
        c.sends("S", "R.", 0, 1)
    elif alive(t):
        c.sends("S", "R", t.rcv_nxt)
    elif alive(o):
        c.sends("O", "R", o.rcv_nxt)
    c.say("forget client")
    c.say("forget server")
    if t.state in ("CLOSING", "LAST-ACK") and alive(o):
        c.sends("O", "R", o.rcv_nxt)
    c.say("expect paths 0")
