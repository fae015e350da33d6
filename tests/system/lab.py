#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The laboratory itself: it comes up, hands on exit statuses, reports a forwarder that dies, and
leaves nothing behind, whatever ends it. On the Linux program, which boots at once."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from lab import GuestEnded, Lab, LabError  # noqa: E402
from laboratory import netns, state  # noqa: E402
from laboratory.client import connect  # noqa: E402

GRAPH = "router"
LAB = [sys.executable, str(ROOT / "tools/lab.py")]
failed = 0


def check(name, ok, why=""):
    global failed
    failed += not ok
    print(f"ok lab: {name}" if ok else f"not ok lab: {name}: {' / '.join(str(why).splitlines()[:3])}", flush=True)


def cli(*words, **options):
    return subprocess.run([*LAB, *words], cwd=ROOT, capture_output=True, text=True, timeout=60, **options)


def traces(name, pids):
    """What is left of a lab: its folder, its processes."""
    left = [f"folder of {name}"] if state.folder(name).exists() else []
    return left + [f"process {p}" for p in pids if state.start_time(p) is not None]


def pids_of(name):
    facts = state.read(name)
    with_us = []
    for fd in facts["namespaces"].values():
        ns = os.open(f"/proc/{facts['keeper']}/fd/{fd}", os.O_RDONLY)
        with_us += netns.inhabitants([ns], set())
        os.close(ns)
    return sorted({facts["keeper"], facts["guest"], *with_us})


def wait_gone(name, pids, seconds=20):
    limit = time.monotonic() + seconds
    while traces(name, pids) and time.monotonic() < limit:
        time.sleep(0.05)
    return traces(name, pids)


def test_command_line():
    name = f"t{os.getpid()}"
    done = cli("--name", name, "up", "--graph", GRAPH, "--hosted")
    check("up waits for ready", done.returncode == 0, done.stderr)
    done = cli("exec", "--name", name, "client", "sh", "-c", "ip -br addr show tap0; exit 7")
    check("exec runs on the client's side and hands on the exit status", done.returncode == 7 and "10.0.1.2/24" in done.stdout, done)
    done = cli("exec", "--name", name, "server", "cat", input="through\n")
    check("exec hands on standard input", done.stdout == "through\n", done)
    done = cli("--name", name, "exec", "server", "ip", "route")
    check("the server's gateway is the forwarder, its congestion control CUBIC",
          "default via 10.0.2.1 dev tap0 congctl cubic" in done.stdout, done.stdout)
    one, both = cli("--name", name, "show", "path"), cli("--name", name, "show", "paths")
    check("show path and show paths are the same", one.returncode == 0 and one.stdout.startswith("path")
          and len(one.stdout.splitlines()) == len(both.stdout.splitlines()), one)
    done = cli("--name", name, "up", "--graph", GRAPH, "--hosted")
    check("a name that is taken is refused", done.returncode == 1 and "is up already" in done.stderr, done)
    other = cli("--name", name + "b", "up", "--graph", GRAPH, "--hosted")
    listed = cli("list").stdout
    check("two labs stand side by side", other.returncode == 0 and f"{name}: " in listed and f"{name}b: " in listed, listed)
    cli("--name", name + "b", "down")
    with tempfile.NamedTemporaryFile(suffix=".pcap") as f:
        capture = subprocess.Popen([*LAB, "--name", name, "pcap", "client", f.name], stderr=subprocess.PIPE, text=True)
        capture.stderr.readline()
        ping = cli("--name", name, "exec", "client", "ping", "-c", "2", "-W", "2", "10.0.1.1")
        time.sleep(0.3)
        capture.send_signal(signal.SIGINT)
        capture.wait(10)
        read = subprocess.run(["tcpdump", "-nr", f.name, "icmp"], capture_output=True, text=True).stdout
    check("the client reaches the forwarder", ping.returncode == 0, ping.stdout)
    check("pcap captures what the client's card sees", read.count("ICMP echo request") == 2, read)
    left_over = subprocess.Popen([*LAB, "--name", name, "exec", "client", "sleep", "1000"])
    time.sleep(0.3)
    pids = [*pids_of(name), left_over.pid]
    done = cli("--name", name, "down")
    left_over.wait(10)
    check("down ends all that runs in the lab and leaves nothing", done.returncode == 0 and not wait_gone(name, pids), done.stderr)
    done = cli("--name", name, "show", "paths")
    check("a lab that is not there: exit status 3 and a sentence", done.returncode == 3 and "no lab" in done.stderr, done)


def test_refusals():
    done = cli("up", "--graph", "nosuch", "--hosted", "--name", "tx")
    check("a program that is not built is named", done.returncode == 1 and "make host GRAPH=nosuch" in done.stderr, done)
    done = cli("up", "--graph", GRAPH, "--hosted", "--name", "tx", "--set", "nosuch=1")
    check("a wrong setting: exit status 5, the console says which", done.returncode == 5 and "nosuch" in done.stderr, done)
    check("a boot that failed leaves nothing", not traces("tx", []), traces("tx", []))
    done = cli("up", "--graph", GRAPH, "--nic", "ne2000")
    check("an unknown card: usage, exit status 2", done.returncode == 2 and "e1000" in done.stderr, done)


def test_crash():
    with Lab(GRAPH, hosted=True) as lab:
        facts = state.read(lab.name)
        os.kill(facts["guest"], signal.SIGSEGV)
        time.sleep(0.3)
        for words in (("show", "paths"), ("exec", "client", "true"), ("down",)):
            done = cli("--name", lab.name, *words)
            check(f"a dead forwarder is reported by {words[0]}, with its console and exit status 5",
                  done.returncode == 5 and "signal 11" in done.stderr and "ready" in done.stderr, done)
        lab.prefix = None
        check("nothing is left of a lab whose forwarder died", not wait_gone(lab.name, [facts["keeper"]]))
    try:
        with Lab(GRAPH, hosted=True) as lab:
            os.kill(state.read(lab.name)["guest"], signal.SIGKILL)
        check("class Lab raises GuestEnded at its end", False, "no exception")
    except GuestEnded as e:
        check("class Lab raises GuestEnded at its end", "signal 9" in str(e), e)


def test_unprivileged():
    """Without the right to make namespaces, in a user namespace; root gives that right up for it."""
    drop = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"] if os.geteuid() == 0 else []
    probe = subprocess.run([*drop, "unshare", "-Urn", "true"], capture_output=True, text=True)
    if probe.returncode:
        print(f"skip lab: without privileges: {probe.stderr.strip()}")
        return
    name = f"tu{os.getpid()}"

    def plain(*words):
        return subprocess.run([*drop, *LAB, "--name", name, *words], cwd=ROOT, capture_output=True, text=True, timeout=60)

    done = plain("up", "--graph", GRAPH, "--hosted")
    check("without privileges: up in a user namespace", done.returncode == 0 and (state.read(name) or {}).get("user"), done.stderr)
    if done.returncode:
        return
    done = plain("exec", "client", "ping", "-c", "1", "-W", "2", "10.0.2.2")
    check("without privileges: client and server reach each other", done.returncode == 0, done.stdout + done.stderr)
    with tempfile.TemporaryDirectory() as folder:
        capture = subprocess.Popen([*drop, *LAB, "--name", name, "pcap", "server", f"{folder}/x.pcap"],
                                   stderr=subprocess.PIPE, text=True)
        capture.stderr.readline()
        plain("exec", "client", "ping", "-c", "1", "-W", "2", "10.0.2.2")
        capture.send_signal(signal.SIGINT)
        capture.wait(10)
        read = subprocess.run(["tcpdump", "-nr", f"{folder}/x.pcap", "icmp"], capture_output=True, text=True).stdout
    check("without privileges: pcap", "ICMP echo reply" in read, read)
    pids = pids_of(name)
    done = plain("down")
    check("without privileges: down leaves nothing", done.returncode == 0 and not wait_gone(name, pids), done.stderr)


def test_slow_reader():
    """A busy host lets the keeper wait for its turn: the console must not lose what it says meanwhile."""
    with Lab(GRAPH) as lab:
        keeper = state.read(lab.name)["keeper"]
        whole, heard = lab.show("settings"), []
        for delay in (0, 0.002, 0.004, 0.008):
            with connect(lab.name) as s:
                s.settimeout(10)
                s.sendall(b'{"op": "command", "line": "show settings"}\n')
                time.sleep(delay)
                os.kill(keeper, signal.SIGSTOP)
                time.sleep(0.5)
                os.kill(keeper, signal.SIGCONT)
                with s.makefile("rb") as f:
                    try:
                        heard.append(json.loads(f.readline())["text"])
                    except TimeoutError:
                        heard.append("no answer")
        bad = [text for text in heard if text != whole]
        check("an answer is complete however late it is read", not bad, bad and f"{len(bad)} of {len(heard)}: {bad[0][-60:]}")


def test_ends():
    """Each way to end a lab from outside."""
    for what, sig in (("SIGINT", signal.SIGINT), ("SIGTERM", signal.SIGTERM)):
        # QEMU starts stopped, so the keeper waits for a `ready` that does not come.
        name = f"ti{sig.value}"
        p = subprocess.Popen([*LAB, "--name", name, "up", "--graph", GRAPH, "--qemu-arg", "-S"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        limit = time.monotonic() + 10
        while not (state.folder(name) / "socket").exists() and time.monotonic() < limit:
            time.sleep(0.01)
        time.sleep(0.5)
        p.send_signal(sig)
        p.wait(20)
        check(f"{what} during up leaves nothing", p.returncode == -sig.value and not wait_gone(name, []), p.returncode)
    for what, sig in (("SIGTERM", signal.SIGTERM), ("SIGKILL", signal.SIGKILL)):
        name = f"tk{sig.value}"
        cli("--name", name, "up", "--graph", GRAPH, "--hosted")
        pids = pids_of(name)
        os.kill(state.read(name)["keeper"], sig)
        if sig == signal.SIGTERM:
            check("SIGTERM of the keeper leaves nothing", not wait_gone(name, pids), traces(name, pids))
        else:
            limit = time.monotonic() + 5
            while any(state.start_time(p) for p in pids) and time.monotonic() < limit:
                time.sleep(0.05)
            check("SIGKILL of the keeper ends the forwarder too", not any(state.start_time(p) for p in pids))
            done = cli("--name", name, "up", "--graph", GRAPH, "--hosted")
            check("a lab takes the place of one whose keeper was killed", done.returncode == 0, done.stderr)
            cli("--name", name, "down")
    owner = subprocess.Popen([sys.executable, "-c", f"""
import sys, time
sys.path.insert(0, {str(ROOT / 'tools')!r})
from lab import Lab
lab = Lab({GRAPH!r}, hosted=True, name="to").up()
print("up", flush=True)
time.sleep(1000)
"""], stdout=subprocess.PIPE, text=True)
    owner.stdout.readline()
    pids = pids_of("to")
    owner.kill()
    owner.wait()
    check("a lab ends when the program that made it is killed", not wait_gone("to", pids), traces("to", pids))


def main():
    try:
        test_command_line()
        test_refusals()
        test_crash()
        test_unprivileged()
        test_slow_reader()
        test_ends()
    except (LabError, subprocess.TimeoutExpired) as e:
        check("runs to the end", False, e)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
