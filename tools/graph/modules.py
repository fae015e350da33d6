# SPDX-License-Identifier: BSD-2-Clause
"""NAME.module files: what a module is called, provides, uses, is made of, and can be set to.

    module tcp
    provides transport
    uses network key 6
    source modules/tcp/*.c
    setting msl time 30s live "maximum segment lifetime (RFC 9293 3.4.2)"
    setting backlog int 128 min 1 max 65535 "half-open connections per listener"
    setting miss enum reset words reset,pass,drop "what a segment without a connection gets"
"""

import re
from dataclasses import dataclass, field

from . import values
from .text import NAME, expected, read_lines, relative

SERVICES = ("link", "resolve", "network", "transport", "forward", "proxy", "bridge", "none")
STATEMENTS = ("module", "provides", "uses", "source", "setting")


@dataclass
class Setting:
    where: str
    name: str
    type: str
    value: str
    help: str = ""
    words: tuple = ()
    min: int = 0
    max: int = 0
    min_text: str = ""
    max_text: str = ""
    live: bool = False


@dataclass
class Use:
    where: str
    service: str
    least: int
    most: int  # 0: any number
    key: int

    def count(self):
        if self.most == self.least:
            return str(self.least)
        return f"{self.least} or more" if not self.most else f"{self.least} to {self.most}"


@dataclass
class Module:
    where: str
    name: str
    provides: str = "none"
    uses: list = field(default_factory=list)
    sources: list = field(default_factory=list)
    settings: list = field(default_factory=list)

    def setting(self, name):
        return next((s for s in self.settings if s.name == name), None)


def parse_use(line, errors):
    words = line.words[1:]
    if not words:
        errors.add(line.where, "found no service; expected uses SERVICE [COUNT] [key NUMBER]")
        return None
    service = words.pop(0)
    if service not in SERVICES or service == "none":
        errors.add(line.where, f"unknown service {service}; "
                   + expected(service, [s for s in SERVICES if s != "none"]))
        return None
    least = most = 1
    key = 0
    if words and words[0] != "key":
        count = words.pop(0)
        m = re.fullmatch(r"([0-9]+)(\.\.([0-9]*))?", count)
        if not m or (m[3] and int(m[3]) < int(m[1])) or count == "0":
            errors.add(line.where, f"found {count}; expected how many edges, such as 1, 2, 0.. or 1..4")
            return None
        least = int(m[1])
        most = least if m[2] is None else int(m[3] or 0)
    if words[:1] == ["key"] and len(words) == 2:
        try:
            key = values.number(words[1])
            if key >= 1 << 32:
                raise values.Wrong("expected a number below 2^32")
        except values.Wrong as e:
            errors.add(line.where, f"key {words[1]}: {e}")
            return None
    elif words:
        errors.add(line.where, f"found {' '.join(words)}; expected uses SERVICE [COUNT] [key NUMBER]")
        return None
    return Use(line.where, service, least, most, key)


def parse_setting(line, errors):
    words = line.words[1:]
    if len(words) < 4:
        errors.add(line.where, 'expected setting NAME TYPE DEFAULT [min N] [max N] [words a,b] [live] "sentence"')
        return None
    s = Setting(line.where, words[0], words[1], words[2], help=words[-1])
    if not NAME.match(s.name):
        errors.add(line.where, f"{s.name} is no name of a setting; expected a-z 0-9 _")
        return None
    if s.type not in values.TYPES:
        errors.add(line.where, f"unknown type {s.type}; {expected(s.type, values.TYPES)}")
        return None
    rest = words[3:-1]
    while rest:
        word = rest.pop(0)
        if word == "live":
            s.live = True
        elif word in ("min", "max") and s.type in values.SCALARS and rest:
            text = rest.pop(0)
            try:
                setattr(s, word, values.SCALARS[s.type](text))
                setattr(s, word + "_text", text)
            except values.Wrong as e:
                errors.add(line.where, f"{word} {text}: {e}")
        elif word == "words" and s.type == "enum" and rest:
            s.words = tuple(rest.pop(0).split(","))
        else:
            errors.add(line.where, f"found {word}; expected min N, max N (int, size, time), "
                       "words a,b (enum), live, or the sentence in quotes at the end")
            return None
    if s.type == "enum" and not s.words:
        errors.add(line.where, f"enum {s.name} without words; expected words a,b,c")
        return None
    try:
        values.check(s, s.value)
    except values.Wrong as e:
        errors.add(line.where, f"default {s.value} of {s.name}: {e}")
    return s


def parse_module(path, root, errors):
    """The module of one file; None when not even its name can be told."""
    m = None
    shown = relative(path, root)
    for line in read_lines(path, root, errors):
        what, rest = line.words[0], line.words[1:]
        if what not in STATEMENTS:
            errors.add(line.where, f"unknown statement {what}; {expected(what, STATEMENTS)}")
        elif m is None and what != "module":
            errors.add(line.where, f"found {what}; expected module NAME first")
            return None
        elif what == "module":
            if m is not None or len(rest) != 1 or not NAME.match(rest[0]):
                errors.add(line.where, "expected one module NAME (a-z 0-9 _) in a file")
                return m
            m = Module(line.where, rest[0])
        elif what == "provides":
            if len(rest) != 1 or rest[0] not in SERVICES:
                found = " ".join(rest) or "nothing"
                errors.add(line.where, f"unknown service {found}; {expected(found, SERVICES)}")
            else:
                m.provides = rest[0]
        elif what == "uses":
            use = parse_use(line, errors)
            if use and any(u.service == use.service for u in m.uses):
                errors.add(line.where, f"uses {use.service} twice; expected one line with a count")
            elif use:
                m.uses.append(use)
        elif what == "source":
            if not rest:
                errors.add(line.where, "found no file; expected source FILE.c... or a pattern")
            for pattern in rest:
                if not any(root.glob(pattern)):
                    errors.add(line.where, f"source {pattern} matches no file; expected a path from the root of the tree")
            m.sources += rest
        else:
            s = parse_setting(line, errors)
            if s and m.setting(s.name):
                errors.add(line.where, f"setting {s.name} is declared twice; first at {m.setting(s.name).where}")
            elif s:
                m.settings.append(s)
    if m is None:
        errors.add(f"{shown}:1", "empty; expected module NAME")
    elif not m.sources:
        m.sources = [f"{relative(path.parent, root)}/*.c"]
    return m


def read_modules(root, errors):
    """All modules of the tree by name; the kernel's own settings are module `kernel`."""
    files = sorted(root.glob("modules/*/*.module")) + sorted(root.glob("tests/*/*.module"))
    kernel = root / "kernel/kernel.module"
    if kernel.exists():
        files.insert(0, kernel)
    found = {}
    for path in files:
        m = parse_module(path, root, errors)
        if m is None:
            continue
        if m.name in found:
            errors.add(m.where, f"module {m.name} exists already at {found[m.name].where}")
            continue
        found[m.name] = m
    return found
