# SPDX-License-Identifier: BSD-2-Clause
"""Lines, words and errors: what .module and .graph files have in common.

Both are read line by line. Words are separated by blanks, "..." or '...' keeps blanks, # starts a
comment, \\ at the end continues the line. Every error is one line: FILE:LINE: what was found,
what was expected. Errors are collected, so that one run reports them all.
"""

import difflib
import re
import shlex

NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
GRAPH_NAME = re.compile(r"[a-z][a-z0-9_-]*\Z")

LONGEST = 4096  # characters of a line: the time to split one grows with its square


class Errors:
    """Collects messages; ends the run only when the caller asks."""

    MOST = 100  # nobody reads more, and each costs a search for what was meant

    def __init__(self):
        self.lines = {}  # in order; each once

    def add(self, where, message):
        """What a file contains is shown short, and so that it can be read."""
        message = re.sub(r"\S{81,}", lambda m: m[0][:60] + "...", message)
        self.lines["".join(c if c.isprintable() else ascii(c)[1:-1] for c in f"{where}: {message}")] = True

    def full(self):
        return len(self.lines) >= self.MOST

    def sorted(self):
        """By file, then by line as a number."""
        def key(line):
            m = re.match(r"(.*?):([0-9]+):", line)
            return (m[1], int(m[2])) if m else (line, 0)
        return sorted(self.lines, key=key)

    def __bool__(self):
        return bool(self.lines)


class Line:
    """The words of one logical line and where it began."""

    def __init__(self, where, words):
        self.where = where
        self.words = words


def relative(path, root):
    return path.relative_to(root) if path.is_relative_to(root) else path


def read_lines(path, root, errors):
    """The logical lines of a file that are not empty."""
    shown = relative(path, root)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as e:
        errors.add(shown, f"cannot be read: {e.strerror}")
        return []
    except UnicodeDecodeError as e:
        errors.add(f"{shown}:{e.object.count(bytes((10,)), 0, e.start) + 1}", "bytes that are no text; expected UTF-8")
        return []
    lines, start, held = [], 0, ""
    for number, raw in enumerate(text.splitlines(), 1):
        if not held:
            start = number
        if raw.endswith("\\"):
            held += raw[:-1] + " "
            continue
        whole, held = held + raw, ""
        where = f"{shown}:{start}"
        if len(whole) > LONGEST:
            errors.add(where, f"a line of {len(whole)} characters; expected at most {LONGEST}")
            continue
        try:
            words = shlex.split(whole, comments=True)
        except ValueError as e:
            errors.add(where, f"quotes do not match ({e}); expected a closing quote on this line")
            continue
        if words:
            lines.append(Line(where, words))
    if held:
        errors.add(f"{shown}:{start}", "found \\ at the end of the file; expected another line")
    return lines


def listed(names):
    """`a, b or c`: what was expected."""
    names = sorted(names)
    if not names:
        return "none"
    if len(names) == 1:
        return names[0]
    return ", ".join(names[:-1]) + " or " + names[-1]


def expected(word, names):
    """`expected a, b or c`, with the nearest of them in front when one is near."""
    near = difflib.get_close_matches(word[:60], list(names), 1, 0.6)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"{hint}expected {listed(names)}"
