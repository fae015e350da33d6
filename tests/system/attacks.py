#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Attacks on the booted image, and loads that look like one. Beside each of them runs a spliced transfer, whose sum is
checked, and connections that come and go, none of which may fail; afterwards memory is where it was. Short by default;
--long has the full rates and times."""

import argparse
import json
import signal
import sys
import time

sys.dont_write_bytecode = True
from soak import GRAPHS, Running, web_files  # noqa: E402
from support import PORT, ROOT, SERVER, bench, finish, must, need  # noqa: E402
from transfers import MIB  # noqa: E402

sys.path.insert(0, str(ROOT / "bench"))
from laboratory.guest import MACS  # noqa: E402
from laboratory.nginx import Nginx  # noqa: E402  (support has put tools/ on the path)
from measure import build  # noqa: E402

TIMES = {"msl": "100ms", "waiting": "200ms", "rst": "300ms", "tcp.connect": "3s", "fragtime": "1s"}
SPOOFED = {"ip.route": "10.7.0.0/16=10.0.1.2"}  # the attacker's sources lie behind the client's router
CLIENTS = "40000-41023"  # ports that the client's connections use, and who attacks them guesses
BESIDE = ("--transfer", 2, "--rate", 2 * MIB, "--churn", 50)
IDLERS = ROOT / "tests/system/idlers.py"
IDLE_BYTES = 32 * MIB  # for ten thousand


# --- floods ---

class Flood:
    """Of that kind for so long, from the client's link; `sent` at the end."""

    def __init__(self, b, kind, rate, seconds, source="10.7.0.0/16", ports="1024-65535"):
        program = build("flood", "tests/system/flood.c")
        self.b, self.seconds = b, seconds
        self.p = b.popen("client", program, b.lab.device, kind, rate, seconds, source, ports, b.target, PORT, MACS[0])

    def end(self):
        out = self.p.communicate(timeout=self.seconds + 30)[0]
        must(self.p.returncode == 0 and out.startswith("sent "), "the flood did not run")
        return int(out.split()[1])


def figures(b):
    stats = b.lab.show("stats")
    return {w[0]: int(w[1]) for w in (line.split() for line in stats.splitlines()) if len(w) == 2 and w[1].isdigit()}


def beside(b, web, digest, words, attack, seconds):
    """The attack with honest traffic beside it; what the traffic did, and how many frames of the attack went out."""
    r = Running(b, web, digest, *words)
    time.sleep(0.5)
    before = figures(b)
    flood = attack()
    time.sleep(seconds)
    sent = flood.end() if flood else 0
    after = figures(b)
    done = r.end()
    got = after["net0.rx"] - before["net0.rx"]
    lost = after["net0.rx_nobuf"] - before["net0.rx_nobuf"]
    ms = done["connect_ms"]
    print(f"    {sent} frames of the attack, {got} frames received ({lost} without a buffer); beside it {done['done']},"
          f" {done['bytes'] / MIB:.0f} MiB; connect {ms.get('50', 0):.1f} ms, 99 % {ms.get('99', 0):.1f} ms", flush=True)
    must(done["done"].get("transfer", 0) > 0, "no transfer was finished beside it")
    return done, sent


def flood_cases(b, web, digest, long):
    rate, seconds = (20000, 60) if long else (5000, 10)
    quiet, _ = beside(b, web, digest, BESIDE, lambda: None, 2)
    peak = {}
    with b.case(f"R-ATK-4 SYN flood of {rate}/s, {seconds} s: every connection beside it opens, memory stays flat"):
        before = b.memory()
        done, sent = beside(b, web, digest, BESIDE, lambda: Flood(b, "syn", rate, seconds), seconds)
        peak = b.memory()
        must(sent > 0.9 * rate * seconds, f"only {sent} SYNs were sent")
        must(peak["paths"] - before["paths"] <= 400, f"{peak['paths']} paths")
        added = done["connect_ms"]["50"] - quiet["connect_ms"]["50"]
        print(f"    time to connect: {added:+.1f} ms in the middle; {b.lab.show('nodes').count('cookies-sent')} node with cookies", flush=True)
    rate, seconds = (20000, 20) if long else (5000, 3)
    own = {"source": "10.0.1.2/32", "ports": CLIENTS}
    for title, kind, words in (("R-ATK-1 RST flood on the clients' ports", "rst", own),
                               ("R-ATK-8 R-BAD-51 ACK flood on the clients' ports", "ack", own),
                               ("R-BAD-44 ACK flood from anywhere", "ack", {}),
                               ("R-ATK-6 ICMP flood: echoes, and errors about the clients' connections", "icmp", own),
                               ("R-ATK-5 R-BAD-16 flood of fragments that stay incomplete", "frag", {})):
        with b.case(f"{title}, {rate}/s for {seconds} s"):
            beside(b, web, digest, BESIDE, lambda k=kind, w=words: Flood(b, k, rate, seconds, **w), seconds)


def churn_case(b, web, long):
    need("wrk")
    want = 100000 if long else 10000
    with b.case(f"churn: {want} connections opened and closed, pools back at the start"):
        begun, count = passive(b), 0
        for _ in range(100):
            status, out = b.run("client", "wrk", "-t", 1, "-c", 50, "-d", "3s", "-H", "Connection: close", "--timeout", "10s",
                                f"http://{b.target}:{PORT}/small", timeout=60)
            must(status == 0, "wrk failed")
            must("Non-2xx" not in out and "connect 0, read" not in out.replace("connect 0, read 0", ""), out.strip().splitlines()[-1])
            count = passive(b) - begun
            if count >= want:
                break
        must(count >= want, f"only {count} connections")
        print(f"    {count} connections", flush=True)


def passive(b):
    words = (line.split() for line in b.lab.show("nodes").splitlines())
    return sum(int(w[1]) for w in words if len(w) == 2 and w[0] == "passive")


def firewall(long):
    with bench("firewall", "e1000", TIMES | SPOOFED) as b:
        if not b:
            return
        b.run("client", "sysctl", "-w", f"net.ipv4.ip_local_port_range={CLIENTS.replace('-', ' ')}")
        with Nginx(b.lab, b.folder / "nginx") as web:
            digest = web_files(web, 2 * MIB)
            Running(b, web, digest, *BESIDE).end()
            time.sleep(1)
            b.settle()
            flood_cases(b, web, digest, long)
            b.run("client", "sysctl", "-w", "net.ipv4.ip_local_port_range=16384 65535")
            churn_case(b, web, long)


# --- connections that only sit there ---

class Crowd:
    """Clients that do next to nothing (idlers.py)."""

    def __init__(self, b):
        self.client = b.popen("client", sys.executable, IDLERS, "connect", b.target, PORT)

    def tell(self, line):
        self.client.stdin.write(line + "\n")
        self.client.stdin.flush()
        return json.loads(self.client.stdout.readline())


class Idlers(Crowd):
    """And the server for all of them."""

    def __init__(self, b):
        server = b.popen("server", sys.executable, IDLERS, "listen", SERVER, PORT)
        must(server.stdout.readline() == "listening\n", "nobody listens")
        super().__init__(b)


def accounted(b):
    mem = b.memory()
    return sum(mem[k] for k in ("kernel_bytes", "path_bytes", "node_bytes", "path_table_bytes", "flow_table_bytes"))


def idle(long):
    n = 10000
    settings = TIMES | {"plug.backlog": "4096", "paths": "16384", "flows": "65536"}
    with bench("firewall", "e1000", settings) as b:
        if not b:
            return
        b.run("client", "sysctl", "-w", "net.ipv4.ip_local_port_range=16384 65535")
        first = Idlers(b)
        must(first.tell("open 1")["refused"] == 0 and first.tell("close"), "nothing goes through")
        b.end_programs()
        time.sleep(1)
        b.settle()
        with b.case(f"{n} idle connections, spliced, in {IDLE_BYTES // MIB} MB by the accounts; all answer, and all go"):
            before, crowd, begun = accounted(b), Idlers(b), time.monotonic()
            opened = crowd.tell(f"open {n}")
            must(opened == {"open": n, "refused": 0}, f"{opened}")
            held = accounted(b)
            asked = crowd.tell("ask")
            must(asked["wrong"] == 0, f"{asked['wrong']} of {n} did not answer")
            print(f"    {n} in {time.monotonic() - begun:.1f} s; {(held - before) / n:.0f} bytes each, {held / MIB:.1f} MB in all", flush=True)
            must(held <= IDLE_BYTES, f"{held} bytes")
            crowd.tell("close")


def limits(_):
    """Ports and paths run out."""
    with bench("firewall", "e1000", TIMES | {"tcp.ports": "40000-40099"}) as b:
        if not b:
            return
        with b.case("R-BAD-60 port exhaustion: who comes too late is refused, those there go on, afterwards all is well"):
            crowd = Idlers(b)
            opened = crowd.tell("open 104 4")
            must(opened == {"open": 100, "refused": 4}, f"of 104 {opened}")
            must(crowd.tell("ask")["wrong"] == 0, "those there do not answer")
            crowd.tell("close")
            time.sleep(2)
            must(crowd.tell("open 50")["refused"] == 0, "the ports do not come back")
            crowd.tell("close")
    with bench("firewall", "e1000", TIMES | {"paths": "200", "busy": "1s", "fwd.idle": "100s"}) as b:
        if not b:
            return
        with b.case("R-ATK-4 the limit of paths: the longest idle make room, those in use lose nothing"):
            used = Idlers(b)
            must(used.tell("open 20")["refused"] == 0, "not open")
            crowd = Crowd(b)
            for _ in range(6):
                opened = crowd.tell("open 50")
                must(opened["refused"] == 0, f"{opened}")
                for _ in range(3):
                    must(used.tell("ask")["wrong"] == 0, "one in use has lost something")
                    time.sleep(0.5)
            mem, gone = b.memory(), crowd.tell("alive")["gone"]
            there = set(range(300)) - set(gone)
            print(f"    {len(gone)} of 300 gone, {({k: v for k, v in mem.items() if 'evicted' in k and v})}", flush=True)
            must(there and 100 < len(gone), f"gone are {len(gone)}")
            must(max(gone) // 50 <= min(there) // 50, f"somebody newer went before somebody older: {gone}")
            must(mem["evicted_empty"] + mem["evicted_by_time"] >= len(gone), "they are not counted")
            must(used.tell("ask") == {"asked": 20, "wrong": 0}, "one in use has lost something")
            for c in (crowd, used):
                c.tell("close")


def loris(_):
    """Clients that send a head so slowly that it never ends."""
    many, seconds = 300, 2
    settings = GRAPHS["http"] | {"http.headtime": f"{seconds}s", "http.backlog": "1000"}
    with bench("http", "e1000", settings) as b:
        if not b:
            return
        with Nginx(b.lab, b.folder / "nginx") as web:
            digest = web_files(web, 2 * MIB)
            Running(b, web, digest, *BESIDE).end()
            time.sleep(1)
            b.settle()
            with b.case(f"R-BAD-69 slow-loris: {many} heads that never end are ended, requests beside them are served"):
                traffic, crowd = Running(b, web, digest, *BESIDE), Crowd(b)
                must(crowd.tell(f"open {many}")["refused"] == 0, "they do not even open")
                for _ in range(4 * seconds):
                    crowd.tell("drip")
                    time.sleep(0.5)
                left = crowd.tell("alive")["alive"]
                must(left == 0, f"{left} of {many} are still served")
                done = traffic.end()
                print(f"    beside it {done['done']}, {done['bytes'] / MIB:.0f} MiB", flush=True)
                crowd.tell("close")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--long", action="store_true", help="full rates and times")
    p.add_argument("--part", action="append", choices=("firewall", "idle", "limits", "loris"), help="default: all")
    args = p.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parts = {"firewall": firewall, "idle": idle, "limits": limits, "loris": loris}
    for part in args.part or parts:
        parts[part](args.long)
    return finish()


if __name__ == "__main__":
    sys.exit(main())
