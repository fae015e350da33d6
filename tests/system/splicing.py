# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of splices ask the hosts and the forwarder: `nstat`, captures, and which stages the
path of a connection has."""

import contextlib
import json
import signal
import subprocess
import threading
import time

import segments
from support import Bad, Skip, must, need

# What Linux counts when a splice has put a number where it does not belong.
NEVER = ("TcpExtPAWSEstab", "TcpExtPAWSActive", "TcpExtTCPSACKDiscard", "TcpExtTCPDSACKIgnoredOld", "TcpInCsumErrors",
         "TcpInErrs", "TcpExtTCPACKSkippedPAWS", "TcpExtTCPACKSkippedSeq", "TcpExtTCPChallengeACK", "TcpExtTCPSYNChallenge",
         "TcpExtOutOfWindowIcmps", "TcpExtTSEcrRejected", "TcpExtBeyondWindow", "TcpEstabResets", "IpInHdrErrors")
# And when something was sent twice, or in the wrong order.
AGAIN = ("TcpRetransSegs", "TcpExtTCPLostRetransmit", "TcpExtTCPTimeouts", "TcpExtTCPLossProbes", "TcpExtTCPDSACKRecv",
         "TcpExtTCPDSACKOldSent", "TcpExtTCPSACKReorder", "TcpExtTCPTSReorder", "TcpExtTCPOFOQueue")


def nstat(b, side):
    status, out = b.run(side, "nstat", "-asz", "-j")
    must(status == 0, f"nstat ended with status {status}: {out.strip()}")
    return json.loads(out)["kernel"]


@contextlib.contextmanager
def counted(b, *never):
    """The counters named do not move on either host."""
    before = {side: nstat(b, side) for side in ("client", "server")}
    yield
    for side, old in before.items():
        new = nstat(b, side)
        moved = {k: new[k] - old.get(k, 0) for k in never if k in new and new[k] != old.get(k, 0)}
        must(not moved, f"nstat on the {side}: " + ", ".join(f"{k} +{v}" for k, v in moved.items()))


def roads(b):
    """The stages of each path from card to card: ["eth0", "ip", "tcp", ...]."""
    words = (line.split()[2:] for line in b.lab.show("paths").splitlines() if line.startswith("path "))
    return [w for w in words if len(w) > 2 and w[0][:3] == "eth" and w[-1][:3] == "eth" and w[0] != w[-1]]


def wait_road(b, test, what, seconds=10):
    """Wait until the one connection's path is as wanted; how it is then."""
    limit = time.monotonic() + seconds
    while True:
        found = roads(b)
        if found and all(test(w) for w in found):
            return found[0]
        if time.monotonic() > limit:
            raise Bad(f"no path {what} after {seconds} s: " + "; ".join(" ".join(w) for w in found or [["none"]]))


def is_spliced(stages):
    return "fwd" in stages or "ipfwd" in stages


def is_proxied(stages):
    return stages.count("tcp") == 2


def wait_spliced(b):
    return wait_road(b, is_spliced, "is spliced")


def wait_proxied(b):
    return wait_road(b, is_proxied, "is proxied")


def line_of(p, seconds=20):
    """A line that a program prints; one that says nothing in time is ended, and has said nothing."""
    timer = threading.Timer(seconds, p.kill)
    timer.start()
    try:
        return p.stdout.readline()
    finally:
        timer.cancel()


@contextlib.contextmanager
def captured(b, side):
    """A capture on that side, headers only; afterwards .segments holds what it saw."""
    need("tcpdump")
    path = b.folder / "capture"
    p = b.popen(side, "tcpdump", "-i", b.lab.device, "--immediate-mode", "-n", "-s", 120, "-B", 65536, "-Z", "root", "-w", path, "tcp",
                stderr=subprocess.PIPE)
    said = " "
    while said and "listening" not in said:
        said = p.stderr.readline()
    must(said, "tcpdump does not listen")

    class Capture:
        segments = []
    c = Capture()
    yield c
    time.sleep(0.3)
    p.send_signal(signal.SIGINT)
    said = p.communicate(timeout=60)[1]
    b.running.remove(p)
    lost = [line for line in said.splitlines() if "dropped by kernel" in line and not line.startswith("0 ")]
    must(not lost, f"the capture is not complete: {lost}")
    c.segments = list(segments.read(path))
    path.unlink()


def sysctl(b, side, name, value):
    status, out = b.run(side, "sysctl", "-w", f"net.ipv4.{name}={value}")
    if status:
        raise Skip(f"sysctl: {out.strip()}")


def transfer_done(b, sender, receiver, limit=120):
    sent, got = b.facts(sender, limit), b.facts(receiver, limit)
    must(sent["error"] is None and got["error"] is None, f"errors: {sent['error']}, {got['error']}")
    must(got["got"] == sent["sent"], f"{got['got']} of {sent['sent']} bytes arrived")
    must(got["got_sum"] == sent["sent_sum"], "the bytes came out different")
    return sent["sent"]
