# SPDX-License-Identifier: BSD-2-Clause
"""Draws a graph: as text, for the terminal, and as Graphviz source."""


def levels(g):
    """Nodes by height: cards at 0, each node one above the highest it uses."""
    height = {}
    for n in g.nodes:
        height[n.name] = 1 + max((height[low.name] for low, _ in n.down), default=-1)
    rows = [[] for _ in range(1 + max(height.values(), default=-1))]
    for n in g.nodes:
        rows[height[n.name]].append(n)
    return rows


def label(n):
    return n.name if n.name == n.module.name else f"{n.name}:{n.module.name}"


class Cell:
    """A box of the drawing, or a piece of an edge that runs through a level without stopping."""

    def __init__(self, text=""):
        self.text = f"[ {text} ]" if text else "|"
        self.down = []  # (Cell, number it is bound under)
        self.x = 0      # centre

    def left(self):
        return self.x - (len(self.text) - 1) // 2


def make_cells(g):
    """Rows of cells, the lowest first; every edge leads from a row to the one below it."""
    rows = [[Cell(label(n)) for n in level] for level in levels(g)]
    cells = {n.name: (cell, height) for height, level in enumerate(levels(g)) for n, cell in zip(level, rows[height])}
    for n in g.nodes:
        cell, height = cells[n.name]
        for low, key in n.down:
            upper = cell
            for between in range(height - 1, cells[low.name][1], -1):
                piece = Cell()
                rows[between].append(piece)
                upper.down.append((piece, key if upper is cell else 0))
                upper = piece
            upper.down.append((cells[low.name][0], key if upper is cell else 0))
    return rows


def place(rows):
    """Centres: each row in the order of what is below it, above it where there is room."""
    for row in rows:
        for i, cell in enumerate(row):
            cell.x = sum(c.x for c, _ in cell.down) // len(cell.down) if cell.down else i
        row.sort(key=lambda c: c.x)
        edge = 2
        for cell in row:
            cell.x = max(cell.x, edge + (len(cell.text) - 1) // 2)
            edge = cell.left() + len(cell.text) + 3


def connect(row, width):
    """The lines between a row and the one below it."""
    edges = []
    for cell in row:
        for low, _ in cell.down:
            near = abs(cell.x - low.x) <= (len(cell.text) - 1) // 2 - 1  # it can leave the box right above
            edges.append((low.x if near else cell.x, low.x))
    edges.sort()
    lanes = [e for e in edges if e[0] != e[1]]
    out = []
    for i in range(len(lanes) + 2 if lanes else 1):
        line = [" "] * width
        for top, bottom in edges:
            at = lanes.index((top, bottom)) + 1 if top != bottom else len(lanes) + 9
            line[top if i < at else bottom] = "|"
            if i == at:
                for x in range(min(top, bottom), max(top, bottom) + 1):
                    line[x] = "+" if x in (top, bottom) else "|" if line[x] == "|" else "-"
        out.append("".join(line).rstrip())
    return out


def ascii_text(g):
    rows = make_cells(g)
    place(rows)
    width = max(cell.left() + len(cell.text) for row in rows for cell in row) + 1
    out = [f"{g.name}: {g.purpose}" if g.purpose else g.name, ""]
    for row in reversed(rows):
        line = ""
        for cell in row:
            line = line.ljust(cell.left()) + cell.text
        out.append(line)
        if row is not rows[0]:
            out += connect(row, width)
    out.append("")
    for n in g.nodes:
        bound = ", ".join(f"{low.name} under {key:#x}" for low, key in n.down if key)
        facts = " ".join(f"{k}={v}" for k, v in n.values.items())
        if bound or facts:
            out.append(f"  {n.name}: " + "; ".join(x for x in (bound and f"bound to {bound}", facts) if x))
    if g.sets:
        out.append("  kernel: " + " ".join(f"{k}={v}" for k, (_, v) in g.sets.items()))
    out.append("  paths made by: " + (" ".join(p.name for p in g.paths) or "none"))
    out.append("  rules in order: " + (" ".join(r.name for r in g.rules) or "none"))
    return "\n".join(out) + "\n"


def dot_text(g):
    def q(text):
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    out = [f"digraph {q(g.name)} {{", "    rankdir=BT;", f"    label={q(g.purpose or g.name)};",
           '    node [shape=box, style=rounded, fontname="sans-serif"];',
           '    edge [dir=none, fontname="sans-serif", fontsize=10];']
    for row in levels(g):
        out.append("    { rank=same; " + " ".join(q(n.name) + ";" for n in row) + " }")
    for n in g.nodes:
        text = label(n) + "".join(f"\n{k}={v}" for k, v in n.values.items())
        out.append(f"    {q(n.name)} [label={q(text)}];".replace("\n", "\\n"))
        for low, key in n.down:
            mark = f" [label={q(hex(key))}]" if key else ""
            out.append(f"    {q(low.name)} -> {q(n.name)}{mark};")
    return "\n".join(out + ["}", ""])
