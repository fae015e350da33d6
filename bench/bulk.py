# SPDX-License-Identifier: BSD-2-Clause
"""Sustained rates between two real Linux hosts through a row: iperf3 with 1, 3 and 100 connections, the aggregate of the
last seconds after a start that does not count. QEMU on one core, the hosts on the other; segments are full-sized.

    connections, Mbit/s = bulk("ipfwd", "e1000", (1, 3, 100))
"""

import json
import os
import subprocess
import time

from guest import LINUX_MEM, linux_words
from measure import Lab, LabError, cores
from laboratory import netns, state
from rows import ROWS, is_linux

PORT = "8080"
BRIDGED = {"client": "10.0.9.1", "server": "10.0.9.2"}  # on one network: a bridge has no addresses
WARM_S = 3


def lab_of(row, nic):
    r = ROWS[row]
    if is_linux(row):  # the laboratory's QEMU with another kernel: the last -kernel holds
        return Lab("router", nic=nic, qemu_args=linux_words(row.removeprefix("linux-")), mem=LINUX_MEM, timeout=300)
    return Lab(r.graph, nic=nic, settings=r.settings)


def pin(lab):
    pins = cores()
    if pins:
        for task in os.listdir(f"/proc/{state.read(lab.name)['guest']}/task"):
            os.sched_setaffinity(int(task), pins[0])
    return ["taskset", "-c", ",".join(map(str, pins[1]))] if pins else []


def target(lab, row):
    """Whom the client asks: the server, or the proxy."""
    if row != "bridge":
        return netns.SIDES["server"]["addr"] if ROWS[row].routes else netns.SIDES["client"]["gateway"]
    for side, address in BRIDGED.items():
        lab.run(side, ["ip", "addr", "add", address + "/24", "dev", netns.DEVICE], check=True)
    return BRIDGED["server"]


def one(lab, end, to, connections, seconds):
    """Mbit/s of all connections together."""
    server = lab.popen("server", [*end, "iperf3", "-s", "-1", "-p", PORT], stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        words = [*end, "iperf3", "-c", to, "-p", PORT, "-C", "cubic", "-P", str(connections), "-O", str(WARM_S), "-t", str(seconds), "-J"]
        done = lab.run("client", words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds + 60)
        said = json.loads(done.stdout)
        if "error" in said:
            raise LabError(f"iperf3: {said['error']}")
        return said["end"]["sum_received"]["bits_per_second"] / 1e6
    except (ValueError, KeyError, subprocess.TimeoutExpired) as e:
        raise LabError(f"iperf3 with {connections} connections: {e}") from None
    finally:
        server.terminate()
        server.wait()
        lab.check()


def bulk(row, nic, counts, seconds=10, turns=1):
    """{connections: {"median", "min", "max", "turns"}} of Mbit/s."""
    with lab_of(row, nic) as lab:
        end = pin(lab)
        to = target(lab, row)
        found = {}
        for n in counts:
            rates = sorted(one(lab, end, to, n, seconds) for _ in range(turns))
            found[n] = {"median": rates[len(rates) // 2], "min": rates[0], "max": rates[-1], "turns": turns}
        return found
