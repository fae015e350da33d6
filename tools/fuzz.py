#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Fuzzing: what `make fuzz` and tests/fuzz/smoke.py do, and how corpora come about.

    tools/fuzz.py list                          the targets: tests/fuzz/fuzz_NAME.c
    tools/fuzz.py run NAME --minutes 60         on JOBS cores, from the committed corpus on
    tools/fuzz.py seed [NAME]...                inputs from the packet scripts, minimised, into tests/fuzz/corpus
    tools/fuzz.py merge [NAME]...               what long runs have found beside that, likewise

A corpus is a text file, one input a line in base64; at work it is a folder, build/fuzz/corpus/NAME.
A crash leaves its input, and when that alone does not do it again, all inputs since the last start, in
build/fuzz/crash/; the command that replays it is printed.
"""

import argparse
import base64
import hashlib
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
FUZZ = ROOT / "tests/fuzz"
WORK = ROOT / "build/fuzz"
BUDGET = 40000  # bytes of a committed corpus
# Beyond what libFuzzer does by itself. graph: sequences are worth it only when they are long.
OPTIONS = {"graph": ["-max_len=802", "-len_control=0"], "request": ["-max_len=1200"], "response": ["-max_len=1200"],
           "console": ["-max_len=300"], "settings": ["-max_len=300"], "boot": ["-max_len=300"]}
DEFAULT = ["-max_len=400"]
DICTIONARY = {"request": "http", "response": "http", "tcp": "tcp", "settings": "settings", "boot": "settings",
              "console": "console"}


def targets():
    return sorted(p.stem.removeprefix("fuzz_") for p in FUZZ.glob("fuzz_*.c"))


def program(name):
    return WORK / "tests/fuzz" / f"fuzz_{name}"


def about(name):
    """The first comment of a target, as one line."""
    text = (FUZZ / f"fuzz_{name}.c").read_text(encoding="utf-8").split("*/", 2)[1]
    return " ".join(text.replace("/*", "").replace(" * ", " ").split()).split(". ")[0]


def add(folder, data):
    (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


def corpus(name):
    """The folder to work in, with at least what is committed."""
    folder = WORK / "corpus" / name
    folder.mkdir(parents=True, exist_ok=True)
    packed = FUZZ / "corpus" / f"{name}.txt"
    for line in packed.read_text(encoding="ascii").split() if packed.exists() else ():
        add(folder, base64.b64decode(line))
    return folder


def dictionary(name):
    """A libFuzzer option list: tokens by hand, or the names of all settings."""
    kind = DICTIONARY.get(name)
    if not kind:
        return []
    path = FUZZ / f"{kind}.dict"
    if kind == "settings":
        names = set()
        for module in (*ROOT.glob("modules/*/*.module"), ROOT / "kernel/kernel.module"):
            names.update(re.findall(r"^setting +(\S+)", module.read_text(encoding="utf-8"), re.M))
        path = WORK / "settings.dict"
        path.parent.mkdir(parents=True, exist_ok=True)
        words = [f"{n}=" for n in sorted(names)] + ["10.0.1.1", "10.0.2.0/24", "eth0=", ":80", "*:", "ip.", "tcp.", "on", "ms"]
        path.write_text("".join(f'"{w}"\n' for w in words), encoding="ascii")
    return [f"-dict={path}"]


def words(name, seed, *more):
    return [str(program(name)), f"-seed={seed}", "-timeout=300", "-rss_limit_mb=3000", "-print_final_stats=1",
            *OPTIONS.get(name, DEFAULT), *dictionary(name), *more]


class Run:
    """One process of one target, under way; its output goes to a file."""

    def __init__(self, name, seed, seconds, folder):
        self.name, self.seed = name, seed
        crash = WORK / "crash"
        crash.mkdir(parents=True, exist_ok=True)
        self.prefix = crash / f"{name}-{seed}-"
        self.history = WORK / f"history-{name}-{seed}"
        self.log = WORK / f"log-{name}-{seed}"
        with open(self.log, "wb") as out:
            self.child = subprocess.Popen(
                words(name, seed, f"-max_total_time={seconds}", f"-artifact_prefix={self.prefix}", "-reload=1", str(folder)),
                stdout=out, stderr=subprocess.STDOUT, cwd=ROOT, start_new_session=True,
                env={**os.environ, "FUZZ_HISTORY": str(self.history)})

    def stop(self):
        if self.child.poll() is None:
            self.child.terminate()
            self.child.wait()

    def numbers(self):
        """Runs, and frames where a target counts them."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        runs, frames = re.findall(r"^Done (\d+) runs", text, re.M), re.findall(r"^frames: (\d+)", text, re.M)
        return int(runs[-1]) if runs else 0, int(frames[-1]) if frames else 0

    def verdict(self):
        """None when all is well; else what happened and how to see it again."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        left = [p for p in self.prefix.parent.glob(self.prefix.name + "*") if p.suffix != ".history"]
        if self.child.returncode == 0:
            self.history.unlink(missing_ok=True)
            return None
        why = re.search(r"(ERROR: .*|fuzz: .*|.*Assertion .*|.*runtime error.*)", text)
        why = why[1].strip() if why else f"exit status {self.child.returncode}"
        if left and subprocess.run([str(program(self.name)), str(left[0])], capture_output=True, check=False, cwd=ROOT).returncode:
            return f"{why}; again by: {program(self.name).relative_to(ROOT)} {left[0].relative_to(ROOT)}"
        if self.history.exists():
            kept = self.prefix.parent / f"{self.name}-{self.seed}.history"
            shutil.move(self.history, kept)
            return f"{why}; again by: FUZZ_REPLAY={kept.relative_to(ROOT)} {program(self.name).relative_to(ROOT)}"
        return f"{why}; log: {self.log.relative_to(ROOT)}"


def run_long(name, minutes, jobs):
    folder, seed = corpus(name), int(time.time()) & 0xFFFFFF
    print(f"{name}: {minutes} minutes on {jobs} cores, seeds {seed} to {seed + jobs - 1}, corpus of {len(list(folder.iterdir()))}")
    runs = [Run(name, seed + i, int(minutes * 60), folder) for i in range(jobs)]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    bad = 0
    try:
        for run in runs:
            run.child.wait()
    finally:
        for run in runs:
            run.stop()
    for run in runs:
        why, (n, frames) = run.verdict(), run.numbers()
        bad += why is not None
        print(f"not ok fuzz/{name}: {why}" if why else
              f"ok fuzz/{name}: {n} runs,{f' {frames} frames,' if frames else ''} corpus {len(list(folder.iterdir()))}, seed {run.seed}")
    return 1 if bad else 0


# --- seeds ---

def frames(path):
    data, at = path.read_bytes(), 24
    while at + 16 <= len(data):
        n = struct.unpack_from("<I", data, at + 8)[0]
        yield data[at + 16:at + 16 + n]
        at += 16 + n


def record(what, data):
    return bytes((what, len(data))) + data if len(data) < 256 else b""


def from_frames(out, sent):
    """What hosts send in the packet scripts, as inputs of the targets; a few in a row where rows matter."""
    arp, ip, icmp = [], [], []
    for frame in sent:
        card, body = frame[10] == 2, frame[14:]
        if frame[12:14] == b"\x08\x06":
            arp.append(record(card, frame))
        if frame[12:14] != b"\x08\x00" or len(body) < 20:
            continue
        ip.append(record(card, body))
        head = (body[0] & 15) * 4
        top = body[head:struct.unpack_from(">H", body, 2)[0]]
        if body[9] == 1 and top:
            icmp.append(record(card, top))
        if body[9] == 6 and len(top) >= 20:
            out["tcp"].add(bytes(23) + top[:300])
            data = top[(top[12] >> 4) * 4:]
            if re.match(rb"[A-Z]+ ", data):
                out["request"].add(b"\0" + data)
            if data.startswith(b"HTTP/"):
                out["response"].add(b"\0" + data)
    for name, some, row in (("arp", arp, 2), ("ip", ip, 4), ("icmp", icmp, 1)):
        for i in range(len(some)):
            out[name].add(b"".join(some[i:i + row]))


def seeds():
    """{target: inputs} from the packet scripts, the graphs, and what the console is asked there."""
    out = {name: set() for name in targets()}
    run = ROOT / "build/hosted/tests/path/run"
    for script in sorted((ROOT / "tests").glob("*/*.pkt")):
        for old in (ROOT / "build/test").glob(f"{script.name}-*.pcap"):
            old.unlink()
        subprocess.run([str(run), "--keep", str(script.relative_to(ROOT))], cwd=ROOT, capture_output=True, check=False)
        for capture in (ROOT / "build/test").glob(f"{script.name}-*.pcap"):
            from_frames(out, [f for f in frames(capture) if len(f) >= 14 and f[6:8] == b"\x02\x00"])
        text = script.read_text(encoding="utf-8")
        out["console"].update(f"{c}\n".encode() for c in re.findall(r'(?:command|says) "([^"]*)"', text))
        for line in re.findall(r'^test "[^"]*" +(.*=.*)', text, re.M):
            out["settings"].add(line.encode())
            out["boot"].update(bytes((i,)) + line.encode() for i in range(4))
    for i, graph in enumerate(("http", "login", "filter", "router")):
        for line in re.findall(r"^node \S+ \S+ (.*=.*?)(?:->.*)?$", (ROOT / f"config/{graph}.graph").read_text(encoding="utf-8"), re.M):
            out["boot"].add(bytes((i,)) + line.replace('"', "").encode())
    rng = __import__("random").Random(1)
    for i in range(300):
        out["graph"].add(bytes((i % 7, rng.randrange(256))) + rng.randbytes(4 * rng.randrange(40, 200)))
    return out


def minimise(name, folders):
    """Committed is what covers the most in the fewest bytes, up to the budget."""
    new = WORK / "merge" / name
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    subprocess.run([*words(name, 1, "-merge=1", "-reduce_inputs=1"), str(new), *map(str, folders)], cwd=ROOT,
                   capture_output=True, check=True)
    lines, total = [], 0
    for data in sorted((p.read_bytes() for p in new.iterdir()), key=len):
        line = base64.b64encode(data).decode()
        total += len(line) + 1
        if total > BUDGET:
            break
        lines.append(line)
    (FUZZ / "corpus").mkdir(exist_ok=True)
    (FUZZ / "corpus" / f"{name}.txt").write_text("".join(f"{x}\n" for x in sorted(lines, key=lambda x: (len(x), x))),
                                                 encoding="ascii")
    print(f"{name}: {len(lines)} inputs, {sum(map(len, lines))} bytes of base64")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], epilog=__doc__.partition("\n")[2],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("list", "run", "seed", "merge"))
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    for name in options.names:
        if name not in targets():
            parser.error(f"no target {name}; expected one of: {' '.join(targets())}")
    if options.what == "list":
        print("".join(f"{name:10s} {about(name)}\n" for name in targets()), end="")
        print("make fuzz T=NAME MIN=60 JOBS=2")
        return 0
    build = ["make", "--no-print-directory", f"-j{os.cpu_count()}", "fuzz-programs", "GRAPH=all"]
    if options.what == "seed":
        build.append("build/hosted/tests/path/run")
    subprocess.run(build, cwd=ROOT, check=True)
    if options.what == "run":
        return max((run_long(name, options.minutes, options.jobs) for name in options.names), default=2)
    found = seeds() if options.what == "seed" else {}
    for name in options.names or targets():
        folder = WORK / "seed" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for data in found.get(name, ()):
            add(folder, data)
        minimise(name, [corpus(name), folder])
    return 0


if __name__ == "__main__":
    sys.exit(main())
