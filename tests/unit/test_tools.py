#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The test runner counts what programs say, and what they fail to say; lint finds each kind of
offence in a small tree made for it, and nothing in a clean one."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
failed = 0
SPDX = "/* SPDX-License-Identifier: BSD-2-Clause */\n"


def check(name, ok, why=""):
    global failed
    failed += not ok
    print(f"ok {name}" if ok else f"not ok {name}: " + " / ".join(str(why).splitlines()[-5:]), flush=True)


class Tree:
    def __init__(self, files):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="tools-"))
        shutil.copytree(ROOT / "tools", self.root / "tools", ignore=shutil.ignore_patterns("__pycache__", "*.c"))
        shutil.copy(ROOT / ".clang-format", self.root)
        (self.root / "Makefile").write_text("# SPDX-License-Identifier: BSD-2-Clause\ntest-programs host image iso:\n\t@true\n")
        for path, text in files.items():
            f = self.root / path
            f.parent.mkdir(parents=True, exist_ok=True)
            f.write_text(text, encoding="utf-8")
            if text.startswith("#!"):
                f.chmod(0o755)
        for words in (["init", "-q"], ["add", "-A"]):
            subprocess.run(["git", *words], cwd=self.root, check=True, capture_output=True)

    def run(self, *words):
        done = subprocess.run([sys.executable, *words], cwd=self.root, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.root)


def script(body):
    return "#!/usr/bin/python3\n# SPDX-License-Identifier: BSD-2-Clause\n" + body


def test_runner():
    def run(name, body, status, last, *lines):
        with Tree({"tests/unit/case.py": script(body)}) as t:
            code, out = t.run("tools/runtests.py", "unit")
            said = out.splitlines()
            check(f"runner: {name}", code == status and said[-1] == last and all(l in said for l in lines), out)

    run("counts ok, skip and the end", "print('ok one')\nprint('skip two: no tool')", 0, "1 passed, 0 failed, 1 skipped",
        "  ok unit/case: one", "  skip unit/case: two: no tool")
    run("counts what failed, exit status 1", "import sys\nprint('not ok one: why')\nsys.exit(1)", 1, "0 passed, 1 failed, 0 skipped",
        "  not ok unit/case: one: why")
    run("reads TAP as cmocka writes it", "print('1..2')\nprint('ok 1 - RFC 9293 3.4: a')\nprint('not ok 2 # SKIP b')", 0,
        "1 passed, 0 failed, 1 skipped", "  ok unit/case: RFC 9293 3.4: a", "  skip unit/case: b")
    run("a program that passes and then fails has failed", "import sys\nprint('ok one')\nsys.exit(3)", 1,
        "1 passed, 1 failed, 0 skipped", "  not ok unit/case: exit status 3")
    run("a program that is killed has failed", "import os\nprint('ok one', flush=True)\nos.kill(os.getpid(), 9)", 1,
        "1 passed, 1 failed, 0 skipped", "  not ok unit/case: killed by signal 9")
    run("a program that says nothing has failed", "print('hello')", 1, "0 passed, 1 failed, 0 skipped",
        "  not ok unit/case: printed no result")
    with Tree({"README.md": "x"}) as t:
        code, out = t.run("tools/runtests.py", "unit")
        check("runner: a group without tests is skipped, said aloud", code == 0 and out.splitlines()[-1] == "0 passed, 0 failed, 1 skipped", out)
    with Tree({"Makefile": "test-programs:\n\t@echo broken; false\n", "tests/unit/case.py": script("print('ok one')")}) as t:
        code, out = t.run("tools/runtests.py", "unit")
        check("runner: a build that fails is a failed test", code == 1 and "1 passed, 1 failed, 0 skipped" in out, out)


CLEAN = {
    "kernel/a.h": SPDX + "int a(void);\n",
    "kernel/a.c": SPDX + '#include "kernel/a.h"\n\n#include <stdio.h>\n\nint a(void)\n{\n    return puts("a");\n}\n',
    "modules/ip/ip.h": SPDX + "int ip(void);\n",
    "modules/ip/in.c": SPDX + '#include "kernel/a.h"\n#include "modules/ip/ip.h"\n\nint ip(void)\n{\n    return a();\n}\n',
    "paths/local.c": SPDX + '#include "modules/ip/ip.h"\n\nint local(void);\nint local(void)\n{\n    return ip();\n}\n',
    **{f"{folder}/README.md": "what it is\n" for folder in ("kernel", "modules", "modules/ip", "paths", "tools")},
}


def test_lint():
    with Tree(CLEAN) as t:
        code, out = t.run("tools/lint.py")
        check("lint: finds nothing in a clean tree", code == 0 and "lint: 0 findings" in out, out)

    def finds(name, path, text, where, says):
        with Tree({**CLEAN, path: text}) as t:
            code, out = t.run("tools/lint.py")
            hit = [l for l in out.splitlines() if l.startswith(where) and says in l]
            check(f"lint: finds {name}", code == 1 and hit, out)

    finds("the kernel including a module", "kernel/b.c", SPDX + '#include "modules/ip/ip.h"\n', "kernel/b.c:2:", 'includes "modules/ip/ip.h"')
    finds("a module including another", "modules/tcp/b.c", SPDX + '#include "modules/ip/ip.h"\n', "modules/tcp/b.c:2:", "this folder may include kernel/, modules/wire/, modules/proxy/proxy.h, modules/tcp/")
    with Tree({**CLEAN, "modules/ip/in.h": SPDX, "paths/b.c": SPDX + '#include "modules/ip/in.h"\n'}) as t:
        code, out = t.run("tools/lint.py")
        check("lint: finds a path including a module's private header", code == 1 and "paths/b.c:2:" in out, out)
    finds("a host header in shared code", "kernel/b.c", SPDX + "#include <unistd.h>\n", "kernel/b.c:2:", "<unistd.h> is a host header")
    finds("an include not spelled from the root", "kernel/b.c", SPDX + '#include "a.h"\n', "kernel/b.c:2:", "expected a path from the root")
    finds("a file without its licence line", "kernel/b.c", "int b;\n", "kernel/b.c:1:", "SPDX-License-Identifier")
    finds("a file that is too long", "kernel/b.c", SPDX + "/* */\n" * 600, "kernel/b.c:601:", "expected at most 600")
    finds("a folder without README", "modules/tcp/b.c", SPDX, "modules/tcp/README.md:1:", "not there")
    finds("a README that is too long", "kernel/README.md", "x\n" * 31, "kernel/README.md:31:", "at most 30")
    finds("work left undone", "kernel/b.c", SPDX + "/* TO" + "DO: b */\n", "kernel/b.c:2:", "work left undone")
    finds("mutable state at file scope", "kernel/b.c", SPDX + "static int counter;\n", "kernel/b.c:2:", "file scope")
    finds("state behind a pointer at file scope", "modules/ip/b.c", SPDX + "struct s *head = NULL;\n", "modules/ip/b.c:2:", "file scope")
    finds("Python that does not compile", "tools/x.py", "# SPDX-License-Identifier: BSD-2-Clause\ndef f(:\n", "tools/x.py:2:", "Python")
    if shutil.which("clang-format"):
        finds("C that is not formatted", "kernel/b.c", SPDX + "int  b(void);\n", "kernel/b.c:2:", "clang-format")
    else:
        print("skip lint: finds C that is not formatted: clang-format is not installed")
    if shutil.which("cppcheck"):
        finds("what cppcheck finds", "kernel/b.c", SPDX + "int b(void);\nint b(void)\n{\n    int x;\n    return x;\n}\n", "kernel/b.c:6:", "cppcheck uninitvar")
    else:
        print("skip lint: finds what cppcheck finds: cppcheck is not installed")


def main():
    test_runner()
    test_lint()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
