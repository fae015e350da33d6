# SPDX-License-Identifier: BSD-2-Clause
"""Sequences of segments, by seed and index. A step says where its numbers stand relative to what the
other end has said, so that the same step makes the same segment for any TCP:

    seq   n: what was acknowledged last   w: the right edge of the window   c: the first number
    ack   x: behind all that was sent     s: its first number
    echo  e: the stamp heard last, with an offset, or None for zero
"""

import random

from wire import ACK, CWR, ECE, FIN, PSH, RST, SYN, URG

ISNS = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFC00)
FLAGS = ((ACK, 16), (ACK | PSH, 6), (FIN | ACK, 8), (RST, 8), (RST | ACK, 5), (SYN, 6), (SYN | ACK, 4), (0, 2), (FIN, 2),
         (SYN | FIN, 1), (SYN | RST, 1), (FIN | PSH | URG, 1), (ACK | URG, 3), (FIN | RST | ACK, 1), (SYN | FIN | ACK, 1),
         (PSH, 1), (ACK | ECE, 1), (ACK | CWR, 1), (0xFF, 1))
LENGTHS = ((0, 10), (1, 4), (2, 1), (10, 3), (100, 3), (536, 2), (1000, 4), (1400, 1))
WINDOWS = ((65535, 12), (0, 2), (1, 1), (500, 1), (4000, 2))
NEAR = (-70000, -2000, -1000, -100, -10, -2, -1, 0, 0, 0, 0, 1, 2, 10, 50, 100, 500, 1000, 3000)
EDGE = (-1000, -100, -10, -2, -1, 0, 1, 2, 1000)
ACKS = (0, 0, 0, 0, 0, 0, -1, -2, -10, -500, 1, 2, 1000, -65535, -66000, -70000, -200000, 1 << 31, -(1 << 31) + 1, 1 << 20)
STAMPS = ((None, 2), (0, 12), (-1, 1), (-15, 2), (-100000, 1), (1000, 1), (1 << 30, 0.2), (-(1 << 30), 0.5))


def choose(r, weighted):
    return r.choices([w[0] for w in weighted], [w[1] for w in weighted])[0]


class Sequence:
    def __init__(self, seed, index):
        self.seed, self.index = seed, index
        r = self.r = random.Random(f"{seed}:{index}")
        self.isn = r.choice(ISNS) if r.random() < 0.2 else r.getrandbits(32)
        self.stamp = r.choice((1000, 0xFFFFFFF0, 0x7FFFFFF0, r.getrandbits(32)))
        self.mss = r.choice((None, 536, 1000, 1460))
        self.with_ts, self.with_sack, self.with_scale = r.random() < 0.6, r.random() < 0.6, r.random() < 0.5
        self.steps = []
        self.edge = False
        self.make()

    def segment(self, flags, seq=("n", 0), ack=("x", 0), **more):
        step = {"flags": flags, "seq": seq, "ack": ack, "wnd": 65535, "len": 0, "stamp": 0, "echo": 0, "other": False,
                "sack": (), "urgent": 0}
        step.update(more)
        self.steps.append(step)

    def wish(self, what, number=0):
        self.steps.append({"wish": what, "number": number})

    def syn(self, **more):
        self.segment(SYN | more.pop("flags", 0), ("c", 0), options=True, **more)

    def odd(self, states=""):
        """One that no honest end would send now."""
        r = self.r
        flags = choose(r, FLAGS)
        n = choose(r, LENGTHS)
        place = r.random()
        if place < 0.72:
            seq = ("n", r.choice(NEAR))
        elif place < 0.88 and not (n and self.edge):  # bytes there twice would overlap by the size of the window
            seq = ("w", r.choice(EDGE) - r.choice((0, n)))
            self.edge = n > 0
        elif place < 0.94:
            seq = ("c", r.choice((0, 0, 1, -1, 2)))
        else:
            seq = ("n", r.choice((1 << 31, -(1 << 31) + 1, 1 << 30, -(1 << 30))))
        ack = ("x", r.choice(ACKS)) if r.random() < 0.9 else ("s", r.choice((-1, 0, 1, 2)))
        if r.random() < 0.5:
            ack = ("x", 0)
        sack = ()
        if r.random() < 0.12:
            edge = r.choice((-2000, -1000, -500, -1, 0, 10))
            sack = tuple((edge - a, edge - a + r.choice((-1, 0, 1, 500, 1000))) for a in r.sample((0, 600, 1200, 5000), r.choice((1, 1, 2, 3))))
        self.segment(flags, seq, ack, len=n, wnd=choose(r, WINDOWS), stamp=self.odd_stamp(flags), other=r.random() < 0.3, sack=sack,
                     echo=r.choice((0, 0, 0, 0, 0, None, -1, 1000, -100000, 1 << 31)),
                     urgent=r.choice((0, 1, n, n + 1, 0xFFFF)) if flags & URG else 0, options=bool(flags & SYN))

    def odd_stamp(self, flags):
        stamp = choose(self.r, STAMPS)
        return 0 if stamp is None and flags & ~PSH not in (ACK, FIN | ACK, RST) else stamp

    def honest(self):
        r = self.r
        what = r.random()
        if what < 0.34:
            self.segment(ACK | PSH, len=r.choice((1, 100, 536, 1000, 1400)))
        elif what < 0.5:
            self.segment(ACK)
        elif what < 0.58:  # out of order, and what was missing
            n = r.choice((100, 500, 1000))
            gap = r.choice((100, 500, 1000))
            self.segment(ACK | r.choice((0, 0, FIN)), ("n", gap), len=n, other=r.random() < 0.3)
            if r.random() < 0.4:
                self.odd()
            if r.random() < 0.7:
                self.segment(ACK, ("n", 0), len=gap + r.choice((0, 0, 1, 50, 400, -1)))
        elif what < 0.68:
            self.wish("push", r.choice((1, 10, 500, 1000, 2500)))
            if r.random() < 0.8:
                self.segment(ACK)
        elif what < 0.76:
            self.segment(FIN | ACK, len=r.choice((0, 0, 10)))
        elif what < 0.84:
            self.wish("shut")
            if r.random() < 0.5:
                self.segment(ACK)
        elif what < 0.92:  # our window closes, something is pushed, it opens
            self.segment(ACK, wnd=0)
            self.wish("push", r.choice((1, 500, 2000)))
            if r.random() < 0.3:
                self.odd()
            self.segment(ACK, wnd=r.choice((65535, 65535, 1000)))
        elif what < 0.96:
            self.wish("stop")
            self.segment(ACK | PSH, len=1000)
            self.wish("go")
        else:
            self.wish("abort")

    def make(self):
        r = self.r
        while r.random() < 0.15:
            self.odd()
        more = {}
        if r.random() < 0.06:
            more["len"] = r.choice((1, 100, 1000))
        if r.random() < 0.05:
            more["flags"] = r.choice((PSH, URG, ECE | CWR, FIN, ACK, RST, FIN | PSH))
        if r.random() < 0.05:
            more["wnd"] = r.choice((0, 1))
        self.syn(**more)
        while r.random() < 0.3:
            if r.random() < 0.2:
                self.syn()
            else:
                self.odd()
        self.segment(r.choice((ACK, ACK, ACK, ACK | PSH, ACK | FIN)), len=r.choice((0, 0, 0, 1, 100)),
                     wnd=r.choice((65535, 65535, 65535, 1000, 0)))
        for _ in range(r.randint(2, 8)):
            if r.random() < 0.45:
                self.honest()
            else:
                self.odd()
        if r.random() < 0.25:  # TIME-WAIT, one way or the other, and what comes then
            for step in r.choice((("shut", ACK, FIN), ("shut", FIN), (FIN, "shut", ACK))):
                if step == "shut":
                    self.wish("shut")
                else:
                    self.segment(step | ACK)
            while r.random() < 0.7:
                if r.random() < 0.4:
                    self.segment(SYN, ("n", r.choice((-1000, -1, 0, 1, 1000, 100000))), stamp=r.choice((0, 0, 0, None, -100000)), options=True)
                else:
                    self.odd()
