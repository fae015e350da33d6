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


def edge_name(low, key):
    return f"{low.name} ({key:#x})" if key else low.name


def ascii_text(g):
    rows = levels(g)
    out = [f"{g.name}: {g.purpose}" if g.purpose else g.name, ""]
    width = max((len(label(n)) for n in g.nodes), default=0) + 4
    for height in range(len(rows) - 1, -1, -1):
        row = rows[height]
        cells = [("[ " + label(n) + " ]").ljust(width + 2) for n in row]
        out.append("  " + "".join(cells).rstrip())
        for n in row:
            if n.down:
                out.append(f"      {n.name} uses " + ", ".join(edge_name(*d) for d in n.down))
        if height:
            out.append("       |")
    out.append("")
    for n in g.nodes:
        if n.values:
            out.append(f"  {n.name}: " + " ".join(f"{k}={v}" for k, v in n.values.items()))
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
