# SPDX-License-Identifier: BSD-2-Clause
"""One end of a TCP connection that does what its words say, for tests of what programs seldom do.

    peer.py listen ADDR PORT WORD...     accepts one connection
    peer.py connect ADDR PORT WORD...

Words: send:N recv:N recvall shut reset close sleep:SECONDS line (waits for a line on standard input)
say:TEXT (prints it) pace:BYTES (a second, at most) sendtil:N (at least N, and until there is a line)
until:TEXT (waits until the other end has said it) tell:TEXT (says it, and CR LF; neither counts). recv and send end early when the connection does. Prints `listening` when it does,
and at the end one line of JSON: bytes and SHA-256 in each direction, the error if there was one, seconds.
"""

import errno
import hashlib
import json
import select
import socket
import struct
import sys
import time

BLOCK = 1 << 16
SO_MAX_PACING_RATE = 47


def block_of(seed):
    """A block that repeats: what is sent is known, and cheap."""
    return hashlib.sha256(str(seed).encode()).digest() * (BLOCK // 32)


class Peer:
    def __init__(self, s):
        self.s = s
        self.sent, self.got = 0, 0
        self.sent_sum, self.got_sum = hashlib.sha256(), hashlib.sha256()
        self.data = block_of(s.getsockname()[1] % 2 + 10)

    def send(self, n):
        while n > 0:
            part = self.data[self.sent % BLOCK:][:n]
            done = self.s.send(part)
            self.sent_sum.update(part[:done])
            self.sent += done
            n -= done

    def sendtil(self, n):
        """A bulk transfer that lasts for as long as the test needs it."""
        self.send(n)
        while not select.select([sys.stdin], [], [], 0)[0]:
            self.send(BLOCK)
        sys.stdin.readline()

    def until(self, text):
        heard = b""
        while not heard.endswith(text):
            byte = self.s.recv(1)
            if not byte:
                raise ConnectionAbortedError(errno.ECONNABORTED, f"ended before {text}: {heard}")
            heard += byte

    def recv(self, n):
        while n > 0:
            part = self.s.recv(min(n, BLOCK))
            if not part:
                return
            self.got_sum.update(part)
            self.got += len(part)
            n -= len(part)

    def do(self, word):
        name, _, arg = word.partition(":")
        if name == "send":
            self.send(int(arg))
        elif name == "recv":
            self.recv(int(arg))
        elif name == "recvall":
            self.recv(1 << 62)
        elif name == "shut":
            self.s.shutdown(socket.SHUT_WR)
        elif name == "reset":
            self.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.s.close()
        elif name == "close":
            self.s.close()
        elif name == "sleep":
            time.sleep(float(arg))
        elif name == "line":
            sys.stdin.readline()
        elif name == "until":
            self.until(arg.encode())
        elif name == "tell":
            self.s.sendall(arg.encode() + b"\r\n")
        elif name == "pace":
            self.s.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, int(arg))
        elif name == "sendtil":
            self.sendtil(int(arg))
        elif name == "say":
            print(arg, flush=True)
        else:
            sys.exit(f"peer.py: unknown word {word}")


def open_socket(how, address, port):
    if how == "connect":
        return socket.create_connection((address, port), timeout=60)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen(16)
    listener.settimeout(60)
    print("listening", flush=True)
    s = listener.accept()[0]
    listener.close()
    return s


def main():
    how, address, port, *words = sys.argv[1:]
    begun = time.monotonic()
    error, peer = None, None
    try:
        s = open_socket(how, address, int(port))
        s.settimeout(300)
        peer = Peer(s)
        for word in words:
            peer.do(word)
    except OSError as e:
        error = "timeout" if isinstance(e, TimeoutError) and e.errno is None else errno.errorcode.get(e.errno, str(e))
    facts = {"error": error, "seconds": time.monotonic() - begun}
    if peer:
        facts.update(sent=peer.sent, sent_sum=peer.sent_sum.hexdigest(), got=peer.got,
                     got_sum=peer.got_sum.hexdigest())
    print(json.dumps(facts), flush=True)


if __name__ == "__main__":
    main()
