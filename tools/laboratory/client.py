# SPDX-License-Identifier: BSD-2-Clause
"""class Lab: a laboratory as a Python object, for tests and for the demo.

    with Lab("firewall-1path", nic="tulip", settings={"idle": "5s"}) as lab:
        lab.run("client", ["curl", "-sS", "http://10.0.1.1:8080/"], check=True)
        print(lab.show("paths"))

It goes down at the end of the block, and also when the program that made it dies. A forwarder that
ended by itself, or that found something not given back at `quit`, raises GuestEnded.
"""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

from . import netns, state
from .state import GuestEnded, LabError

LAB_PY = pathlib.Path(__file__).resolve().parents[1] / "lab.py"


def enter_words(name):
    """What stands in front of a command to run it on one side: nsenter and its options."""
    facts = facts_of(name)
    nsenter = shutil.which("nsenter") or "/usr/bin/nsenter"
    words = {}
    for side, fd in facts["namespaces"].items():
        words[side] = [nsenter, f"--net=/proc/{facts['keeper']}/fd/{fd}"]
        if facts["user"]:
            words[side] += [f"--user=/proc/{facts['keeper']}/ns/user", "--preserve-credentials"]
        words[side].append("--")
    return words


def facts_of(name):
    facts = state.read(name)
    if not facts:
        raise LabError(f"no lab {name}; `lab.py list` shows those there are", state.EXIT_NO_LAB)
    return facts


def connect(name):
    facts_of(name)
    s = socket.socket(socket.AF_UNIX)
    try:
        s.connect(str(state.folder(name) / "socket"))
    except OSError as e:
        raise LabError(f"lab {name} does not answer: {e.strerror}", state.EXIT_NO_LAB) from None
    return s


def receive(s):
    data = b""
    while not data.endswith(b"\n"):
        more = s.recv(1)
        if not more:
            raise LabError("the lab ended before it answered")
        data += more
    return json.loads(data)


def request(name, **what):
    with connect(name) as s:
        s.sendall(json.dumps(what).encode() + b"\n")
        with s.makefile("rb") as f:
            line = f.readline()
    if not line:
        raise LabError("the lab ended before it answered")
    answer = json.loads(line)
    if not answer["ok"]:
        if answer["status"] == state.EXIT_CRASHED:
            raise GuestEnded(answer["text"])
        raise LabError(answer["text"], answer["status"])
    return answer


def check(name):
    ended = request(name, op="status")["ended"]
    if ended:
        raise GuestEnded(ended)


def take_down(name):
    """Ends a lab; GuestEnded when the forwarder did not end well. Nothing is left either way."""
    facts = facts_of(name)
    try:
        request(name, op="down")
    finally:
        limit = time.monotonic() + 15
        while state.start_time(facts["keeper"]) == facts["start"] and time.monotonic() < limit:
            time.sleep(0.01)


class Lab:
    count = 0
    device = netns.DEVICE

    def __init__(self, graph, nic="e1000", settings=None, hosted=False, name=None, qemu_args=(), mem=64,
                 timeout=60, wired=False):
        Lab.count += 1
        self.name = name or f"lab-{os.getpid()}-{Lab.count}"
        pairs = settings.items() if isinstance(settings, dict) else [s.split("=", 1) for s in settings or []]
        self.words = ["--graph", graph, "--nic", nic, "--mem", str(mem), "--timeout", str(timeout),
                      "--owner", str(os.getpid())]
        self.words += [w for k, v in pairs for w in ("--set", f"{k}={v}")]
        self.words += ["--hosted"] if hosted else []
        self.words += ["--wired"] if wired else []
        self.words += [f"--qemu-arg={a}" for a in qemu_args]
        self.prefix = None

    def up(self):
        done = subprocess.run([sys.executable, str(LAB_PY), "--name", self.name, "up", *self.words],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            kind = GuestEnded if done.returncode == state.EXIT_CRASHED else LabError
            text = done.stderr.strip().removeprefix("lab.py: ")
            raise kind(text) if kind is GuestEnded else LabError(text, done.returncode)
        self.prefix = enter_words(self.name)
        return self

    def down(self):
        if self.prefix:
            self.prefix = None
            take_down(self.name)

    def __enter__(self):
        return self.up()

    def __exit__(self, kind, value, trace):
        try:
            self.down()
        except LabError:
            if kind is None:  # what went wrong first is what is reported
                raise

    def run(self, side, words, **options):
        """subprocess.run on the client's or the server's side."""
        return subprocess.run(self.prefix[side] + list(words), **options)

    def popen(self, side, words, **options):
        """subprocess.Popen there; ended with the lab at the latest."""
        return subprocess.Popen(self.prefix[side] + list(words), **options)

    def command(self, line):
        """A line for the console; returns its answer."""
        return request(self.name, op="command", line=line)["text"]

    def show(self, what):
        return self.command(f"show {what}")

    def guest_pid(self):
        """Of QEMU or the Linux program, for taskset, perf and the like."""
        return facts_of(self.name)["guest"]

    def check(self):
        """Raises GuestEnded when the forwarder has stopped."""
        check(self.name)

    def console(self):
        return (state.folder(self.name) / "console.log").read_text(encoding="utf-8", errors="replace")
