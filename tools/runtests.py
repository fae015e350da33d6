#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs the tests and sums up; called by `make test` and `make test-long`.

A group is a folder of tests/. Its programs (built per variant) and its executable scripts print
`ok NAME`, `not ok NAME: why`, `skip NAME: why`, or TAP as cmocka does; other lines go to the log
only. A program that fails, crashes or hangs without saying which test it was counts as one failure.
The last line is `N passed, N failed, N skipped`; exit status 0 only when nothing failed.
Logs: build/test/GROUP/PROGRAM.log.
"""

import argparse
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parent.parent
VARIANTS = {"hosted": "gcc", "asan-gcc": "gcc", "asan-clang": "clang"}
GROUPS = ("lint", "unit", "drivers", "path", "conformance", "fuzz", "differ", "sim", "million", "system", "coverage")
TIMEOUT, TIMEOUT_LONG = 900, 6 * 3600  # seconds one program may take
COUNTED = "conformance/"  # thousands of cases: those that pass are in the log only
RESULT = re.compile(r"(ok|not ok|skip)\b[: ]\s*(?:\d+\s*(?:- |(?=# SKIP)))?(.*)")


class Results:
    def __init__(self):
        self.count = {"ok": 0, "not ok": 0, "skip": 0}
        self.failed = []
        self.lock = threading.Lock()
        self.running = set()
        self.built = set()
        self.start = time.monotonic()

    def add(self, verdict, name):
        with self.lock:
            self.count[verdict] += 1
            if verdict == "not ok":
                self.failed.append(name)
            if verdict != "ok" or not name.startswith(COUNTED):
                print(f"  {verdict} {name}", flush=True)

    def say(self, text):
        with self.lock:
            print(text, flush=True)

    def summary(self):
        c = self.count
        if self.failed:
            print("\nfailed:")
            for name in self.failed:
                print(f"  {name}")
        print(f"\n{time.monotonic() - self.start:.0f} s; logs are in build/test/")
        print(f"{c['ok']} passed, {c['not ok']} failed, {c['skip']} skipped")


def result_of(line):
    """(verdict, name) of a line, or None."""
    m = RESULT.match(line)
    if not m or not m[2].strip():
        return None
    name = m[2].strip()
    if name.startswith("# SKIP"):  # cmocka says `not ok 3 # SKIP name`
        return "skip", name.removeprefix("# SKIP").strip() or "unnamed"
    return m[1], name


def run_program(results, group, title, words, limit):
    """Run one program, hand its verdicts on as they come, keep its whole output."""
    if not os.access(words[0], os.X_OK):
        results.add("not ok", f"{title}: was not built")
        return
    log_path = ROOT / "build/test" / group / (title.replace("/", "_").replace(" ", "_") + ".log")
    log_path.parent.mkdir(parents=True, exist_ok=True)
    env = dict(os.environ, TEST_LONG="1" if limit == TIMEOUT_LONG else "0", CMOCKA_MESSAGE_OUTPUT="TAP",
               PYTHONDONTWRITEBYTECODE="1", PYTHONUNBUFFERED="1")
    seen = {"ok": 0, "not ok": 0, "skip": 0}
    with open(log_path, "wb", buffering=0) as log:
        child = subprocess.Popen(words, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, start_new_session=True)
        results.running.add(child)
        late = []

        def too_late():
            late.append(True)
            end_group(child)

        timer = threading.Timer(limit, too_late)
        timer.start()
        for raw in child.stdout:
            log.write(raw)
            found = result_of(raw.decode(errors="replace").rstrip())
            if found:
                seen[found[0]] += 1
                results.add(found[0], f"{title}: {found[1]}")
        status = child.wait()
        timer.cancel()
        results.running.discard(child)
    why = None
    if late:
        why = f"not finished after {limit} s"
    elif status and not seen["not ok"]:
        why = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
    elif not sum(seen.values()):
        why = "printed no result"
    if why:
        results.add("not ok", f"{title}: {why}")
    if why or seen["not ok"]:
        said = log_path.read_text(encoding="utf-8", errors="replace").splitlines()
        tail = [line for line in said if not (result_of(line) or [""])[0] in ("ok", "skip")][-40:]
        results.say("".join(f"    | {line}\n" for line in tail) + f"    {log_path.relative_to(ROOT)}")


def end_group(child):
    """The session of a program that we started: ended together, its leader is waited for elsewhere."""
    for sig, wait in ((signal.SIGTERM, 10), (signal.SIGKILL, 0)):
        try:
            os.killpg(child.pid, sig)
        except ProcessLookupError:
            return
        limit = time.monotonic() + wait
        while time.monotonic() < limit and child.poll() is None:
            time.sleep(0.05)


def make(results, *goals):
    """Build, once; a failure is a failed test, with make's last words."""
    if goals in results.built:
        return
    results.built.add(goals)
    results.say(f"  building: make {' '.join(goals)}")
    words = ["make", "--no-print-directory", "-k", f"-j{os.cpu_count() or 2}", *goals]
    done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")})
    if done.returncode == 0:
        return
    said = [line for line in done.stdout.splitlines() if not re.match(r"  (CC|AS|AR|LD)  ", line)]
    print("".join(f"    | {line}\n" for line in said[-40:]), end="")
    results.add("not ok", f"build: make {' '.join(goals)}")


def variants(results):
    for variant, compiler in VARIANTS.items():
        if shutil.which(compiler):
            yield variant
        else:
            results.add("skip", f"{variant}: {compiler} is not installed")


def programs(group, results, long):
    """(title, words) of everything in a folder that can be run."""
    folder = ROOT / "tests" / group
    mains = sorted([*folder.glob("test_*.c"), *folder.glob("run.c")])
    scripts = [s for s in sorted(folder.glob("*.py")) if os.access(s, os.X_OK)]
    # A group that drives its program by a script says itself with which arguments.
    if group in ("differ", "sim") and scripts:
        mains = []
    if mains:  # of C
        for variant in variants(results):
            for main in mains:
                path = ROOT / "build" / variant / "tests" / group / main.stem
                yield f"{group}/{main.stem} {variant}", [str(path)]
    for script in scripts:
        yield f"{group}/{script.stem}", ["/usr/bin/python3", str(script)] + (["--long"] if long else [])


def run_group(results, group, options):
    began, before = time.monotonic(), results.count["ok"]
    results.say(f"\n{group}:")
    limit = TIMEOUT_LONG if options.long else TIMEOUT
    if group == "lint":
        run_program(results, group, "lint", ["/usr/bin/python3", str(ROOT / "tools/lint.py"), "--tap"], limit)
    elif group == "coverage":
        run_program(results, group, "coverage", ["/usr/bin/python3", str(ROOT / "tools/coverage.py")], limit)
    else:
        if group == "system":
            make(results, "host", "image", "badwire", "build/hosted/tests/path/run", "GRAPH=all")
            make(results, "iso")
        elif group == "fuzz":
            make(results, "fuzz-programs", "GRAPH=all")
        else:
            make(results, "test-programs", "GRAPH=all")
        todo = [p for p in programs(group, results, options.long) if not options.only or options.only in p[0]]
        if not todo:
            results.add("skip", f"{group}: no tests here")
        # Unit and path tests run on a virtual clock; the others must have the machine to themselves.
        workers = (os.cpu_count() or 2) if group in ("unit", "drivers", "path") else 1
        with ThreadPoolExecutor(workers) as pool:
            jobs = [pool.submit(run_program, results, group, title, words, limit) for title, words in todo]
            for job in jobs:
                job.result()
    passed = results.count["ok"] - before
    results.say(f"  {group}: {passed} passed, {time.monotonic() - began:.0f} s")


def main():
    parser = argparse.ArgumentParser(description="run the tests")
    parser.add_argument("--long", action="store_true", help="all of them, whatever it takes")
    parser.add_argument("--only", help="programs with this in their name")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=" ".join(GROUPS))
    options = parser.parse_args()
    for group in options.groups:
        if group not in GROUPS:
            parser.error(f"unknown group {group}; expected {', '.join(GROUPS)}")
    results = Results()

    def stop(number, _):
        for child in list(results.running):
            end_group(child)
        print("\ninterrupted")
        results.summary()
        sys.stdout.flush()
        os._exit(128 + number)

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    # Coverage builds and runs the fast tests once more.
    for group in options.groups or [g for g in GROUPS if options.long or g != "coverage"]:
        run_group(results, group, options)
    results.summary()
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
