#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The Linux program: its command line, its cards, its clocks, how it ends.

Cards that need an interface are tried in a network namespace of their own (`unshare -Urn`), which
this script enters by running itself again.
"""

import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
ECHO, BRIDGE, ROUTER = (str(ROOT / "build/hosted" / g) for g in ("echo", "bridge", "router"))
failed = 0


def check(name, ok, why=""):
    global failed
    failed += not ok
    line = " / ".join(str(why).splitlines()[:3])
    print(f"ok hosted: {name}" if ok else f"not ok hosted: {name}: {line}", flush=True)


def run(*words, text=""):
    return subprocess.run(words, input=text, capture_output=True, text=True, timeout=60, cwd=ROOT)


def checksum(b):
    b += b"\0" * (len(b) % 2)
    s = sum(struct.unpack(f">{len(b) // 2}H", b))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff


def ping(sequence):
    """An echo request from 10.0.1.2 to 10.0.1.1, as a frame."""
    icmp = struct.pack(">BBHHH", 8, 0, 0, 7, sequence) + b"towpath"
    icmp = icmp[:2] + struct.pack(">H", checksum(icmp)) + icmp[4:]
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(icmp), 1, 0, 64, 1, 0, bytes([10, 0, 1, 2]), bytes([10, 0, 1, 1]))
    ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    return b"\x52\x54\0\0\x01\x01\x02\0\0\0\x01\x02\x08\0" + ip + icmp


def arp(op, to):
    return (to + b"\x02\0\0\0\x01\x02\x08\x06" + struct.pack(">HHBBH", 1, 0x800, 6, 4, op)
            + b"\x02\0\0\0\x01\x02" + bytes([10, 0, 1, 2]) + b"\0" * 6 + bytes([10, 0, 1, 1]))


def pcap_write(path, frames):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for at, frame in frames:
            f.write(struct.pack("<IIII", int(at), int(at % 1 * 1e6), len(frame), len(frame)) + frame)


def pcap_read(path):
    data, frames = pathlib.Path(path).read_bytes(), []
    unit = {0xa1b2c3d4: 1e-6, 0xa1b23c4d: 1e-9}[struct.unpack_from("<I", data)[0]]
    at = 24
    while at < len(data):
        seconds, fraction, n = struct.unpack_from("<III", data, at)
        frames.append((seconds + fraction * unit, data[at + 16:at + 16 + n]))
        at += 16 + n
    return frames


def command_line():
    r = run(ECHO, "--help")
    check("--help lists cards and settings", r.returncode == 0 and "tap-fd:N" in r.stdout and "ip.ttl=64" in r.stdout, r)
    for words, says in (
            (["--nonsense"], "--nonsense"), (["--for"], "--for"), (["--for", "5"], "unit"), (["nonsense"], "name=value"),
            (["--mem", "x"], "a size"), (["--dev", "sim:a"] * 9, "too many cards")):
        r = run(ECHO, *words)
        check(f"refuses {' '.join(words[:4])}", r.returncode == 2 and says in r.stderr, r)
    for words, says in (
            (["--dev", "x:y"], "expected tap:NAME"), (["--dev", "tap-fd:99"], "not the number of an open file"),
            (["--dev", "tap-fd:0"], "not a tap"), (["--dev", "packet:nonesuch"], "No such device"),
            (["--dev", "pcap:/nonexistent:"], "No such file"), (["--dev", "sim:a,mtu=9000"], "mtu=68 to"),
            (["--dev", "sim:a,mac=03:00:00:00:00:01"], "mac="), (["--mem", "4k"], "too little memory"),
            (["--dev", "sim:a", "--dev", "sim:a", "--dev", "sim:a"], "two ends already"),
            (["--dev", "tap:averyveryverylongname"], "at most 15")):
        r = run(ECHO, *words)
        check(f"says what is wrong with {' '.join(words[:2])}", r.returncode == 1 and says in r.stderr, r)
    r = run(ECHO, "--dev", "sim:a", "ip.ttl=0")
    check("a wrong setting stops the boot", r.returncode == 1 and r.stdout.count("error:") == 1, r.stdout)


def captures(folder):
    asked, answered = folder / "in.pcap", folder / "out.pcap"
    times = [0.0, 0.5, 100.0, 3000.25]
    us = b"\x52\x54\0\0\x01\x01"
    frames = []
    for i, t in enumerate(times):  # and the answer to the question that it will ask before it answers
        frames += [(1000 + t, ping(i)), (1000 + t + 0.01, arp(2, us))]
    pcap_write(asked, frames)
    began = time.monotonic()
    words = [ECHO, "--virtual-clock", "--for", "4000s", "--dev", f"pcap:{asked}:{answered}", "seed=7"]
    r = run(*words)
    took = time.monotonic() - began
    answers = [(t, f) for t, f in pcap_read(answered) if f[12:14] == b"\x08\0"]
    check("pcap: each echo is answered", r.returncode == 0 and len(answers) == len(times), r.stdout)
    check("pcap: answers have the times of the questions",
          all(abs(a[0] - t) < 0.02 for a, t in zip(answers, times)), [a[0] for a in answers])
    check("pcap: the answer is the question turned round",
          all(f[26:34] == bytes([10, 0, 1, 1, 10, 0, 1, 2]) and f[34] == 0 and f[38:] == ping(i)[38:]
              for i, (_, f) in enumerate(answers)), answers[:1])
    check("virtual clock: 4000 s go by in no time", took < 30, took)
    first = answered.read_bytes()
    run(*words)
    check("virtual clock and seed: the same run again, byte for byte", first == answered.read_bytes())


def wires():
    r = run(BRIDGE, "--virtual-clock", "--for", "10s", "--dev", "sim:a", "--dev", "sim:a", text="show stats\nquit\n")
    check("sim: a wire between two cards of one program", r.returncode == 0 and "0 bytes not given back" in r.stdout, r)


def silent_reader(folder):
    """Who asks and never reads what it is told: a pipe, then a terminal. Then who hangs up."""
    asked, answered = folder / "in.pcap", folder / "out.pcap"
    text = b"show settings\n" * 3000 + b"quit\n"
    for kind in ("pipe", "terminal"):
        ours, its = os.pipe() if kind == "pipe" else os.openpty()
        p = subprocess.Popen([ECHO, "--dev", f"pcap:{asked}:{answered}"], stdin=subprocess.PIPE, stdout=its, cwd=ROOT)
        os.close(its)
        try:
            p.communicate(text, timeout=60)
            check(f"R-BAD-74 a {kind} that is never read stops nothing: 3,000 commands are taken, and the last obeyed",
                  p.returncode == 0, p.returncode)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
            check(f"R-BAD-74 a {kind} that is never read stops nothing: 3,000 commands are taken, and the last obeyed",
                  False, "it waits for its reader")
        os.close(ours)
    p = subprocess.Popen([ECHO, "--dev", f"pcap:{asked}:{answered}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         cwd=ROOT)
    much = b"show settings\n" * 12000 + b"quit\n"  # four megabytes of answers
    typist = threading.Thread(target=lambda: (p.stdin.write(much), p.stdin.close()))
    typist.start()
    time.sleep(0.3)  # it fills the pipe meanwhile, and has much more to say than it may keep
    said = p.stdout.read()
    typist.join()
    p.stdout.close()
    check("R-ATK-17 commands wait for a slow reader, who gets all of 12,000 answers",
          p.wait(10) == 0 and said.count(b"towpath> ") == 12001, (p.returncode, len(said), said.count(b"towpath> ")))
    ours, its = os.pipe()
    p = subprocess.Popen([ECHO, "--dev", f"pcap:{asked}:{answered}"], stdin=subprocess.PIPE, stdout=its, cwd=ROOT)
    os.close(its)
    p.stdin.write(b"show settings\n" * 10)
    p.stdin.flush()
    os.read(ours, 100)
    os.close(ours)
    p.communicate(b"show settings\nquit\n", timeout=60)
    check("R-BAD-74 a console client that goes away in the middle of an answer ends nothing", p.returncode == 0, p.returncode)


def endings():
    for number in (signal.SIGINT, signal.SIGTERM):
        p = subprocess.Popen([ECHO, "--dev", "sim:a"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        while "ready" not in p.stdout.readline():
            pass
        p.send_signal(number)
        rest = p.stdout.read()
        check(f"{number.name} ends it cleanly", p.wait(10) == 0 and "0 bytes not given back" in rest, rest)
        p.stdin.close()
        p.stdout.close()
    r = run(ECHO, "--dev", "sim:a", "--for", "300ms")
    check("--for ends it", r.returncode == 0 and "0 bytes not given back" in r.stdout, r)
    r = run(ECHO, "--dev", "sim:a", text="show mem\nset ip.ttl=9\nquit\n")
    check("the console answers and quits", r.returncode == 0 and "flows 0" in r.stdout and "ip.ttl=9" in r.stdout, r)
    r = run(ECHO, "--dev", "sim:a", "--for", "1s", text="x" * 100000 + "\nshow mem\n")
    check("a console line without an end does no harm", r.returncode == 0 and "flows 0" in r.stdout, r.stdout[-300:])


def inside():
    """In a namespace of our own: a tap by name, and a packet socket on one end of a veth pair."""
    def sh(line):
        subprocess.run(line, shell=True, check=True, stdout=subprocess.DEVNULL)
    sh("ip link set lo up")
    p = subprocess.Popen([ECHO, "--dev", "tap:towpath0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    while "ready" not in p.stdout.readline():
        pass
    sh("ip addr add 10.0.1.2/24 dev towpath0 && ip link set towpath0 up")
    r = run("ping", "-c", "3", "-i", "0.2", "-W", "2", "10.0.1.1")
    check("tap: Linux pings it", r.returncode == 0, r.stdout)
    sh("ip link set towpath0 down")
    sh("ip link set towpath0 up")
    r = run("ping", "-c", "2", "-i", "0.2", "-W", "2", "10.0.1.1")
    check("tap: and again after the interface was down", r.returncode == 0, r.stdout)
    p.communicate("quit\n", timeout=10)
    check("tap: ends cleanly", p.returncode == 0)
    sh("ip link add near type veth peer name far && ip link set far up")
    sh("ip addr add 10.0.1.2/24 dev near && ip link set near up")
    p = subprocess.Popen([ECHO, "--dev", "packet:far"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    while "ready" not in p.stdout.readline():
        pass
    r = run("ping", "-c", "3", "-i", "0.2", "-W", "2", "10.0.1.1")
    check("packet: Linux pings it over a veth pair", r.returncode == 0, r.stdout)
    r = run(sys.executable, "-c", "import socket as s; u = s.socket(s.AF_INET, s.SOCK_DGRAM); u.settimeout(3);"
            "u.sendto(b'towpath' * 9, ('10.0.1.1', 7)); print(u.recv(99).decode())")
    check("packet: a UDP checksum that Linux left to the card is finished", "towpathtowpath" in r.stdout, r.stderr)
    p.communicate("quit\n", timeout=10)
    check("packet: ends cleanly", p.returncode == 0)


def main():
    if sys.argv[1:] == ["--inside"]:
        inside()
        return 1 if failed else 0
    for program in (ECHO, BRIDGE, ROUTER):
        if not os.access(program, os.X_OK):
            print(f"not ok hosted: {program} is not there; make host GRAPH=all makes it")
            return 1
    folder = pathlib.Path(tempfile.mkdtemp(prefix="towpath-hosted-"))
    try:
        command_line()
        captures(folder)
        wires()
        silent_reader(folder)
        endings()
    finally:
        shutil.rmtree(folder)
    words = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-Urn"]
    if subprocess.run([*words, "true"], capture_output=True).returncode or not os.access("/dev/net/tun", os.W_OK):
        print("skip hosted: tap and packet: no network namespaces, or no /dev/net/tun, here")
    elif subprocess.run([*words, sys.executable, __file__, "--inside"], cwd=ROOT).returncode:
        return 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
