#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Linux at both ends, and a bad wire (tools/badwire.c) to one of them or to both: loss in bursts, delay, frames that
overtake, come twice or with a bit turned, by seed. Streams must be exact: proxied, spliced, and spliced and unspliced under
way. Short by default; --long has more seeds, each treatment of a splice, each card. `--seed N --card hosted` repeats one."""

import argparse
import contextlib
import signal
import sys
import time

sys.dont_write_bytecode = True
from splice import SETTINGS, both_ways, toggled  # noqa: E402
from splicing import nstat, transfer_done, wait_proxied  # noqa: E402
from support import NICS, Bad, bench, finish, must, side_by_side, verdict  # noqa: E402
from transfers import MIB, both_at_once, download  # noqa: E402

from laboratory.nginx import Nginx  # noqa: E402  (support has put tools/ on the path)
from laboratory.wire import Wire, plain  # noqa: E402

GRAPH = "firewall"
# What a wire of a continent would be ashamed of, but for its short delay, which keeps the test short.
FAULTS = {"delay": "2ms", "jitter": "1ms", "loss": "0.5%", "burst": 3, "double": "1%", "damage": "0.5%", "reorder": "1%",
          "late": "3ms"}
BAD_SIDES = (("client", "server"), ("client",), ("server",))
TREATMENTS = ("absorb", "hold", "concurrent")
PACE = 8 * MIB
LIMIT = 90  # seconds a transfer may take
SEEN = ("lost", "doubled", "damaged", "reordered")


@contextlib.contextmanager
def wires(b, bad, seed):
    """A wire to each host; afterwards their counters, added up. Only one of them damages: through a splice a frame could
    else be damaged twice, and two bits can undo each other in TCP's checksum, which nothing between the hosts can find."""
    total = dict.fromkeys(SEEN, 0)
    damaging = bad[seed // 3 % len(bad)]
    none = {"damage": "0"}
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(Wire(b.lab, side, f"box-{side}", seed=2 * seed + i, **FAULTS | (none if side != damaging else {}))
                                    if side in bad
                                    else plain(b.lab, side)) for i, side in enumerate(("client", "server"))]
        yield total
    for w in made:
        for way in w.counters.values():
            must(not way["missed"], f"badwire was too slow for {way['missed']} frames")
            for name in SEEN:
                total[name] += way[name]


def proxied(b, size, down):
    if down:
        sender, receiver = b.server(f"send:{size}", "shut", "recvall"), b.client("recvall", "shut")
    else:
        receiver = b.server("recvall", "shut")
        sender = b.client(f"send:{size}", "shut", "recvall")
    wait_proxied(b)
    transfer_done(b, sender, receiver, LIMIT)


def found_damage(b):
    """How many datagrams the hosts have refused for a checksum; the box's own are in `show stats`."""
    counts = [nstat(b, side) for side in ("client", "server")]
    return sum(c.get(k, 0) for c in counts for k in ("TcpInCsumErrors", "IpExtInCsumErrors", "IpInHdrErrors"))


def web_cases(b, size):
    with Nginx(b.lab, b.folder / "nginx") as web:
        with b.case(f"R-SPL-5 {size // MIB} MiB by curl in both directions at once, spliced as they open"):
            both_at_once(b, web, size, LIMIT)


def cases(b, size, times, drains):
    b.lab.command("set plug.splice=off")
    for down in (True, False):
        with b.case(f"R-ATK-14 {size // MIB} MiB proxied, {'down' if down else 'up'}"):
            proxied(b, size, down)
    b.lab.command("set plug.splice=on")
    with b.case(f"R-ATK-14 {size // MIB} MiB each way through a splice"):
        both_ways(b, size)
    web_cases(b, size)
    for drain in drains:
        b.lab.command(f"set fwd.drain={drain}")
        for down, unsplice in ((True, "copy"), (False, "wait")):
            b.lab.command(f"set unsplice={unsplice}")
            with b.case(f"R-SPL-19 spliced and unspliced {times} times under way, {'down' if down else 'up'}, drain={drain} "
                        f"unsplice={unsplice}"):
                toggled(b, size, times, PACE, down)


def run(b, bad, seed, size, times, drains):
    title = b.title
    b.title = f"{title}, bad wire to {' and '.join(bad)}, seed {seed}"
    try:
        with wires(b, bad, seed) as total:
            before = found_damage(b)
            cases(b, size, times, drains)
            noticed = found_damage(b) - before
        name = f"{b.title}: the wires lost, doubled, damaged and reordered, and damage was found"
        few = [k for k, n in total.items() if n < 3]
        print(f"    {' '.join(f'{k} {n}' for k, n in total.items())}; refused by the hosts {noticed}", flush=True)
        verdict("not ok" if few or not noticed else "ok", name, f"too few {', '.join(few)}; refused {noticed}" if few or not noticed else "")
    finally:
        b.title = title


def warm_up(b):
    """Addresses get resolved; then everything must come back to this."""
    with plain(b.lab, "client"), plain(b.lab, "server"), Nginx(b.lab, b.folder / "nginx") as web:
        download(b, web, 1, 20)
        time.sleep(1)
        b.settle()


def on_card(card, args):
    options = {"hosted": True} if card == "hosted" else {}
    with bench(GRAPH, card if card in NICS else "e1000", SETTINGS, wired=True, **options) as b:
        if not b:
            return
        b.title = f"{GRAPH} {card}"
        try:
            warm_up(b)
            seeds = [args.seed] if args.seed else range(1, 7) if args.long else (1, 2) if card == "hosted" else (3,)
            for seed in seeds:
                if b.dead:
                    return
                bad = BAD_SIDES[seed % 3 - 1]
                size, times, drains = ((8 * MIB, 20, TREATMENTS) if args.long else
                                       (MIB, 10, TREATMENTS[seed % 3:][:1]))
                run(b, bad, seed, size, times, drains)
        except (Bad, OSError) as e:
            verdict("not ok", f"{b.title}: runs to the end", e)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--long", action="store_true", help="more seeds, all treatments, all cards")
    p.add_argument("--card", action="append", help=f"hosted {' '.join(NICS)} (default: hosted and e1000; --long: all)")
    p.add_argument("--seed", type=int, help="only this one")
    args = p.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    cards = args.card or (["hosted", *NICS] if args.long else ["hosted", "e1000"])
    if len(cards) > 1:
        more = (["--long"] if args.long else []) + (["--seed", str(args.seed)] if args.seed else [])
        return side_by_side(__file__, [["--card", c, *more] for c in cards])
    on_card(cards[0], args)
    return finish()


if __name__ == "__main__":
    sys.exit(main())
