# SPDX-License-Identifier: BSD-2-Clause
"""IPv4 datagrams with TCP in them, written and read; captures of them; the pattern that streams are."""

import collections
import ipaddress
import struct

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = 1, 2, 4, 8, 16, 32, 64, 128
LETTERS = "FSRPAUEW"
PORT = 80
US = ipaddress.IPv4Address("10.0.0.1").packed  # the TCP under test
GOLDEN = 0x9E3779B97F4A7C15
Segment = collections.namedtuple("Segment", "sport dport seq ack flags wnd data mss wscale sack_ok tsval tsecr sack")


def word(number):
    return number & 0xFFFFFFFF


def distance(a, b):
    """a - b, modulo 2^32, as a signed number."""
    d = word(a - b)
    return d - (1 << 32) if d >> 31 else d


def letters(flags):
    return "".join(c for i, c in enumerate(LETTERS) if flags >> i & 1) or "none"


def byte(at):
    x = (at + 1) * GOLDEN & 0xFFFFFFFFFFFFFFFF
    return (x >> 56 ^ x >> 24) & 0xFF


PATTERN = bytes(byte(at) for at in range(1 << 18))
OTHER = bytes(b ^ 0x5A for b in PATTERN)


def pattern(at, n, other=False):
    """n bytes of the stream from that offset; other: each of them is another byte."""
    source = OTHER if other else PATTERN
    at %= len(source)
    return source[at:at + n] + source[:max(0, at + n - len(source))]


def checksum(data):
    """What makes the ones' complement sum of data and itself all ones."""
    if len(data) % 2:
        data += b"\0"
    return 0xFFFF - (int.from_bytes(data, "big") % 0xFFFF)


def datagram(src, sport, seq, ack, flags, wnd, options=b"", data=b"", urgent=0):
    options += b"\1" * (-len(options) % 4)
    head = struct.pack("!HHIIBBHHH", sport, PORT, word(seq), word(ack), (20 + len(options)) << 2, flags, wnd, 0, urgent)
    tcp = head + options + data
    pseudo = src + US + struct.pack("!HH", 6, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0x4000, 64, 6, 0) + src + US
    return ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + tcp


def option_ts(tsval, tsecr):
    return struct.pack("!BBBBII", 1, 1, 8, 10, word(tsval), word(tsecr))


def option_sack(blocks):
    return struct.pack("!BBBB", 1, 1, 5, 2 + 8 * len(blocks)) + b"".join(struct.pack("!II", word(a), word(b)) for a, b in blocks)


def parse(d):
    """The segment in a datagram, or None."""
    ip = (d[0] & 15) * 4
    if d[0] >> 4 != 4 or d[9] != 6 or len(d) < ip + 20:
        return None
    sport, dport, seq, ack, off, flags, wnd = struct.unpack_from("!HHIIBBH", d, ip)
    head = (off >> 4) * 4
    mss = wscale = tsval = tsecr = None
    sack_ok, sack = False, []
    opts, at = d[ip + 20:ip + head], 0
    while at < len(opts) and opts[at]:
        if opts[at] == 1:
            at += 1
            continue
        kind, n = opts[at], opts[at + 1]
        if kind == 2:
            mss, = struct.unpack_from("!H", opts, at + 2)
        elif kind == 3:
            wscale = opts[at + 2]
        elif kind == 4:
            sack_ok = True
        elif kind == 5:
            sack = list(struct.iter_unpack("!II", opts[at + 2:at + n]))
        elif kind == 8:
            tsval, tsecr = struct.unpack_from("!II", opts, at + 2)
        at += n
    return Segment(sport, dport, seq, ack, flags, wnd, d[ip + head:], mss, wscale, sack_ok, tsval, tsecr, sack)


def save(path, datagrams):
    """A capture of raw IP; one step is a tenth of a second."""
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
        for step, d in datagrams:
            f.write(struct.pack("<IIII", step // 10, step % 10 * 100000, len(d), len(d)) + d)
