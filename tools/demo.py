#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""make demo: a forwarder that QEMU runs rewrites the path of a connection while it is in use.

First on two e1000 cards, then on two tulips: a file goes from nginx to curl through the graph
`firewall`. For the first part of the file the path has both TCPs and the proxy; then the connection
is spliced, then merged into the Ethernet frame's way. For each configuration the demo prints what a
segment costs, in instructions of the guest, counted by a QEMU plugin; at last what each rule cost, and
it compares SHA-256. Then the graph `http`: two requests of one connection go to two servers, and the
answers are spliced one by one. Exit status 0 only if all of it held. Nothing stays but build/.
"""

import argparse
import hashlib
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))
import measure  # noqa: E402
from lab import Lab, LabError  # noqa: E402
from laboratory.nginx import Nginx  # noqa: E402

GRAPHS = ("firewall", "http")
URL = "http://10.0.1.1:8080/file"
BACK_SECONDS = 30
RULE_SECONDS = 10
STASH = 512  # receive buffers that the drivers keep at hand (drivers/ring.h)
# What a configuration is called, the commands that lead to it, and the stages that then stand in the path.
STEPS = (("1-path", (), ["tcp", "proxy", "tcp"]),
         ("FWD", ("set plug.splice=on", "splice all"), ["fwd"]),
         ("IP/FWD", ("set fwd.merge=on", "splice all"), ["ipfwd"]))
START = {"msl": "1s", "waiting": "2s", "plug.splice": "off", "fwd.merge": "off"}


def say(text=""):
    print(text, flush=True)


def numbers(text):
    """`name value` lines as a dictionary."""
    pairs = (line.split() for line in text.splitlines())
    return {p[0]: int(p[1]) for p in pairs if len(p) == 2 and p[1].isdigit()}


def road(lab):
    """(number, stages) of the path that leads from card to card, or (None, [])."""
    for line in lab.show("paths").splitlines():
        words = line.split()
        if words[:1] == ["path"] and words[2][:3] == "eth" and words[-1][:3] == "eth" and words[2] != words[-1]:
            return words[1], words[2:]
    return None, []


def build():
    say(f"== build: make image GRAPH='{' '.join(GRAPHS)}'")
    done = subprocess.run(["make", "--no-print-directory", f"-j{os.cpu_count()}", "image", f"GRAPH={' '.join(GRAPHS)}"],
                          cwd=ROOT)
    if done.returncode:
        raise LabError("the images do not build")
    for graph in GRAPHS:
        size = (ROOT / f"build/x86_64/{graph}.elf").stat().st_size
        say(f"   build/x86_64/{graph}.elf: {size / 1024:.0f} KiB")


def make_file(path, size):
    digest = hashlib.sha256()
    with open(path, "wb") as f:
        for left in range(size, 0, -(1 << 20)):
            block = os.urandom(min(left, 1 << 20))
            digest.update(block)
            f.write(block)
    return digest.hexdigest()


class Meter:
    """Instructions of the guest and frames at its cards, from one reading to the next."""

    def __init__(self, folder):
        self.file = folder / "counters"
        plugin = measure.build("count.so", "bench/plugin/count.c", "-fPIC", "-shared", "-fvisibility=hidden")
        self.qemu_args = ("-plugin", f"{plugin},out={self.file}")
        self.last = None

    def read(self, lab):
        """(frames, instructions a frame) since the last reading."""
        stats = numbers(lab.show("stats"))
        now = (stats["net0.rx"] + stats["net1.rx"], struct.unpack("4Q", self.file.read_bytes())[0])
        frames, done = (b - a for a, b in zip(self.last or now, now))
        self.last = now
        return frames, done / frames if frames else 0.0


class Fetch:
    """curl on the client's side, and how far it is."""

    def __init__(self, lab, to, size, limit):
        self.to, self.size = to, size
        self.start = self.said = time.monotonic()
        self.process = lab.popen("client", ["curl", "-sS", "--max-time", str(limit), "-o", str(to), URL],
                                 stdin=subprocess.DEVNULL)

    def wait(self, share):
        """Until that share of the file is there; False when curl has ended."""
        live = sys.stdout.isatty()
        while self.process.poll() is None:
            have = self.to.stat().st_size if self.to.exists() else 0
            if have and have >= share * self.size:
                break
            if live or time.monotonic() - self.said > 5:
                self.said = time.monotonic()
                print(f"{chr(13) if live else ''}   {have >> 20} of {self.size >> 20} MiB", end="" if live else "\n", flush=True)
            try:
                self.process.wait(0.05)
            except subprocess.TimeoutExpired:
                pass
        if live:
            print("\r" + " " * 40 + "\r", end="")
        return self.process.poll() is None


def rewrite(lab, fetch, meter):
    """Leads the path of the download from configuration to configuration; what went wrong, or None."""
    for i, (name, commands, wanted) in enumerate(STEPS):
        for line in commands:
            lab.command(line)
        stages, limit = [], time.monotonic() + RULE_SECONDS
        while stages[2:-2] != wanted and stages[1:-1] != wanted:
            if time.monotonic() > limit:
                return f"the path does not become {' '.join(wanted)}: {' '.join(stages)}"
            if not fetch.wait(0):
                return f"the file was there before the path became {' '.join(wanted)}"
            number, stages = road(lab)
        meter.read(lab)
        if not fetch.wait((i + 1) / (len(STEPS) + 1)):
            return f"the file was there before {name} had been measured"
        frames, cost = meter.read(lab)
        say(f"   {name:7} {' '.join(stages):32} {cost:7.0f} instructions/segment ({frames} segments)")
        if not frames:
            return f"no segment went through {name}"
    for line in lab.show(f"path {number}").splitlines():
        if line.startswith("  rule "):
            say(f"   {line.strip()}")
    return None


def settle(lab, before):
    """Wait until what the transfer used is given back; returns what is left over, by name."""
    limit = time.monotonic() + BACK_SECONDS
    while True:
        now = numbers(lab.show("mem"))
        slack = {"paths": 0, "flows": 0, "msgs_small": 0, "msgs_full": STASH}
        left = {k: now[k] - before[k] for k in slack if now[k] > before[k] + slack[k]}
        if not left or time.monotonic() > limit:
            return left, now
        time.sleep(0.5)


def transfer(nic, folder, megabytes):
    say(f"\n== a download through `firewall`, on two {nic} cards")
    size = megabytes << 20
    failures = []
    meter = Meter(folder)
    with Lab("firewall", nic=nic, settings=START, qemu_args=meter.qemu_args) as lab, Nginx(lab, folder) as web:
        want = make_file(web.html / "file", size)
        before = numbers(lab.show("mem"))
        say(f"   booted; nginx at 10.0.2.2:8080, curl {URL} at 10.0.1.2")
        got = folder / "got"
        fetch = Fetch(lab, got, size, 300)
        why = rewrite(lab, fetch, meter)
        if why:
            failures.append(why)
        status = fetch.process.wait()
        seconds = time.monotonic() - fetch.start
        if status:
            failures.append(f"curl ended with status {status}")
        else:
            with open(got, "rb") as f:
                have = hashlib.file_digest(f, "sha256").hexdigest()
            say(f"   sent     SHA-256 {want}\n   received SHA-256 {have}")
            if have != want:
                failures.append("the file came out different")
            say(f"   {megabytes} MiB in {seconds:.1f} s: {size * 8 / seconds / 1e6:.0f} Mbit/s, counted instruction by instruction")
        failures += give_back(lab, before)
    for f in failures:
        say(f"   FAILED on {nic}: {f}")
    return not failures


def watch(lab, curl, files, sizes):
    """Prints each configuration that the path takes while the answers come; which answers were spliced."""
    last, spliced = None, set()
    while curl.poll() is None:
        _, stages = road(lab)
        have = [f.stat().st_size if f.exists() else 0 for f in files]
        under_way = [i for i, n in enumerate(have) if 0 < n < sizes[i]]
        look = (f"answer {under_way[-1] + 1}" if under_way else "before", " ".join(stages) or "(no path from card to card)")
        if look != last:
            last = look
            say(f"   {look[0]:8} {look[1]}")
        if under_way and ("fwd" in stages or "ipfwd" in stages):
            spliced.add(under_way[-1])
        time.sleep(0.02)
    return spliced


def requests(folder, megabytes):
    """Two requests over one connection to two servers."""
    say("\n== two requests of one connection through `http`, on two e1000 cards")
    failures, size = [], megabytes << 20
    files = [folder / "first", folder / "second"]
    settings = {"msl": "1s", "waiting": "2s", "http.routes": "*/=10.0.2.2:8080,*/other=10.0.2.2:8081"}
    with Lab("http", settings=settings) as lab, Nginx(lab, folder / "a") as a, \
            Nginx(lab, folder / "b", listen="10.0.2.2:8081") as b:
        (b.html / "other").mkdir()
        want = [make_file(a.html / "file", size), make_file(b.html / "other/file", size)]
        before = numbers(lab.show("mem"))
        say("   booted; / goes to nginx at 10.0.2.2:8080, /other to nginx at 10.0.2.2:8081")
        curl = lab.popen("client", ["curl", "-sS", "--max-time", "120", "-w", "%{num_connects} ", "-o", str(files[0]),
                                    "http://10.0.1.1/file", "-o", str(files[1]), "http://10.0.1.1/other/file"],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        spliced = watch(lab, curl, files, [size, size])
        connects = curl.stdout.read().split()
        if curl.returncode or connects != ["1", "0"]:
            failures.append(f"curl ended with status {curl.returncode}; connections made: {connects}")
        for i, f in enumerate(files):
            with open(f, "rb") as data:
                have = hashlib.file_digest(data, "sha256").hexdigest()
            say(f"   answer {i + 1}: {megabytes} MiB, SHA-256 {'as sent' if have == want[i] else 'DIFFERENT'}"
                f"{', spliced' if i in spliced else ''}")
            if have != want[i]:
                failures.append(f"answer {i + 1} came out different")
            if i not in spliced:
                failures.append(f"answer {i + 1} was not seen spliced")
        failures += give_back(lab, before)
    for f in failures:
        say(f"   FAILED: {f}")
    return not failures


def give_back(lab, before):
    """What was dropped and what is left; a list with one sentence when that is anything."""
    left, after = settle(lab, before)
    say("   drops: " + ("; ".join(" ".join(l.split()[1:3]) for l in lab.show("drops").splitlines()
                                  if l.startswith("drop ") and l.split()[2] != "0") or "none"))
    say("   memory: " + ", ".join(f"{k} {after[k]}" for k in ("kernel_bytes", "path_bytes", "node_bytes", "paths") if k in after))
    # Quitting, the forwarder asserts that nothing is left: no path, timer, message or byte.
    if left:
        return ["not given back: " + ", ".join(f"{v} {k}" for k, v in left.items())]
    say("   every path and every buffer has been given back")
    return []


def stop(*_):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(description="fetch a file through the forwarder in QEMU")
    parser.add_argument("--nic", action="append", help="card (default: e1000, then tulip)")
    parser.add_argument("--size", type=int, default=192, metavar="MIB", help="size of the file (default: 192)")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
    folder = ROOT / f"build/demo-{os.getpid()}"
    held = []
    try:
        build()
        for nic in args.nic or ["e1000", "tulip"]:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            held.append(transfer(nic, folder, args.size))
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        held.append(requests(folder, args.size // 6))
    except LabError as e:
        say(f"FAILED: {e}")
        held.append(False)
    except KeyboardInterrupt:
        say("\ninterrupted; everything has been cleared away")
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    good = bool(held) and all(held)
    say("\n== all of it held" if good else "\n== FAILED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
