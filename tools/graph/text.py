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


class Errors:
    """Collects messages; ends the run only when the caller asks."""

    def __init__(self):
        self.lines = []

    def add(self, where, message):
        line = f"{where}: {message}"
        if line not in self.lines:
            self.lines.append(line)

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
    except (OSError, UnicodeDecodeError) as e:
        errors.add(shown, f"cannot be read: {getattr(e, 'strerror', None) or e}")
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
    near = difflib.get_close_matches(word, list(names), 1, 0.6)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"{hint}expected {listed(names)}"
