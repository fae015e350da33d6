# SPDX-License-Identifier: BSD-2-Clause
"""Bytes a connection takes while it is open and idle: ours by the accounts of the kernel, HAProxy's as what its process
has resident plus what the guest's kernel holds in slabs and socket buffers, both after one exchange each way."""

import re

from guest import Crowd
from rows import TRANSPARENT

SPLICED, PROXIED, THEIRS = (1, 1000, 100000), (1, 1000, 10000), (1, 1000, 5000, 10000)
OURS = {**TRANSPARENT, "buffers": 4096, "paths": 250000, "flows": 500000, "arp.reachable": "1h"}
WIDTH, SIZE = 64, 64


def accounts(c):
    mem = c.numbers("show mem")
    return mem["kernel_bytes"] + mem["path_bytes"] + mem["node_bytes"]


def meminfo(c):
    """HAProxy's resident set and the kernel's slabs, page tables and stacks, in bytes."""
    said = c.command("cat /proc/meminfo; cat /proc/$(pidof haproxy)/status; cat /proc/net/sockstat")
    kib = {name: int(n) for name, n in re.findall(r"^(\w+):\s+(\d+) kB", said, re.M)}
    return 1024 * (kib["VmRSS"] + kib["Slab"] + kib["PageTables"] + kib["KernelStack"])


def grown(c, counts, look):
    """{connections: bytes each beyond the state before the first}"""
    start, opened, found = look(c), 0, {}
    for n in counts:
        c.open(opened, n - opened, min(WIDTH, n - opened), SIZE)
        opened = n
        found[n] = (look(c) - start) / n
    return found


def ours(_, nic, spliced=True):
    settings = OURS if spliced else {**OURS, "splice": "off"}
    counts = SPLICED if spliced else PROXIED
    with Crowd("firewall", nic, counts[-1], settings, count=False) as c:
        return grown(c, counts, accounts)


def theirs(_, nic):
    with Crowd("linux-haproxy", nic, 30000, count=False, mem=1024) as c:
        found = grown(c, THEIRS, meminfo)
        low, high = THEIRS[1], THEIRS[-1]
        found["slope"] = (found[high] * high - found[low] * low) / (high - low)
        return found
