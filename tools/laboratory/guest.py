# SPDX-License-Identifier: BSD-2-Clause
"""The command line of the forwarder: QEMU with two cards, or the Linux program with two taps."""

import pathlib
import shutil

from .state import LabError, folder

ROOT = pathlib.Path(__file__).resolve().parents[2]

# mitigation=off: QEMU's default keeps 128 us between interrupts and doubles every round trip.
# romfile=: the cards need no boot ROM when the kernel is handed over by -kernel.
NICS = {
    "e1000": "e1000,mitigation=off",
    "e1000e": "e1000e",
    "tulip": "tulip",
    "virtio": "virtio-net-pci,disable-legacy=on",
}
MACS = ("52:54:00:00:01:01", "52:54:00:00:02:01")
QEMU_OK = 33  # what QEMU makes of 16 at isa-debug-exit: the image's success


def gdb_socket(name):
    return folder(name) / "gdb"


def image_path(graph, hosted):
    path = ROOT / "build" / (f"hosted/{graph}" if hosted else f"x86_64/{graph}.elf")
    if not path.exists():
        goal = "host" if hosted else "image"
        raise LabError(f"{path.relative_to(ROOT)} is not there; make {goal} GRAPH={graph} makes it")
    return path


def qemu(options, taps):
    binary = shutil.which("qemu-system-x86_64")
    if not binary:
        raise LabError("qemu-system-x86_64 is not installed; tools/deps.sh lab installs it")
    words = [binary, "-nodefaults", "-machine", "pc", "-cpu", "max", "-m", str(options["mem"]),
             "-display", "none", "-no-reboot", "-chardev", "stdio,id=console,signal=off",
             "-serial", "chardev:console", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04",
             "-kernel", str(image_path(options["graph"], False))]
    if options["set"]:
        words += ["-append", " ".join(options["set"])]
    for i, fd in enumerate(taps):
        words += ["-netdev", f"tap,id=net{i},fd={fd}",
                  "-device", f"{NICS[options['nic']]},netdev=net{i},mac={MACS[i]},addr={3 + i},romfile="]
    if options["gdb"]:
        words += ["-gdb", f"unix:{gdb_socket(options['name'])},server=on,wait=off", "-S"]
    return words + options["qemu_args"]


def hosted(options, taps):
    words = [str(image_path(options["graph"], True))]
    for fd in taps:
        words += ["--dev", f"tap-fd:{fd}"]
    return words + options["set"]


def command(options, taps):
    return hosted(options, taps) if options["hosted"] else qemu(options, taps)


def describe_status(status, is_hosted):
    if status < 0:
        return f"killed by signal {-status}"
    if is_hosted or status < 3 or status % 2 == 0:
        return f"exit status {status}"
    return f"exit status {status}, the image's own {status >> 1}"
