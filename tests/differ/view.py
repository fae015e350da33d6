# SPDX-License-Identifier: BSD-2-Clause
"""What the far end of a connection has learnt of a TCP: it turns steps into segments, and what comes
back into an answer that can be compared. Left out of an answer is what two right TCPs may do
differently: how bytes are cut into segments, PSH, what was sent before, the size of windows, whether a
block counts the FIN behind its bytes."""

import wire
from wire import ACK, FIN, RST, SYN, distance, word


class Answer:
    """One step's: `what` it consists of, and its numbers."""

    def __init__(self):
        self.what = []
        self.fields = {}

    def add(self, what):
        if what not in self.what:
            self.what.append(what)

    def __str__(self):
        return "+".join(sorted(self.what)) or "silence"


class View:
    def __init__(self, sequence, ends):
        self.q = sequence
        self.src, self.sport = ends
        self.isn = sequence.isn
        self.nxt = self.edge = word(self.isn + 1)  # acknowledged; as far as we may send
        self.iss = self.smax = self.acked = 0
        self.known = False  # iss is
        self.scale = 0
        self.ts = self.offered_ts = False
        self.stamp = sequence.stamp
        self.heard_stamp = 0
        self.recent = self.kept = None  # what it echoed last, and what it must have kept
        self.named = {}  # numbers that depend on its window, by what stands there
        self.variants = set()  # of bytes
        self.early_fin = self.next_fin = False  # a FIN came before bytes in front of it; also with this segment
        self.small = False   # it was offered a window less than a few segments
        self.reading = True  # it has not had our FIN
        self.opened = False  # its user has heard of the connection
        self.doubt = self.doubted = False   # a stamp may have been kept or not: what is echoed until a better one came
        self.users = 0       # and of so many before

    # --- steps into segments ---

    def options(self, step):
        q, out = self.q, b""
        if step.get("options"):
            if q.mss:
                out += bytes((2, 4, q.mss >> 8, q.mss & 255))
            if q.with_scale:
                out += bytes((1, 3, 3, 2))
            if q.with_sack:
                out += bytes((1, 1, 4, 2))
        if not self.opened and step["flags"] & RST:  # whether they count then is not visible at once
            step = dict(step, stamp=0, echo=0)
        if step["stamp"] is not None and (self.ts or (step.get("options") and q.with_ts)):
            self.stamp = word(self.stamp + 10)
            echo = self.heard_stamp + step["echo"] if step["echo"] is not None else 0
            self.now = word(self.stamp + step["stamp"])
            out += wire.option_ts(self.now, echo if step["flags"] & ACK else 0)
        else:
            self.now = None
        if step["sack"] and self.opened and len(out) <= 12:
            out += wire.option_sack([(self.smax + a, self.smax + b) for a, b in step["sack"]][:(40 - len(out) - 4) // 8])
        return out

    def place(self, step):
        anchor, off = step["seq"]
        seq = word({"n": self.nxt, "w": self.edge, "c": self.isn}[anchor] + off)
        anchor, off = step["ack"]
        return seq, word({"x": self.smax, "s": self.iss}[anchor] + off) if step["flags"] & ACK else 0

    def datagram(self, step):
        seq, ack = self.place(step)
        if step["flags"] & SYN and step.get("options") and not self.known:
            self.offered_ts = self.q.with_ts and step["stamp"] is not None
        options = self.options(step)
        data = wire.pattern(distance(seq, self.isn + 1), step["len"], step["other"])
        if step["seq"][0] == "w" and step["len"]:
            self.named.update({word(seq + n): f"{step['seq'][1]}+{n} from the edge" for n in (step["len"], 0)})
        if step["flags"] & (FIN | RST) == FIN:
            self.named[word(seq + step["len"] + 1)] = self.named.get(word(seq + step["len"]), distance(seq + step["len"], self.isn))
        self.small |= step["wnd"] < 5000
        self.kind = self.classify(step, seq, ack)
        return wire.datagram(self.src, self.sport, seq, ack, step["flags"], step["wnd"], options, data, step["urgent"])

    def classify(self, step, seq, ack):
        """The class of the segment, in words that the list of differences uses."""
        flags = step["flags"]
        space = step["len"] + bool(flags & SYN) + bool(flags & FIN)
        first, last = distance(seq, self.nxt), distance(seq + space, self.nxt)
        window = distance(self.edge, self.nxt)
        if first == 0:
            where = "next" if last <= window else "next..beyond"
        elif first < 0:
            where = "old" if last <= 0 else "old..new" if last <= window else "old..beyond"
        elif first < window:
            where = "ahead" if last <= window else "ahead..beyond"
        else:
            where = "edge" if first == window else "beyond"
        old = not flags & RST and self.ts and self.now is not None and (
            step["stamp"] < 0 or any(k is not None and distance(self.now, k) < 0 for k in (self.recent, self.kept)))
        self.early_fin, self.next_fin = self.next_fin, self.next_fin or (
            where.startswith("ahead") and flags & (FIN | ACK | SYN | RST) == FIN | ACK)
        self.doubt, self.doubted = self.ts and (where not in ("next", "old..new") or old or bool(flags & (SYN | RST))), self.doubt
        if flags & RST:
            return f"RST {where}"
        if self.ts and step["echo"] and not self.opened:
            return "echo-wrong"  # looked at only before it is open
        if self.ts and self.now is None:
            return f"{wire.letters(flags & (SYN | FIN | ACK)) if self.opened else 'any'} unstamped"
        if not flags & (SYN | ACK):
            return f"no-ACK {where}"
        if flags & SYN:
            return f"{wire.letters(flags & (SYN | ACK | (FIN if self.opened else 0)))} {where}"
        return self.classify_ack(step, "old-adjacent" if last == 0 and first < 0 else where, distance(self.smax, ack), old)

    def classify_ack(self, step, where, behind, old):
        """An ordinary one, which may have bytes and a FIN. Some depend on what was said before."""
        words = [wire.letters(step["flags"] & (FIN | ACK)), where]
        inside = where in ("ahead", "next", "old..new", "ahead..beyond", "next..beyond")
        if step["len"] and inside:
            self.variants.add(step["other"])
        before = distance(self.smax, self.acked) if self.opened else 0  # how much of what it sent has not been acknowledged
        if behind < 0 or behind > before:
            words.append("ack-wrong" if not self.opened else "ack-future" if behind < 0 else "ack-old")
        elif where in ("next", "old..new"):
            self.acked = word(self.smax - behind)
            self.kept = self.now if not old else self.kept
        if self.early_fin and inside:
            words.append("after-early-FIN")
        elif old and (self.opened or inside):
            words.append("stamp-old")
        elif behind < 0 or behind > before:
            pass
        elif self.opened and inside and self.reading:
            if step["len"]:  # bytes may have come before that were others
                words.append("data-other" if len(self.variants) > 1 and where in ("next", "old..new") else "data")
        return " ".join(words)

    # --- what comes back ---

    def heard(self, datagrams):
        a = Answer()
        for d in datagrams:
            s = wire.parse(d)
            if s:
                self.hear(s, a)
        return a

    def hear(self, s, a):
        f = a.fields
        rel = distance(s.ack, self.isn) if s.flags & ACK else None
        if s.flags & RST:
            a.add("RST" + (".ack" if s.flags & ACK else ""))
            f["RST"] = (distance(s.seq, self.iss) if self.known else s.seq, rel)
            return
        if s.flags & SYN:
            if not self.known or s.seq != self.iss:
                a.add("SYN.new" if self.known else "SYN")
                self.iss, self.known = s.seq, True
                self.opened = False
                self.isn = word(s.ack - 1)  # of this connection
                rel = 1
                self.variants, self.next_fin = set(), False
                self.smax = word(s.seq + 1)
                self.acked = self.smax
                self.ts = self.offered_ts and s.tsval is not None
                self.nxt, self.edge, self.scale = s.ack, word(s.ack + s.wnd), s.wscale or 0
            else:
                a.add("SYN.again")
            f["SYN"] = (rel, s.mss is not None, s.sack_ok, s.wscale is not None, s.tsval is not None, s.tsecr)
            self.note(s)
            return
        end = word(s.seq + len(s.data) + bool(s.flags & FIN))
        if end != s.seq and distance(end, self.smax) <= 0:
            self.note(s)
            return  # again
        if s.data:
            a.add("data")
        if s.flags & FIN:
            a.add("FIN")
        if end != s.seq:
            f["sent up to"] = distance(end, self.iss)
            self.smax = end
        else:
            f["its number"] = distance(s.seq, self.iss)
        a.add("ACK")
        f["acknowledges"] = rel
        f["window closed"] = s.wnd == 0
        blocks = [tuple(self.named.get(n, distance(n, self.isn)) for n in block) for block in s.sack]
        f["blocks"] = [b for b in blocks if b[0] != b[1]]
        f["stamped"] = s.tsval is not None
        if not self.doubted:
            f["echo"] = s.tsecr
        self.note(s)

    def note(self, s):
        if s.tsval is not None:
            self.recent = s.tsecr
            if s.flags & SYN or self.opened:
                self.heard_stamp = s.tsval
        if s.flags & ACK:
            if distance(s.ack, self.nxt) > 0:
                self.nxt = s.ack
            edge = word(s.ack + (s.wnd << (0 if s.flags & SYN else self.scale)))
            if distance(edge, self.edge) > 0:
                self.edge = edge
