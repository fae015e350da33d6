#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Two builds of the same sources, in folders of different names, give the same image to the last bit. The short form
builds one graph and takes the C library as it is built here; --long builds all graphs, and the library, too."""

import argparse
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
GRAPH = "echo"


def digest(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def copy(to, newlib):
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, check=True,
                           stdout=subprocess.PIPE, text=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to / name)
    (to / "build").mkdir()
    if newlib:
        shutil.copytree(ROOT / "build/newlib", to / "build/newlib", copy_function=shutil.copy2)
        shutil.copy2(ROOT / "build/newlib.config", to / "build/newlib.config")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true")
    long = parser.parse_args().long
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    folder = pathlib.Path(tempfile.mkdtemp(prefix="a-name-of-another-length-", dir=ROOT / "build/test"))
    failed = 0
    try:
        copy(folder, newlib=not long)
        words = ["make", f"-j{os.cpu_count() or 2}", "image", "GRAPH=" + ("all" if long else GRAPH)]
        done = subprocess.run(words, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        graphs = sorted(p.stem for p in (folder / "build/x86_64").glob("*.elf"))
        if done.returncode or not graphs:
            print(f"not ok reproducible: the second build fails: {done.stdout.strip().splitlines()[-1]}")
            return 1
        for graph in graphs:
            for kind in ("elf", "elf64"):
                a, b = (d / f"build/x86_64/{graph}.{kind}" for d in (ROOT, folder))
                same = a.exists() and digest(a) == digest(b)
                failed += not same
                name = f"reproducible: {a.name} of two builds has one SHA-256"
                print(f"ok {name}" if same else f"not ok {name}: {a} and {b.name} of another folder differ", flush=True)
    finally:
        shutil.rmtree(folder)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
