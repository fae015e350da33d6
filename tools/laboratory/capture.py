#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Captures a card's frames into a pcap file until SIGINT or SIGTERM: capture.py DEVICE FILE.

Stands in for tcpdump in a user namespace, where tcpdump wants to become another user and cannot.
"""

import signal
import socket
import struct
import sys
import time

ETH_P_ALL, LINKTYPE_ETHERNET, SNAP = 3, 1, 65535


def main():
    device, path = sys.argv[1:]
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
    s.bind((device, ETH_P_ALL))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    count = 0
    with (sys.stdout.buffer if path == "-" else open(path, "wb")) as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, SNAP, LINKTYPE_ETHERNET))
        out.flush()
        print(f"listening on {device}", file=sys.stderr, flush=True)
        try:
            while True:
                frame = s.recv(SNAP)
                now = time.time_ns()
                out.write(struct.pack("<IIII", now // 10**9, now % 10**9 // 1000, len(frame), len(frame)) + frame)
                out.flush()
                count += 1
        except KeyboardInterrupt:
            pass
    print(f"{count} frames captured", file=sys.stderr)


if __name__ == "__main__":
    main()
