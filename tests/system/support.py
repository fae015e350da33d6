# SPDX-License-Identifier: BSD-2-Clause
"""What the system tests share: verdicts, the balance of a forwarder, programs on both sides.

    with Bench("firewall-1path", "e1000", settings) as b:
        with b.case("curl of 1 MiB"):
            ...                       # raise Bad("why") or any OSError, and the case has failed

After each case the forwarder must come back to where it was at the start: paths, flows, timers,
messages, bytes of paths (`show mem`). Everything a case started is ended by its pid.
"""

import concurrent.futures
import contextlib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from lab import GuestEnded, Lab, LabError  # noqa: E402
from laboratory import netns  # noqa: E402

CLIENT, SERVER = "10.0.1.2", "10.0.2.2"
BOX = ("10.0.1.1", "10.0.2.1")
PORT = 8080
NICS = ("e1000", "e1000e", "tulip", "virtio")
BALANCE = ("paths", "flows", "timers", "msgs_small", "msgs_full", "path_bytes")
# The cards of a machine keep up to so many buffers to use again (STASH_MAX in drivers/ring.h). That these are given
# back as well is asserted when the kernel ends, to the last one.
SLACK = {"msgs_full": 512}
BACK_SECONDS = 15
verdicts = {"ok": 0, "not ok": 0, "skip": 0}


class Bad(Exception):
    """What a case found wrong, in a sentence."""


class Skip(Exception):
    """Why a case cannot be run here."""


def verdict(kind, name, why=""):
    verdicts[kind] += 1
    line = str(why).strip().splitlines()
    print(f"{kind} {name}" + (f": {line[-1]}" if line else ""), flush=True)


def need(*programs):
    for p in programs:
        if not shutil.which(p) and not pathlib.Path(f"/usr/sbin/{p}").exists():
            raise Skip(f"{p} is not installed")


def must(condition, why):
    if not condition:
        raise Bad(why)


def numbers(text):
    pairs = (line.split() for line in text.splitlines())
    return {p[0]: int(p[1]) for p in pairs if len(p) == 2 and p[1].isdigit()}


class Bench:
    def __init__(self, graph, nic, settings=None, **options):
        self.title = f"{graph} {nic}"
        self.target = BOX[0]  # whom the client connects to
        self.lab = Lab(graph, nic=nic, settings=settings, **options)
        home = ROOT / "build/test/system"  # not /tmp, which may be memory
        home.mkdir(parents=True, exist_ok=True)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lab-", dir=home))
        self.running = []
        self.start = None
        self.dead = False

    def __enter__(self):
        try:
            self.lab.up()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        return self

    def __exit__(self, kind, value, trace):
        self.end_programs()
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            self.lab.down()
        except LabError as e:
            if not self.dead and kind is None:
                verdict("not ok", f"{self.title}: ends with nothing left over", e)
            return False
        if kind is None and not self.dead:
            verdict("ok", f"{self.title}: ends with nothing left over")
        return False

    # --- programs ---

    def popen(self, side, *words, **options):
        options.setdefault("stdin", subprocess.PIPE)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("text", True)
        p = self.lab.popen(side, list(map(str, words)), **options)
        self.running.append(p)
        return p

    def run(self, side, *words, timeout=60, **options):
        """(exit status, output) of a program on one side."""
        p = self.popen(side, *words, stdin=options.pop("stdin", subprocess.DEVNULL), stderr=subprocess.STDOUT, **options)
        try:
            out = p.communicate(timeout=timeout)[0]
        except subprocess.TimeoutExpired:
            p.kill()
            p.communicate()
            raise Bad(f"{words[0]} was not finished after {timeout} s") from None
        finally:
            self.running.remove(p)
        return p.returncode, out

    def peer(self, side, how, address, *words, port=PORT):
        p = self.popen(side, sys.executable, ROOT / "tests/system/peer.py", how, address, port, *words)
        if how == "listen":
            must(p.stdout.readline() == "listening\n", "the peer does not listen")
        return p

    def client(self, *words):
        return self.peer("client", "connect", self.target, *words)

    def server(self, *words):
        return self.peer("server", "listen", SERVER, *words)

    def facts(self, p, timeout=60):
        """What a peer says at its end."""
        try:
            out = p.communicate(timeout=timeout)[0]
        except subprocess.TimeoutExpired:
            raise Bad(f"a peer was not finished after {timeout} s") from None
        finally:
            p.kill()
            p.wait()
            self.running.remove(p)
        lines = out.strip().splitlines()
        must(lines and lines[-1].startswith("{"), "a peer ended without a word")
        return json.loads(lines[-1])

    def end_programs(self):
        for p in self.running:
            p.kill()
            p.communicate()
        self.running = []

    # --- the forwarder ---

    def memory(self):
        return numbers(self.lab.show("mem"))

    def settle(self):
        """From now on this is the start to which each case must come back."""
        last = None
        for _ in range(40):
            time.sleep(0.25)
            now = self.memory()
            if now == last:
                break
            last = now
        # What comes and goes within the slack must not add up.
        self.start = {k: min(now[k], self.start[k]) if self.start and k in SLACK else now[k] for k in now}

    def left_over(self):
        """What is not given back, or None. Less than at the start is fine: neighbours expire."""
        limit = time.monotonic() + BACK_SECONDS
        while True:
            now = self.memory()
            more = {k: (now[k], self.start[k]) for k in BALANCE if now[k] > self.start[k] + SLACK.get(k, 0)}
            if not more or time.monotonic() > limit:
                break
            time.sleep(0.2)
        said = " ".join(f"{k} {now[k]}" for k in BALANCE)
        if not more:
            print(f"    back at the start: {said}", flush=True)
            return None
        return ", ".join(f"{k} {v[0]}, was {v[1]}" for k, v in more.items())

    @contextlib.contextmanager
    def case(self, name):
        name = f"{self.title}: {name}"
        if self.dead:
            yield  # nothing can be said about it; the first failure was
            return
        try:
            yield
            self.end_programs()
            self.lab.check()
            left = self.left_over() if self.start else None
            verdict("not ok" if left else "ok", name, f"not given back: {left}" if left else "")
            if left:
                print("".join(f"    | {line}\n" for line in self.lab.show("paths").splitlines()), end="", flush=True)
                self.settle()
        except Skip as e:
            verdict("skip", name, e)
        except GuestEnded as e:
            print("".join(f"    | {line}\n" for line in str(e).splitlines()), end="", flush=True)
            verdict("not ok", name, "the forwarder ended: " + str(e).splitlines()[0])
            self.dead = True
        except (Bad, LabError, OSError, subprocess.SubprocessError) as e:
            self.end_programs()
            verdict("not ok", name, e or type(e).__name__)
            if self.start:
                self.left_over()
                self.settle()
        finally:
            self.end_programs()

    def link(self, side, up):
        """Pull the cable of a host, or plug it in again (which brings back what Linux forgot)."""
        facts = netns.SIDES[side]
        self.run(side, "ip", "link", "set", netns.DEVICE, "up" if up else "down")
        if up:
            self.run(side, "ip", "route", "replace", facts["net"], "dev", netns.DEVICE, "src", facts["addr"], "congctl", "cubic")
            self.run(side, "ip", "route", "replace", "default", "via", facts["gateway"], "congctl", "cubic")


@contextlib.contextmanager
def bench(graph, nic, settings=None, **options):
    """A Bench, or a failed test when it does not come up."""
    b = Bench(graph, nic, settings, **options)
    try:
        b.__enter__()
    except LabError as e:
        print("".join(f"    | {line}\n" for line in str(e).splitlines()), end="", flush=True)
        verdict("not ok", f"{graph} {nic}: boots", str(e).splitlines()[0])
        yield None
        return
    try:
        yield b
    except BaseException:
        b.__exit__(*sys.exc_info())
        raise
    b.__exit__(None, None, None)


def side_by_side(script, jobs, workers=2):
    """Run the script again for each list of words, some at a time: much of a case is waiting."""
    def run(words):
        p = subprocess.Popen([sys.executable, script, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, errors="replace")
        said = []
        for line in p.stdout:
            said.append(line)
        status = p.wait()
        if not any(line.startswith(("ok ", "not ok ", "skip ")) for line in said) or status not in (0, 1):
            said.append(f"not ok {' '.join(words)}: ended with status {status}\n")
        # Its last line counts what it said; ours counts all.
        print("".join(line for line in said if not re.match(r"\d+ ok, ", line)), end="", flush=True)
        for line in said:
            kind = re.match(r"(ok|not ok|skip) ", line)
            if kind:
                verdicts[kind[1]] += 1

    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        for job in [pool.submit(run, words) for words in jobs]:
            job.result()
    return finish()


def finish():
    print(f"{verdicts['ok']} ok, {verdicts['not ok']} not ok, {verdicts['skip']} skipped", flush=True)
    return 1 if verdicts["not ok"] else 0
