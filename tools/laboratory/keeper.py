# SPDX-License-Identifier: BSD-2-Clause
"""The keeper: one background process per lab. It owns the namespaces, the taps, the forwarder and
its console, serves commands on a UNIX socket, and clears everything away when it ends.

A request is one line of JSON, the answer one line of JSON:
    {"op": "command", "line": "show paths"}  -> {"ok": true, "text": "..."}
    {"op": "status"}                         -> {"ok": true, "ended": null or a sentence}
    {"op": "down"}                           -> {"ok": true or false, "text": "..."} when all is gone
    {"op": "attach"}                         -> from then on the raw console, both ways
Answers to commands end with an empty line and the prompt (kernel/command.c).
"""

import json
import os
import selectors
import signal
import socket
import subprocess
import time

from . import guest, netns, state

PROMPT = b"\ntowpath> "
QUIT_SECONDS = 10
COMMAND_SECONDS = 30


class Client:
    def __init__(self, sock):
        self.sock = sock
        self.input = b""
        self.raw = False

    def answer(self, **facts):
        try:
            self.sock.sendall(json.dumps(facts).encode() + b"\n")
        except OSError:
            pass  # it has gone; so be it


class Keeper:
    def __init__(self, options):
        self.options = options
        self.name = options["name"]
        self.select = selectors.DefaultSelector()
        self.guest = None
        self.console = None  # our end of the guest's stdin
        self.output = None   # and of its stdout
        self.log = None
        self.text = b""      # console since the last command was sent
        self.seen = b""      # all of it, bounded
        self.ended = None    # sentence, once the guest has ended
        self.queue = []      # (client, line) waiting for the console
        self.current = None  # (client, line, deadline)
        self.clients = set()
        self.claimed = False # the lab's folder is ours
        self.namespaces, self.taps = {}, []
        self.leaving = None  # clients to tell when all is gone
        self.quit_by = 0
        self.stop = False

    # --- coming up ---

    def start(self):
        state.claim(self.name)
        self.claimed = True
        where = state.folder(self.name)
        self.log = open(where / "console.log", "wb", buffering=0)
        wires = [netns.WIRE] if self.options["wired"] else []
        self.namespaces, home = netns.make_spaces([*netns.SIDES, *wires])
        self.user = home is None
        self.taps = [netns.furnish(self.namespaces[side], side, self.namespaces.get(netns.WIRE))
                     for side in netns.SIDES]
        if home is not None:  # what QEMU opens by itself (--qemu-arg) is the host's
            netns.enter(home)
            os.close(home)
        ours, theirs = socket.socketpair()
        # A pipe: QEMU writes byte by byte, and a socket is full after some hundred writes, however short. What a
        # console cannot get rid of soon it drops, with its prompt (boot/x86_64/console.c).
        self.output, output = os.pipe()
        words = guest.command(self.options, self.taps)
        self.guest = subprocess.Popen(words, stdin=theirs, stdout=output, stderr=subprocess.STDOUT,
                                      pass_fds=self.taps, preexec_fn=netns.die_with_parent,
                                      cwd=guest.ROOT)
        theirs.close()
        os.close(output)
        self.console = ours
        os.set_blocking(self.output, False)
        self.select.register(self.output, selectors.EVENT_READ, self.read_console)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(where / "socket"))
        self.listener.listen(16)
        self.select.register(self.listener, selectors.EVENT_READ, self.accept)
        if self.options["owner"]:
            self.owner = os.pidfd_open(self.options["owner"])
            self.select.register(self.owner, selectors.EVENT_READ, self.owner_ended)

    def wait_ready(self):
        """True when the forwarder says `ready`; the console tells why it does not."""
        limit = time.monotonic() + self.options["timeout"]
        while not self.ended and not self.stop and time.monotonic() < limit:
            lines = self.seen.replace(b"\r", b"").split(b"\n")[:-1]
            if any(line == b"ready" or line.endswith(b"] ready") for line in lines):
                return True
            self.turn(0.5)
        return False

    def publish(self):
        state.write(self.name, keeper=os.getpid(), guest=self.guest.pid, user=self.user,
                    namespaces=self.namespaces, **{k: self.options[k] for k in ("graph", "nic", "hosted")})

    # --- the loop ---

    def turn(self, wait):
        for key, _ in self.select.select(wait):
            key.data(key.fileobj)
        if self.current and time.monotonic() > self.current[2]:
            client = self.current[0]
            self.current = None
            client.answer(ok=False, status=state.EXIT_TIMEOUT,
                          text=f"no answer from the console in {COMMAND_SECONDS} s\n" + self.tail())
        self.next_command()

    def run(self):
        while not self.stop:
            self.turn(1.0)
            if self.leaving is not None and (self.ended or time.monotonic() > self.quit_by):
                self.stop = True

    def owner_ended(self, _):
        self.stop = True

    def accept(self, listener):
        client = Client(listener.accept()[0])
        self.clients.add(client)
        self.select.register(client.sock, selectors.EVENT_READ, lambda _: self.read_client(client))

    def forget(self, client):
        self.select.unregister(client.sock)
        client.sock.close()
        self.clients.discard(client)
        self.queue = [(c, line) for c, line in self.queue if c is not client]

    def read_client(self, client):
        try:
            data = client.sock.recv(65536)
        except OSError:
            data = b""
        if not data:
            self.forget(client)
            return
        if client.raw:
            self.write_console(data)
            return
        client.input += data
        while b"\n" in client.input and not client.raw:
            line, _, client.input = client.input.partition(b"\n")
            self.request(client, json.loads(line))

    def request(self, client, r):
        if r["op"] == "status":
            client.answer(ok=True, ended=self.ended)
        elif r["op"] == "command":
            self.queue.append((client, r["line"]))
        elif r["op"] == "down":
            self.leaving = (self.leaving or []) + [client]
            self.quit_by = time.monotonic() + QUIT_SECONDS
            self.write_console(b"quit\n")
        elif r["op"] == "attach":
            client.answer(ok=True, text=self.seen.decode(errors="replace"))
            client.raw = True
        else:
            client.answer(ok=False, status=state.EXIT_USAGE, text=f"unknown request {r['op']}")

    # --- the console ---

    def write_console(self, data):
        if self.console and not self.ended:  # it blocks: lines are short, the guest reads them at once
            try:
                self.console.sendall(data)
            except OSError:
                pass  # the guest is ending; reading the console will tell

    def read_console(self, _):
        try:
            data = os.read(self.output, 65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.guest_ended()
            return
        self.log.write(data)
        self.seen = (self.seen + data)[-(1 << 20):]
        self.text += data
        for client in [c for c in self.clients if c.raw]:
            try:
                client.sock.sendall(data)
            except OSError:
                self.forget(client)
        self.finish_command()

    def next_command(self):
        if self.current or not self.queue:
            return
        client, line = self.queue.pop(0)
        if self.ended:
            client.answer(ok=False, status=state.EXIT_CRASHED, text=self.ended)
            return
        self.text = b""
        self.current = (client, line, time.monotonic() + COMMAND_SECONDS)
        self.write_console(line.encode() + b"\n")

    def finish_command(self):
        if not self.current:
            return
        text = b"\n" + self.text.replace(b"\r", b"")
        at = text.rfind(PROMPT)
        # Lines of the log may come right behind the prompt; anything else is an echo, no answer yet.
        late = text[at + len(PROMPT):]
        if at < 0 or late and not (late.endswith(b"\n") and all(l.startswith(b"[") for l in late.splitlines() if l)):
            return
        client, line, _ = self.current
        self.current = None
        lines = text[1:at].decode(errors="replace").split("\n")
        # A console that echoes repeats the command in front of the answer, behind log lines.
        for i, l in enumerate(lines):
            if l.strip().removeprefix("towpath> ") == line:
                lines = lines[i + 1:]
                break
        client.answer(ok=True, text="\n".join(lines).rstrip("\n"))

    def tail(self):
        lines = self.seen.replace(b"\r", b"").decode(errors="replace").splitlines()[-60:]
        return "console, last lines:\n" + "".join(f"  | {line}\n" for line in lines)

    def guest_ended(self):
        self.select.unregister(self.output)
        status = self.guest.wait()
        self.clean_exit = status == (0 if self.options["hosted"] else guest.QEMU_OK)
        self.ended = (f"the forwarder has ended ({guest.describe_status(status, self.options['hosted'])})\n"
                      + self.tail())
        if self.current:
            self.current[0].answer(ok=self.current[1].startswith("quit") and self.clean_exit,
                                   status=state.EXIT_CRASHED, text=self.ended)
            self.current = None
        for client in [c for c in self.clients if c.raw]:
            self.forget(client)

    # --- going down ---

    def end_process(self, pids, first=signal.SIGTERM):
        """SIGTERM, three seconds, SIGKILL; by pid."""
        for sig in (first, signal.SIGKILL):
            for pid in pids:
                try:
                    os.kill(pid, sig)
                except OSError:
                    pass
            limit = time.monotonic() + 3
            while time.monotonic() < limit:
                pids = [p for p in pids if state.start_time(p) is not None]
                if not pids:
                    return
                time.sleep(0.02)

    def close(self):
        """Everything goes; returns whether the forwarder ended as it should, and the sentence."""
        ok, text = True, ""
        if self.guest:
            if not self.ended:
                if self.leaving is None:
                    self.write_console(b"quit\n")
                    limit = time.monotonic() + 3
                    while not self.ended and time.monotonic() < limit:
                        self.turn(0.1)
                if not self.ended:
                    self.guest.kill()
                    self.guest.wait()
                    ok, text = False, f"the forwarder did not obey quit and was killed\n{self.tail()}"
            if self.ended and not self.clean_exit:
                ok, text = False, self.ended
        self.end_process(netns.inhabitants(self.namespaces.values(), {os.getpid()}))
        for fd in [*self.taps, *self.namespaces.values()]:
            os.close(fd)
        if self.claimed:
            state.release(self.name)
        return ok, text


def keep(options, report):
    """The keeper's life. `report` is called once: report(ok, text, status), when up or failed."""
    k = Keeper(options)

    def on_signal(*_):
        k.stop = True

    for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(sig, on_signal)
    try:
        k.start()
        if not options["gdb"] and not k.wait_ready():
            why = k.ended or f"no `ready` on the console within {options['timeout']} s\n{k.tail()}"
            status = state.EXIT_CRASHED if k.ended else state.EXIT_TIMEOUT
            k.close()
            report(False, why, status)
            return
        k.publish()
        report(True, "", 0)
        k.run()
    except state.LabError as e:
        k.close()
        report(False, str(e), e.status)
        return
    except BaseException as e:
        k.close()
        report(False, f"{type(e).__name__}: {e}", state.EXIT_FAILED)
        raise
    ok, text = k.close()
    for client in k.leaving or []:
        client.answer(ok=ok, text=text, status=state.EXIT_CRASHED)
