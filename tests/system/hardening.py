#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the address space forbids stays forbidden: the boot word trap=WHAT does the forbidden thing,
and the image must answer with a report on the serial line and a status that is not success."""

import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import boot_media  # noqa: E402

GRAPH = "firewall-1path"
ELF = ROOT / f"build/x86_64/{GRAPH}.elf"
TRAPPED, ASSERTED, REFUSED = 5, 7, 3  # isa-debug-exit: 2 * status + 1 of the image

CASES = [
    ("R-HARD-1 the null page is not mapped", "null", TRAPPED, r"page fault .*read of 0{16}, not mapped"),
    ("R-HARD-2 code is not writable", "text", TRAPPED, r"page fault .*error 3: write of 0*100000\)"),
    ("R-HARD-2 constants are not writable", "rodata", TRAPPED, r"page fault .*error 3: write of"),
    ("R-HARD-3 data is not executable", "exec", TRAPPED, r"page fault .*error 11: execution of"),
    ("R-HARD-3 the heap is not executable", "heap", TRAPPED, r"page fault .*error 11: execution of"),
    ("R-HARD-3 the stack is not executable", "stackexec", TRAPPED, r"page fault .*error 11: execution of"),
    ("R-HARD-4 a full stack meets its guard page", "stack", TRAPPED, r"page fault .*not mapped[^$]*^stack: overflowed"),
    ("R-HARD-5 the stack canary ends the machine", "canary", ASSERTED, r"PANIC: stack canary overwritten"),
    ("R-HARD-6 a failed assertion is reported", "assert", ASSERTED, r"PANIC: assertion .* at boot/x86_64/selftest\.c:\d+"),
    ("R-HARD-6 an invalid instruction is reported", "opcode", TRAPPED, r"PANIC: invalid opcode \(vector 6"),
    ("an unknown self-test stops the boot", "nothing", REFUSED, r"error: trap=nothing: expected null"),
]


def run(word):
    words = [shutil.which("qemu-system-x86_64") or "qemu-system-x86_64", "-nodefaults", "-display", "none", "-m", "32",
             "-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04", "-no-reboot",
             "-kernel", str(ELF), "-append", f"trap={word}"]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    return done.returncode, done.stdout.decode(errors="replace").replace("\r", "")


def path_report():
    """While pings come, the processor traps when a path runs; None, or what the report lacks."""
    net = boot_media.Net()
    with boot_media.Machine(net, ["-kernel", str(ELF), "-append", "trap=path"]) as machine:
        machine.wait_for(r"\] ready$", 30)
        ping = net.client(["ping", "-i", "0.2", "-c", "100", boot_media.OUR_ADDRESS], stdout=subprocess.DEVNULL)
        status = machine.end(20)
        ping.terminate()
        ping.wait()
    wanted = (r"^PANIC: debug \(vector 1", r"^path \d+ \(id [0-9a-f]+\): eth0 (ip icmp|arp)$",
              r"^  message \d+: (98|42|60) bytes A to B, \d+ us ago$", r"^log \[\d+ ms\] ready$", r"^EXIT 2$")
    lacks = [w for w in wanted if not re.search(w, machine.text, re.MULTILINE)]
    return f"status {status}, lacks {lacks}" if lacks or status != TRAPPED else None


def main():
    if not ELF.exists():
        print(f"not ok hardening: {ELF.relative_to(ROOT)} is not there; `make image` makes it")
        return 1
    failed = 0
    for name, word, wanted, pattern in CASES:
        status, text = run(word)
        ok = status == wanted and re.search(pattern, text, re.MULTILINE)
        if wanted == TRAPPED:  # a report names the registers and what ran
            ok = ok and re.search(r"\brip [0-9a-f]{16}", text) and re.search(r"^path: none was running$", text, re.M)
        failed += not ok
        why = " / ".join(text.splitlines()[-6:])
        print(f"ok hardening: {name}" if ok else f"not ok hardening: {name}: status {status} / {why}", flush=True)
    name = "R-HARD-6 a report names the running path, its stages, its last messages and the log"
    try:
        why = path_report()
        failed += why is not None
        print(f"not ok hardening: {name}: {why}" if why else f"ok hardening: {name}", flush=True)
    except boot_media.state.LabError as e:
        print(f"skip hardening: {name}: {e}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
