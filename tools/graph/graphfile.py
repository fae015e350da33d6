# SPDX-License-Identifier: BSD-2-Clause
"""Graph files: which nodes there are, what they are set to, and who uses whom.

    graph firewall "one path from card to card"
    node eth0 eth unit=0
    node ip ip addr="eth0=10.0.1.1/24" -> eth0
    path local          # paths/local.c
    rule join           # paths/rules/join.c
    set sched=fifo      # the kernel's own settings

Here only the form is checked; check.py looks at the meaning.
"""

from dataclasses import dataclass, field

from .text import GRAPH_NAME, NAME, expected, read_lines, relative

STATEMENTS = ("graph", "node", "path", "rule", "set")


@dataclass
class Node:
    where: str
    name: str
    module_name: str
    values: dict = field(default_factory=dict)
    lower: list = field(default_factory=list)  # names
    module: object = None
    down: list = field(default_factory=list)  # (Node, key), filled in by check.py
    index: int = -1


@dataclass
class Named:
    where: str
    name: str


@dataclass
class Graph:
    where: str
    name: str
    purpose: str = ""
    nodes: list = field(default_factory=list)
    paths: list = field(default_factory=list)
    rules: list = field(default_factory=list)
    sets: dict = field(default_factory=dict)  # name -> (where, value)


def assignments(line, words, errors):
    """`a=b c=d` as a dictionary."""
    out = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not NAME.match(name):
            errors.add(line.where, f"found {word}; expected name=value")
        elif name in out:
            errors.add(line.where, f"{name} is set twice; expected one value")
        else:
            out[name] = value
    return out


def parse_node(line, errors):
    words = line.words[1:]
    lower = []
    if "->" in words:
        at = words.index("->")
        words, lower = words[:at], words[at + 1:]
        if not lower or "->" in lower:
            errors.add(line.where, "expected names of nodes behind one ->")
            return None
    if len(words) < 2:
        errors.add(line.where, "expected node NAME MODULE [setting=value]... [-> LOWER...]")
        return None
    for name in words[:2]:
        if not NAME.match(name):
            errors.add(line.where, f"{name} is no name; expected a-z 0-9 _")
            return None
    return Node(line.where, words[0], words[1], assignments(line, words[2:], errors), lower)


def parse_graph(path, root, errors):
    shown = relative(path, root)
    g = Graph(f"{shown}:1", path.stem)
    named = False
    seen = {}
    for line in read_lines(path, root, errors):
        what, rest = line.words[0], line.words[1:]
        if errors.full():
            break
        if what not in STATEMENTS:
            errors.add(line.where, f"unknown statement {what}; {expected(what, STATEMENTS)}")
        elif what == "graph":
            if named or not 1 <= len(rest) <= 2 or not GRAPH_NAME.match(rest[0]):
                errors.add(line.where, 'expected graph NAME "purpose" once')
            elif rest[0] != path.stem:
                errors.add(line.where, f"graph {rest[0]} in {shown.name}; expected graph {path.stem}")
            else:
                g.where, g.purpose = line.where, rest[1] if len(rest) == 2 else ""
            named = True
        elif what == "node":
            n = parse_node(line, errors)
            if n and n.name in seen:
                errors.add(line.where, f"node {n.name} exists already at {seen[n.name]}; expected another name")
            elif n:
                seen[n.name] = n.where
                g.nodes.append(n)
        elif what == "set":
            if not rest:
                errors.add(line.where, "found nothing to set; expected name=value")
            for name, value in assignments(line, rest, errors).items():
                if name in g.sets:
                    errors.add(line.where, f"{name} is set already at {g.sets[name][0]}; expected one value")
                else:
                    g.sets[name] = (line.where, value)
        else:
            into = g.paths if what == "path" else g.rules
            if not rest:
                errors.add(line.where, f"found no name; expected {what} NAME")
            for name in rest:
                if not NAME.match(name):
                    errors.add(line.where, f"{name} is no name; expected a-z 0-9 _")
                elif (what, name) in seen:
                    errors.add(line.where, f"{what} {name} is listed twice; expected it once")
                else:
                    seen[what, name] = line.where
                    into.append(Named(line.where, name))
    if not named:
        errors.add(f"{shown}:1", f'no graph line; expected graph {path.stem} "purpose"')
    return g
