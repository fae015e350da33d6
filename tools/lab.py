#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The laboratory: a client and a server, each in a network namespace, and a forwarder between them.

    client 10.0.1.2/24 -- 10.0.1.1 forwarder 10.0.2.1 -- 10.0.2.2/24 server

Used by people, by `make demo`, `make run` and by tests/system (class Lab). Exit status: 0; 1 failed;
2 usage; 3 no such lab; 4 time-out; 5 the forwarder ended by itself (its console is printed); `exec`
hands on the status of its command.
"""

import argparse
import json
import os
import pathlib
import select
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from laboratory import client, guest, keeper, netns, state  # noqa: E402
from laboratory.client import Lab  # noqa: E402,F401  (for those who import this file)
from laboratory.state import GuestEnded, LabError  # noqa: E402,F401


def spawn_keeper(options):
    """Fork a keeper in a session of its own; returns its pid and the pipe it will report on."""
    read_end, write_end = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        os.close(write_end)
        return pid, read_end
    os.close(read_end)
    os.setsid()
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    left = [write_end]

    def report(ok, text, status):
        if left:
            os.write(left[0], json.dumps([ok, text, status]).encode())
            os.close(left.pop())

    try:
        keeper.keep(options, report)
    finally:
        os._exit(0)


def up(args):
    bad = [s for s in args.set if "=" not in s]
    if bad:
        raise LabError(f"--set {bad[0]}: expected NAME=VALUE", state.EXIT_USAGE)
    guest.image_path(args.graph, args.hosted)
    options = {k: getattr(args, k) for k in ("name", "graph", "nic", "set", "hosted", "mem", "timeout",
                                             "owner", "gdb", "wired")}
    options["qemu_args"] = args.qemu_arg
    pid, pipe = spawn_keeper(options)

    def give_up(number, _):
        # The keeper clears up; its end is waited for, then ours is by the same signal.
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    old = {s: signal.signal(s, give_up) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    with os.fdopen(pipe, "rb") as f:
        data = f.read()
    for s, handler in old.items():
        signal.signal(s, handler)
    ok, text, status = json.loads(data) if data else (False, "the keeper of the lab died", 1)
    if not ok:
        os.waitpid(pid, 0)
        raise LabError(text, status)


def up_command(args):
    up(args)
    card = "hosted" if args.hosted else args.nic
    print(f"lab {args.name}: {args.graph} on {card} is ready; "
          f"lab.py --name {args.name} exec client|server CMD..., show paths, down")


def exec_command(args):
    words = client.enter_words(args.name)[args.side]
    client.check(args.name)
    if not args.words:
        raise LabError("exec: no command", state.EXIT_USAGE)
    os.execv(words[0], words + args.words)


def pcap(args):
    words = client.enter_words(args.name)[args.side]
    client.check(args.name)
    if state.read(args.name)["user"]:
        capture = [sys.executable, str(pathlib.Path(__file__).resolve().parent / "laboratory/capture.py")]
        os.execv(words[0], words + capture + [netns.DEVICE, args.file])
    os.execv(words[0], words + ["tcpdump", "-i", netns.DEVICE, "-U", "--immediate-mode", "-n", "-s", "0",
                                "-Z", "root", "-w", args.file])


def console_command(args):
    line = " ".join([args.action, *args.words])
    text = client.request(args.name, op="command", line=line)["text"]
    print(text, end="\n" if text else "")


def down(args):
    client.take_down(args.name)
    print(f"lab {args.name}: down")


def list_labs(_):
    for name in state.names():
        facts = state.read(name)
        if not facts:
            print(f"{name}: coming up, or its keeper was killed; `up --name {name}` takes its place")
            continue
        ended = client.request(name, op="status")["ended"]
        card = "hosted" if facts["hosted"] else facts["nic"]
        print(f"{name}: {facts['graph']} on {card}, " + ("ended" if ended else "running"))


def attach(args):
    """This terminal is the console, until the forwarder ends or the input does."""
    s = client.connect(args.name)
    s.sendall(b'{"op": "attach"}\n')
    print(client.receive(s)["text"].replace("\r", ""), end="", flush=True)
    watched = [s, sys.stdin]
    while True:
        for source in select.select(watched, [], [])[0]:
            if source is s:
                data = s.recv(65536)
                if not data:
                    return
                sys.stdout.write(data.decode(errors="replace").replace("\r", ""))
                sys.stdout.flush()
                continue
            data = os.read(sys.stdin.fileno(), 4096)
            if not data:
                watched.remove(sys.stdin)
            s.sendall(data)


def run(args):
    args.owner = os.getpid()
    if args.gdb:
        print(f"waiting for a debugger; in another window:\n  gdb build/x86_64/{args.graph}.elf64 "
              f"-ex 'target remote {guest.gdb_socket(args.name)}'", flush=True)
    up(args)
    try:
        attach(args)
    except KeyboardInterrupt:
        print()
    finally:
        client.take_down(args.name)


def parse(argv):
    # `--qemu-arg -icount`: argparse takes the second for an option unless it is glued on.
    glued = []
    for word in argv:
        if glued and glued[-1] == "--qemu-arg":
            glued[-1] += "=" + word
        else:
            glued.append(word)
    name = argparse.ArgumentParser(add_help=False)
    name.add_argument("--name", default=argparse.SUPPRESS, metavar="LAB", help="which lab (default: lab)")
    p = argparse.ArgumentParser(prog="lab.py", description=__doc__.split("\n")[0], parents=[name])
    sub = p.add_subparsers(dest="action", required=True, metavar="COMMAND")

    def add(action, function, text):
        a = sub.add_parser(action, parents=[name], help=text)
        a.set_defaults(function=function)
        return a

    for action, function, text in (("up", up_command, "build the lab and boot the forwarder"),
                                   ("run", run, "the same with its console here; ends with it")):
        a = add(action, function, text)
        a.add_argument("--graph", required=True, help="which graph of config/, built before")
        a.add_argument("--nic", choices=sorted(guest.NICS), default="e1000", help="QEMU's card")
        a.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting")
        a.add_argument("--hosted", action="store_true", help="the Linux program instead of QEMU")
        a.add_argument("--wired", action="store_true", help="cut both cables open, in a third namespace, `wire`")
        a.add_argument("--mem", type=int, default=64, metavar="MIB", help="memory of the guest (default: 64)")
        a.add_argument("--qemu-arg", action="append", default=[], metavar="A", help="hand A on to QEMU")
        a.add_argument("--timeout", type=float, default=60, metavar="S", help="how long to wait for `ready`")
        a.add_argument("--owner", type=int, default=0, metavar="PID", help="go down when this process ends")
        a.add_argument("--gdb", action="store_true", help="start stopped and wait for a debugger")
    for action, function, text in (("exec", exec_command, "run a command on one side"),
                                   ("pcap", pcap, "capture on one side until Ctrl-C")):
        a = add(action, function, text)
        a.add_argument("side", choices=[*netns.SIDES, *([netns.WIRE] if action == "exec" else [])])
        if action == "exec":
            a.add_argument("words", nargs=argparse.REMAINDER, metavar="CMD...")
        else:
            a.add_argument("file", help="where to; - is standard output")
    for action, text in (("show", "console command: show paths, nodes, stats, mem ..."),
                         ("set", "console command: change a setting"), ("help", "what the console offers"),
                         ("quit", "console command: end the forwarder (the lab stays until `down`)")):
        add(action, console_command, text).add_argument("words", nargs="*", metavar="WORD")
    add("console", attach, "this terminal becomes the console")
    add("down", down, "end the lab and all that runs in it")
    add("list", list_labs, "the labs that are up")
    args = p.parse_args(glued)
    args.name = getattr(args, "name", "lab")
    if not state.NAME.match(args.name):
        p.error(f"--name {args.name}: expected letters, digits, - and _")
    return args


def main():
    args = parse(sys.argv[1:])
    try:
        args.function(args)
    except LabError as e:
        print(f"lab.py: {e}".rstrip(), file=sys.stderr)
        return e.status
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
