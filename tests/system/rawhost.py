# SPDX-License-Identifier: BSD-2-Clause
"""A host that is no kernel: one TCP connection over a packet socket, whose acknowledgements are what
the test wants. Its address is not the namespace's own, so Linux neither answers nor resets.

    rawhost.py DEVICE ADDR listen PORT HOW
    rawhost.py DEVICE ADDR connect GATEWAY TO PORT HOW

HOW, about what it receives:  ack        acknowledge it
                              withhold   acknowledge nothing
                              raise:N    acknowledge N more than it got
                              icmp:MTU   the same as ack, but larger datagrams get an ICMP error (RFC 792)
Prints `listening`, `open`, then `got N` for each segment with the next bytes, `other N` for one with
others, `large N` for one that got an ICMP error; a line on standard input ends it with a RST.
"""

import os
import select
import socket
import struct
import sys
import time

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
MAC = b"\x02\0\0\0\x99\x09"
ISN, PORT, WINDOW = 1000, 40000, 16384
MSS = b"\x02\x04\x05\xb4"  # 1460, the only option offered
RETRY_SECONDS = 1.0


def checksum(data):
    data += b"\0" * (len(data) % 2)
    s = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while s >> 16:
        s = (s & 0xFFFF) + (s >> 16)
    return ~s & 0xFFFF


def say(text):
    print(text, flush=True)


class Host:
    def __init__(self, device, address, how):
        self.s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.s.bind((device, 3))
        self.address = socket.inet_aton(address)
        self.how, _, value = how.partition(":")
        self.value = int(value or 0)
        self.macs = {}
        self.peer = None  # (MAC, address, port) once it is known
        self.port = PORT
        self.seq, self.nxt, self.open = ISN, None, False

    def arp(self, op, mac, address):
        head = (mac if op == 2 else b"\xff" * 6) + MAC + b"\x08\x06"
        self.s.send(head + struct.pack("!HHBBH", 1, 0x800, 6, 4, op) + MAC + self.address + mac + address)

    def segment(self, flags, seq, ack=0):
        mac, address, port = self.peer
        options = MSS if flags & SYN else b""
        tcp = struct.pack("!HHIIBBHHH", self.port, port, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, 20 + len(options) << 2, flags,
                          WINDOW, 0, 0) + options
        pseudo = self.address + address + struct.pack("!BBH", 0, 6, len(tcp))
        tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
        self.datagram(mac, address, 6, tcp)

    def datagram(self, mac, address, protocol, body):
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0x4000, 64, protocol, 0) + self.address + address
        ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
        self.s.send(mac + MAC + b"\x08\x00" + ip + body)

    def too_large(self, frame, mtu):
        """ICMP: fragmentation needed (RFC 1191 4), with the header and eight bytes, about that datagram."""
        icmp = struct.pack("!BBHHH", 3, 4, 0, 0, mtu) + frame[14:14 + 28]
        self.datagram(frame[6:12], frame[26:30], 1, icmp[:2] + struct.pack("!H", checksum(icmp)) + icmp[4:])

    def receive(self, frame):
        kind = frame[12:14]
        if kind == b"\x08\x06" and len(frame) >= 42:
            op, = struct.unpack_from("!H", frame, 20)
            self.macs[frame[28:32]] = frame[22:28]
            if op == 1 and frame[38:42] == self.address:
                self.arp(2, frame[22:28], frame[28:32])
        elif kind == b"\x08\x00" and frame[30:34] == self.address and frame[23] == 6 and frame[0:6] == MAC:
            self.tcp(frame)

    def tcp(self, frame):
        at = 14 + (frame[14] & 15) * 4
        total, = struct.unpack_from("!H", frame, 16)
        sport, dport, seq, ack, off, flags = struct.unpack_from("!HHIIBB", frame, at)
        data = total - (at - 14) - (off >> 4) * 4
        if dport != self.port:
            return
        if flags & SYN and not flags & ACK and not self.open:
            self.peer = (frame[6:12], frame[26:30], sport)
            self.nxt = seq + 1
            self.segment(SYN | ACK, ISN, self.nxt)
            self.seq = ISN + 1
        elif flags & SYN and ack == ISN + 1 and not self.open:
            self.nxt, self.seq = seq + 1, ISN + 1
            self.segment(ACK, self.seq, self.nxt)
            self.opened()
        elif flags & RST:
            say("reset")
        elif self.nxt is not None and not self.open and ack == ISN + 1:
            self.opened()
        if data > 0 and self.open and self.how == "icmp" and total > self.value:
            say(f"large {data}")
            self.too_large(frame, self.value)
        elif data > 0 and self.open:
            if seq == self.nxt:
                self.nxt = (seq + data) & 0xFFFFFFFF
                say(f"got {data}")
            else:
                say(f"other {data}")
            if self.how != "withhold":
                self.segment(ACK, self.seq, self.nxt + (self.value if self.how == "raise" else 0))

    def opened(self):
        self.open = True
        say("open")

    def turn(self, seconds):
        """False when standard input says so, or has ended."""
        ready = select.select([self.s, sys.stdin], [], [], seconds)[0]
        if self.s in ready:
            self.receive(self.s.recv(65536))
        return sys.stdin not in ready

    def connect(self, gateway, to, port):
        gateway = socket.inet_aton(gateway)
        self.port = PORT + os.getpid() % 20000  # an old connection's TIME-WAIT is no concern of ours
        at = 0
        while not self.open:
            if time.monotonic() > at:
                at = time.monotonic() + RETRY_SECONDS
                if gateway not in self.macs:
                    self.arp(1, b"\0" * 6, gateway)
                else:
                    self.peer = (self.macs[gateway], socket.inet_aton(to), port)
                    self.segment(SYN, ISN)
            if gateway in self.macs and not self.peer:
                at = 0
            if not self.turn(0.1):
                return False
        return True

    def run(self):
        while self.turn(1.0):
            pass
        if self.peer and self.nxt is not None:
            self.segment(RST | ACK, self.seq, self.nxt)


def main():
    device, address, action, *words = sys.argv[1:]
    host = Host(device, address, words[-1])
    if action == "listen":
        host.port = int(words[0])
        say("listening")
    elif not host.connect(words[0], words[1], int(words[2])):
        return
    host.run()


if __name__ == "__main__":
    main()
