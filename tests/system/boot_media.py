#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every way to boot the one image: QEMU -kernel, the ISO as CD, as disk and under UEFI, and PXE by
the ROM of each card. Each must reach `ready` on the serial line, answer a ping, and end with
success at `quit`. Also: its size and memory, settings from a boot module, a wrong setting, and
power-off where there is no isa-debug-exit. Needs `make image iso` before (the runner does that)."""

import contextlib
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from laboratory import guest, netns, state  # noqa: E402

GRAPH = "firewall-1path"
ELF = ROOT / f"build/x86_64/{GRAPH}.elf"
ISO = ROOT / f"build/x86_64/{GRAPH}.iso"
OVMF = pathlib.Path("/usr/share/ovmf/OVMF.fd")
OUR_ADDRESS = "10.0.1.1"
ROMS = {"e1000": "e1000", "e1000e": "e1000e", "virtio": "virtio-net-pci"}
QUIET_BOOTS = 12  # of which three used to fail
STOPS = 60  # which is longer than a boot takes; a busy machine may stand still meanwhile, and goes on then
SLOW_BOOTS = 3
failed = 0


def check(name, ok, why=""):
    global failed
    failed += not ok
    text = " / ".join(line for line in str(why).splitlines()[-6:] if line.strip())
    print(f"ok boot media: {name}" if ok else f"not ok boot media: {name}: {text}", flush=True)


class Machine:
    """QEMU between the two namespaces, its serial line on a pipe."""

    def __init__(self, net, words, cards=("e1000",) * 2, rom=False, debug_exit=True, mem=32, serial=True):
        argv = [shutil.which("qemu-system-x86_64"), "-nodefaults", "-display", "none", "-m", str(mem), "-chardev",
                "stdio,id=console,signal=off", "-serial", "chardev:console" if serial else "none"]
        argv += ["-no-reboot", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"] if debug_exit else []
        for i, (model, tap) in enumerate(zip(cards, net.taps)):
            argv += ["-netdev", f"tap,id=net{i},fd={tap}", "-device",
                     f"{model},netdev=net{i},mac={guest.MACS[i]}" + ("" if rom and i == 0 else ",romfile=")]
        self.text = ""
        self.process = subprocess.Popen(argv + words, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, pass_fds=net.taps, preexec_fn=netns.die_with_parent)

    def wait_for(self, pattern, seconds):
        """Reads the serial line until the pattern comes (True), or the end or the time does."""
        limit = time.monotonic() + seconds
        at = len(self.text) if pattern is None else 0
        while pattern is None or not re.search(pattern, self.text[at:], re.MULTILINE):
            left = limit - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                return False
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                return False
            self.text += data.decode(errors="replace").replace("\r", "")
        return True

    def type(self, line):
        with contextlib.suppress(BrokenPipeError):  # it has ended; its status will say so
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()

    def end(self, seconds=15):
        """Waits for the end; its status, or None after the time."""
        self.wait_for(None, seconds)
        try:
            return self.process.wait(1)
        except subprocess.TimeoutExpired:
            return None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Net:
    """The laboratory's two namespaces, without its guest."""

    def __init__(self):
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.namespaces, self.user = netns.make_spaces(netns.SIDES)
        self.taps = [netns.furnish(self.namespaces[side], side) for side in netns.SIDES]

    def client(self, words, **options):
        def inside():
            netns.enter(self.namespaces["client"])
            netns.die_with_parent()
        return subprocess.Popen(words, preexec_fn=inside, **options)

    def ping(self):
        done = self.client(["ping", "-c", "1", "-W", "2", OUR_ADDRESS], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True)
        return done.communicate()[0] if done.wait() else None


def ping_tries(net, machine):
    """A card may need a second for its link: five tries."""
    answer = None
    for _ in range(5):
        answer = net.ping()
        if answer is None:
            return None
    return f"{answer}\n{machine.text[-400:]}"


def boots(name, net, words, seconds=30, **options):
    with Machine(net, words, **options) as machine:
        if not machine.wait_for(r"\] ready$", seconds):
            check(f"{name} reaches ready", False, machine.text[-600:])
            return
        why = ping_tries(net, machine)
        machine.type("quit")
        status = machine.end()
        check(f"{name} reaches ready, answers a ping and quits", why is None and status == guest.QEMU_OK,
              why or f"status {status}\n{machine.text[-400:]}")


def test_image(net):
    size = ELF.stat().st_size
    check("the image is smaller than 1 MiB", size < 1 << 20, size)
    boots("-kernel in 32 MiB", net, ["-kernel", str(ELF)])
    boots("-kernel on q35", net, ["-machine", "q35", "-kernel", str(ELF)])


def test_settings(net):
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as f:
        f.write("# sched=share\nsched=edf # not fifo\n\npaths=777")
        f.flush()
        words = ["-kernel", str(ELF), "-append", "flows=4096", "-initrd", f.name]
        with Machine(net, words) as machine:
            up = machine.wait_for(r"\] ready$", 30)
            machine.type("show settings")
            machine.wait_for(r"^pathmem", 10)
            ok = up and all(re.search(rf"^{s}$", machine.text, re.M) for s in ("sched=edf", "paths=777", "flows=4096"))
            check("command line and boot module set settings", ok, machine.text[-400:])
    for words, why in ((["-append", "nonsense=1"], "nonsense"), (["-append", "paths=many"], "many")):
        with Machine(net, ["-kernel", str(ELF), *words]) as machine:
            status = machine.end(30)
            lines = [line for line in machine.text.splitlines() if "error: " in line and why in line]
            check(f"{words[1]} stops the boot with one clear line", status == 3 and len(lines) == 1, machine.text[-400:])


def test_power_off(net):
    for machine_type in ("pc", "q35"):
        with Machine(net, ["-machine", machine_type, "-kernel", str(ELF)], debug_exit=False) as machine:
            machine.wait_for(r"\] ready$", 30)
            machine.type("quit")
            status = machine.end()
            check(f"quit powers {machine_type} off by ACPI", status == 0, f"status {status}\n{machine.text[-300:]}")


def test_entropy(net):
    words = ["-kernel", str(ELF), "-cpu", "qemu64", "-icount", "shift=0"]
    with Machine(net, words) as machine:
        status = machine.end(30)
        check("without RDRAND and jitter the boot is refused", status == 3 and "error: no entropy" in machine.text,
              machine.text[-300:])
    for _ in range(QUIET_BOOTS):
        with Machine(net, ["-kernel", str(ELF), "-cpu", "qemu64"]) as machine:
            if not machine.wait_for(r"\] ready$", 30):
                check("jitter alone is enough, however quiet the host", False, machine.text[-300:])
                break
            machine.type("quit")
            machine.end()
    else:
        check("jitter alone is enough, however quiet the host", True)
    with Machine(net, words + ["-append", "seed=7"]) as machine:
        ok = machine.wait_for(r"\] ready$", 30)
        check("seed=N starts without entropy and warns", ok and "warning: seed=7" in machine.text, machine.text[-300:])


def test_clock(net):
    """The rate of the clock is measured at boot: by a machine that others keep from running for long, here by us."""
    for _ in range(SLOW_BOOTS):
        with Machine(net, ["-kernel", str(ELF), "-append", "seed=1"]) as machine:
            for _ in range(STOPS):
                if machine.process.poll() is not None or machine.wait_for(r"\] ready$", 0.01):
                    break
                machine.process.send_signal(signal.SIGSTOP)
                time.sleep(0.09)
                machine.process.send_signal(signal.SIGCONT)
            machine.wait_for(r"\] ready$", 60)
            seen = []
            for pause in (1.5, 0):
                began, at = time.monotonic(), len(machine.text)
                machine.type("show stats")
                if not machine.wait_for(rf"(?s)\A.{{{at},}}?uptime_ms \d+\n", 10):
                    break
                seen.append((began, int(re.findall(r"uptime_ms (\d+)\n", machine.text)[-1]) / 1000))
                time.sleep(pause)
            real, guest_says = (b - a for a, b in zip(*seen)) if len(seen) == 2 else (1, 0)
            if abs(guest_says / real - 1) > 0.1:
                check("the clock keeps time, however busy the host was at boot", False, f"{guest_says:.2f} s in {real:.2f} s")
                return
    check("the clock keeps time, however busy the host was at boot", True)


def test_gone(net):
    with Machine(net, ["-kernel", str(ELF), "-append", "paths=many"]) as machine:
        machine.process.wait(30)
        machine.type("quit")
        status = machine.end()
    check("typing to a machine that has ended leaves its status", status == 3, f"status {status}")


def test_iso(net):
    cd = ["-drive", f"file={ISO},media=cdrom,format=raw,readonly=on,if=none,id=cd", "-device", "ide-cd,drive=cd,bootindex=0"]
    boots("ISO as CD with SeaBIOS", net, cd)
    disk = ["-drive", f"file={ISO},format=raw,if=none,id=disk,snapshot=on", "-device", "ide-hd,drive=disk,bootindex=0"]
    boots("ISO as disk with SeaBIOS", net, disk)
    if not OVMF.exists():
        print("skip boot media: ISO with OVMF: ovmf is not installed", flush=True)
        return
    uefi = ["-bios", str(OVMF), "-machine", "q35"]
    boots("ISO as CD with OVMF", net, uefi + cd, seconds=120, mem=64)


def boot_server(net, where):
    """DHCP and TFTP on the client's side, as boot/ipxe/README.md says."""
    shutil.copy(ROOT / "boot/ipxe/towpath.ipxe", where)
    shutil.copy(ELF, f"{where}/towpath.elf")
    dnsmasq = shutil.which("dnsmasq") or "/usr/sbin/dnsmasq"
    words = [dnsmasq, "--no-daemon", "--conf-file=/dev/null", "--port=0", f"--interface={netns.DEVICE}",
             "--bind-interfaces", "--dhcp-range=10.0.1.50,10.0.1.99", "--enable-tftp", f"--tftp-root={where}",
             "--dhcp-boot=towpath.ipxe", f"--dhcp-leasefile={where}/leases", "--user=root", "--pid-file="]
    return net.client(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_pxe(net):
    if not shutil.which("dnsmasq") and not os.path.exists("/usr/sbin/dnsmasq"):
        print("skip boot media: PXE: dnsmasq is not installed", flush=True)
        return
    with tempfile.TemporaryDirectory() as where:
        os.chmod(where, 0o755)
        server = boot_server(net, where)
        try:
            for name, model in ROMS.items():
                boots(f"PXE by the ROM of {name}", net, ["-boot", "n"], seconds=60, cards=(model, model), rom=True)
            (pathlib.Path(where) / "settings.txt").write_text("paths=many\n", encoding="ascii")
            with Machine(net, ["-boot", "n"], cards=("e1000", "e1000"), rom=True) as machine:
                status = machine.end(60)
                check("PXE hands settings.txt over", status == 3 and "paths" in machine.text, machine.text[-400:])
        finally:
            server.terminate()
            server.wait()


def main():
    for path in (ELF, ISO):
        if not path.exists():
            print(f"not ok boot media: {path.relative_to(ROOT)} is not there; `make image iso` makes it")
            return 1
    try:
        net = Net()
    except state.LabError as e:
        print(f"skip boot media: {e}")
        return 0
    only = [w for w in sys.argv[1:] if not w.startswith("-")]
    for name, test in list(globals().items()):
        if name.startswith("test_") and (not only or name.removeprefix("test_") in only):
            test(net)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
