#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Steady mixed traffic through the booted image for as long as wished: curls up and down with their sums, connections
that come and go, idle ones, broken ones, and splices that are taken back and made again all the time. Nothing may
fail; and when the traffic is over memory is to the byte what it was after the warm-up (drift 0)."""

import argparse
import json
import random
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from support import PORT, ROOT, SERVER, Bad, bench, finish, must, side_by_side  # noqa: E402
from transfers import MIB, make_file  # noqa: E402

from laboratory.nginx import Nginx  # noqa: E402  (support has put tools/ on the path)

SHORT_SECONDS, WARM_SECONDS, HELD_SECONDS = 12, 4, 40
TIMES = {"msl": "200ms", "waiting": "400ms", "rst": "500ms"}
GRAPHS = {
    "firewall": TIMES | {"plug.backlog": "1000"},
    "http": TIMES | {"http.backlog": "1000", "http.listen": f"10.0.1.1:{PORT}", "http.routes": f"*/={SERVER}:{PORT}", "http.headtime": "60s"},
}
LOAD = ("--transfer", 2, "--upload", 1, "--rate", MIB, "--churn", 10, "--idle", 20, "--reset", 2)
DRIFT = ("kernel_bytes", "node_bytes", "path_bytes", "paths", "flows", "timers", "msgs_small", "shapes")
AT_REST_SECONDS = 20
CROWD = 400
BUFFER_BYTES = 2304  # what a receive buffer is charged; the cards keep some for the next frames


class Running:
    """traffic.py on the client's side of a bench."""

    def __init__(self, b, web, digest, *words):
        self.b = b
        self.p = b.popen("client", sys.executable, ROOT / "tests/system/traffic.py", b.target, PORT, web.html, "--sum", digest, *words)
        must(self.p.stdout.readline() == "running\n", "the traffic does not start")

    def end(self, timeout=200):
        """What was done; Bad when anything failed."""
        try:
            out = self.p.communicate("enough\n", timeout=timeout)[0]
        except subprocess.TimeoutExpired:
            raise Bad(f"the traffic does not end within {timeout} s") from None
        facts = json.loads(out.splitlines()[-1])
        for line in facts["failures"]:
            print(f"    failed: {line}", flush=True)
        must(not facts["failed"], f"{facts['failed']} failed, the first: {(facts['failures'] or ['?'])[0]}")
        return facts


def web_files(web, size):
    (web.html / "up").mkdir(exist_ok=True)
    (web.html / "small").write_bytes(b"x" * 1000)
    return make_file(web.html / "file", size)


def at_rest(b):
    """show mem when nothing moves any more."""
    last, limit = None, time.monotonic() + AT_REST_SECONDS
    while time.monotonic() < limit:
        mem = b.memory()
        mem["kernel_bytes"] -= mem["msgs_full"] * BUFFER_BYTES
        now = {k: v for k, v in mem.items() if k in DRIFT}
        if now == last:
            return now
        last = now
        time.sleep(1.5)
    return last


def load(b, web, digest, seconds, draw):
    """The traffic for so long, with splices toggled at random."""
    r = Running(b, web, digest, *LOAD, "--hold", min(HELD_SECONDS, seconds))
    limit, toggles, most = time.monotonic() + seconds, 0, {}
    while time.monotonic() < limit:
        b.lab.command(f"{'unsplice' if toggles % 2 == 0 else 'splice'} all")
        toggles += 1
        time.sleep(draw.uniform(0.1, 1.0))
        if toggles % 16 == 0:
            most = {k: max(v, most.get(k, 0)) for k, v in b.memory().items()}
    b.lab.command("splice all")
    return r.end(), toggles, most


def fill_tables(b):
    """Tables of paths and flows stay as large as they have ever been: larger than the traffic needs them."""
    p = b.popen("client", sys.executable, ROOT / "tests/system/idlers.py", "connect", b.target, PORT)
    out = p.communicate(f"open {CROWD}\nclose\n", timeout=60)[0]
    must(f'"closed": {CROWD}' in out, f"the tables are not filled: {out}")


def soak(b, seconds, seed):
    draw = random.Random(seed)
    with Nginx(b.lab, b.folder / "nginx") as web:
        digest = web_files(web, 2 * MIB)
        fill_tables(b)
        load(b, web, digest, WARM_SECONDS, draw)
        before = at_rest(b)
        name = f"soak of {seconds} s: nothing fails, drift 0 bytes"
        with b.case(name):
            facts, toggles, most = load(b, web, digest, seconds, draw)
            after = at_rest(b)
            print(f"    {facts['done']}, {facts['bytes'] / MIB:.0f} MiB, {toggles} times spliced or unspliced, seed {seed}", flush=True)
            print(f"    at rest {after}; most seen {({k: most[k] for k in DRIFT} if most else 'not looked')}", flush=True)
            moved = {k: after[k] - before[k] for k in DRIFT if after[k] != before[k]}
            if moved:
                print("".join(f"    | {line}\n" for line in b.lab.show("paths").splitlines()), end="", flush=True)
            must(not moved, f"drift: {moved}")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--minutes", type=float, help="how long, per graph; default: short")
    p.add_argument("--long", action="store_true", help="one hour")
    p.add_argument("--graph", action="append", choices=GRAPHS, help="default: all, side by side")
    p.add_argument("--nic", default="e1000")
    p.add_argument("--seed", type=int, default=1)
    args = p.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    minutes = args.minutes or (60 if args.long else SHORT_SECONDS / 60)
    graphs = args.graph or list(GRAPHS)
    if len(graphs) > 1:
        common = ["--minutes", str(minutes), "--nic", args.nic, "--seed", str(args.seed)]
        return side_by_side(__file__, [["--graph", g, *common] for g in graphs])
    with bench(graphs[0], args.nic, GRAPHS[graphs[0]]) as b:
        if b:
            soak(b, round(60 * minutes), args.seed)
    return finish()


if __name__ == "__main__":
    sys.exit(main())
