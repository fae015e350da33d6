# SPDX-License-Identifier: BSD-2-Clause
"""Mixed traffic of a client to nginx behind a forwarder, for as long as a test needs it.

    traffic.py ADDR PORT HTML [--sum SHA256] [--transfer N] [--rate BYTES] [--upload N] [--churn PER_SECOND] [--idle N] [--hold SECONDS] [--reset PER_SECOND]

HTML is nginx's folder: /file (large, of that sum) and /small are fetched, /up/ takes uploads. transfer and upload are
curls that run all the time, one after the other; churn, connections of one request each; idle, connections that say
nothing for up to so many seconds and then ask for /small; reset, downloads that the client breaks off. Prints `running`;
a line on standard input ends it: what is under way is finished, then one line of JSON tells what was done and what failed.
"""

import argparse
import hashlib
import json
import os
import pathlib
import random
import socket
import struct
import subprocess
import sys
import threading
import time

TIMEOUT = 60
FAILURES_TOLD = 10


class Traffic:
    def __init__(self, args):
        self.args = args
        self.html = pathlib.Path(args.html)
        self.small = (self.html / "small").read_bytes()
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.done, self.failed, self.connect = {}, [], []
        self.bytes = 0

    def note(self, kind, n=0, error=None, connect=None):
        with self.lock:
            self.done[kind] = self.done.get(kind, 0) + 1
            self.bytes += n
            if error:
                self.failed.append(f"{kind}: {error}")
            if connect is not None:
                self.connect.append(connect)

    def url(self, name):
        return f"http://{self.args.address}:{self.args.port}/{name}"

    def curl(self, *words):
        rate = ["--limit-rate", str(self.args.rate)] if self.args.rate else []
        return subprocess.run(["curl", "-sS", "--fail", *rate, *words], stdin=subprocess.DEVNULL, capture_output=True, check=False)

    def transfer(self, _):
        got = self.curl(self.url("file"))
        right = hashlib.sha256(got.stdout).hexdigest() == self.args.sum
        why = got.stderr.decode().strip() or (None if right else f"{len(got.stdout)} bytes came out different")
        self.note("transfer", len(got.stdout), why)

    def upload(self, i):
        name = f"up/traffic-{i}"
        why = self.curl("-T", str(self.html / "file"), self.url(name)).stderr.decode().strip()
        stored = self.html / name
        data = stored.read_bytes() if stored.exists() else b""
        if not why and hashlib.sha256(data).hexdigest() != self.args.sum:
            why = f"{len(data)} bytes came out different"
        stored.unlink(missing_ok=True)
        self.note("upload", len(data), why or None)

    def open(self):
        begun = time.monotonic()
        s = socket.create_connection((self.args.address, self.args.port), TIMEOUT)
        return s, time.monotonic() - begun

    def ask(self, s, name):
        s.sendall(f"GET /{name} HTTP/1.1\r\nHost: {self.args.address}\r\nConnection: close\r\n\r\n".encode())

    def answered(self, s):
        self.ask(s, "small")
        data = b""
        while more := s.recv(65536):
            data += more
        if data.partition(b"\r\n\r\n")[2] != self.small:
            raise OSError(f"another answer: {data[:100]!r}")

    def churn(self, _):
        took = None
        try:
            s, took = self.open()
            with s:
                self.answered(s)
            self.note("churn", len(self.small), connect=took)
        except OSError as e:
            self.note("churn", error=e, connect=took)

    def idle(self, i):
        draw = random.Random(i)
        try:
            s, _ = self.open()
            with s:
                self.stop.wait(draw.uniform(0.3, 1) * self.args.hold)
                self.answered(s)
            self.note("idle", len(self.small))
        except OSError as e:
            self.note("idle", error=e)

    def reset(self, _):
        try:
            s, _ = self.open()
            with s:
                self.ask(s, "file")
                s.recv(20000, socket.MSG_WAITALL)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.note("reset")
        except OSError as e:
            self.note("reset", error=e)

    def again(self, what, i, n):
        while not self.stop.is_set():
            what(i)
            i += n

    def paced(self, what, rate):
        """So many a second, each in a thread, however long one takes."""
        begun, i, running = time.monotonic(), 0, []
        while not self.stop.wait(max(0, begun + i / rate - time.monotonic())):
            t = threading.Thread(target=what, args=(i,), daemon=True)
            t.start()
            running = [r for r in running if r.is_alive()] + [t]
            i += 1
        for t in running:
            t.join(2 * TIMEOUT)

    def run(self):
        a, threads = self.args, []
        for name, n in (("transfer", a.transfer), ("upload", a.upload), ("idle", a.idle)):
            threads += [threading.Thread(target=self.again, args=(getattr(self, name), i, n)) for i in range(n)]
        for name, rate in (("churn", a.churn), ("reset", a.reset)):
            if rate:
                threads.append(threading.Thread(target=self.paced, args=(getattr(self, name), rate)))
        for t in threads:
            t.daemon = True
            t.start()
        print("running", flush=True)
        sys.stdin.readline()
        self.stop.set()
        for t in threads:
            t.join(3 * TIMEOUT)
            if t.is_alive():
                self.note("thread", error="did not end")
        times = sorted(self.connect)
        ms = {str(p): 1000 * times[min(len(times) - 1, int(len(times) * p / 100))] for p in (50, 99, 100)} if times else {}
        print(json.dumps({"done": self.done, "bytes": self.bytes, "connect_ms": ms, "failed": len(self.failed),
                          "failures": self.failed[:FAILURES_TOLD]}), flush=True)
        os._exit(0)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("address")
    p.add_argument("port", type=int)
    p.add_argument("html")
    p.add_argument("--sum")
    for name in ("transfer", "upload", "idle", "rate"):
        p.add_argument(f"--{name}", type=int, default=0)
    for name in ("churn", "reset", "hold"):
        p.add_argument(f"--{name}", type=float, default=0)
    Traffic(p.parse_args()).run()


if __name__ == "__main__":
    main()
