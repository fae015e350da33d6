# SPDX-License-Identifier: BSD-2-Clause
"""The rows of the paper's Table 2 and ours beside them: what is booted, what it must look like, what the paper says.

A row is a system between two networks. Those of Towpath are graphs with settings; those of Linux are what the word
`row=` makes of the guest in bench/linux. `paper` is microseconds per segment of 1 and of 1460 bytes on a 200 MHz
Pentium Pro with 100 Mbit/s cards [the splicing paper, Table 2]; None: the paper has no such row.
"""

import collections

Row = collections.namedtuple("Row", "graph settings stages paper routes")
TRANSPARENT = {"plug.transparent": "on"}

ROWS = {
    "bridge": Row("bridge", {}, "eth0 eth1", None, True),
    "router": Row("router", {}, "eth0 ip eth1", (22.4, 22.4), True),
    "ipfwd": Row("firewall", TRANSPARENT, "eth0 ipfwd eth1", (24.0, 24.0), False),
    "fwd": Row("firewall", {**TRANSPARENT, "fwd.merge": "off"}, "eth0 ip fwd ip eth1", (39.0, 39.5), False),
    "1-path": Row("firewall", {**TRANSPARENT, "fwd.splice": "off"}, "eth0 ip tcp proxy tcp ip eth1", (66.1, 98.6), False),
    "2-path": Row("firewall-2path", TRANSPARENT, "eth0 ip tcp proxy", (68.5, 101.1), False),
    "linux-router": Row("linux-router", {}, None, (25.5, 25.4), True),
    "linux-filter": Row("linux-filter", {}, None, (27.5, 29.0), True),
    "linux-plug-gw": Row("linux-plug-gw", {}, None, (83.9, 113.0), False),
    "linux-haproxy": Row("linux-haproxy", {}, None, None, False),
    "linux-haproxy-splice": Row("linux-haproxy-splice", {}, None, None, False),
    "linux-sockmap": Row("linux-sockmap", {}, None, None, False),
}
TITLES = {
    "bridge": "bridge (the floor)", "router": "IP router", "ipfwd": "IP/FWD", "fwd": "FWD", "1-path": "1-path proxy",
    "2-path": "2-path proxy", "linux-router": "Linux IP router", "linux-filter": "Linux filtering IP router",
    "linux-plug-gw": "Linux plug-gw", "linux-haproxy": "Linux HAProxy", "linux-haproxy-splice": "Linux HAProxy, splice",
    "linux-sockmap": "Linux sockmap relay",
}
QUICK = ("router", "ipfwd", "1-path", "2-path", "linux-router", "linux-haproxy-splice")
SIZES = (1, 1460)


def is_linux(row):
    return row.startswith("linux-")


def title(row):
    return TITLES[row]
