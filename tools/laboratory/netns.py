# SPDX-License-Identifier: BSD-2-Clause
"""Network namespaces and taps. Called by the keeper only, which has a single thread.

The namespaces have no names in the file system: they live as long as the keeper's descriptors and
the processes in them, so even a keeper that is killed leaves nothing behind.
"""

import ctypes
import errno
import fcntl
import os
import socket
import struct
import subprocess

from .state import LabError

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
PR_SET_PDEATHSIG = 1

DEVICE = "tap0"  # the hosts' card, of the same name on both sides
WIRE, BOX = "wire", "box-"  # a wired lab's third namespace; what the forwarder's ends are named there
SIDES = {
    "client": {"addr": "10.0.1.2", "net": "10.0.1.0/24", "gateway": "10.0.1.1", "mac": "02:00:00:00:01:02"},
    "server": {"addr": "10.0.2.2", "net": "10.0.2.0/24", "gateway": "10.0.2.1", "mac": "02:00:00:00:02:02"},
}

libc = ctypes.CDLL(None, use_errno=True)


def call(result, what):
    if result < 0:
        e = ctypes.get_errno()
        raise OSError(e, f"{what}: {os.strerror(e)}")


def unshare(flags):
    call(libc.unshare(flags), "unshare")


def enter(fd):
    call(libc.setns(fd, CLONE_NEWNET), "setns")


def die_with_parent():
    """In a child: SIGKILL when the keeper ends, however it ends."""
    libc.prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)


def become_root_of_user_namespace():
    """Without privileges: a user namespace in which we are root."""
    uid, gid = os.geteuid(), os.getegid()
    unshare(CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as f:
            f.write(text)


def make_spaces(names):
    """A namespace each, as descriptors, and the one to come back to: None when a user namespace was
    needed, which has no way back."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    user = False
    made = {}
    for side in names:
        try:
            unshare(CLONE_NEWNET)
        except OSError as e:
            if e.errno != errno.EPERM or user:
                raise LabError(f"no network namespace: {e.strerror}") from None
            try:
                become_root_of_user_namespace()
                unshare(CLONE_NEWNET)
            except OSError as second:
                raise LabError("no network namespace without root, and this host allows no user namespace "
                               f"({second.strerror}); run as root") from None
            user = True
        made[side] = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    if user:
        os.close(home)
        return made, None
    return made, home


def ip(*words):
    done = subprocess.run(["ip", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise LabError(f"ip {' '.join(words)}: {done.stderr.strip()}")


def sysctl(name, value):
    """Best effort: a kernel without the knob has the default, which does."""
    try:
        with open("/proc/sys/" + name.replace(".", "/"), "w", encoding="ascii") as f:
            f.write(value)
    except OSError:
        pass


def open_tap(name):
    try:
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as e:
        raise LabError(f"/dev/net/tun: {e.strerror}; a lab needs Linux's tun driver, and root "
                       "where that device may not be opened by everyone") from None
    # Without IFF_VNET_HDR the kernel hands out whole frames of MTU size with their checksums done.
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return fd


def no_ipv6():
    sysctl("net.ipv6.conf.all.disable_ipv6", "1")
    sysctl("net.ipv6.conf.default.disable_ipv6", "1")


def frames_as_on_a_wire(name):
    """A veth hands on what a card would have to finish, 64 KiB without a checksum: not this one."""
    ethtool_stxcsum, siocethtool = 0x17, 0x8946
    value = ctypes.create_string_buffer(struct.pack("II", ethtool_stxcsum, 0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, siocethtool, struct.pack("16sP16x", name.encode(), ctypes.addressof(value)))


def cut_open(wire, side):
    """In the namespace of the wires: a tap for the forwarder; its descriptor. Between it and the host's
    cable, an interface named after its side, there is nothing but what a test puts there (badwire)."""
    enter(wire)
    no_ipv6()
    tap = open_tap(BOX + side)
    ip("link", "set", BOX + side, "up")
    return tap


def furnish(namespace, side, wire=None):
    """Card, address and route in one namespace; returns the tap's descriptor. wire: the namespace in which
    the cable is cut open, or None."""
    tap = cut_open(wire, side) if wire else None
    enter(namespace)
    facts = SIDES[side]
    no_ipv6()
    if wire:
        far = f"/proc/{os.getpid()}/fd/{wire}"
        ip("link", "add", DEVICE, "type", "veth", "peer", "name", side, "netns", far)
        frames_as_on_a_wire(DEVICE)
    else:
        tap = open_tap(DEVICE)
    sysctl(f"net.ipv6.conf.{DEVICE}.disable_ipv6", "1")
    sysctl("net.ipv4.ping_group_range", "0 0")
    sysctl("net.ipv4.tcp_congestion_control", "cubic")
    ip("link", "set", "lo", "up")
    ip("link", "set", DEVICE, "address", facts["mac"], "up")
    # CUBIC, whatever the host's default: by route too, because the sysctl of a namespace refuses what
    # the host does not list as allowed for everyone.
    ip("addr", "add", facts["addr"] + "/24", "dev", DEVICE, "noprefixroute")
    ip("route", "add", facts["net"], "dev", DEVICE, "src", facts["addr"], "congctl", "cubic")
    ip("route", "add", "default", "via", facts["gateway"], "congctl", "cubic")
    if wire:
        enter(wire)
        ip("link", "set", side, "up")
    return tap


def inhabitants(namespaces, keep):
    """Pids of the processes in these namespaces, without those in `keep`."""
    wanted = {(s.st_dev, s.st_ino) for s in (os.fstat(fd) for fd in namespaces)}
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) in keep:
            continue
        try:
            s = os.stat(f"/proc/{entry}/ns/net")
        except OSError:
            continue
        if (s.st_dev, s.st_ino) in wanted:
            found.append(int(entry))
    return found
