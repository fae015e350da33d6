# SPDX-License-Identifier: BSD-2-Clause
"""The paper's Figure 10: sequence numbers as the receiver sees them across a splice and an unsplice, from a capture at
the client's card. A download runs all the while; commands on the console splice it and take it back."""

import pathlib
import re
import subprocess
import sys
import tempfile
import time

from measure import ROOT, Lab, LabError
from laboratory import netns

sys.path.insert(0, str(ROOT / "tests/system"))
import segments  # noqa: E402

PORT = 8080
STEPS = (("splice", 2.0), ("unsplice", 4.0), ("end", 6.0))  # seconds after the first byte
SENDER = "import socket\ns = socket.create_server(('', %d))\nc, _ = s.accept()\ntry:\n    while True: c.sendall(bytes(65536))\nexcept OSError: pass" % PORT
READER = "import socket\nc = socket.create_connection(('%s', %d))\nwhile c.recv(1 << 20): pass" % (netns.SIDES["client"]["gateway"], PORT)


def path_number(lab):
    found = re.search(r"^path (\d+) .*(?:proxy|fwd)", lab.show("paths"), re.M)
    if not found:
        raise LabError("the transfer has no path")
    return found[1]


def trace(_, nic):
    """{"points": [[seconds, bytes]], "marks": [[seconds, what]]}: bytes behind the first, at most some thousand points."""
    with tempfile.TemporaryDirectory(prefix="towpath-trace-") as folder, \
            Lab("firewall", nic=nic, settings={"fwd.splice": "off"}) as lab:
        file = pathlib.Path(folder) / "client.pcap"
        capture = lab.popen("client", ["tcpdump", "-i", netns.DEVICE, "-U", "-s", "96", "-Z", "root", "-w", str(file), "tcp"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1)
        sender = lab.popen("server", [sys.executable, "-c", SENDER], stdin=subprocess.DEVNULL)
        time.sleep(0.5)
        reader = lab.popen("client", [sys.executable, "-c", READER], stdin=subprocess.DEVNULL)
        began, marks = time.time(), []
        for what, at in STEPS:
            time.sleep(max(0, began + at - time.time()))
            if what != "end":
                marks.append([time.time(), what])
                lab.command(f"{what} {path_number(lab)}")
        for p in (reader, sender, capture):
            p.terminate()
            p.wait()
        seen = [s for s in segments.read(file) if s.sport == PORT and s.length]
    if not seen:
        raise LabError("the capture is empty")
    step = max(len(seen) // 3000, 1)
    first = seen[0]
    points = [[round(s.time - first.time, 6), (s.seq - first.seq) & 0xFFFFFFFF] for s in seen[::step]]
    return {"points": points, "marks": [[round(t - first.time, 3), what] for t, what in marks]}
