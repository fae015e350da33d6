# SPDX-License-Identifier: BSD-2-Clause
"""The meaning of a graph: names exist, services fit, counts hold, no cycles, values are right.

`check` fills in node.module, node.down (node, key) and node.index, and sorts g.nodes into the
order of initialisation: a node comes behind all it uses, and otherwise as the file has it.
"""

import re

from . import values
from .text import expected


def limits(root):
    """The bounds that kernel/node.h puts on a node; the header is the only place that has them."""
    found = {}
    text = (root / "kernel/node.h").read_text(encoding="utf-8")
    for name in ("NODE_DOWN", "NODE_UP"):
        m = re.search(rf"\b{name}\s*=\s*([0-9]+)", text)
        if not m:
            raise SystemExit(f"kernel/node.h: no enumerator {name}")
        found[name] = int(m[1])
    return found


def check_value(where, module, owner, name, text, errors):
    setting = module.setting(name)
    if not setting:
        names = [s.name for s in module.settings]
        errors.add(where, f"{owner} has no setting {name}; {expected(name, names)}")
        return
    try:
        values.check(setting, text)
    except values.Wrong as e:
        errors.add(where, f"{name}={text}: {e}")


def check_edges(n, nodes, errors):
    """Sort the lower nodes of n by the services it uses; n.down keeps the order of the file."""
    count = {u.service: 0 for u in n.module.uses}
    for name in n.lower:
        low = nodes.get(name)
        if low is None:
            errors.add(n.where, f"{n.name} uses {name}, which is no node; {expected(name, nodes)}")
            return
        if low.module is None:
            return
        service = low.module.provides
        use = next((u for u in n.module.uses if u.service == service), None)
        if use is None or service == "none":
            wanted = " or ".join(u.service for u in n.module.uses) or "no node below"
            errors.add(n.where, f"{low.name} ({low.module.name}) provides {service}; "
                       f"{n.name} ({n.module.name}) expected {wanted}")
            return
        if any(d is low for d, _ in n.down):
            errors.add(n.where, f"{n.name} uses {low.name} twice; expected one edge")
            return
        count[service] += 1
        n.down.append((low, use.key))
    for use in n.module.uses:
        got = count[use.service]
        if got < use.least or (use.most and got > use.most):
            errors.add(n.where, f"{n.name} ({n.module.name}) has {got} edges to a {use.service}; "
                       f"expected {use.count()} ({use.where})")


def check_bindings(g, most, errors):
    """Two nodes must not be bound under one number; key 0 is shared, the module asks each."""
    up = {n.name: [] for n in g.nodes}
    for n in g.nodes:
        for low, key in n.down:
            for other, taken in up[low.name]:
                if key and key == taken:
                    errors.add(n.where, f"{n.name} is bound to {low.name} under {key:#x}, which {other.name} has "
                               f"({other.where}); expected another number")
            up[low.name].append((n, key))
        if len(n.down) > most["NODE_DOWN"]:
            errors.add(n.where, f"{n.name} uses {len(n.down)} nodes; expected at most {most['NODE_DOWN']}")
    for n in g.nodes:
        if len(up[n.name]) > most["NODE_UP"]:
            errors.add(n.where, f"{n.name} is used by {len(up[n.name])} nodes; expected at most {most['NODE_UP']}")


def sort_nodes(g, errors):
    """Lower nodes first; the order of the file where edges leave a choice."""
    done, order, trail = set(), [], []

    def visit(n):
        if n.name in done:
            return True
        if n in trail:
            ring = trail[trail.index(n):] + [n]
            errors.add(n.where, "nodes use each other in a circle: " + " -> ".join(x.name for x in ring)
                       + "; expected edges that only lead down")
            return False
        trail.append(n)
        if not all([visit(low) for low, _ in n.down]):
            return False
        trail.pop()
        done.add(n.name)
        order.append(n)
        return True

    for n in g.nodes:
        if not visit(n):
            return
    g.nodes = order
    for i, n in enumerate(order):
        n.index = i


def check_files(g, root, errors):
    for kind, folder, items in (("path", "paths", g.paths), ("rule", "paths/rules", g.rules)):
        there = [f.stem for f in sorted((root / folder).glob("*.c"))]
        for item in items:
            if errors.full():
                return
            if item.name not in there:
                errors.add(item.where, f"no {kind} {item.name}, file {folder}/{item.name}.c is not there; "
                           + expected(item.name, there))


def check(g, modules, root, errors):
    kernel = modules.get("kernel")
    usable = {name: m for name, m in modules.items() if name != "kernel"}
    nodes = {n.name: n for n in g.nodes}
    if not g.nodes and not errors:
        errors.add(g.where, "no nodes; expected at least one node line")
    if len(g.nodes) > 255:
        errors.add(g.where, f"{len(g.nodes)} nodes; expected at most 255")
        return
    for n in g.nodes:
        n.module = usable.get(n.module_name)
        if n.module is None:
            errors.add(n.where, f"unknown module {n.module_name}; {expected(n.module_name, usable)}")
            continue
        for name, text in n.values.items():
            check_value(n.where, n.module, f"module {n.module.name}", name, text, errors)
    for n in g.nodes:
        if n.module:
            check_edges(n, nodes, errors)
    check_bindings(g, limits(root), errors)
    sort_nodes(g, errors)
    check_files(g, root, errors)
    for name, (where, text) in g.sets.items():
        if kernel is None:
            errors.add(where, f"cannot set {name}: kernel/kernel.module is not there")
        else:
            check_value(where, kernel, "the kernel", name, text, errors)
