# SPDX-License-Identifier: BSD-2-Clause
"""What a spliced connection does with one segment: it stands in the middle and keeps, for each direction, the highest
number sent, the highest acknowledged, the window offered, FIN and RST. From docs/requirements (R-SPL-11, R-SPL-12,
R-ATK-1, R-ATK-2, R-BAD-78), without a look at modules/fwd. Numbers are relative, so a mapped one is the same.
"""

from dataclasses import dataclass, field, replace

FAR = 20_000_000  # more than any window: the largest that is agreed on where connections may be spliced is 8 MiB


@dataclass
class Side:
    """The stream of one host, as it was seen passing."""
    sent: int  # highest number it has used, FIN included
    acked: int  # what the other host has acknowledged of it
    window: int  # what the other host has offered beyond that
    fin: int = None  # the number behind its FIN
    done: bool = False  # which was acknowledged


@dataclass
class Flow:
    s: Side  # of the host that sends the segment in question
    o: Side
    rst: bool = False
    gone: bool = False

    @property
    def state(self):
        if self.gone:
            return "gone"
        if self.rst or (self.s.done and self.o.done):
            return "over"
        return "half-closed" if self.s.fin is not None or self.o.fin is not None else "open"


@dataclass
class Verdict:
    ids: str
    says: str
    flow: Flow
    drop: str = None
    passed: bool = False
    answer: tuple = None  # (flags, seq, ack) back to the sender
    begun: bool = False  # a SYN that is served as a new connection


def arrives(f, g, listens):
    """listens: somebody takes connections where this host sends to."""
    f = replace(f, s=replace(f.s), o=replace(f.o))
    if g.syn:
        return syn(f, g, listens)
    if not g.acks and not g.rst:
        return Verdict("R-BAD-35", "dropped", f, "tcp.flags")
    if abs(g.seq - f.s.sent) >= FAR or (g.acks and abs(g.ack - f.o.sent) >= FAR):
        return Verdict("R-BAD-63", "dropped", f, "fwd.window")
    return rst(f, g) if g.rst else passes(f, g)


def syn(f, g, listens):
    if g.fin or g.rst:
        return Verdict("R-BAD-35", "dropped", f, "tcp.flags")
    newer = f.s.done and f.o.done and g.seq > f.s.sent  # RFC 6191
    if not g.acks and (f.rst or newer):
        f.gone = True
        if listens:
            return Verdict("R-ATK-2", "opens", f, begun=True)
        return Verdict("R-ATK-2 RFC 9293 3.10.7.1", "RST+ACK", f, "tcp.closed", answer=("R.", None, g.seq + g.space))
    return Verdict("R-ATK-2 R-BAD-48 RFC 5961 4.2", "challenge ACK", f, "fwd.syn", answer=(".", f.o.sent, f.s.acked))


def rst(f, g):
    inside = f.s.acked <= g.seq < f.s.acked + f.s.window or f.s.acked <= g.seq <= f.s.sent
    if not inside:
        return Verdict("R-ATK-1 R-BAD-45", "dropped", f, "fwd.window")
    exact = g.seq in (f.s.acked, f.s.sent)  # what is under way may have arrived, or not
    waits = f.s.done and f.o.done  # RFC 1337
    f.rst = f.rst or (exact and not waits)
    return Verdict("R-ATK-1 R-BAD-45", "passed, and over" if exact else "passed", f, passed=True)


def passes(f, g):
    """The other host judges. A FIN outside of what it can take changes nothing."""
    end = g.seq + g.len
    ids = "R-BAD-54" if g.fin else "R-BAD-34" if g.urg else "R-BAD-50" if g.len else "R-BAD-49"
    if f.o.fin is not None and g.ack == f.o.fin:
        f.o.done = True
    if g.fin and f.s.fin is None and (end == f.s.sent or f.s.acked <= end < f.s.sent + f.s.window):
        f.s.fin = f.s.sent = end + 1
    return Verdict(ids, "passed" + (f", {f.state}" if f.state != "open" else ""), f, passed=True)
