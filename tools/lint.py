#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Lint: rules of the tree that a compiler does not know. `make lint`, and a group of `make test`.

Looks at the files git knows or would add. Each finding is FILE:LINE: what, expected what. With --tap
each check is one line `ok NAME` or `not ok NAME`. Exit status 1 when anything was found; a tool that
is not installed is said aloud, and skipped.
"""

import argparse
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parent.parent
LONG, TOO_LONG = 400, 600
CODE = (".c", ".h", ".S", ".py", ".sh", ".mk", ".ld", ".module", ".graph", ".pkt")
C_CODE = (".c", ".h")

# Who may include whom, by the first folder that matches. {own} is the includer's own folder.
# `header` stands for the public header of a module, modules/NAME/NAME.h, and what tcp shows of splices.
LAYERS = (
    (r"kernel/", ("kernel/",)),
    (r"modules/[^/]+/", ("kernel/", "modules/wire/", "modules/proxy/proxy.h", "{own}")),
    (r"paths/", ("kernel/", "paths/", "header")),
    (r"drivers/hosted/", ("kernel/", "drivers/", "{own}")),
    (r"drivers/", ("kernel/", "drivers/")),
    (r"boot/hosted/", ("kernel/", "drivers/", "{own}")),
    (r"boot/[^/]+/", ("kernel/", "drivers/", "{own}")),
    (r"(tests|tools|bench)/", ("kernel/", "modules/", "paths/", "drivers/", "boot/", "tests/", "tools/", "bench/")),
)
HOST_FOLDERS = ("boot/hosted/", "drivers/hosted/", "tests/", "tools/", "bench/")
# ISO C11 without the optional parts: what both grounds have.
ISO_HEADERS = {f"{name}.h" for name in """assert complex ctype errno fenv float inttypes iso646 limits locale math
    setjmp signal stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string tgmath time
    uchar wchar wctype""".split()}
# Compiler intrinsics are no host headers; the bare-metal ground also implements what newlib asks for,
# and links a cipher for its random numbers. A few modules stand on a library (mk/common.mk).
GROUND_HEADERS = {"boot/x86_64/": {"cpuid.h", "immintrin.h", "x86intrin.h", "sys/stat.h", "sys/types.h",
                                   "sys/time.h", "sys/times.h", "unistd.h", "reent.h", "bearssl_block.h"},
                  "modules/login/": {"bearssl_hmac.h"},
                  "modules/http/": {"llhttp.h", "llhttp.c", "api.c", "http.c"}}
# What must not be in the tree: this machine, how the work is organised, work left undone.
FORBIDDEN = (
    (re.compile(r"\b(TODO|FIXME|XXX)\b"), "work left undone; expected it done, or a sentence in docs"),
    (re.compile(r"/(work|home)/[a-z]+/|/tmp/(brief|bash_jobs)"), "a path of one machine; expected one inside the tree"),
    (re.compile(r"\bfor now\b", re.I), "`for now`; expected what it is"),
    (re.compile(r"\b(spec|design|decisions|robustness|splicing|facts)/?[a-z-]*\.md\b"),
     "a file that is not in the tree; expected the clause in own words"),
)
FORBIDDEN_EXEMPT = ("tools/lint.py",)


# What is analysed by gcc -fanalyzer and clang-tidy, each file by itself.
ANALYSED = ("kernel/", "modules/", "paths/", "drivers/", "boot/")
# A library's source, included whole; and what only newlib's headers fit.
NOT_ANALYSED = ("modules/http/llhttp.c", "modules/http/llhttp_api.c", "boot/x86_64/newlib.c")
ANALYSE_FLAGS = ["-std=c11", "-I.", "-isystem", "/usr/include/bearssl", "-isystem", "/usr/share/llhttp", "-isystem",
                 "/usr/share/include/llhttp"]


class Findings:
    def __init__(self):
        self.lines = []

    def add(self, path, line, text):
        self.lines.append(f"{path}:{line}: {text}")


def tree_files():
    done = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"lint: git ls-files: {done.stderr.strip()}")
    return [p for p in sorted(set(done.stdout.splitlines())) if (ROOT / p).is_file() and not (ROOT / p).is_symlink()]


def text_of(path):
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None  # an image or a capture


def check_includes(files, found):
    """Layering: who includes whom, spelled from the root; host headers where they belong."""
    for path in files:
        if not path.endswith(C_CODE):
            continue
        rule = next((allowed for pattern, allowed in LAYERS if re.match(pattern, path)), None)
        if rule is None:
            found.add(path, 1, "a C file in a folder that has no place in the layers (tools/lint.py)")
            continue
        own = os.path.dirname(path) + "/"
        for n, line in enumerate((text_of(path) or "").splitlines(), 1):
            m = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if not m:
                continue
            name = m[2]
            if m[1] == "<":
                extra = next((names for folder, names in GROUND_HEADERS.items() if path.startswith(folder)), ())
                if name not in ISO_HEADERS and name not in extra and not path.startswith(HOST_FOLDERS):
                    found.add(path, n, f"<{name}> is a host header; expected ISO C headers outside {', '.join(HOST_FOLDERS)}")
                continue
            if not (ROOT / name).exists():
                found.add(path, n, f'"{name}" is not there; expected a path from the root of the tree')
                continue
            parts = name.split("/")
            header = parts[0] == "modules" and len(parts) == 3 and parts[2] in (parts[1] + ".h", "splice.h")
            allowed = [a.replace("{own}", own) for a in rule]
            if not any(name.startswith(a) for a in allowed if a != "header") and not (header and "header" in rule):
                says = ", ".join("modules/NAME/NAME.h" if a == "header" else a for a in allowed)
                found.add(path, n, f'includes "{name}"; this folder may include {says}')


def check_licence(files, found):
    for path in files:
        if not path.endswith(CODE) and os.path.basename(path) not in ("Makefile", "run"):
            continue
        lines = (text_of(path) or "").splitlines()
        at = 1 if lines and lines[0].startswith("#!") else 0
        if len(lines) <= at or "SPDX-License-Identifier: BSD-2-Clause" not in lines[at]:
            found.add(path, at + 1, "expected SPDX-License-Identifier: BSD-2-Clause in the first line")


def check_length(files, found, notes):
    for path in files:
        if not path.endswith(CODE):
            continue
        n = len((text_of(path) or "").splitlines())
        if n > TOO_LONG:
            found.add(path, n, f"{n} lines; expected at most {TOO_LONG}: split it by concern")
        elif n > LONG:
            notes.append(f"{path}: {n} lines is long")


def check_readmes(files, found):
    """A README.md of at most 30 lines in each folder of the first two levels that holds code."""
    folders = set()
    for path in files:
        parts = path.split("/")[:-1]
        if path.endswith(CODE) and parts and not parts[0].startswith("."):
            folders.add("/".join(parts[:2]) if parts[0] in ("modules", "boot", "drivers", "paths", "tests") else parts[0])
            folders.add(parts[0])
    for folder in sorted(folders):
        readme = f"{folder}/README.md"
        if readme not in files:
            found.add(readme, 1, "not there; expected what is in this folder, in at most 30 lines")
        elif len((text_of(readme) or "").splitlines()) > 30:
            found.add(readme, 31, "expected at most 30 lines")


def check_words(files, found):
    for path in files:
        if path in FORBIDDEN_EXEMPT:
            continue
        for n, line in enumerate((text_of(path) or "").splitlines(), 1):
            for pattern, says in FORBIDDEN:
                m = pattern.search(line) if "now" not in pattern.pattern or path.endswith(CODE) else None
                if m:
                    found.add(path, n, f"found {m[0]}: {says}")


def check_state(files, found):
    """No mutable object at file scope in kernel/ modules/ paths/ drivers/ (drivers/hosted too)."""
    for path in files:
        if not path.endswith(".c") or not path.startswith(("kernel/", "modules/", "paths/", "drivers/")):
            continue
        depth = 0
        for n, line in enumerate((text_of(path) or "").splitlines(), 1):
            if depth == 0 and re.match(r"(static\s+)?(?!const\b|extern\b|typedef\b|enum\b)[a-z_][\w\s]*[\s*]\w+(\[[^\]]*\])*\s*(=|;)", line) \
                    and "(" not in line.split("=")[0] and "const" not in line.split("=")[0] \
                    and not re.match(r"(struct|union)\s+\w+\s*;", line):
                found.add(path, n, "an object at file scope that can change; expected it in struct kernel or in the node")
            depth += line.count("{") - line.count("}")


def tool(words, files, found, pattern):
    """A tool that prints FILE:LINE: ...; False when it is not installed."""
    if not shutil.which(words[0]):
        return False
    done = subprocess.run([*words, *files], cwd=ROOT, capture_output=True, text=True)
    said = [l for l in (done.stdout + done.stderr).splitlines() if re.search(pattern, l)]
    found.lines += said
    if done.returncode and not said:
        found.lines.append(f"{words[0]}: exit status {done.returncode}: {(done.stderr or done.stdout).strip()[-500:]}")
    return True


def check_format(files, found):
    c = [f for f in files if f.endswith(C_CODE)]
    return tool(["clang-format", "--dry-run", "-Werror", "--ferror-limit=3"], c, found, r":\d+:\d+: (error|warning)")


def check_cppcheck(files, found):
    c = [f for f in files if f.endswith(".c") and not f.startswith(("tests/", "tools/", "bench/"))]
    jobs = str(os.cpu_count() or 2)
    (ROOT / "build/cppcheck").mkdir(parents=True, exist_ok=True)
    return tool(["cppcheck", "-q", "-j", jobs, "--std=c11", "-I.", "--enable=warning,portability", "--error-exitcode=1",
                 "--inline-suppr", "--suppress=missingIncludeSystem", "--cppcheck-build-dir=build/cppcheck",
                 "--template={file}:{line}: cppcheck {id}: {message}"], c, found, r":\d+: cppcheck")


def closure(path, known):
    """A file and all of ours that it includes, with their texts: what an analysis of it depends on."""
    if path in known or not (ROOT / path).is_file():
        return known
    known[path] = text_of(path) or ""
    for name in re.findall(r'^\s*#\s*include\s*"([^"]+)"', known[path], re.MULTILINE):
        closure(name, known)
    return known


def analyse(name, words, files, found, pattern):
    """A slow tool, file by file; what it found clean is not looked at again until it changes."""
    if not shutil.which(words[0]):
        return False
    settings = " ".join(words) + (ROOT / ".clang-tidy").read_text() if (ROOT / ".clang-tidy").exists() else " ".join(words)

    def one(path):
        stamp = ROOT / "build/analysis" / name / (path + ".ok")
        text = settings + "".join(f"{p}\0{t}" for p, t in sorted(closure(path, {}).items()))
        digest = hashlib.sha256(text.encode()).hexdigest()
        if stamp.exists() and stamp.read_text() == digest:
            return []
        flags = ANALYSE_FLAGS + (["-U__linux__"] if path.startswith("boot/x86_64/") else [])
        argv = [*words, path, "--", *flags] if words[0] == "clang-tidy" else [*words, *flags, path]
        done = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = [line.replace(f"{ROOT}/", "") for line in done.stdout.splitlines() if re.search(pattern, line)]
        if done.returncode and not said:
            said = [f"{path}:1: {name}: exit status {done.returncode}: {done.stdout.strip()[-300:]}"]
        if not said:
            stamp.parent.mkdir(parents=True, exist_ok=True)
            stamp.write_text(digest)
        return said

    c = [f for f in files if f.endswith(".c") and f.startswith(ANALYSED) and f not in NOT_ANALYSED]
    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        for said in pool.map(one, c):
            found.lines += [line for line in said if line not in found.lines]
    return True


def check_analyzer(files, found):
    words = ["gcc", "-O1", "-Wall", "-Wextra", "-fanalyzer", "-fdiagnostics-plain-output", "-S", "-o", "/dev/null"]
    return analyse("gcc", words, files, found, r":\d+:\d+: (warning|error)")


def check_tidy(files, found):
    return analyse("clang-tidy", ["clang-tidy", "--quiet"], files, found, r":\d+:\d+: (warning|error)")


def check_python(files, found):
    for path in files:
        text = text_of(path) or ""
        if path.endswith(".py"):
            try:
                compile(text, path, "exec")
            except SyntaxError as e:
                found.add(path, e.lineno or 1, f"Python: {e.msg}")
            if text.startswith("#!") and not text.startswith("#!/usr/bin/python3\n"):
                found.add(path, 1, "expected #!/usr/bin/python3")


RFC_IDS = {"9293": {"MUST": 69, "SHLD": 31, "REC": 1, "MAY": 18}}
RFC_ROW = re.compile(r"\| ((?:MUST|SHLD|REC|MAY)-\d+) \|[^|]*\| (met|argued|none)\b[^|]*\| (?:host|ours)\b[^|]*\|([^|]*)\|$")

RFC_CLAUSE = re.compile(r"\|[^|]*\|[^|]*\| (met|argued|none)\b[^|]*\|([^|]*)\|$")


def test_names(files):
    """What tests call themselves, as far as it stands in the sources or follows from the conformance tables."""
    names = set()
    for path in files:
        if path.startswith("tests/") and path.endswith((".c", ".pkt", ".py")):
            names.update(re.findall(r'"([^"\n]+)"', text_of(path) or ""))
    sys.path.insert(0, str(ROOT / "tests/conformance"))
    sys.dont_write_bytecode = True
    for module in ("plain", "spliced"):
        if not (ROOT / f"tests/conformance/{module}.py").exists():
            continue
        names.update(title for title, _, _ in __import__(module).cases())
    return names


def check_rfc_tests(found, where, verdict, cell, names):
    """A met row names at least one test (or `the same` as the row above), and each that is named is there."""
    cited = re.findall(r"`([^`]+)`", cell)
    if verdict == "met" and not cited and "the same" not in cell:
        found.add(*where, "what is met needs the test that shows it")
    for name in cited:
        like = [t for t in names if t.startswith(name)]
        if name not in like and len(like) != 1:
            found.add(*where, f"`{name}` begins {len(like)} names of tests; expected one")


def check_rfc(files, found):
    """docs/rfc: each id once, each with its verdict and with tests that are there."""
    names = test_names(files)
    for path in files:
        m = re.fullmatch(r"docs/rfc/(\d+)\.md", path)
        if not m:
            continue
        missing = {f"{kind}-{i}" for kind, n in RFC_IDS.get(m[1], {}).items() for i in range(1, n + 1)}
        for n, line in enumerate((text_of(path) or "").splitlines(), 1):
            row = RFC_ROW.match(line)
            clause = RFC_CLAUSE.match(line)
            if not row and re.match(r"\| [A-Z]+-\d", line):
                found.add(path, n, "expected | ID | what it asks | met, argued or none | host or ours | `test`; `test` |")
            elif clause and not row:
                check_rfc_tests(found, (path, n), clause[1], clause[2], names)
            elif not row and line.startswith("|") and not re.match(r"\|---|\| (?:id|RFC|clause) \|", line):
                found.add(path, n, "expected | clause | what it asks | met, argued or none | `test`; `test` |")
            if not row:
                continue
            if row[1] not in missing:
                found.add(path, n, f"{row[1]} stands here twice, or is no id of RFC {m[1]}")
            missing.discard(row[1])
            check_rfc_tests(found, (path, n), row[2], row[3], names)
        for name in sorted(missing):
            found.add(path, 1, f"{name} has no verdict")


def main():
    parser = argparse.ArgumentParser(description="rules of the tree that a compiler does not know")
    parser.add_argument("--tap", action="store_true", help="one result line per check")
    args = parser.parse_args()
    files = tree_files()
    notes = []
    checks = (
        ("layering: who includes whom", check_includes),
        ("first line names the licence", check_licence),
        (f"no file above {TOO_LONG} lines", lambda f, found: check_length(f, found, notes)),
        ("a README in every folder", check_readmes),
        ("no forbidden words or paths", check_words),
        ("no mutable state at file scope", check_state),
        ("docs/rfc: a verdict for each id, tests that are there", check_rfc),
        ("Python compiles", check_python),
        ("clang-format", check_format),
        ("cppcheck", check_cppcheck),
        ("gcc -fanalyzer", check_analyzer),
        ("clang-tidy", check_tidy),
    )
    bad = 0
    for name, function in checks:
        found = Findings()
        ran = function(files, found)
        for line in found.lines:
            print(line)
        if ran is False:
            print(f"skip {name}: not installed")
        elif args.tap:
            print(f"not ok {name}: {len(found.lines)} findings" if found.lines else f"ok {name}")
        bad += len(found.lines)
    for note in notes:
        print(f"note: {note}")
    if not args.tap:
        print(f"lint: {bad} findings in {len(files)} files")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
