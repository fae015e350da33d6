# SPDX-License-Identifier: BSD-2-Clause
"""A guest between the two halves of the crowd (tests/million): QEMU with two cards on Unix sockets,
its console, and the instructions it has executed. No privilege, no namespace, no frame lost on the way.

    with Crowd("firewall", conns=1000, settings={"splice": "off"}) as c:
        c.work("open", 0, 1000, width=64, size=64)      # {"finished": 1000, "sent": ..., ...}
        c.instructions()                                # executed so far
        c.command("show mem")
"""

import os
import pathlib
import select
import shutil
import struct
import subprocess
import tempfile
import time

from measure import ROOT, LabError, build, cores
from laboratory import guest

PROMPT = b"\ntowpath> "
COUNTER = "4Q"  # instructions, loads, stores, device accesses
CABLE = "cable"  # no guest: the two halves of the crowd, back to back


LINUX_MEM = 512


def linux_words(row, settings=""):
    """QEMU's words for the guest of bench/linux, which is built when it is not there."""
    subprocess.run([str(ROOT / "bench/linux/make.py")], check=True, stdout=subprocess.DEVNULL)
    made = ROOT / "build/bench/linux"
    return ["-kernel", str(made / "vmlinuz"), "-initrd", str(made / "initrd"), "-append",
            f"console=ttyS0 quiet mitigations=off random.trust_cpu=on row={row} {settings}".strip()]


class Crowd:
    def __init__(self, graph, nic="e1000", conns=1000, settings=None, mem=LINUX_MEM, count=True, icount=False, hot=False,
                 extra=False):
        self.graph = graph
        self.linux = graph.removeprefix("linux-") if graph.startswith("linux-") else None
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="towpath-crowd-"))
        self.counter = self.folder / "counters" if count else None
        self.hot = self.folder / "hot" if hot else None
        self.extra = ",mem=on,io=on" if extra else ""
        flat = graph in ("bridge", CABLE)
        routes = flat or graph in ("router", "linux-router", "linux-filter")
        mode = ["flat"] if flat else ["classical"] if self.linux and not routes else []
        peers = build("peers", "bench/peers.c", "-I", str(ROOT),
                      *(str(ROOT / f"tests/million/{f}.c") for f in ("bogus", "crowd", "crowdlink", "crowdwire")))
        service = "10.0.2.2" if routes else "10.0.1.1"
        pins = cores()
        end = ["taskset", "-c", ",".join(map(str, pins[1]))] if pins else []
        box = ["taskset", "-c", ",".join(map(str, pins[0]))] if pins else []
        sockets = ["-", "-"] if graph == CABLE else [str(self.folder / f"net{i}") for i in range(2)]
        self.qemu = self.peers = None
        try:
            self.peers = subprocess.Popen([*end, str(peers), *sockets, str(conns), service, *mode], text=True,
                                          stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            if self.peers.stdout.readline() != "ready\n":
                raise LabError("the peers do not start")
            if graph == CABLE:
                return
            self.qemu = subprocess.Popen(box + self.words(graph, nic, settings or {}, mem, icount, sockets),
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self.text = b""
            self.log = self.until(b"ready\n", 300 if self.linux else 60)
            if self.linux:
                self.until(PROMPT, 10)
        except BaseException:
            self.end()
            raise

    def words(self, graph, nic, settings, mem, icount, sockets):
        words = [shutil.which("qemu-system-x86_64") or "qemu-system-x86_64", "-nodefaults", "-machine", "pc",
                 "-cpu", "max", "-m", str(mem), "-display", "none", "-no-reboot",
                 "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
                 "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]
        words += self.system(graph, " ".join(f"{k}={v}" for k, v in settings.items()))
        for i, path in enumerate(sockets):
            words += ["-netdev", f"stream,id=net{i},server=off,addr.type=unix,addr.path={path}",
                      "-device", f"{guest.NICS[nic]},netdev=net{i},mac={guest.MACS[i]},addr={3 + i},romfile="]
        if self.counter:
            plugin = build("count.so", "bench/plugin/count.c", "-fPIC", "-shared", "-fvisibility=hidden")
            words += ["-plugin", f"{plugin},out={self.counter}{self.extra}" + (f",hot={self.hot}" if self.hot else "")]
        if icount:  # the TSC then counts nanoseconds of a machine that takes one for each instruction
            words += ["-icount", "shift=0"]
        return words

    def system(self, graph, settings):
        """What QEMU boots: one of our images, or the Linux of bench/linux."""
        if self.linux:
            return linux_words(self.linux, settings)
        return ["-kernel", str(guest.image_path(graph, False)), "-append", settings]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        for p in (self.qemu, self.peers):
            if p and p.poll() is None:
                p.kill()
            if p:
                p.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def until(self, mark, seconds):
        """The console's text up to the mark, which is taken away with it."""
        limit = time.monotonic() + seconds
        while mark not in self.text:
            left = limit - time.monotonic()
            if left <= 0 or not select.select([self.qemu.stdout], [], [], left)[0]:
                raise LabError(f"the console is silent: {self.text[-300:]!r}")
            more = os.read(self.qemu.stdout.fileno(), 65536)
            if not more:
                raise LabError(f"the guest has ended: {self.text[-2000:].decode(errors='replace')}")
            self.text += more.replace(b"\r", b"")
        said, _, self.text = self.text.partition(mark)
        return said.decode(errors="replace")

    def command(self, line, seconds=60):
        self.qemu.stdin.write(line.encode() + b"\n")
        self.qemu.stdin.flush()
        return self.until(PROMPT, seconds)

    def numbers(self, line):
        """Of an answer of `NAME NUMBER` lines."""
        found = {}
        for words in (text.split() for text in self.command(line).splitlines()):
            if len(words) == 2 and words[1].isdigit():
                found[words[0]] = int(words[1])
        return found

    def work(self, what, *numbers):
        self.peers.stdin.write(" ".join(map(str, (what, *numbers))) + "\n")
        self.peers.stdin.flush()
        line = self.peers.stdout.readline()
        if not line:
            raise LabError(f"the peers ended: {self.text[-2000:].decode(errors='replace')}")
        done = {k: int(v) for k, v in (word.split("=") for word in line.split())}
        if done["stalled"] or done["bad"] or done["wrong"] or done["resets"]:
            raise LabError(f"{what} {numbers}: {line.strip()}")
        return done

    def open(self, first, n, width=64, size=64):
        return self.work("open", first, n, width, size)

    def data(self, first, n, count, width=64, size=64, ack=False):
        return self.work("data", first, n, count, width, size, int(ack))

    def close(self, first, n, width=64):
        return self.work("close", first, n, width)

    def flood(self, n, width=64):
        """Bogus SYNs; their sources are to be behind the gateway 10.0.1.16, and a connection to be open."""
        return self.work("flood", n, width)

    def counts(self):
        """What the guest has executed so far: instructions, and with `extra` loads, stores and device accesses."""
        return struct.unpack_from(COUNTER, self.counter.read_bytes())

    def instructions(self):
        return self.counts()[0]

    def quit(self):
        """Stops the guest, which checks its accounts; its last words."""
        self.qemu.stdin.write(b"quit\n")
        self.qemu.stdin.flush()
        said = self.text
        try:
            said += self.qemu.communicate(timeout=60)[0]
        except subprocess.TimeoutExpired:
            raise LabError("the guest does not end at quit") from None
        if self.qemu.returncode != guest.QEMU_OK:
            raise LabError(f"{guest.describe_status(self.qemu.returncode, False)}: {said[-1000:].decode(errors='replace')}")
        return said.decode(errors="replace")
