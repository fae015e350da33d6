#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Builds the Linux guest of the baseline: build/bench/linux/vmlinuz and initrd, when they are older than their sources.

The kernel is that of Debian's package linux-image-amd64, downloaded and unpacked under build/, not installed. On the
initial RAM disk: busybox, the cards' drivers and nftables' modules, nft, HAProxy, the two relays and init.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
OUT = ROOT / "build/bench/linux"
MODULES = ("e1000", "e1000e", "tulip", "virtio_pci", "virtio_net", "nf_tables", "nft_ct", "nft_reject_ipv4")
PROGRAMS = ("/usr/sbin/nft", "/usr/sbin/haproxy")
CFLAGS = ["-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra"]


def said(*words, **more):
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, **more).stdout


def kernel():
    """The unpacked kernel package; downloaded once."""
    depends = said("apt-cache", "depends", "linux-image-amd64")
    name = re.search(r"Depends: (linux-image-\S+)", depends)[1]
    tree = OUT / "kernel" / name
    if not tree.is_dir():
        print(f"linux: downloading {name} (70 MB)", file=sys.stderr, flush=True)
        fresh = OUT / "kernel/fresh"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        said("apt-get", "-o", "APT::Sandbox::User=root", "-q", "download", name, cwd=fresh)
        said("dpkg", "-x", str(next(fresh.glob("*.deb"))), str(fresh / "x"))
        (fresh / "x").rename(tree)
        shutil.rmtree(fresh)
    return tree


def libraries(program):
    """The files that the loader wants for a program."""
    return re.findall(r"(/\S+) \(0x", said("ldd", program))


def put(disk, source, at):
    to = disk / str(at).lstrip("/")
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, to)


def modules(tree, disk):
    """The modules and what they need, and in which order to load them."""
    version = next((tree / "lib/modules").iterdir()).name
    said("depmod", "-b", str(tree), version)
    folder, order = tree / "lib/modules" / version, []
    for name in MODULES:
        words = said("modprobe", "-d", str(tree), "-S", version, "--show-depends", name)
        for path in re.findall(r"insmod (\S+)", words):
            file = pathlib.Path(path)
            if file.name not in order:
                order.append(file.name)
                put(disk, file if file.exists() else tree / path.lstrip("/"), f"lib/modules/{file.name}")
    (disk / "lib/modules/order").write_text("\n".join(order) + "\n")
    return folder


def compile_relays(disk):
    gcc = [os.environ.get("CC", "gcc"), *CFLAGS, "-static"]
    (disk / "bin").mkdir(parents=True, exist_ok=True)
    (disk / "lib").mkdir(exist_ok=True)
    said(*gcc, "-o", str(disk / "bin/pluggw"), str(HERE / "pluggw.c"))
    said(*gcc, "-o", str(disk / "bin/sockmap"), str(HERE / "sockmap.c"), "-lbpf", "-lelf", "-lz")
    said("clang", "-target", "bpf", "-O2", "-g", "-Wall", "-I/usr/include/x86_64-linux-gnu", "-c",
         str(HERE / "relay.bpf.c"), "-o", str(disk / "lib/relay.bpf.o"))


def build():
    """(vmlinuz, initrd), made when a file of this folder is newer."""
    vmlinuz, initrd = OUT / "vmlinuz", OUT / "initrd"
    newest = max(f.stat().st_mtime for f in HERE.iterdir())
    if initrd.exists() and vmlinuz.exists() and initrd.stat().st_mtime > newest:
        return vmlinuz, initrd
    tree = kernel()
    disk = OUT / "disk"
    shutil.rmtree(disk, ignore_errors=True)
    for folder in ("bin", "dev", "proc", "sys", "etc", "run", "tmp", "sbin", "usr/bin", "usr/sbin"):
        (disk / folder).mkdir(parents=True)
    put(disk, "/bin/busybox", "bin/busybox")
    put(disk, HERE / "init", "init")
    for name in ("sysctl.conf", "filter.nft", "haproxy.cfg", "haproxy-splice.cfg", "haproxy-http.cfg"):
        put(disk, HERE / name, f"etc/{name}")
    for program in PROGRAMS:
        put(disk, program, f"bin/{os.path.basename(program)}")
        for library in libraries(program):
            put(disk, library, library)
    modules(tree, disk)
    compile_relays(disk)
    names = "\n".join(str(f.relative_to(disk)) for f in sorted(disk.rglob("*")))
    new = initrd.with_suffix(".new")
    with open(new, "wb") as out:
        cpio = subprocess.Popen(["cpio", "-o", "-H", "newc", "-R", "0:0", "--quiet"], cwd=disk, stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE)
        gzip = subprocess.Popen(["gzip", "-1"], stdin=cpio.stdout, stdout=out)
        cpio.stdin.write(names.encode() + b"\n")
        cpio.stdin.close()
        if cpio.wait() or gzip.wait():
            raise SystemExit("linux: the initial RAM disk could not be written")
    shutil.copy(next((tree / "boot").glob("vmlinuz-*")), vmlinuz)
    new.rename(initrd)
    return vmlinuz, initrd


if __name__ == "__main__":
    for made in build():
        print(made.relative_to(ROOT))
