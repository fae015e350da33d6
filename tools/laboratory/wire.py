# SPDX-License-Identifier: BSD-2-Clause
"""A bad wire in a lab whose cables are cut open (Lab(..., wired=True)).

    with Wire(lab, "client", "box-client", loss="1%", delay="5ms", seed=7) as wire: ...
    wire.counters["ab"]["lost"]

`ab` is from the first end to the second. A dict under `ab` or `ba` holds what is for that way only:
Wire(lab, "server", "client", delay="25ms", ab={"loss": "1%"}).
"""

import pathlib
import subprocess

from . import netns
from .state import LabError

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "build/hosted/tools/badwire"


def words(options):
    return [w for name, value in options.items() for w in (f"--{name}", str(value))]


class Wire:
    def __init__(self, lab, one, other, ab=None, ba=None, **both):
        self.lab = lab
        self.words = [*words(both)]
        for way, options in (("ab", ab), ("ba", ba)):
            self.words += ["--way", way, *words(options)] if options else []
        self.words += [f"packet:{one}", f"packet:{other}"]
        self.process = None
        self.counters = {}

    def __enter__(self):
        if not PROGRAM.exists():
            raise LabError("build/hosted/tools/badwire is not there; make badwire makes it")
        self.process = self.lab.popen(netns.WIRE, [str(PROGRAM), *self.words], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = self.process.stdout.readline()
        if said != "ready\n":
            self.process.kill()
            self.process.communicate()
            raise LabError(said.strip() or "badwire does not start")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            out = self.process.communicate(timeout=10)[0]
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise LabError("badwire does not obey SIGTERM") from None
        for line in out.splitlines():
            way, *rest = line.split()
            self.counters[way] = dict(zip(rest[::2], map(int, rest[1::2])))


def plain(lab, side):
    """The cable as it was."""
    return Wire(lab, side, netns.BOX + side)
