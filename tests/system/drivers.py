#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""One list of tests, run over the driver of every card.

The graph `bridge` stands between two hosts that send and receive raw frames, so what is seen at the
one end is what the drivers made of it. The two ends are this file again, started in the namespaces
(`--send`, `--receive`, `--arp`). Then machines with other numbers of cards, and unknown ones."""

import json
import os
import pathlib
import random
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from lab import Lab, LabError  # noqa: E402
from laboratory import guest, netns  # noqa: E402

# Of each card: descriptors of its receive ring; whether it tells the guest when the cable is pulled;
# whether QEMU hands short frames to it as they are; how many frames back to back it must not lose
# (QEMU's tulip takes frames from the tap without asking for room in its ring).
CARDS = {"e1000": (256, True, False, 2000), "e1000e": (256, True, False, 2000), "tulip": (1024, False, False, 1000),
         "virtio": (256, True, True, 2000)}
SIDES = ("client", "server")
ETHERTYPE = 0x88B5  # for local experiments (IEEE 802)
FRAME_MIN, FRAME_MAX = 60, 1514
PAUSE = 400  # frames after which a sender that is not to be a burst waits
QUEUE = 4000  # frames a tap may hold, so that a burst is not lost before it reaches the card
failed = 0


def check(name, ok, why=""):
    global failed
    failed += not ok
    lines = str(why).strip().splitlines()
    print(f"ok {name}" if ok else f"not ok {name}: {lines[-1] if lines else ''}", flush=True)


# --- the ends, inside the namespaces ---


def frames(seed, sizes, to):
    """The frames of that seed: number in front, the rest random."""
    noise = random.Random(seed)
    head = bytes.fromhex(to.replace(":", "")) + b"\x02\0\0\0\x09\x09" + struct.pack("!H", ETHERTYPE)
    return [(head + struct.pack("!II", seed, i) + noise.randbytes(size))[:size] for i, size in enumerate(sizes)]


def open_raw(ethertype):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ethertype))
    s.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
    s.setsockopt(socket.SOL_SOCKET, 32, 64 << 20)  # SO_SNDBUFFORCE
    s.bind((netns.DEVICE, ethertype))
    return s


def send_main(seed, to, gap_us, sizes):
    s = open_raw(ETHERTYPE)
    for i, f in enumerate(frames(seed, sizes, to), 1):
        s.send(f)
        if gap_us > 0:
            time.sleep(gap_us / 1e6)
        elif gap_us < 0 and i % PAUSE == 0:
            time.sleep(0.1)


def receive_main(seed, to, quiet_s, sizes):
    """What arrived, until all is there or nothing has come for a while after the first."""
    s = open_raw(ETHERTYPE)
    want = [f + bytes(max(0, FRAME_MIN - len(f))) for f in frames(seed, sizes, to)]
    index = {f: i for i, f in enumerate(want)}
    print("listening", flush=True)
    order, damaged, s_wait = [], [], 10.0
    while len(order) < len(want):
        s.settimeout(s_wait)
        try:
            got = s.recv(4096)
        except TimeoutError:
            break
        s_wait = quiet_s
        if got in index:
            order.append(index[got])
        else:
            damaged.append(got[:80].hex() + f" of {len(got)}")
    print(json.dumps({"received": len(set(order)), "twice": len(order) - len(set(order)), "damaged": damaged[:3],
                      "ordered": order == sorted(order),
                      "missing": sorted(set(range(len(want))) - set(order))[:5]}))


def arp_main(mac, addr, asked):
    """Ask for an address by hand; the answer as it came, in hex."""
    s = open_raw(0x0806)
    us = bytes.fromhex(mac.replace(":", ""))
    request = b"\xff" * 6 + us + bytes.fromhex("0806" "0001" "0800" "06" "04" "0001") + us + socket.inet_aton(addr)
    request += bytes(6) + socket.inet_aton(asked)
    limit = time.monotonic() + 8
    while time.monotonic() < limit:
        s.send(request + bytes(18))
        s.settimeout(1)
        try:
            while True:
                got = s.recv(4096)
                if got[20:22] == b"\0\2" and got[28:32] == socket.inet_aton(asked):
                    print(got.hex())
                    return
        except TimeoutError:
            pass


# --- this side ---


class Bench:
    """A bridge on one kind of card, and how to send frames through it."""

    def __init__(self, nic, **options):
        self.nic = nic
        self.dir = tempfile.TemporaryDirectory()
        self.monitor_path = f"{self.dir.name}/monitor"
        self.lab = Lab("bridge", nic=nic, qemu_args=["-monitor", f"unix:{self.monitor_path},server,nowait",
                                                     *options.pop("qemu_args", [])], **options)
        self.seed = 0

    def __enter__(self):
        self.lab.up()
        for side in SIDES:
            self.lab.run(side, ["ip", "link", "set", netns.DEVICE, "txqueuelen", str(QUEUE)], check=True)
        return self

    def __exit__(self, *what):
        self.lab.__exit__(*what)
        self.dir.cleanup()

    def me(self, side, *words, **options):
        return self.lab.popen(side, [sys.executable, __file__, *map(str, words)], text=True, **options)

    def transfer(self, sizes, both=False, to=None, gap_us=0, quiet_s=1.0, held=False):
        """Frames from the client to the server, or both ways at once; a result per direction. gap_us 0:
        a burst; -1: bursts of PAUSE frames. held: the machine is stopped until all have been sent."""
        running = []
        for source, sink in ((SIDES, SIDES[::-1]) if both else (SIDES,)):
            self.seed += 1
            words = (self.seed, to or netns.SIDES[sink]["mac"], quiet_s, json.dumps(sizes))
            receiver = self.me(sink, "--receive", *words, stdout=subprocess.PIPE)
            receiver.stdout.readline()
            running.append((source, receiver, (words[0], words[1], gap_us, words[3])))
        if held:
            self.monitor("stop")
        senders = [self.me(source, "--send", *words) for source, _, words in running]
        for sender in senders:
            sender.wait(60)
        if held:
            self.monitor("cont")
        results = [json.loads(receiver.communicate(timeout=60)[0]) for _, receiver, _ in running]
        return results

    def intact(self, name, sizes, **options):
        results = self.transfer(sizes, **options)
        good = all(r["received"] == len(sizes) and not r["damaged"] and not r["twice"] and r["ordered"]
                   for r in results)
        check(f"drivers {self.nic}: {name}", good, f"{results} {self.brief()}")

    def stats(self):
        return dict(line.split(maxsplit=1) for line in self.lab.show("stats").splitlines() if " " in line)

    def number(self, name):
        return int(self.stats()[name].split()[0])

    def brief(self):
        s = self.stats()
        return {k: s[k] for k in s if re.fullmatch(r"net\d\.(rx|tx|rx_bad|rx_nobuf|tx_full)", k) or k == "drop"}

    def link(self, card):
        return self.stats()[f"net{card}"].split()[-1]

    def monitor(self, line):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.monitor_path)
            s.sendall(line.encode() + b"\n")
            s.settimeout(5)
            text = b""
            while text.count(b"(qemu)") < 2:
                text += s.recv(4096)


def test_frames(b):
    every = list(range(FRAME_MIN, FRAME_MAX + 1))
    b.intact("frames of every length from 60 to 1514, there", every, gap_us=-1)
    b.intact("frames of every length, both ways at once", every, both=True, gap_us=-1)
    b.intact("broadcast", [60, 600, 1514], to="ff:ff:ff:ff:ff:ff")
    b.intact("multicast", [60, 600, 1514], to="01:00:5e:00:00:fb")
    b.intact("a frame at a time", [64] * 50, gap_us=2000)
    b.intact("frames to another station are bridged too", [60, 1514], to="02:00:00:00:77:77")
    if CARDS[b.nic][2]:
        b.intact("short frames are padded with zeros", [22, 30, 42, 59] * 8, gap_us=500)


def test_counting(b):
    before, sizes = b.stats(), [100] * 40 + [1000] * 10
    b.transfer(sizes)
    after = b.stats()

    def more(name):
        return int(after[name]) - int(before[name])

    check(f"drivers {b.nic}: show stats counts frames and bytes",
          more("net0.rx") == 50 and more("net1.tx") == 50 and more("net0.rx_bytes") == sum(sizes)
          and more("net1.tx_bytes") == sum(sizes) and more("net1.rx") == 0, (before, after))
    check(f"drivers {b.nic}: both links are up", b.link(0) == b.link(1) == "up")


def test_burst(b):
    burst = CARDS[b.nic][3]
    bells = b.number("net1.doorbells")
    b.intact(f"{burst} frames of 60 bytes back to back", [60] * burst)
    bells = b.number("net1.doorbells") - bells
    check(f"drivers {b.nic}: fewer doorbells than frames in a burst", 0 < bells < burst // 2, bells)
    b.intact(f"{burst} frames of 1514 bytes back to back", [1514] * burst)
    b.intact(f"{burst} frames back to back both ways", [60, 1514] * (burst // 2), both=True)


def test_overload(b):
    """More than can be carried, from both sides; how much gets through is not the question."""
    results = b.transfer([60] * 20000, both=True, quiet_s=0.5)
    check(f"drivers {b.nic}: under overload nothing is damaged or doubled",
          all(r["received"] and not r["damaged"] and not r["twice"] for r in results), results)
    b.intact("after overload all is well", [60, 1514] * 50, both=True, gap_us=1000)


def test_link(b):
    if not CARDS[b.nic][1]:
        return
    b.monitor("set_link net1 off")
    time.sleep(0.3)
    check(f"drivers {b.nic}: a pulled cable is seen", (b.link(0), b.link(1)) == ("up", "down"), b.stats())
    results = b.transfer([60] * 20, quiet_s=0.3)
    drops = b.lab.show("drops")
    check(f"drivers {b.nic}: frames for a card without a link are nic.down",
          results[0]["received"] == 0 and "drop nic.down 20 " in drops, f"{results} {drops}")
    b.monitor("set_link net1 on")
    limit = time.monotonic() + 10
    while b.link(1) != "up" and time.monotonic() < limit:
        time.sleep(0.1)
    check(f"drivers {b.nic}: the cable is back", b.link(1) == "up", b.stats())
    b.intact("the link carries again", [60, 1514] * 10, both=True, gap_us=500)


def test_no_buffers(nic):
    """Both rings full and eight buffers more: a burst finds none left, a frame at a time does."""
    with Bench(nic, settings={"buffers": 2 * CARDS[nic][0] + 8}) as b:
        results = b.transfer([60] * 200, held=True)
        lost = b.number("net0.rx_nobuf")
        check(f"drivers {nic}: without buffers frames are rx_nobuf and no.buffer",
              lost > 0 and f"drop no.buffer {lost} " in b.lab.show("drops") and not results[0]["damaged"],
              f"{results} {b.brief()}")
        b.intact("the receive ring is not starved for good", [60, 1514] * 20, gap_us=3000)


def test_padding(nic):
    with Lab("router", nic=nic) as lab:
        facts = netns.SIDES["client"]
        done = lab.run("client", [sys.executable, __file__, "--arp", facts["mac"], facts["addr"], "10.0.1.1"],
                       capture_output=True, text=True)
        reply = bytes.fromhex(done.stdout.strip())
        check(f"drivers {nic}: a frame of 42 bytes leaves as 60, the rest zeros",
              len(reply) == FRAME_MIN and not any(reply[42:]), reply.hex())


def test_card(nic):
    b = Bench(nic)
    try:
        with b:
            for test in (test_frames, test_counting, test_burst, test_overload, test_link):
                test(b)
        check(f"drivers {nic}: quit gives back every buffer", True)
    except LabError as e:
        check(f"drivers {nic}: quit gives back every buffer", False, e)
    test_no_buffers(nic)
    test_padding(nic)


def boot(*cards):
    """A machine with these cards, until it ends: exit status and console."""
    words = ["qemu-system-x86_64", "-nodefaults", "-machine", "pc", "-cpu", "max", "-m", "32", "-display", "none",
             "-no-reboot", "-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04", "-kernel",
             str(guest.image_path("bridge", False))]
    for card in cards:
        words += ["-device", card]
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired as e:
        return None, str(e.stdout)
    return done.returncode, done.stdout


def test_numbers():
    for name, cards, says in (
            ("no card", [], ("no network card found", "card 0 is missing")),
            ("one card", ["e1000"], ("net0: e1000", "card 1 is missing; found net0 (e1000)")),
            ("an unsupported card", ["rtl8139"], ("10ec:8139 is not supported", "card 0 is missing")),
            ("a virtio card without the modern interface", ["virtio-net-pci,disable-modern=on"],
             ("without the modern interface", "card 0 is missing"))):
        status, console = boot(*cards)
        check(f"drivers: {name}: a clear message and a failed boot",
              status not in (None, 0, guest.QEMU_OK) and all(s in console for s in says), (status, console))
    try:
        with Bench("e1000", qemu_args=["-device", "tulip,addr=8", "-device", "rtl8139,addr=9"]) as b:
            log = b.lab.show("log")
            check("drivers: a third card is named and not used", "net2: not used by graph bridge" in log, log)
            check("drivers: an unsupported card beside others is named", "10ec:8139 is not supported" in log, log)
            b.intact("frames pass beside unused cards", [60, 1514], both=True)
        with Bench("virtio", qemu_args=["-device", "e1000-82545em,addr=8", "-device",
                                          "virtio-net-pci,addr=9"]) as b:
            log = b.lab.show("log")
            check("drivers: 82545EM and a transitional virtio card are known",
                  re.search("net2: e1000 at", log) and re.search("net3: virtio at", log), log)
    except LabError as e:
        check("drivers: other numbers of cards", False, e)


def main():
    if len(sys.argv) > 1 and sys.argv[1] in ("--send", "--receive"):
        seed, to, wait, sizes = sys.argv[2:]
        if sys.argv[1] == "--send":
            send_main(int(seed), to, int(wait), json.loads(sizes))
        else:
            receive_main(int(seed), to, float(wait), json.loads(sizes))
        return 0
    if sys.argv[1:2] == ["--arp"]:
        arp_main(*sys.argv[2:])
        return 0
    only = [a for a in sys.argv[1:] if a in CARDS]
    for nic in only or CARDS:
        try:
            test_card(nic)
        except (LabError, subprocess.SubprocessError, OSError, ValueError) as e:
            check(f"drivers {nic}: runs to the end", False, e)
    if not only:
        test_numbers()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
