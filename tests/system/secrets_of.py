# SPDX-License-Identifier: BSD-2-Clause
"""For R-HARD-15: what a machine draws under seed=N (boot/x86_64/entropy.c), how a number may be written down, all of
the console's answers, all of the machine's memory."""

import os
import re
import select
import socket
import struct
import time


def quarter(s, a, b, c, d):
    for x, y, z, r in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = (s[x] + s[y]) & 0xffffffff
        v = s[z] ^ s[x]
        s[z] = (v << r | v >> (32 - r)) & 0xffffffff


def chacha_block(key, counter, tweak):
    """RFC 8439 2.3; the nonce is made of tweak and the upper half of the counter."""
    start = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, *key, counter & 0xffffffff, counter >> 32,
             tweak & 0xffffffff, tweak >> 32]
    s = list(start)
    for _ in range(10):
        for i in range(4):
            quarter(s, i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(s, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return [(a + b) & 0xffffffff for a, b in zip(s, start)]


def draws(seed, n):
    """The first n numbers: the lower half of each block is the next key, the upper half is given from its end."""
    key, out = chacha_block([0] * 8, 0, seed)[:8], []
    counter = 1
    while len(out) < n:
        block = chacha_block(key, counter, 0)
        key, counter = block[:8], counter + 1
        out += reversed(struct.unpack("<4Q", struct.pack("<8I", *block[8:])))
    return out


def forms(v):
    """Ways to write a number of 64 bits, or a half of it: too long to come by accident."""
    whole = v.to_bytes(8, "little")
    texts = {f"{v:x}", f"{v:d}", whole.hex(), whole.hex(" "), whole.hex(":")}
    texts |= {f"{half:08x}" for half in (v >> 32, v & 0xffffffff)}
    texts |= {f"{half:d}" for half in (v >> 32, v & 0xffffffff) if half > 10 ** 8}
    return texts | {t.upper() for t in texts}


def console(child, lines, seconds=30):
    """Waits for the machine, types the lines one by one, and returns all that it said."""
    text, limit = "", time.monotonic() + seconds

    def until(pattern, at):
        nonlocal text
        while not re.search(pattern, text[at:]):
            left = limit - time.monotonic()
            if left <= 0 or not select.select([child.stdout], [], [], left)[0]:
                return
            data = os.read(child.stdout.fileno(), 65536)
            if not data:
                return
            text += data.decode(errors="replace").replace("\r", "")

    until(r"\] ready\n", 0)
    for line in lines:
        at = len(text)
        child.stdin.write(line.encode() + b"\n")
        child.stdin.flush()
        until(r"\ntowpath> ", at)
    return text


def memory(monitor, dump, size):
    """The machine's memory, by QEMU's monitor."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(30)
        s.connect(str(monitor))
        said = b""
        for command in (b"", f"pmemsave 0 {size} \"{dump}\"\n".encode()):
            s.sendall(command)
            while said.count(b"(qemu) ") < (2 if command else 1):
                said += s.recv(4096)
    return dump.read_bytes()
