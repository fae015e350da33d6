# SPDX-License-Identifier: BSD-2-Clause
"""Writes graph.c, the tables of struct graph (kernel/node.h), and graph.mk, the sources to link.

A file is written only when its text changes, so that nothing is compiled again for nothing.
"""

from . import values

TYPES = {t: "SET_" + t.upper() for t in values.TYPES}


def quoted(text):
    out = "".join(c if 32 <= ord(c) < 127 and c not in '"\\?' else
                  "\\" + c if c in '"\\?' else
                  "".join(f"\\{b:03o}" for b in c.encode()) for c in text)
    return f'"{out}"'


def setting_table(symbol, module, out):
    settings = module.settings if module else []
    for s in settings:
        if s.words:
            out.append(f"static const char *const words_{symbol}_{s.name}[] = {{ "
                       + ", ".join(quoted(w) for w in s.words) + ", NULL };")
    out.append(f"static const struct setting settings_{symbol}[] = {{")
    for s in settings:
        words = f"words_{symbol}_{s.name}" if s.words else "NULL"
        live = "true" if s.live else "false"
        out.append(f"    {{ {quoted(s.name)}, {TYPES[s.type]}, {quoted(s.value)}, {quoted(s.help)},")
        out.append(f"      {words}, {s.min}U, {s.max}U, {live} }},")
    out.append("    { NULL, SET_TEXT, NULL, NULL, NULL, 0, 0, false },")
    out.append("};")
    out.append("")


def value_table(symbol, settings, given, out):
    """Values by setting, or NULL when the graph file leaves all at their defaults."""
    if not given:
        return "NULL"
    out.append(f"static const char *const values_{symbol}[] = {{")
    for s in settings:
        out.append(f"    {quoted(given[s.name]) if s.name in given else 'NULL'}, /* {s.name} */")
    out.append("    NULL,")
    out.append("};")
    out.append("")
    return f"values_{symbol}"


def graph_c(g, modules, source):
    kernel = modules.get("kernel")
    used = []
    for n in g.nodes:
        if n.module not in used:
            used.append(n.module)
    out = [f"/* SPDX-License-Identifier: BSD-2-Clause */",
           f"/* Made by tools/mkgraph.py from {source}; change that file instead. */",
           '#include "kernel/node.h"', '#include "kernel/rule.h"', "",
           "/* A program that links several graphs gives each a name of its own. */",
           "#ifndef GRAPH_SYMBOL", "#define GRAPH_SYMBOL graph", "#endif", ""]
    for m in used:
        out.append(f"extern const struct module {m.name}_module;")
    for p in g.paths:
        out.append(f"extern const struct path_maker {p.name}_paths;")
    for r in g.rules:
        out.append(f"extern const struct rule {r.name}_rule;")
    out += ["extern const struct graph GRAPH_SYMBOL;", ""]
    for m in used:
        setting_table(m.name, m, out)
    setting_table("of_kernel", kernel, out)
    values_of = {n.name: value_table("node_" + n.name, n.module.settings, n.values, out) for n in g.nodes}
    kernel_values = value_table("of_kernel", kernel.settings if kernel else [],
                                {k: v for k, (_, v) in g.sets.items()}, out)
    out.append("static const struct graph_node nodes[] = {")
    for n in g.nodes:
        down = ", ".join(f"{{ {low.index}, {key:#x} }}" for low, key in n.down) or "{ 0, 0 }"
        out.append(f"    {{ {quoted(n.name)}, &{n.module.name}_module, settings_{n.module.name}, {values_of[n.name]},")
        out.append(f"      {{ {down} }}, {len(n.down)} }}, /* {n.index} */")
    out += ["};", "", "static const struct path_maker *const makers[] = {"]
    out += [f"    &{p.name}_paths," for p in g.paths]
    out += ["    NULL,", "};", "", "static const struct rule *const rules[] = {"]
    out += [f"    &{r.name}_rule," for r in g.rules]
    out += ["    NULL,", "};", "", "const struct graph GRAPH_SYMBOL = {",
            f"    {quoted(g.name)}, {quoted(g.purpose)}, nodes, {len(g.nodes)}, makers, rules,",
            f"    settings_of_kernel, {kernel_values},", "};", ""]
    return "\n".join(out)


def graph_mk(g, source):
    patterns = []
    for n in g.nodes:
        patterns += [s for s in n.module.sources if s not in patterns]
    files = [f"paths/{p.name}.c" for p in g.paths] + [f"paths/rules/{r.name}.c" for r in g.rules]
    out = ["# SPDX-License-Identifier: BSD-2-Clause",
           f"# Made by tools/mkgraph.py from {source}; change that file instead.",
           f"GRAPH_SRC_{g.name} := $(sort \\"]
    out += [f"    $(wildcard {p}) \\" for p in patterns]
    out += [f"    {f} \\" for f in files]
    out += ["    )", ""]
    return "\n".join(out)


def write_changed(path, text):
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return True
