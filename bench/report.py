# SPDX-License-Identifier: BSD-2-Clause
"""build/bench/report.md from what run.py has measured: each table beside the paper's, and what must hold. Nothing is measured here."""

import plots
from guest import CABLE
from rows import ROWS, SIZES, is_linux, title

# key: what it says, the paper's value, what is to be reached
GOALS = {
    "router_insns": ("IP router, instructions a segment, 1 byte", None, ("<=", 250)),
    "ipfwd_insns": ("IP/FWD, instructions a segment, 1 byte", None, ("<=", 250)),
    "ipfwd_over_router": ("IP/FWD : IP router", 1.07, ("<=", 1.10)),
    "fwd_over_router": ("FWD : IP router", 1.74, ("<=", 1.75)),
    "1path_insns": ("1-path, instructions a segment, 1460 bytes", None, ("<=", 4000)),
    "2path_over_ipfwd_1": ("2-path : IP/FWD, 1 byte", 2.85, None),
    "2path_over_ipfwd_1460": ("2-path : IP/FWD, 1460 bytes", 4.21, None),
    "ipfwd_insns_loaded": ("IP/FWD, whole guest under load", None, ("<=", 300)),
    "linux_router_over_ipfwd": ("Linux IP router : IP/FWD, whole guest under load", 1.06, (">=", 11)),
    "linux_pluggw_over_ipfwd": ("Linux plug-gw : IP/FWD, whole guest", 3.5, (">=", 40)),
    "haproxy_over_ipfwd": ("HAProxy with splice : IP/FWD, whole guest", None, (">=", 40)),
    "1path_over_haproxy": ("1-path : HAProxy, whole guest", 0.8, ("<=", 0.2)),
    "bulk_ipfwd_over_linux_router": ("bulk rate, IP/FWD : Linux IP router", 1.06, (">=", 3)),
    "bulk_ipfwd_over_bridge": ("bulk rate, IP/FWD : bridge", None, (">=", 0.9)),
    "mem_haproxy_over_spliced": ("memory of a connection, HAProxy idle : spliced here", None, (">=", 50)),
}

PAPER_TABLE3 = {"2-path": "11.7, 10.8, 8.6", "ipfwd": "45.6, 40.6, 30.4"}


def of_key(data, row, what, key, nic=None):
    """The median of one measurement; None: it was not made."""
    try:
        return data["rows"][row][nic or data["nic"]][what][key]["median"]
    except KeyError:
        return None


def insns(data, row, size, nic=None):
    return of_key(data, row, "instructions", size, nic)


def between(data, row):
    """From ring to ring: what the parts of the tree take together."""
    parts = data["rows"].get(row, {}).get(data["nic"], {}).get("parts")
    return sum(parts.values()) if parts else None


def over(a, b):
    return a / b if a and b else None


def ratios(data):
    def of(row, size=1):
        return insns(data, row, size)

    def rate(row):
        return of_key(data, row, "mbit_s", 1)

    def bytes_of(row, n):
        return data["rows"].get(row, {}).get(data["nic"], {}).get("memory", {}).get(n)

    found = {
        "router_insns": between(data, "router"), "ipfwd_insns": between(data, "ipfwd"),
        "ipfwd_over_router": over(of("ipfwd"), of("router")), "fwd_over_router": over(of("fwd"), of("router")),
        "1path_insns": of("1-path", 1460), "2path_over_ipfwd_1": over(of("2-path"), of("ipfwd")),
        "2path_over_ipfwd_1460": over(of("2-path", 1460), of("ipfwd", 1460)), "ipfwd_insns_loaded": of("ipfwd"),
        "linux_router_over_ipfwd": over(of("linux-router"), of("ipfwd")),
        "linux_pluggw_over_ipfwd": over(of("linux-plug-gw"), of("ipfwd")),
        "haproxy_over_ipfwd": over(of("linux-haproxy-splice"), of("ipfwd")),
        "1path_over_haproxy": over(of("1-path"), of("linux-haproxy") or of("linux-haproxy-splice")),
        "bulk_ipfwd_over_linux_router": over(rate("ipfwd"), rate("linux-router")),
        "bulk_ipfwd_over_bridge": over(rate("ipfwd"), rate("bridge")),
        "mem_haproxy_over_spliced": over(bytes_of("linux-haproxy", "slope"), bytes_of("ipfwd", 100000)),
    }
    return {key: value for key, value in found.items() if value is not None}


def segment_us(data, row, size):
    """The paper's figure (5.2.1): half a round trip without the hosts', the wire's and the cards' part, which is what the
    bridge takes, back to back included; None: not measured."""
    trips = [of_key(data, name, "microseconds", size) for name in (row, "bridge")]
    return None if None in trips else (trips[0] - trips[1]) / 2


def cell(value, form="{:,.0f}"):
    return "-" if value is None else form.format(value)


def table2(data, out):
    out.append("## Table 2: what a segment costs\n")
    out.append("Guest instructions, the whole guest counted, segments in bursts; speed-up against the 2-path proxy, and the paper's")
    out.append("microseconds on a 200 MHz Pentium Pro with the speed-up it had against its own (Linux rows: against its plug-gw).\n")
    out.append("| configuration | 1 byte | speed-up | 1460 bytes | speed-up | paper: 1 byte | speed-up | 1460 bytes | speed-up |")
    out.append("|---|---|---|---|---|---|---|---|---|")
    for row in ROWS:
        base = "linux-plug-gw" if is_linux(row) else "2-path"
        words = []
        for i, size in enumerate(SIZES):
            words += [cell(insns(data, row, size)), cell(over(insns(data, base, size), insns(data, row, size)), "{:.2f}")]
        for i in range(2):
            mine, theirs = ROWS[row].paper, ROWS[base].paper
            words += [cell(mine and mine[i], "{:.1f}"), cell(mine and theirs[i] / mine[i], "{:.2f}")]
        out.append(f"| {title(row)} | " + " | ".join(words) + " |")


def details(data, out):
    out.append("\n## Loads, stores, device accesses a segment\n")
    out.append("| configuration | size | loads | stores | device accesses | spread of the turns |\n|---|---|---|---|---|---|")
    for row in ROWS:
        for size in SIZES:
            m = data["rows"].get(row, {}).get(data["nic"], {}).get("instructions", {}).get(size)
            if m:
                out.append(f"| {title(row)} | {size} | {cell(m.get('loads'))} | {cell(m.get('stores'))} | "
                           f"{cell(m.get('io'), '{:.2f}')} | {m['min']:,.0f} to {m['max']:,.0f} |")
    out.append("\n## Where a segment's instructions are, 1 byte, by part of the tree\n")
    for row in ROWS:
        parts = data["rows"].get(row, {}).get(data["nic"], {}).get("parts")
        if parts:
            out.append(f"- {title(row)}: " + ", ".join(f"{part} {n:.0f}" for part, n in parts.items() if n >= 1))


def method(data, out):
    out.append("\n## The paper's method: microseconds a segment, one exchange at a time\n")
    out.append("Half a round trip, minus back-to-back, minus the cards' latency (taken from the bridge). Under emulation only the")
    out.append("ratios mean something, and with other work on the machine not even those.\n")
    out.append("| configuration | 1 byte | 1460 bytes | round trips |\n|---|---|---|---|")
    for row in (CABLE, *ROWS):
        m = data["rows"].get(row, {}).get(data["nic"], {}).get("microseconds")
        if m:
            trips = ", ".join(f"{v['median']:.0f} ({v['min']:.0f} to {v['max']:.0f})" for v in m.values())
            cells = [cell(segment_us(data, row, size) if row != CABLE else None, "{:.1f}") for size in SIZES]
            out.append(f"| {title(row) if row in ROWS else 'back to back'} | {cells[0]} | {cells[1]} | {trips} |")


def table3(data, out):
    """k full segments to one empty one, the empty one taken for one of a byte, as the paper does."""
    out.append("\n## Table 3: throughput\n")
    out.append("Measured: Mbit/s between two Linux hosts, the aggregate of 10 s after 3. Estimated by the paper's formula from our")
    out.append("instructions, k full segments and one of a byte: bytes a million instructions carry; the paper's MB/s behind.\n")
    counts = (1, 3, 100)
    out.append("| configuration | " + " | ".join(f"{n} connection{'s' * (n > 1)}" for n in counts) + " | 3:1 | 2:1 | 1:1 | paper |")
    out.append("|---|" + "---|" * 7)
    for row in ROWS:
        cells = [cell(of_key(data, row, "mbit_s", n)) for n in counts]
        small, large = insns(data, row, 1), insns(data, row, 1460)
        cells += [cell(k * 1460 * 1e6 / (k * large + small)) if small and large else "-" for k in (3, 2, 1)]
        out.append(f"| {title(row)} | " + " | ".join(cells) + f" | {PAPER_TABLE3.get(row, '-')} |")


def connections(data, out):
    rows = [r for r in ROWS if data["rows"].get(r, {}).get(data["nic"], {}).get("lifetime")]
    if not rows:
        return
    out.append("\n## A whole connection: open, splice where it splices, 1 KiB each way, close\n")
    out.append("| configuration | instructions | connections a second |\n|---|---|---|")
    for row in rows:
        out.append(f"| {title(row)} | {cell(of_key(data, row, 'lifetime', 'instructions'))} | "
                   f"{cell(of_key(data, row, 'lifetime', 'per_second'))} |")


def rules(data, out):
    found = data["rows"].get("ipfwd", {}).get(data["nic"], {}).get("rules")
    if not found:
        return
    out.append("\n## What a rewrite of a path costs, guest instructions (the paper: 25 us to FWD, 94 us to IP/FWD)\n")
    names = sorted({rule for of in found["ways"].values() for rules_ in of.values() for rule in rules_})
    out.append("| connection | others open | " + " | ".join(names) + " |\n|---|---|" + "---|" * len(names))
    for way, of in found["ways"].items():
        for others, cost in of.items():
            out.append(f"| {way} | {others} | " + " | ".join(cell(cost.get(n)) for n in names) + " |")
    out.append("\nThe way back: " + ", ".join(f"{rule} {n}" for rule, n in found["back"]) + ".")


def memory(data, out):
    rows = {r: data["rows"].get(r, {}).get(data["nic"], {}).get("memory") for r in ("ipfwd", "1-path", "linux-haproxy")}
    if not any(rows.values()):
        return
    out.append("\n## Bytes of an open, idle connection\n")
    out.append("Ours by the kernel's accounts; HAProxy's resident set and its kernel's slabs, page tables and stacks. What the first")
    out.append("ones pay for tables is in the figures of few.\n")
    for row, found in rows.items():
        if found:
            out.append(f"- {title(row)}: " + ", ".join(f"{n} connections {cell(v)}" if n != "slope" else f"slope {cell(v)}"
                                                       for n, v in found.items()))


def cards(data, out):
    names = sorted({nic for row in data["rows"].values() for nic in row if nic != data["nic"]})
    if not names:
        return
    out.append("\n## Other cards: instructions a segment, 1 byte and 1460 bytes\n")
    out.append("| configuration | " + " | ".join(names) + " |\n|---|" + "---|" * len(names))
    for row in ROWS:
        words = [", ".join(cell(insns(data, row, size, nic)) for size in SIZES) for nic in names]
        out.append(f"| {title(row)} | " + " | ".join(words) + " |")


def goals(data, out):
    out.append("\n## What is to be reached\n")
    out.append("| key | what | here | paper | wanted |\n|---|---|---|---|---|")
    for key, (what, paper, wanted) in GOALS.items():
        value = data["ratios"].get(key)
        held = "" if value is None or not wanted else \
            " held" if (value <= wanted[1] if wanted[0] == "<=" else value >= wanted[1]) else " **missed**"
        aim = f"{wanted[0]} {wanted[1]}{held}" if wanted else "reported"
        form = "{:,.0f}" if "insns" in key else "{:.2f}"
        out.append(f"| `{key}` | {what} | {cell(value, form) if value is not None else 'not measured'} | {cell(paper, '{}')} | {aim} |")


def write(data, folder):
    out = ["# What it costs: Towpath beside Linux and beside the paper\n",
           f"{data['date']}, commit {data['commit']}{' with changes' if data['changed'] else ''}; {data['qemu']}; {data['host']}, "
           f"load {data['load']:.1f} at the start; {data['compiler']}; guest Linux {data['linux']}; card {data['nic']}; "
           f"{data['pinning']}.\n"]
    table2(data, out)
    out += ["", *(f"![{what}]({name})" for name, what in plots.draw(data, folder))]
    goals(data, out)
    method(data, out)
    table3(data, out)
    connections(data, out)
    rules(data, out)
    memory(data, out)
    details(data, out)
    cards(data, out)
    if data["missing"]:
        out.append("\n## Not measured\n")
        out += [f"- {m['row']} on {m['nic']}, {m['what']}: {m['why']}" for m in data["missing"]]
    (folder / "report.md").write_text("\n".join(out) + "\n")
