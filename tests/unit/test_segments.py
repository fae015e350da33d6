#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What tests/system/segments.py finds in a capture: each thing that a receiver must not notice, and
nothing in a transfer that is as it should be."""

import pathlib
import struct
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests/system"))
import segments  # noqa: E402
from segments import ACK, SYN  # noqa: E402

SENDER, RECEIVER = segments.number("10.0.2.2"), segments.number("10.0.1.2")
START = 0xFFFFF000  # the numbers wrap in the middle
failed = 0


def check(name, ok, why=""):
    global failed
    failed += not ok
    print(f"ok capture: {name}" if ok else f"not ok capture: {name}: {why}", flush=True)


def data(at, length=1000, stamp=None):
    return (SENDER, RECEIVER, 8080, 4000, START + at, 77, ACK, 500, length, stamp, ())


def ack(at, window=800, sack=()):
    return (RECEIVER, SENDER, 4000, 8080, 77, START + at, ACK, window, 0, None, sack)


def frame(src, dst, sport, dport, seq, number, flags, window, length, stamp, sack):
    options = b"\1\1\x08\x0a" + struct.pack("!II", stamp, 9) if stamp is not None else b""
    if sack:
        options += b"\1\1\x05" + bytes([2 + 8 * len(sack)]) + b"".join(struct.pack("!II", *block) for block in sack)
    head = 20 + len(options)
    tcp = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, number & 0xFFFFFFFF, head // 4 << 4, flags, window, 0, 0)
    ip = struct.pack("!BBHHHBBHII", 0x45, 0, 20 + head + length, 0, 0, 64, 6, 0, src, dst)
    return b"\0" * 12 + b"\x08\x00" + ip + tcp + options  # the payload is not kept


def trace(*said):
    with tempfile.NamedTemporaryFile(suffix=".pcap") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 120, 1))
        for i, words in enumerate(said):
            bytes_ = frame(*words)
            f.write(struct.pack("<IIII", 5, i, len(bytes_), len(bytes_)) + bytes_)
        f.flush()
        return list(segments.read(f.name))


def look(*said):
    return segments.Trace(trace(*said), RECEIVER)


def main():
    good = look(data(0), data(1000, 4000), ack(5000), data(5000), ack(5000, 900), ack(6000))
    check("a transfer in order shows nothing, over the wrap", not good.problem() and good.bytes == 6000, good.problem())
    for name, field, said in (
            ("bytes sent again", "again", (data(0), data(1000), data(0), ack(2000))),
            ("a segment that lies half in the past", "again", (data(0), data(500))),
            ("a hole", "holes", (data(0), data(2000))),
            ("a duplicate acknowledgement", "duplicates", (data(0), ack(1000), data(2000), ack(1000))),
            ("a SACK block", "sacks", (data(0), ack(0, sack=((START + 2000 & 0xFFFFFFFF, START + 3000 & 0xFFFFFFFF),)))),
            ("a time stamp that goes back", "backwards", (data(0, stamp=50), data(1000, stamp=49)))):
        t = look(*said)
        check(f"{name} is found", getattr(t, field) == 1 and field in t.problem(), vars(t))
    t = look(data(0, stamp=0xFFFFFFFF), data(1000, stamp=3))
    check("a time stamp may wrap", not t.problem(), t.problem())
    opening = (RECEIVER, SENDER, 4000, 8080, 1, 0, SYN, 500, 0, None, ())
    found = segments.connections(trace(data(0), opening, data(0), ack(1000)))
    check("a connection begins with its SYN", list(found) == [(RECEIVER, 4000, SENDER, 8080)] and len(found[list(found)[0]]) == 3,
          found)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
