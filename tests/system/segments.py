# SPDX-License-Identifier: BSD-2-Clause
"""TCP segments of a capture, and what a host would have noticed: bytes that came twice, ACKs that
say nothing new. Reads the pcap files of tcpdump and tools/laboratory/capture.py (Ethernet, IPv4)."""

import collections
import struct

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
Segment = collections.namedtuple("Segment", "time src dst sport dport seq ack flags window length tsval tsecr sack")


def number(address):
    a, b, c, d = map(int, address.split("."))
    return a << 24 | b << 16 | c << 8 | d


def after(a, b):
    """a lies behind b, modulo 2^32."""
    return 0 < (a - b) & 0xFFFFFFFF < 1 << 31


def options(data):
    """(tsval, tsecr, [SACK blocks])"""
    tsval = tsecr = None
    sack, at = [], 0
    while at < len(data) and data[at] != 0:
        if data[at] == 1:
            at += 1
            continue
        n = data[at + 1] if at + 1 < len(data) else 0
        if n < 2 or at + n > len(data):
            break
        if data[at] == 8 and n == 10:
            tsval, tsecr = struct.unpack_from("!II", data, at + 2)
        elif data[at] == 5:
            sack += struct.iter_unpack("!II", data[at + 2:at + n])
        at += n
    return tsval, tsecr, sack


def parse(time, frame):
    """The segment in an Ethernet frame of which the headers were kept, or None."""
    if len(frame) < 54 or frame[12:14] != b"\x08\x00" or frame[23] != 6:
        return None
    ip = (frame[14] & 15) * 4
    total, = struct.unpack_from("!H", frame, 16)
    src, dst = struct.unpack_from("!II", frame, 26)
    tcp = 14 + ip
    if len(frame) < tcp + 20:
        return None
    sport, dport, seq, ack, off, flags, window = struct.unpack_from("!HHIIBBH", frame, tcp)
    head = (off >> 4) * 4
    tsval, tsecr, sack = options(frame[tcp + 20:tcp + head])
    return Segment(time, src, dst, sport, dport, seq, ack, flags, window, total - ip - head, tsval, tsecr, sack)


def read(path):
    """All segments of the file, in the order of their arrival."""
    with open(path, "rb") as f:
        magic = f.read(24)[:4]
        order = "<" if magic == b"\xd4\xc3\xb2\xa1" else ">"
        head = struct.Struct(order + "IIII")
        while True:
            h = f.read(16)
            if len(h) < 16:
                return
            s, us, kept, _ = head.unpack(h)
            frame = f.read(kept)
            if len(frame) < kept:
                return
            segment = parse(s + us / 1e6, frame)
            if segment:
                yield segment


def connections(segments):
    """{(client address, port, server address, port): segments}; who sends the SYN is the client."""
    found, ends = collections.defaultdict(list), {}
    for s in segments:
        key = (s.src, s.sport, s.dst, s.dport)
        back = (s.dst, s.dport, s.src, s.sport)
        if s.flags & SYN and not s.flags & ACK:
            ends[key] = ends[back] = key
        if key in ends:
            found[ends[key]].append(s)
    return found


class Trace:
    """What the receiver of a bulk transfer saw, and said."""

    def __init__(self, segments, receiver):
        self.bytes = self.again = self.holes = self.duplicates = self.sacks = 0
        self.backwards = 0  # time stamps that went back
        self.first = []     # the first oddities, for people
        nxt = last = stamp = None
        for s in segments:
            end = (s.seq + s.length + bool(s.flags & SYN) + bool(s.flags & FIN)) & 0xFFFFFFFF
            if s.dst == receiver:
                if s.flags & RST:
                    continue
                if s.tsval is not None:
                    if stamp is not None and after(stamp, s.tsval):
                        self.note("backwards", s)
                    stamp = s.tsval
                if s.length or s.flags & (SYN | FIN):
                    if nxt is not None and after(nxt, s.seq):
                        self.note("again", s)
                    elif nxt is not None and after(s.seq, nxt):
                        self.note("holes", s)
                    if nxt is None or after(end, nxt):
                        nxt = end
                    self.bytes += s.length
            else:
                if s.sack:
                    self.note("sacks", s)
                pure = not s.length and s.flags & (SYN | FIN | RST | ACK) == ACK
                # RFC 5681 2: no data, same acknowledgement, same window
                if pure and last and last.ack == s.ack and last.window == s.window and not last.length:
                    self.note("duplicates", s)
                last = s

    def note(self, what, s):
        setattr(self, what, getattr(self, what) + 1)
        if len(self.first) < 5:
            self.first.append(f"{what}: {s.time:.6f} seq {s.seq} ack {s.ack} length {s.length} window {s.window}")

    def problem(self):
        """None, or a sentence."""
        counts = {k: getattr(self, k) for k in ("again", "holes", "duplicates", "sacks", "backwards")}
        bad = {k: v for k, v in counts.items() if v}
        if not bad:
            return None
        return ", ".join(f"{v} {k}" for k, v in bad.items()) + " (" + "; ".join(self.first) + ")"
