#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What must not be possible is not: the boot word trap=WHAT does the forbidden thing, and the image must answer
with a report on the serial line and a status that is no success. And what a report says, what no output ever
says, what the files of a release are like. The requirements are R-HARD-1 to 15 of docs/requirements."""

import argparse
import contextlib
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import boot_media  # noqa: E402
import secrets_of  # noqa: E402

GRAPH = "firewall-1path"
TRAPPED, ASSERTED, REFUSED, QUIT = 5, 7, 3, 33  # isa-debug-exit: 2 * status + 1 of the image; 16 is success
PAGE_FAULT = r"PANIC: page fault .*"
NX = PAGE_FAULT + "error 11: execution of"
UNMAPPED = PAGE_FAULT + "not mapped"
NOT_IN_MEMORY = r"PANIC: assertion `memory_holds"
SEED = 7

CASES = [
    ("R-HARD-1 the null page is not mapped", "null", TRAPPED, PAGE_FAULT + "read of 0{16}, not mapped"),
    ("R-HARD-2 code is not writable", "text", TRAPPED, PAGE_FAULT + r"error 3: write of 0*100000\)"),
    ("R-HARD-3 constants are not writable", "rodata", TRAPPED, PAGE_FAULT + "error 3: write of"),
    ("R-HARD-3 constants are not executable", "rodataexec", TRAPPED, NX),
    ("R-HARD-4 data is not executable", "exec", TRAPPED, NX),
    ("R-HARD-4 the heap is not executable", "heap", TRAPPED, NX),
    ("R-HARD-4 the stack is not executable", "stackexec", TRAPPED, NX),
    ("R-HARD-5 the kernel does not execute a program's page (SMEP)", "smep", TRAPPED, NX),
    ("R-HARD-6 a full stack meets its guard page", "stack", TRAPPED, UNMAPPED + "[^$]*^stack: overflowed"),
    ("R-HARD-6 a full interrupt stack meets its guard page", "irqstack", TRAPPED, UNMAPPED),
    ("R-HARD-6 there is a guard page below the stack of interrupts", "belowirq", TRAPPED, UNMAPPED),
    ("R-HARD-6 there is a guard page below the stack of exceptions", "belowfault", TRAPPED, UNMAPPED),
    ("R-HARD-6 there is a guard page below the stack of NMIs", "belownmi", TRAPPED, UNMAPPED),
    ("R-HARD-6 there is a guard page below the stack of double faults", "belowdouble", TRAPPED, UNMAPPED),
    ("R-HARD-7 an overwritten stack canary ends the machine", "canary", ASSERTED, "PANIC: stack canary overwritten"),
    ("R-HARD-9 no card is given code to write", "dmatext", ASSERTED, NOT_IN_MEMORY),
    ("R-HARD-9 no card is given constants to write", "dmarodata", ASSERTED, NOT_IN_MEMORY),
    ("R-HARD-9 memory is not taken for a card's registers", "mmiotext", ASSERTED, "PANIC: assertion `mmio_map"),
    ("R-HARD-12 a failed assertion ends the machine", "assert", ASSERTED,
     r"PANIC: assertion .* at boot/x86_64/selftest\.c:\d+"),
    ("R-HARD-11 an invalid instruction is reported", "opcode", TRAPPED, r"PANIC: invalid opcode \(vector 6"),
    ("R-HARD-11 a fault of the running machine is reported, with the end of the log", "late", TRAPPED,
     r"PANIC: invalid opcode [^$]*^log \[\d+ ms\] ready$"),
    ("R-HARD-13 a path that never returns is named, and the machine ends", "hang watchdog=1s", ASSERTED,
     r"PANIC: watchdog: the main loop does not turn[^$]*^inside an interrupt of [0-9a-f]+$[^$]*^path 0 .*: eth0 arp$"),
    ("an unknown self-test stops the boot", "nothing", REFUSED, "error: trap=nothing: expected null"),
]
NO_REPORT = ("nothing",)
failed = 0


class Bad(Exception):
    """What is wrong, in a sentence."""


def must(condition, why):
    if not condition:
        raise Bad(why)


@contextlib.contextmanager
def case(name):
    global failed
    try:
        yield
        print(f"ok hardening: {name}", flush=True)
    except boot_media.state.LabError as e:
        print(f"skip hardening: {name}: {e}", flush=True)
    except (Bad, OSError, subprocess.SubprocessError) as e:
        failed += 1
        said = " / ".join(line for line in str(e).splitlines()[-6:] if line.strip())
        print(f"not ok hardening: {name}: {said or type(e).__name__}", flush=True)


def elf(graph):
    return ROOT / f"build/x86_64/{graph}.elf"


def qemu(words, *more, graph=GRAPH, cpu="max", cards=0):
    argv = [shutil.which("qemu-system-x86_64") or "qemu-system-x86_64", "-nodefaults", "-display", "none", "-m", "32",
            "-cpu", cpu, "-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04", "-kernel",
            str(elf(graph)), "-append", words, *more]
    for _ in range(cards):
        argv += ["-nic", "user,model=e1000,restrict=on"]
    return argv


def run(words, *more, **options):
    """(exit status, output) of a machine that ends by itself."""
    done = subprocess.run(qemu(words, *more, "-no-reboot", **options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60)
    return done.returncode, done.stdout.decode(errors="replace").replace("\r", "")


def start_and_quit(words, *more, **options):
    """What a machine says that starts and is told to stop."""
    child = subprocess.Popen(qemu(words, *more, "-no-reboot", cards=2, **options), stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        text = secrets_of.console(child, ["show settings"])
        text += child.communicate(b"quit now\n", timeout=30)[0].decode(errors="replace")
    finally:
        child.kill()
        child.wait()
    must(search("ready$", text) and child.returncode == QUIT, f"status {child.returncode}\n{text}")
    return text


def search(pattern, text):
    return re.search(pattern, text, re.MULTILINE)


def traps():
    for name, word, wanted, pattern in CASES:
        with case(name):
            status, text = run(f"trap={word}", cards=2 if word.startswith(("late", "hang")) else 0)
            must(status == wanted, f"status {status}\n{text}")
            must(search(pattern, text), f"it says\n{text}")
            if word not in NO_REPORT:
                must(search(r"\brip [0-9a-f]{16}", text) and search(r"\br15 [0-9a-f]{16}", text), "no registers")
                must(search(r"^path", text), "nothing about a path")


def processor():
    """SMEP is tried above. UMIP is about programs, of which there are none: its bit is read."""
    for cpu, wanted in (("max", "wp nxe smep umip"), ("qemu64", "wp nxe")):
        with case(f"R-HARD-5 the protections that -cpu {cpu} has are on: {wanted}"):
            status, text = run("trap=protections", cpu=cpu)
            must(status == QUIT and search(f"^protections: {wanted}$", text), text)
        with case(f"R-HARD-7 the stack canary differs from boot to boot on -cpu {cpu}, and ends strings"):
            said = [search(r"^canary ([0-9a-f]{8}), lowest byte zero$", run("trap=saycanary", cpu=cpu)[1])
                    for _ in range(4)]
            must(all(said), "a boot said no canary")
            must(len({m[1] for m in said}) == len(said), f"they say {[m[1] for m in said]}")


def entropy():
    """-icount makes the clock a function of the instructions, so there is no jitter to believe."""
    still = ("-icount", "shift=0")
    with case("R-HARD-10 without RDRAND and with a regular clock the machine refuses to start"):
        status, text = run("", *still, cpu="qemu64", cards=2)
        must(status == REFUSED and search("^error: no entropy", text), f"status {status}\n{text}")
        must(not search("ready$", text), "it became ready")
    with case("R-HARD-10 with seed=N it starts, and says that it is insecure"):
        text = start_and_quit(f"seed={SEED}", *still, cpu="qemu64")
        must(search(rf"^warning: seed={SEED}: every random number is predictable$", text), text)
    with case("R-HARD-10 RDRAND alone will do"):
        text = start_and_quit("", *still)
        must("rdrand good, jitter too regular" in text, text)
        must("predictable" not in text, "it warns")


def segments():
    files = [*sorted((ROOT / "build/x86_64").glob("*.elf")), *sorted((ROOT / "build/x86_64").glob("*.elf64"))]
    with tempfile.TemporaryDirectory() as folder:
        for iso in sorted((ROOT / "build/x86_64").glob("*.iso")):
            out = pathlib.Path(folder) / f"{iso.stem}-from-iso.elf"
            done = subprocess.run(["xorriso", "-osirrox", "on", "-indev", str(iso), "-extract", "/boot/towpath.elf",
                                   str(out)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            with case(f"R-HARD-8 {iso.name} holds the image"):
                must(done.returncode == 0 and out.exists(), done.stdout)
            files.append(out)
        with case(f"R-HARD-8 no segment of {len(files)} images is writable and executable"):
            for file in files:
                said = subprocess.run(["readelf", "-lW", str(file)], check=True, stdout=subprocess.PIPE, text=True).stdout
                flags = re.findall(r"^  (\w+)(?: +0x[0-9a-f]+){5} +([RWE ]{3}) ", said, re.MULTILINE)
                loads = sorted(f.replace(" ", "") for kind, f in flags if kind == "LOAD")
                must(loads == ["R", "RE", "RW"], f"{file.name}: {flags}")
                must(not [f for _, f in flags if "W" in f and "E" in f], f"{file.name}: {flags}")


def release():
    with case("R-HARD-12 NDEBUG is in no flags and no source, and every image has its assertions"):
        done = subprocess.run(["git", "grep", "-nw", "-e", "NDEBUG", "--", "Makefile", "mk", "*.c", "*.h", "*.S"], cwd=ROOT,
                              stdout=subprocess.PIPE, text=True)
        must(not done.stdout, done.stdout)
        for flags in (ROOT / "build").glob("*/flags"):
            must("NDEBUG" not in flags.read_text(), str(flags))
        for file in sorted((ROOT / "build/x86_64").glob("*.elf64")):
            said = subprocess.run(["objdump", "-d", "--no-show-raw-insn", str(file)], check=True, stdout=subprocess.PIPE,
                                  text=True).stdout
            calls = len(re.findall(r"(?:call|jmp) .*<__assert_func>", said))
            must(calls > 20, f"{file.name}: {calls} assertions")


def path_report(net):
    with case("R-HARD-11 a report names the running path, its stages, its last messages and the log"), \
            boot_media.Machine(net, ["-kernel", str(elf(GRAPH)), "-append", "trap=path"]) as machine:
        must(machine.wait_for(r"\] ready$", 30), machine.text)
        ping = net.client(["ping", "-i", "0.2", "-c", "100", boot_media.OUR_ADDRESS], stdout=subprocess.DEVNULL)
        status = machine.end(20)
        ping.terminate()
        ping.wait()
        wanted = (r"^PANIC: debug \(vector 1", r"^path \d+ \(id [0-9a-f]+\): eth0 (ip icmp|arp)$",
                  r"^  message \d+: (98|42|60) bytes A to B, \d+ us ago$", r"^log \[\d+ ms\] ready$", r"^EXIT 2$")
        lacks = [w for w in wanted if not search(w, machine.text)]
        must(not lacks and status == TRAPPED, f"status {status}, lacks {lacks}")


def reboot():
    with case("R-HARD-11 with panic=reboot the report is followed by a new start"):
        child = subprocess.Popen(qemu("trap=late panic=reboot", cards=2), stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        text = ""
        try:
            for raw in child.stdout:
                text += raw.decode(errors="replace").replace("\r", "")
                if text.count("ready\n") >= 3:  # the first start's, its report's, and the second start's
                    break
        finally:
            child.kill()
            child.wait()
            child.stdout.close()
        must(search(r"^towpath: [^$]*^PANIC: invalid opcode[^$]*^RESET$[^$]*^towpath: [^$]*\] ready$", text), text)


def watched(net):
    """A watchdog that barks at the idle, the busy or the sleeping is worse than none."""
    with case("R-HARD-13 the watchdog leaves an idle machine alone, and one that its host has halted"), \
            boot_media.Machine(net, ["-kernel", str(elf(GRAPH)), "-append", "watchdog=500ms"]) as machine:
        must(machine.wait_for(r"\] ready$", 30), machine.text)
        time.sleep(2)
        machine.process.send_signal(signal.SIGSTOP)
        time.sleep(3)
        machine.process.send_signal(signal.SIGCONT)
        must(boot_media.ping_tries(net, machine) is None, f"no ping\n{machine.text}")
        machine.type("quit")
        must(machine.end() == QUIT, machine.text)


SCAN = """
import resource, select, socket, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (2048, 2048))
found = []
def finish(waiting, seconds):
    limit = time.monotonic() + seconds
    while waiting and time.monotonic() < limit:
        poll = select.poll()
        for fd in waiting:
            poll.register(fd, select.POLLOUT)
        for fd, _ in poll.poll(1000):
            s, port = waiting.pop(fd)
            error = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error == 0:
                found.append(port)
            elif error != 111:
                print("port", port, "error", error)
            s.close()
    for s, port in waiting.values():
        print("port", port, "silent")
        s.close()
for first in range(1, 65536, 1000):
    waiting = {}
    for port in range(first, min(first + 1000, 65536)):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex((sys.argv[1], port))
        waiting[s.fileno()] = (s, port)
    finish(waiting, 15)
print("tcp", *found)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for port in range(1, 65536):
    u.sendto(b"x" * 16, (sys.argv[1], port))
u.settimeout(2)
try:
    print("udp", u.recvfrom(100))
except socket.timeout:
    print("udp")
"""


def ports(net):
    listens = ["/usr/bin/python3", "-c", "import socket, time; s = socket.create_server(('10.0.2.2', 8080)); time.sleep(600)"]

    def server_side():
        boot_media.netns.enter(net.namespaces["server"])
        boot_media.netns.die_with_parent()

    with case("R-HARD-14 R-ATK-17 without a serial line, no port but the graph's one answers: 65,535 of TCP, and of UDP"), \
            boot_media.Machine(net, ["-kernel", str(elf(GRAPH)), "-append", ""], serial=False):
        server = subprocess.Popen(listens, preexec_fn=server_side)
        try:
            until = time.monotonic() + 30
            while net.ping() is not None:
                must(time.monotonic() < until, "no ping")
            scan = net.client(["/usr/bin/python3", "-c", SCAN, boot_media.OUR_ADDRESS], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
            said = scan.communicate(timeout=300)[0]
            must(said.splitlines() == ["tcp 8080", "udp"], said)
        finally:
            server.kill()
            server.wait()


def secrets(graph):
    """What the machine draws from a known seed is known here; what of it stays in memory are its secrets."""
    known = secrets_of.draws(SEED, 256)
    config = (ROOT / f"config/{graph}.graph").read_text()
    texts = [t for pair in re.findall(r"=([0-9a-f]+):([0-9a-f]{32,})", config) for t in pair]
    lines = ["show " + s for s in ("paths", "nodes", "stats", "mem", "timers", "drops", "rules", "settings", "log")]
    lines += [f"show path {i}" for i in range(8)] + ["help", "splice all", "unsplice all"]
    with tempfile.TemporaryDirectory() as folder:
        dump, monitor = pathlib.Path(folder) / "memory", pathlib.Path(folder) / "monitor"
        argv = qemu(f"seed={SEED}", "-no-reboot", "-monitor", f"unix:{monitor},server=on,wait=off", graph=graph, cards=2)
        child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            text = secrets_of.console(child, lines)
            memory = secrets_of.memory(monitor, dump, 32 << 20)
        finally:
            child.kill()
            text += child.communicate()[0].decode(errors="replace")
    kept = [v for v in known if v.to_bytes(8, "little") in memory]
    must(len(kept) >= 2, f"only {len(kept)} of what was drawn is in memory: the test looks for the wrong things")
    must(text.count("towpath>") >= len(lines), f"the console did not answer\n{text}")
    text += run(f"seed={SEED} trap=late", graph=graph, cards=2)[1]
    must("PANIC" in text, "no panic")
    for v in kept:
        for form in secrets_of.forms(v):
            must(form not in text, f"a secret was said: {form}")
    for t in texts:
        must(t not in text, f"a secret setting was said: {t}")


def main():
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_known_args()
    if not elf(GRAPH).exists():
        print(f"not ok hardening: {elf(GRAPH).relative_to(ROOT)} is not there; `make image` makes it")
        return 1
    traps()
    processor()
    entropy()
    segments()
    release()
    reboot()
    for graph in (GRAPH, "login"):
        with case(f"R-HARD-15 no secret of {graph} is in any answer of the console, nor in a report"):
            secrets(graph)
    try:
        net = boot_media.Net()
    except boot_media.state.LabError as e:
        print(f"skip hardening: no namespaces: {e}", flush=True)
        return 1 if failed else 0
    path_report(net)
    watched(net)
    ports(net)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
