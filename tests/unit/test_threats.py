#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""R-HARD-16: docs/THREATS.md has its parts, and every setting that its tables name exists."""

import argparse
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
PARTS = ("Who attacks", "Out of scope", "What an operator must do", "What is left")
failed = 0


def check(name, ok, why=""):
    global failed
    failed += not ok
    print(f"ok R-HARD-16 THREATS.md: {name}" if ok else f"not ok R-HARD-16 THREATS.md: {name}: {why}", flush=True)


def settings():
    """Names as an operator writes them: NODE.NAME by the module's name, the kernel's own without."""
    names = set()
    for file in [ROOT / "kernel/kernel.module", *ROOT.glob("modules/*/*.module")]:
        for name in re.findall(r"^setting\s+(\w+)", file.read_text(), re.MULTILINE):
            names.add(name if file.stem == "kernel" else f"{file.stem}.{name}")
    return names


def rows(text, part):
    body = text.split(f"\n## {part}\n")[1].split("\n## ")[0]
    lines = [line for line in body.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def main():
    argparse.ArgumentParser(description=__doc__).parse_known_args()
    text = (ROOT / "docs/THREATS.md").read_text()
    missing = [p for p in PARTS if f"\n## {p}\n" not in text]
    check("says who attacks, what is out of scope, what an operator must do", not missing, f"no {missing}")
    if missing:
        return 1
    known = settings()
    table = rows(text, "What an operator must do")
    named = [name for row in table for name in re.findall(r"`([\w.]+)`", row[1])]
    unknown = [name for name in named if name not in known]
    check(f"its {len(named)} settings exist", named and not unknown, f"{unknown} do not")
    check("each concern says what to do", all(len(row) == 3 and row[0] and row[2] for row in table), table)
    check("seed, limits and secrets are among them", {"seed", "paths", "tcp.backlog", "login.users"} <= set(named), named)
    drops = (ROOT / "kernel/drop.h").read_text()
    counted = re.findall(r"counted `([\w.]+)`", text)
    check("counters that it names exist", counted and all(f'"{c}"' in drops for c in counted), counted)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
