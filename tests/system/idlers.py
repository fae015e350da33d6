# SPDX-License-Identifier: BSD-2-Clause
"""Many TCP connections in one process that do next to nothing.

    idlers.py listen ADDR PORT           takes all that come, sends back what they send
    idlers.py connect ADDR PORT

Lines on standard input, each answered by one of JSON: `open N [SECONDS]` (so many more, or refused),
`ask` (a byte on each and back), `drip` (a byte of a head), `alive` (how many are still open), `close`. `listen` prints `listening`.
"""

import json
import select
import socket
import sys
import time

WAIT, BATCH = 30, 50
HEAD = b"GET / HTTP/1.1\r\nHost: a\r\nX: "


def listen(address, port):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen(4096)
    listener.setblocking(False)
    poll, open_ones = select.epoll(), {}
    poll.register(listener, select.EPOLLIN)
    print("listening", flush=True)
    while True:
        for fd, _ in poll.poll():
            try:
                if fd == listener.fileno():
                    s = listener.accept()[0]
                    s.setblocking(False)
                    open_ones[s.fileno()] = s
                    poll.register(s, select.EPOLLIN)
                    continue
                data = open_ones[fd].recv(4096)
                if data:
                    open_ones[fd].send(data)
                    continue
            except BlockingIOError:
                continue
            except OSError:
                pass
            if fd in open_ones:
                open_ones.pop(fd).close()


class Crowd:
    def __init__(self, address, port):
        self.to = (address, port)
        self.all, self.drops = [], 0

    def open(self, n, wait=WAIT):
        before = len(self.all)
        for done in range(0, n, BATCH):
            poll, waiting = select.poll(), {}
            for _ in range(min(BATCH, n - done)):
                s = socket.socket()
                s.setblocking(False)
                s.connect_ex(self.to)
                waiting[s.fileno()] = s
                poll.register(s, select.POLLOUT)
            limit = time.monotonic() + wait
            while waiting and time.monotonic() < limit:
                for fd, _ in poll.poll(100):
                    s = waiting.pop(fd)
                    poll.unregister(fd)
                    if s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                        s.settimeout(WAIT)
                        self.all.append(s)
            for s in waiting.values():
                s.close()
        return {"open": len(self.all), "refused": n - len(self.all) + before}

    def ask(self):
        """All at once, or a slow way would take as long as there are connections."""
        wrong, asked = 0, []
        for i, s in enumerate(self.all):
            try:
                s.send(bytes([i % 251]))
                asked.append((i, s))
            except OSError:
                wrong += 1
        for i, s in asked:
            try:
                wrong += s.recv(16) != bytes([i % 251])
            except OSError:
                wrong += 1
        return {"asked": len(self.all), "wrong": wrong}

    def drip(self):
        """A byte more of a head that never ends."""
        for s in self.all:
            try:
                s.send((HEAD + b"x" * 1000)[self.drops:][:1])
            except OSError:
                pass
        self.drops += 1
        return {"sent": self.drops}

    def alive(self):
        gone = []
        for i, s in enumerate(self.all):
            s.setblocking(False)
            try:
                while s.recv(4096):  # last words
                    pass
                gone.append(i)
            except BlockingIOError:
                pass
            except OSError:
                gone.append(i)
            s.settimeout(WAIT)
        return {"alive": len(self.all) - len(gone), "gone": gone}

    def close(self):
        for s in self.all:
            s.close()
        n, self.all = len(self.all), []
        return {"closed": n}


def main():
    how, address, port = sys.argv[1:]
    if how == "listen":
        listen(address, int(port))
        return
    crowd = Crowd(address, int(port))
    for line in sys.stdin:
        word, *numbers = line.split()
        print(json.dumps(getattr(crowd, word)(*map(int, numbers))), flush=True)


if __name__ == "__main__":
    main()
