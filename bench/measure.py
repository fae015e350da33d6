# SPDX-License-Identifier: BSD-2-Clause
"""What the measurements of bench/ share: a lab with a counting QEMU, frames pushed through it.

    with Forwarder("router", "e1000", count=True) as f:
        f.push(20000)                 # frames that arrived on the other side
        f.read()                      # Counts(instructions, loads, stores, io), or None
"""

import collections
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))
from lab import Lab, LabError  # noqa: E402
from laboratory import guest, netns, state  # noqa: E402

BUILD = ROOT / "build/bench"
Counts = collections.namedtuple("Counts", "instructions loads stores io")
CFLAGS = ["-std=c11", "-D_GNU_SOURCE", "-O2"]


def build(name, source, *flags):
    """Compile one of the two C programs when it is older than its source."""
    out = BUILD / name
    source = ROOT / source
    if not out.exists() or out.stat().st_mtime < source.stat().st_mtime:
        BUILD.mkdir(parents=True, exist_ok=True)
        new = out.with_name(f"{name}.{os.getpid()}")
        subprocess.run([os.environ.get("CC", "gcc"), *CFLAGS, *flags, "-o", str(new), str(source)], check=True)
        new.rename(out)
    return out


def cores():
    """(where QEMU runs, where the end hosts run), or None with a single core: nothing is pinned."""
    have = sorted(os.sched_getaffinity(0))
    return ({have[1]}, {have[0]}) if len(have) > 1 else None


class Forwarder:
    """A graph booted between a client and a server, pinned; frames go from client to server."""

    def __init__(self, graph, nic, count=False, extra=False, hot=False, settings=None):
        self.graph, self.nic = graph, nic
        self.frames = build("frames", "bench/frames.c")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="towpath-bench-"))
        self.file, self.hot = self.folder / "counters", self.folder / "hot"
        args = []
        if count:
            plugin = build("count.so", "bench/plugin/count.c", "-fPIC", "-shared", "-fvisibility=hidden")
            args = ["-plugin", f"{plugin},out={self.file}" + (",mem=on,io=on" if extra else "")
                    + (f",hot={self.hot}" if hot else "")]
        self.count = count
        self.lab = Lab(graph, nic=nic, qemu_args=args, settings=settings)
        self.helpers = []

    def __enter__(self):
        try:
            self.lab.up()
            pins = cores()
            if pins:
                pid = state.read(self.lab.name)["guest"]
                for task in os.listdir(f"/proc/{pid}/task"):
                    os.sched_setaffinity(int(task), pins[0])
            self.helper("server", "sink")
            # From the far side's view: the guest's card when it routes, the server's when it bridges.
            self.mac = netns.SIDES["server"]["mac"] if self.graph == "bridge" else guest.MACS[0]
            self.push(64)  # addresses get resolved, caches filled
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind, value, trace):
        for p in self.helpers:
            p.stdin.close()
            try:
                p.wait(5)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        self.helpers = []
        try:
            self.lab.__exit__(kind, value, trace)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def pinned(self):
        pins = cores()
        return ["taskset", "-c", ",".join(map(str, pins[1]))] if pins else []

    def helper(self, side, *words):
        p = self.lab.popen(side, [*self.pinned(), str(self.frames), *words], stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, text=True)
        self.helpers.append(p)
        if p.stdout.readline() != "ready\n":
            raise LabError(f"frames {' '.join(words)} does not start")

    def arrived(self):
        """Frames that the server's card has got from the forwarder."""
        text = self.lab.run("server", ["cat", "/proc/net/dev"], check=True, capture_output=True, text=True).stdout
        for line in text.splitlines():
            name, _, rest = line.partition(":")
            if name.strip() == netns.DEVICE:
                return int(rest.split()[1])
        raise LabError(f"no card {netns.DEVICE} on the server's side")

    def words(self, what, count, size):
        return [*self.pinned(), str(self.frames), what, netns.DEVICE, str(count), str(size), self.mac,
                netns.SIDES["client"]["addr"], netns.SIDES["server"]["addr"]]

    def settled(self):
        """Wait until nothing arrives any more; returns the count."""
        last = -1
        while True:
            now = self.arrived()
            if now == last:
                return now
            last = now
            time.sleep(0.1)

    def push(self, count, size=64):
        """Offer `count` frames as fast as they go; (frames that arrived, seconds it took)."""
        before = self.arrived()
        begin = time.monotonic()
        self.lab.run("client", self.words("send", count, size), check=True, stdout=subprocess.DEVNULL)
        seconds = time.monotonic() - begin
        after = self.settled()
        self.lab.check()
        return after - before, seconds

    def burst(self, count, size=64):
        """The same while the guest is saturated throughout: frames a second."""
        before = self.arrived()
        begin = time.monotonic()
        self.lab.run("client", self.words("send", count, size), check=True, stdout=subprocess.DEVNULL)
        now = self.arrived()
        seconds = time.monotonic() - begin
        self.settled()
        return (now - before) / seconds

    def ping(self, count, size=64):
        """One frame at a time, there and back; (answers, seconds)."""
        if len(self.helpers) < 2:
            self.helper("server", "echo", netns.DEVICE)
        done = self.lab.run("client", self.words("ping", count, size), check=True, capture_output=True, text=True)
        answers, ns = done.stdout.split()
        self.lab.check()
        return int(answers), int(ns) / 1e9

    def read(self):
        return Counts(*struct.unpack("4Q", self.file.read_bytes())) if self.count else None
