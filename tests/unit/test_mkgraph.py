#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The graph compiler: a right graph becomes C that compiles, and each class of error is one line
with file, line, what was found and what was expected. Works on small trees of its own."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
MKGRAPH = ROOT / "tools/mkgraph.py"

TREE = {
    "kernel/kernel.module": """
        module kernel
        setting seed int 0 "random numbers"
        setting sched enum fifo words fifo,share,edf "policy"
        """,
    "modules/eth/eth.module": """
        module eth
        provides link
        setting unit int 0 max 7 "which card"
        setting promisc bool off "take all"
        """,
    "modules/arp/arp.module": """
        module arp
        provides resolve
        uses link 1.. key 0x806
        setting reachable time 60s min 1s max 1h live "how long a neighbour is believed"
        """,
    "modules/ip/ip.module": """
        module ip
        provides network
        uses link 1..2 key 0x800
        setting addr text "" "addresses"
        setting source addr 10.0.0.1 "an address"
        setting table size 64k min 4k max 1m "memory"
        """,
    "modules/tcp/tcp.module": """
        module tcp
        provides transport
        uses network key 6
        setting miss enum reset words reset,pass,drop "what a \\"stray\\" segment gets"
        """,
    "modules/plug/plug.module": """
        module plug
        provides proxy
        uses transport
        setting listen endpoint none "where"
        """,
    "modules/delay/delay.module": """
        module delay
        provides link
        uses link
        """,
    "paths/local.c": '#include "kernel/node.h"\nconst struct path_maker local_paths = {"local", 0};\n',
    "paths/rules/join.c": '#include "kernel/rule.h"\nconst struct rule join_rule = {.name = "join"};\n',
}
GOOD = """
    graph g "a purpose with \\"quotes\\" and a ? mark"
    node plug plug listen=10.0.1.1:80 -> tcp    # order in the file is free
    node eth0 eth
    node eth1 eth unit=1
    node arp arp reachable=5s -> eth0 eth1
    node ip ip addr="eth0=10.0.1.1/24,eth1=10.0.2.1/24" \\
            table=8k -> eth0 eth1
    node tcp tcp -> ip
    path local
    rule join
    set sched=edf
    """
MODULES = ("eth", "arp", "ip", "tcp", "plug", "delay")

passed = failed = 0


def check(name, ok, why):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    print(f"ok {name}" if ok else f"not ok {name}: {why}", flush=True)


def dedent(text):
    lines = text.strip("\n").split("\n")
    return "\n".join(line.strip() for line in lines if line.strip()) + "\n"


class Tree:
    """A small tree on disk; `changes` replaces or adds files."""

    def __init__(self, graph, changes=None, name="g"):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="mkgraph-"))
        (self.root / "kernel").mkdir()
        for header in (ROOT / "kernel").glob("*.h"):
            shutil.copy(header, self.root / "kernel")
        for module in MODULES:
            self.write(f"modules/{module}/{module}.c",
                       f'#include "kernel/node.h"\nconst struct module {module}_module = {{.name = "{module}"}};\n')
        for path, text in {**TREE, **(changes or {})}.items():
            self.write(path, text if path.endswith(".c") else dedent(text))
        self.graph = f"config/{name}.graph"
        self.write(self.graph, dedent(graph))

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def run(self, *words):
        return subprocess.run([sys.executable, str(MKGRAPH), "--root", ".", "--out", "out", self.graph, *words],
                              cwd=self.root, capture_output=True, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.root)


def refuses(name, graph, *lines, changes=None):
    """mkgraph exits with 1, writes nothing, and says each of `lines` (beginning, then a part)."""
    with Tree(graph, changes) as t:
        done = t.run()
        said = done.stderr.splitlines()
        missing = [l for l in lines if not any(s.startswith(l[0] + ": ") and l[1] in s for s in said)]
        ok = done.returncode == 1 and not missing and len(said) == len(lines) and not (t.root / "out").exists()
        check(f"mkgraph refuses {name}", ok, f"status {done.returncode}, wanted {missing}, said {said}")


def test_good():
    with Tree(GOOD) as t:
        done = t.run()
        check("mkgraph accepts a right graph", done.returncode == 0 and not done.stderr, done.stderr)
        c, mk = t.root / "out/graph.c", (t.root / "out/graph.mk").read_text()
        for compiler in ("gcc", "clang"):
            if not shutil.which(compiler):
                print(f"skip mkgraph writes C that {compiler} takes: not installed")
                continue
            flags = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror", "-I."]
            built = subprocess.run([compiler, *flags, "-fsyntax-only", str(c)], cwd=t.root,
                                   capture_output=True, text=True)
            check(f"mkgraph writes C that {compiler} takes without a warning", built.returncode == 0, built.stderr)
        text = c.read_text()
        order = [text.index(f'    {{ "{n}", &') for n in ("eth0", "eth1", "ip", "tcp", "plug")]
        check("mkgraph puts a node behind all it uses", order == sorted(order), order)
        check("mkgraph links the listed modules only",
              all(f"modules/{m}/" in mk for m in MODULES if m != "delay") and "delay" not in mk
              and "paths/local.c" in mk and "paths/rules/join.c" in mk, mk)
        before = c.stat().st_mtime_ns
        t.run()
        check("mkgraph leaves a file alone whose text is the same", c.stat().st_mtime_ns == before, "rewritten")
        again = text
        shutil.rmtree(t.root / "out")
        t.run()
        check("mkgraph writes the same text each time", c.read_text() == again, "differs")
        shown = t.run("--show")
        dot = (t.root / "out/g.dot").read_text()
        check("mkgraph draws every node and edge", shown.returncode == 0 and all(m in shown.stdout for m in ("eth0:eth", "plug"))
              and '"ip" -> "tcp" [label="0x6"]' in dot and '"eth1" -> "arp" [label="0x806"]' in dot, shown.stdout + dot)


def test_tables():
    """What the kernel would read: compile the tables into a program and print them."""
    program = r'''
    #include <stdio.h>
    #include "kernel/node.h"
    #include "kernel/rule.h"
    int main(void) {
        printf("%s|%s|%d\n", graph.name, graph.purpose, graph.nnodes);
        for (int i = 0; i < graph.nnodes; i++) {
            const struct graph_node *n = &graph.nodes[i];
            printf("%s %s", n->name, n->module->name);
            for (int j = 0; j < n->ndown; j++)
                printf(" %s/%x", graph.nodes[n->down[j].node].name, (unsigned)n->down[j].key);
            for (int j = 0; n->settings[j].name; j++)
                if (n->values && n->values[j])
                    printf(" %s=%s", n->settings[j].name, n->values[j]);
            printf("\n");
        }
        const struct setting *s = graph.nodes[2].settings;
        printf("%s %d %llu %llu %d\n", s->name, s->type == SET_TIME, (unsigned long long)s->min,
               (unsigned long long)s->max, s->live);
        printf("%s %s %s %s\n", graph.makers[0]->name, graph.makers[1] ? "more" : "end", graph.rules[0]->name,
               graph.rules[1] ? "more" : "end");
        printf("%s\n", graph.values[1]);
        return 0;
    }
    '''
    expected = ['g|a purpose with "quotes" and a ? mark|6', "eth0 eth", "eth1 eth unit=1",
                "arp arp eth0/806 eth1/806 reachable=5s",
                "ip ip eth0/800 eth1/800 addr=eth0=10.0.1.1/24,eth1=10.0.2.1/24 table=8k",
                "tcp tcp ip/6", "plug plug tcp/0 listen=10.0.1.1:80",
                "reachable 1 1000000000 3600000000000 1", "local end join end", "edf"]
    graph = GOOD.replace("    node plug", "    # plug").replace("    path local", "    node plug plug listen=10.0.1.1:80 -> tcp\n    path local")
    with Tree(graph) as t:
        t.run()
        t.write("main.c", program)
        sources = ["main.c", "out/graph.c", "paths/local.c", "paths/rules/join.c"]
        sources += [f"modules/{m}/{m}.c" for m in MODULES if m != "delay"]
        built = subprocess.run(["gcc", "-std=c11", "-I.", "-o", "main", *sources], cwd=t.root, capture_output=True, text=True)
        out = subprocess.run(["./main"], cwd=t.root, capture_output=True, text=True).stdout.splitlines() if not built.returncode else []
        check("mkgraph tables hold what the graph file says", out == expected, f"{built.stderr} {out}")


def test_refusals():
    g = 'graph g "x"\n'
    refuses("an unknown module, and says which is near", g + "node a eht",
            ("config/g.graph:2", "unknown module eht; did you mean eth? expected arp, delay, eth, ip, plug or tcp"))
    refuses("an unknown setting", g + "node a eth untt=1",
            ("config/g.graph:2", "module eth has no setting untt; did you mean unit? expected promisc or unit"))
    refuses("a setting of the kernel that is none", g + "node a eth\nset schd=edf",
            ("config/g.graph:3", "the kernel has no setting schd; did you mean sched? expected sched or seed"))
    refuses("an unknown path maker", g + "node a eth\npath loca",
            ("config/g.graph:3", "paths/loca.c is not there; did you mean local? expected local"))
    refuses("an unknown rule", g + "node a eth\nrule merge",
            ("config/g.graph:3", "paths/rules/merge.c is not there; expected join"))
    refuses("an edge between services that do not fit", g + "node a eth\nnode t tcp -> a",
            ("config/g.graph:3", "a (eth) provides link; t (tcp) expected network"))
    refuses("an edge from a module that uses nothing", g + "node a eth\nnode b eth -> a",
            ("config/g.graph:3", "a (eth) provides link; b (eth) expected no node below"))
    refuses("a missing edge", g + "node i ip",
            ("config/g.graph:2", "i (ip) has 0 edges to a link; expected 1 to 2 (modules/ip/ip.module:3)"))
    refuses("too many edges", g + "node a eth\nnode b eth\nnode c eth\nnode i ip -> a b c",
            ("config/g.graph:5", "i (ip) has 3 edges to a link; expected 1 to 2"))
    refuses("an edge to no node", g + "node eth0 eth\nnode i ip -> eth9",
            ("config/g.graph:3", "i uses eth9, which is no node; did you mean eth0? expected eth0 or i"))
    refuses("the same edge twice", g + "node a eth\nnode i ip -> a a",
            ("config/g.graph:3", "i uses a twice; expected one edge"))
    refuses("a cycle", g + "node a delay -> b\nnode b delay -> a",
            ("config/g.graph:2", "nodes use each other in a circle: a -> b -> a"))
    refuses("a node that uses itself", g + "node a delay -> a",
            ("config/g.graph:2", "nodes use each other in a circle: a -> a"))
    refuses("two nodes under one number", g + "node a eth\nnode i ip -> a\nnode j ip -> a",
            ("config/g.graph:4", "j is bound to a under 0x800, which i has (config/g.graph:3)"))
    refuses("more users than a node has room for",
            g + "node a eth\nnode i ip -> a\nnode t tcp -> i\n" + "\n".join(f"node p{n} plug -> t" for n in range(17)),
            ("config/g.graph:4", "t is used by 17 nodes; expected at most 16"))
    refuses("a name that is taken", g + "node a eth\nnode a eth",
            ("config/g.graph:3", "node a exists already at config/g.graph:2; expected another name"))
    refuses("a setting given twice", g + "node a eth unit=1 unit=2",
            ("config/g.graph:2", "unit is set twice; expected one value"))
    refuses("a rule listed twice", g + "node a eth\nrule join\nrule join",
            ("config/g.graph:4", "rule join is listed twice"))
    for what, words, says in (
            ("a number that is none", "eth unit=two", "unit=two: expected a number, decimal or 0x"),
            ("a number above max", "eth unit=8", "unit=8: expected 0 to 7"),
            ("a bool that is none", "eth promisc=yes", "promisc=yes: expected on or off"),
            ("a size that is none", "ip table=8kb -> e", "table=8kb: expected bytes such as"),
            ("a size below min", "ip table=1k -> e", "table=1k: expected 4k to 1m"),
            ("a time without unit", "arp reachable=30 -> e", "expected a time with its unit"),
            ("a time with an unknown unit", "arp reachable=30x -> e", "unknown unit x; expected ns, us, ms, s"),
            ("a time above max", "arp reachable=2h -> e", "reachable=2h: expected 1s to 1h"),
            ("an address that is none", "ip source=10.0.0.256 -> e", "expected an address such as"),
            ):
        refuses(what, f"{g}node e eth\nnode n {words}", ("config/g.graph:3", says))
    refuses("a word that is not in the enum", g + "node e eth\nnode i ip -> e\nnode t tcp miss=rest -> i",
            ("config/g.graph:4", "miss=rest: did you mean reset? expected drop, pass or reset"))
    for value in ("10.0.0.1", "10.0.0.1:65536", "host:80", ":80"):
        refuses(f"endpoint {value}", f"{g}node e eth\nnode i ip -> e\nnode t tcp -> i\nnode p plug listen={value} -> t",
                ("config/g.graph:5", f"listen={value}: expected a"))
    refuses("a statement that is none", g + "node a eth\nnoed b eth",
            ("config/g.graph:3", "unknown statement noed; did you mean node? expected graph, node, path, rule or set"))
    refuses("a name with a character that is not allowed", g + "node A eth", ("config/g.graph:2", "A is no name"))
    refuses("a word that is no setting", g + "node a eth unit", ("config/g.graph:2", "found unit; expected name=value"))
    refuses("an arrow to nothing", g + "node a eth ->", ("config/g.graph:2", "expected names of nodes behind one ->"))
    refuses("an open quote", g + 'node a eth unit="1', ("config/g.graph:2", "quotes do not match"))
    refuses("a graph whose name is not its file's", "graph h\nnode a eth", ("config/g.graph:1", "expected graph g"))
    refuses("a file without a graph line", "node a eth", ("config/g.graph:1", "no graph line; expected graph g"))
    refuses("an empty graph", g, ("config/g.graph:1", "no nodes; expected at least one node line"))
    refuses("several errors at once, in the order of lines", g + "node a eht\nnode b eth unit=9",
            ("config/g.graph:2", "unknown module eht"), ("config/g.graph:3", "unit=9"))


def test_module_refusals():
    graph = 'graph g "x"\nnode a eth\n'

    def module(name, text, *lines):
        refuses(name, graph, *[("modules/x/x.module:" + str(n), says) for n, says in lines],
                changes={"modules/x/x.module": text, "modules/x/x.c": "\n"})

    module("a module statement that is none", "module x\nprovide link", (2, "unknown statement provide; did you mean provides?"))
    module("a service that is none", "module x\nprovides linc", (2, "unknown service linc; did you mean link?"))
    module("uses of no service", "module x\nuses linc", (2, "unknown service linc; did you mean link?"))
    module("a count that is none", "module x\nuses link many", (2, "found many; expected how many edges"))
    module("a count that goes down", "module x\nuses link 3..2", (2, "found 3..2; expected how many edges"))
    module("a key that is none", "module x\nuses link key six", (2, "key six: expected a number"))
    module("one service used twice", "module x\nuses link\nuses link", (3, "uses link twice"))
    module("a type that is none", 'module x\nsetting a integer 1 "s"', (2, "unknown type integer"))
    module("a default that is none", 'module x\nsetting a time 5 "s"', (2, "default 5 of a: expected a time with its unit"))
    module("an enum without words", 'module x\nsetting a enum b "s"', (2, "enum a without words"))
    module("min of a bool", 'module x\nsetting a bool on min 1 "s"', (2, "found min; expected min N"))
    module("a setting without a sentence", "module x\nsetting a bool on", (2, "expected setting NAME TYPE DEFAULT"))
    module("a setting declared twice", 'module x\nsetting a bool on "s"\nsetting a bool on "s"', (3, "setting a is declared twice"))
    module("a source that is not there", "module x\nsource modules/x/y.c", (2, "source modules/x/y.c matches no file"))
    module("a module name that is taken", "module eth", (1, "module eth exists already at modules/eth/eth.module:1"))
    module("a file that does not begin with its name", "provides link", (1, "found provides; expected module NAME first"))


def main():
    test_good()
    test_tables()
    test_refusals()
    test_module_refusals()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
