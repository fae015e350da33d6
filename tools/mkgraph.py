#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The graph compiler: config/NAME.graph -> build/graph/NAME/graph.c and graph.mk.

Called by the Makefile for each graph, and by people with --show. Reads every *.module file and the
graph file, checks all of it (tools/graph/check.py), and writes the tables the kernel starts from.
Exit status 0; 1: errors, one line each as FILE:LINE: found; expected; 2: usage.
"""

import argparse
import pathlib
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from graph import check, draw, emit, graphfile, modules, text  # noqa: E402


def show(g, folder):
    """Print the drawing; write Graphviz source, and SVG when Graphviz is there."""
    print(draw.ascii_text(g), end="")
    dot = folder / f"{g.name}.dot"
    svg = dot.with_suffix(".svg")
    emit.write_changed(dot, draw.dot_text(g))
    print(f"\n  {dot}")
    try:
        subprocess.run(["dot", "-Tsvg", "-o", str(svg), str(dot)], check=True)
        print(f"  {svg}")
    except FileNotFoundError:
        print("  no SVG: Graphviz (package graphviz) is not installed")


def main():
    parser = argparse.ArgumentParser(description="check a graph file and write what the build needs")
    parser.add_argument("graph", type=pathlib.Path, help="config/NAME.graph")
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent,
                        help="root of the tree (default: where this program lies)")
    parser.add_argument("--out", type=pathlib.Path, help="folder for graph.c and graph.mk")
    parser.add_argument("--show", action="store_true", help="draw it; nothing is compiled")
    args = parser.parse_args()

    root = args.root.resolve()
    path = args.graph.resolve()
    errors = text.Errors()
    found = modules.read_modules(root, errors)
    g = graphfile.parse_graph(path, root, errors)
    check.check(g, found, root, errors)
    if errors:
        print("\n".join(errors.sorted()), file=sys.stderr)
        return 1
    source = str(text.relative(path, root))
    folder = args.out or pathlib.Path("build/graph") / g.name
    if args.show:
        show(g, folder)
        return 0
    emit.write_changed(folder / "graph.c", emit.graph_c(g, found, source))
    emit.write_changed(folder / "graph.mk", emit.graph_mk(g, source))
    return 0


if __name__ == "__main__":
    sys.exit(main())
