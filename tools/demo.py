#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""make demo: a file goes from nginx to curl through a forwarder that QEMU runs, twice.

Builds the image firewall-1path, boots it between two namespaces on two e1000 cards, fetches 64 MiB,
compares SHA-256, shows the paths while it runs and the numbers after it; then again on two tulips.
Exit status 0 only if all of it held. Nothing stays but build/.
"""

import argparse
import hashlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from lab import Lab, LabError  # noqa: E402
from laboratory.nginx import Nginx  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
GRAPH = "firewall-1path"
URL = "http://10.0.1.1:8080/file"
BACK_SECONDS = 30
STASH = 256  # receive buffers that the drivers keep at hand (drivers/ring.h)


def say(text=""):
    print(text, flush=True)


def numbers(text):
    """`name value` lines as a dictionary."""
    pairs = (line.split() for line in text.splitlines())
    return {p[0]: int(p[1]) for p in pairs if len(p) == 2 and p[1].isdigit()}


def one_path(text):
    """The lines of `show paths` about a path that leads from card to card."""
    lines, take = [], False
    for line in text.splitlines():
        if not line.startswith(" "):
            take = "eth0" in line and "eth1" in line
        if take:
            lines.append(line)
    return lines


def build():
    say(f"== build: make image GRAPH={GRAPH}")
    done = subprocess.run(["make", "--no-print-directory", f"-j{os.cpu_count()}", "image", f"GRAPH={GRAPH}"], cwd=ROOT)
    if done.returncode:
        raise LabError("the image does not build")
    size = (ROOT / f"build/x86_64/{GRAPH}.elf").stat().st_size
    say(f"   build/x86_64/{GRAPH}.elf: {size / 1024:.0f} KiB")


def make_file(path, size):
    digest = hashlib.sha256()
    with open(path, "wb") as f:
        for left in range(size, 0, -(1 << 20)):
            block = os.urandom(min(left, 1 << 20))
            digest.update(block)
            f.write(block)
    return digest.hexdigest()


def fetch(lab, to, size, limit):
    """curl on the client's side; its exit status, the seconds, and a look at the paths meanwhile."""
    shown = []
    live = sys.stdout.isatty()
    start = said = time.monotonic()
    curl = lab.popen("client", ["curl", "-sS", "--max-time", str(limit), "-o", str(to), URL], stdin=subprocess.DEVNULL)
    while curl.poll() is None:
        try:
            curl.wait(0.2)
        except subprocess.TimeoutExpired:
            pass
        have = to.stat().st_size if to.exists() else 0
        if curl.poll() is None and have and not shown:
            shown = one_path(lab.show("paths"))
            for line in shown:
                say(f"   {line}")
        if live or time.monotonic() - said > 5:
            said = time.monotonic()
            print(f"{chr(13) if live else ''}   {have >> 20} of {size >> 20} MiB", end="" if live else "\n", flush=True)
    seconds = time.monotonic() - start
    if live:
        print("\r" + " " * 40 + "\r", end="")
    return curl.returncode, seconds, shown


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
    say(f"\n== {GRAPH} on two {nic} cards")
    size = megabytes << 20
    failures = []
    with Lab(GRAPH, nic=nic, settings={"msl": "1s"}) as lab, Nginx(lab, folder) as web:
        want = make_file(web.html / "file", size)
        before = numbers(lab.show("mem"))
        say(f"   booted; nginx at 10.0.2.2:8080, curl {URL} at 10.0.1.2")
        got = folder / "got"
        status, seconds, shown = fetch(lab, got, size, 300)
        if status:
            failures.append(f"curl ended with status {status}")
        else:
            with open(got, "rb") as f:
                have = hashlib.file_digest(f, "sha256").hexdigest()
            say(f"   sent     SHA-256 {want}\n   received SHA-256 {have}")
            if have != want:
                failures.append("the file came out different")
            say(f"   {megabytes} MiB in {seconds:.1f} s: {size * 8 / seconds / 1e6:.0f} Mbit/s")
        if not shown:
            failures.append("no path from eth0 to eth1 was seen while the file was under way")
        left, after = settle(lab, before)
        say("   drops: " + ("; ".join(" ".join(l.split()[1:3]) for l in lab.show("drops").splitlines()
                                      if l.startswith("drop ") and l.split()[2] != "0") or "none"))
        say("   memory: " + ", ".join(f"{k} {after[k]}" for k in ("kernel_bytes", "path_bytes", "node_bytes", "paths") if k in after))
        if left:
            failures.append("not given back: " + ", ".join(f"{v} {k}" for k, v in left.items()))
    # Quitting, the forwarder asserts that nothing is left: no path, timer, message or byte.
    if not failures:
        say("   every path and every buffer has been given back")
    for f in failures:
        say(f"   FAILED on {nic}: {f}")
    return not failures


def stop(*_):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(description="fetch a file through the forwarder in QEMU")
    parser.add_argument("--nic", action="append", help="card (default: e1000, then tulip)")
    parser.add_argument("--size", type=int, default=64, metavar="MIB", help="size of the file (default: 64)")
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
