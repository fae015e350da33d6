#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs the conformance matrix: writes the cases of plain.py and spliced.py as packet scripts and has tests/path/run play them.

    matrix.py [--variant NAME] [--only TEXT] [--write FOLDER] [--long]

Prints what run prints: a line for each case, whose name begins with its clause. --write only writes the scripts, which
tests/path/README.md describes. In `make test` optimised, and with gcc's sanitizers each under its first graph; --long:
all of it in all variants.
"""

import argparse
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import plain  # noqa: E402
import spliced  # noqa: E402

ROOT = HERE.parents[1]
FOLDER = ROOT / "build/test/conformance"
HOSTS = "host client 0 10.0.1.2 via 10.0.1.1\nhost server 1 10.0.2.2 via 10.0.2.1\n"
# file: module with cases(), graphs, fewest cases that it must have
SCRIPTS = {"plain": (plain, "firewall-1path firewall-2path", 300), "spliced": (spliced, "firewall", 300)}


def write(folder, name, short):
    """The script of that name, for its first graph if short; returns its path and whether it has enough cases."""
    module, graphs, fewest = SCRIPTS[name]
    if short:
        name, graphs = f"{name}-short", graphs.split()[0]
    text, seen = [f"# SPDX-License-Identifier: BSD-2-Clause\n# Made by tests/conformance/{module.__name__}.py.\n"
                  f"graphs {graphs}\n{HOSTS}"], set()
    for title, settings, lines in module.cases():
        assert title not in seen and '"' not in title, title
        seen.add(title)
        text.append(f'\ntest "{title}" {settings}\n' + "".join(f"{line}\n" for line in lines))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.pkt"
    path.write_text("".join(text), encoding="utf-8")
    enough = len(seen) >= fewest
    print(f"{'ok' if enough else 'not ok'} {name}: at least {fewest} cases are there ({len(seen)})")
    return path, enough


def play(variant, paths, only):
    """False: something has failed."""
    names = [str(p.relative_to(ROOT)) for p in paths + sorted(HERE.glob("*.pkt"))]
    words = [str(ROOT / "build" / variant / "tests/path/run"), *(["--only", only] if only else []), *names]
    if not os.access(words[0], os.X_OK):
        print(f"not ok {variant}: {words[0]} was not built")
        return False
    sys.stdout.flush()
    return subprocess.run(words, cwd=ROOT, check=False).returncode == 0


def main():
    parser = argparse.ArgumentParser(description="run the conformance matrix")
    parser.add_argument("--variant", action="append", help="hosted, asan-gcc, asan-clang (default: the first two)")
    parser.add_argument("--only", help="cases with this in their name")
    parser.add_argument("--write", metavar="FOLDER", type=pathlib.Path, help="write the scripts there, run nothing")
    parser.add_argument("--long", action="store_true", help="all variants")
    options = parser.parse_args()
    variants = options.variant or ["hosted", "asan-gcc"] + ["asan-clang"] * options.long
    good = True
    for variant in variants if not options.write else ["hosted"]:
        short = variant != "hosted" and not options.long
        made = [write(options.write or FOLDER, name, short) for name in SCRIPTS]
        good &= all(enough for _, enough in made)
        if not options.write:
            good &= play(variant, [path for path, _ in made], options.only)
    return int(not good)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
