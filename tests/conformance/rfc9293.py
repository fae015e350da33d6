# SPDX-License-Identifier: BSD-2-Clause
"""What RFC 9293 says to one segment in one state: section 3.10.7, step by step, and RFC 5961 where it overrides.

Written from the text, without a look at modules/tcp. Where the text leaves a choice, or the tree's own rules
(docs/requirements) decide otherwise, the clause says so. Numbers are relative to each side's first one.
"""

from dataclasses import dataclass, field, replace

READS = ("ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2")


@dataclass(frozen=True)
class Segment:
    flags: str  # of "SFRPU."
    seq: int
    ack: int
    len: int

    def __getattr__(self, name):
        letter = {"syn": "S", "fin": "F", "rst": "R", "acks": ".", "urg": "U"}.get(name)
        if letter is None:
            raise AttributeError(name)
        return letter in self.flags

    @property
    def space(self):
        return self.len + self.syn + self.fin


@dataclass
class Tcb:
    """One connection of ours, as its last segments on the wire have left it."""
    state: str
    passive: bool  # came from LISTEN
    rcv_nxt: int = 0
    rcv_wnd: int = 65535
    snd_una: int = 0
    snd_nxt: int = 0
    max_wnd: int = 0
    iss: int = 0
    irs: int = 0


@dataclass
class Verdict:
    clause: str
    says: str  # for the name of the test
    tcb: Tcb  # afterwards
    answers: list = field(default_factory=list)  # (flags, seq, ack)
    drop: str = None
    taken: int = 0  # bytes for the application, in order
    eof: bool = False  # the application reads the end of the stream
    reset: bool = False  # the application is told: RST, or refused
    opened: bool = False  # a connection: SYN-SENT or SYN-RECEIVED becomes ESTABLISHED
    begun: bool = False  # a SYN was accepted in LISTEN, or in TIME-WAIT


def verdict(t, clause, says, drop=None, answers=(), **more):
    return Verdict(clause, says, more.pop("tcb", None) or replace(t), list(answers), drop, **more)


def arrives(t, g):
    return {"CLOSED": closed, "LISTEN": listen, "SYN-SENT": syn_sent, "TIME-WAIT": time_wait}.get(t.state, others)(t, g)


def closed(t, g):
    clause = "3.10.7.1"
    if g.rst:
        return verdict(t, clause, "silence", "tcp.closed")
    if g.acks:
        return verdict(t, clause, "RST", "tcp.closed", [("R", g.ack, None)])
    return verdict(t, clause, "RST+ACK", "tcp.closed", [("R.", 0, g.seq + g.space)])


def listen(t, g):
    clause = "3.10.7.2"
    if g.rst:
        return verdict(t, clause + " first", "silence", "tcp.closed")
    if g.acks:
        return verdict(t, clause + " second", "RST", "tcp.closed", [("R", g.ack, None)])
    if g.syn and g.fin:
        return verdict(t, "R-BAD-35 not " + clause + " third", "silence", "tcp.flags")
    if g.syn:
        return verdict(t, clause + " third", "opens", begun=True)
    return verdict(t, clause + " fourth", "silence", "tcp.flags")


def syn_sent(t, g):
    clause = "3.10.7.3"
    if g.acks and not t.iss < g.ack <= t.snd_nxt:
        if g.rst:
            return verdict(t, clause + " first", "silence", "tcp.ack")
        return verdict(t, clause + " first", "RST", "tcp.ack", [("R", g.ack, None)])
    if g.rst:
        if not g.acks:
            return verdict(t, clause + " second", "silence", "tcp.ack")
        return verdict(t, clause + " second", "refused", tcb=replace(t, state="CLOSED"), reset=True)
    if not g.syn:
        return verdict(t, clause + " fifth", "silence", "tcp.flags")
    # Bytes and FIN that come with the SYN are not acknowledged, so they come again: as Linux does.
    after = replace(t, rcv_nxt=g.seq + 1, irs=g.seq)
    if not g.acks:
        after.state = "SYN-RECEIVED"
        return verdict(t, clause + " fourth", "SYN+ACK", answers=[("S.", t.iss, g.seq + 1)], tcb=after)
    after.state, after.snd_una = "ESTABLISHED", g.ack
    return verdict(t, clause + " fourth", "ESTABLISHED", answers=[(".", t.snd_nxt, g.seq + 1)], tcb=after, opened=True)


def acceptable(t, g):
    """Table 6."""
    inside = lambda n: t.rcv_nxt <= n < t.rcv_nxt + t.rcv_wnd
    if g.space == 0:
        return g.seq == t.rcv_nxt if t.rcv_wnd == 0 else inside(g.seq)
    return t.rcv_wnd > 0 and (inside(g.seq) or inside(g.seq + g.space - 1))


def others(t, g):
    """3.10.7.4."""
    here = lambda step: f"3.10.7.4 {step}"
    ack = (".", t.snd_nxt, t.rcv_nxt)
    if t.state == "SYN-RECEIVED" and g.syn and not g.rst and g.seq == t.irs:
        if not g.acks:  # Linux; the SYN+ACK is not older than the ACK that the clause asks for
            return verdict(t, "R-BAD-42 for " + here("first"), "SYN+ACK again", answers=[("S.", t.iss, t.rcv_nxt)])
        if not t.passive:  # simultaneous open: figure 8
            return others(t, replace(g, flags=g.flags.replace("S", ""), seq=g.seq + 1))
    probe = t.rcv_wnd == 0 and g.acks and not g.syn and not g.rst and g.seq == t.rcv_nxt and g.space
    if probe:  # the allowance for a closed window: the ACK counts, bytes and FIN do not
        v = acknowledges(t, replace(g, flags=g.flags.replace("F", ""), len=0), here, ack)
        v.answers, v.says = [ack], "ACK"
        return v
    if not acceptable(t, g):
        if g.rst:
            return verdict(t, here("first"), "silence", "tcp.seq")
        return verdict(t, here("first"), "ACK", "tcp.seq", [ack])
    if g.rst:
        return reset(t, g, here("second") + ", RFC 5961 3.2", ack)
    if g.syn:
        clause = "R-BAD-42 not " + here("fourth") if t.state == "SYN-RECEIVED" else here("fourth") + ", RFC 5961 4.2"
        return verdict(t, clause, "challenge ACK", "tcp.seq", [ack])
    if not g.acks:
        return verdict(t, here("fifth"), "silence", "tcp.flags")
    return acknowledges(t, g, here, ack)


def reset(t, g, clause, ack):
    if g.seq != t.rcv_nxt:
        return verdict(t, clause, "challenge ACK", "tcp.seq", [ack])
    complete = t.state in ("CLOSING", "LAST-ACK")  # nobody is told: all bytes had come, and their end
    return verdict(t, clause, "reset", tcb=replace(t, state="CLOSED"), reset=not complete)


def acknowledges(t, g, here, ack):
    clause, after, opened = here("fifth"), replace(t), False
    if t.state == "SYN-RECEIVED":
        if not t.snd_una < g.ack <= t.snd_nxt:
            return verdict(t, clause, "RST", "tcp.ack", [("R", g.ack, None)])
        after.state, after.snd_una, opened = "ESTABLISHED", g.ack, True
    elif not t.snd_una - t.max_wnd <= g.ack <= t.snd_nxt:
        return verdict(t, clause + ", RFC 5961 5.2", "ACK", "tcp.ack", [ack])
    fin_sent = t.state in ("FIN-WAIT-1", "CLOSING", "LAST-ACK")
    if g.ack > t.snd_una:
        after.snd_una = g.ack
        if fin_sent and g.ack == t.snd_nxt:
            after.state = {"FIN-WAIT-1": "FIN-WAIT-2", "CLOSING": "TIME-WAIT", "LAST-ACK": "CLOSED"}[t.state]
    if after.state in ("TIME-WAIT", "CLOSED"):
        return verdict(t, clause, after.state, tcb=after)
    return text(t, g, here, after, opened, fin_sent and after.snd_una < t.snd_nxt)


def text(t, g, here, after, opened, fin_unacked):
    """Sixth to eighth. URG moves a pointer that no application of ours asks for: its bytes are text."""
    start, end = max(g.seq, t.rcv_nxt), min(g.seq + g.len, t.rcv_nxt + t.rcv_wnd)
    new, fin = max(end - start, 0), g.fin and g.seq + g.len < t.rcv_nxt + t.rcv_wnd
    clause, drop, taken, eof = here("seventh" if g.len else "fifth"), None, 0, False
    if g.len and after.state not in READS:
        drop, new = "tcp.late", 0
    if new and start == after.rcv_nxt:
        taken = new
        after.rcv_nxt += new
    if g.fin:
        clause = here("eighth")
    if fin and after.state not in ("CLOSE-WAIT", "CLOSING", "LAST-ACK") and g.seq + g.len == after.rcv_nxt:
        after.rcv_nxt += 1
        eof = True
        after.state = {"ESTABLISHED": "CLOSE-WAIT", "FIN-WAIT-1": "CLOSING" if fin_unacked else "TIME-WAIT",
                       "FIN-WAIT-2": "TIME-WAIT"}[after.state]
    # MAY-13: also when out of order. What lies beyond the right edge is not acceptable: first step.
    beyond = g.seq + g.len > t.rcv_nxt + t.rcv_wnd
    answers = [(".", t.snd_nxt, after.rcv_nxt)] if new or g.fin or beyond else []
    what = " and ".join(["takes it"] * bool(taken) + ["holds it"] * bool((new or fin) and not taken and not eof and
                                                                        after.state in READS) + ["FIN"] * eof)
    says = ", ".join(filter(None, [what, "ACK" if answers else "", after.state if after.state != t.state else ""]))
    return verdict(t, clause, says or "silence", drop, answers, tcb=after, taken=taken, eof=eof, opened=opened)


def time_wait(t, g):
    """3.10.7.4 for a state in which nothing more can come, so that its window is as good as 0: as Linux does."""
    ack = (".", t.snd_nxt, t.rcv_nxt)
    if g.rst:
        return verdict(t, "RFC 1337 3 not 3.10.7.4 second", "silence", "tcp.seq")
    if g.syn:
        if not g.acks and not g.fin and g.seq > t.rcv_nxt and t.passive:  # only where somebody listens
            return verdict(t, "3.6.1 MAY-2, RFC 6191 2", "opens", tcb=replace(t, state="LISTEN"), begun=True)
        return verdict(t, "3.10.7.4 fourth, RFC 5961 4.2", "ACK", "tcp.seq", [ack])
    if g.seq != t.rcv_nxt or g.space:
        return verdict(t, "3.10.7.4 first", "ACK", "tcp.seq", [ack])
    if g.acks and g.ack > t.snd_nxt:
        return verdict(t, "3.10.7.4 fifth, RFC 5961 5.2", "ACK", "tcp.seq", [ack])
    return verdict(t, "3.10.7.4 fifth", "silence", "tcp.seq")
