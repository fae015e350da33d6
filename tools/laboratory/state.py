# SPDX-License-Identifier: BSD-2-Clause
"""Where labs leave their traces: one folder per lab, made by its keeper and removed by it.

A lab is alive when the process named in its folder is, by pid and start time: pids are used again.
"""

import json
import os
import pathlib
import re
import shutil

EXIT_FAILED, EXIT_USAGE, EXIT_NO_LAB, EXIT_TIMEOUT, EXIT_CRASHED = 1, 2, 3, 4, 5


NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,40}\Z")


class LabError(Exception):
    """A sentence for the user, and the exit status that goes with it."""

    def __init__(self, text, status=EXIT_FAILED):
        super().__init__(text)
        self.status = status


class GuestEnded(LabError):
    """The forwarder stopped by itself; the text holds the end of its console."""

    def __init__(self, text):
        super().__init__(text, EXIT_CRASHED)


def choose_base():
    if os.geteuid() == 0 and os.access("/run", os.W_OK):
        return pathlib.Path("/run/towpath-lab")
    home = os.environ.get("XDG_RUNTIME_DIR")
    if home and os.access(home, os.W_OK):
        return pathlib.Path(home) / "towpath-lab"
    return pathlib.Path(f"/tmp/towpath-lab-{os.geteuid()}")


BASE = choose_base()  # once: a keeper that enters a user namespace looks like root afterwards


def folder(name):
    return BASE / name


def start_time(pid):
    """In clock ticks since boot; None when there is no such process, or a dead one."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def write(name, **facts):
    facts["start"] = start_time(facts["keeper"])
    path = folder(name) / "state.json"
    new = path.with_suffix(".new")
    new.write_text(json.dumps(facts), encoding="utf-8")
    new.rename(path)


def read(name):
    """The facts of a lab that is alive, or None."""
    try:
        facts = json.loads((folder(name) / "state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return facts if start_time(facts["keeper"]) == facts["start"] else None


def claim(name):
    """Make the folder of a new lab. Traces of a keeper that was killed are cleared first."""
    where = folder(name)
    BASE.mkdir(mode=0o700, parents=True, exist_ok=True)
    if BASE.stat().st_uid != os.geteuid():
        raise LabError(f"{BASE} belongs to somebody else")
    try:
        where.mkdir(mode=0o700)
    except FileExistsError:
        pid = where / "pid"
        owner = int(pid.read_text(encoding="ascii")) if pid.exists() else 0
        if read(name) or (owner and not (where / "state.json").exists() and start_time(owner)):
            raise LabError(f"lab {name} is up already; `lab.py --name {name} down` ends it, "
                           "--name OTHER makes another beside it") from None
        shutil.rmtree(where, ignore_errors=True)
        where.mkdir(mode=0o700)
    (where / "pid").write_text(str(os.getpid()), encoding="ascii")


def release(name):
    shutil.rmtree(folder(name), ignore_errors=True)
    try:
        BASE.rmdir()
    except OSError:
        pass  # other labs are in it


def names():
    try:
        return sorted(p.name for p in BASE.iterdir() if p.is_dir())
    except OSError:
        return []
