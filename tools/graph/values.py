# SPDX-License-Identifier: BSD-2-Clause
"""The value of a setting as text, checked by the same rules as kernel/conf.c checks it at boot."""

import ipaddress
import re

from .text import expected

TYPES = ("bool", "int", "size", "time", "addr", "endpoint", "enum", "text", "secret")
TIME_UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9,
              "h": 3600 * 10**9, "d": 86400 * 10**9}
SIZE_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
U64 = (1 << 64) - 1


class Wrong(ValueError):
    """What was expected, as the end of a sentence."""


def number(text):
    if not re.fullmatch(r"[0-9]+|0[xX][0-9a-fA-F]+", text):
        raise Wrong("expected a number, decimal or 0x")
    value = int(text, 16) if text[:2].lower() == "0x" else int(text, 10)
    if value > U64:
        raise Wrong("expected a number below 2^64")
    return value


def size(text):
    m = re.fullmatch(r"([0-9]+)([kmg]?)", text)
    if not m:
        raise Wrong("expected bytes such as 4096, 64k, 1m or 2g")
    value = int(m[1]) * SIZE_UNITS[m[2]]
    if value > U64:
        raise Wrong("expected a size below 2^64 bytes")
    return value


def time(text):
    if text == "0":
        return 0
    m = re.fullmatch(r"([0-9]+)([a-z]*)", text)
    if not m or not m[2]:
        raise Wrong("expected a time with its unit, such as 10us, 5ms, 30s or 2h")
    if m[2] not in TIME_UNITS:
        raise Wrong(f"unknown unit {m[2]}; expected ns, us, ms, s, m, h or d")
    value = int(m[1]) * TIME_UNITS[m[2]]
    if value > U64:
        raise Wrong("expected a time below 584 years")
    return value


def addr(text):
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise Wrong("expected an address such as 10.0.1.1") from None


def endpoint(text):
    if text == "none":
        return None
    host, colon, port = text.rpartition(":")
    if not colon or not re.fullmatch(r"[0-9]+", port) or int(port) > 65535:
        raise Wrong("expected address:port such as 10.0.1.1:80 or *:80, or none")
    if host != "*":
        addr(host.removeprefix("[").removesuffix("]"))
    return text


def boolean(text):
    if text not in ("on", "off"):
        raise Wrong("expected on or off")
    return text == "on"


SCALARS = {"int": number, "size": size, "time": time}


def check(setting, text):
    """Raises Wrong when text is no value of that setting."""
    if setting.type in SCALARS:
        value = SCALARS[setting.type](text)
        if value < setting.min or (setting.max and value > setting.max):
            top = setting.max_text or "any"
            raise Wrong(f"expected {setting.min_text or '0'} to {top}")
    elif setting.type == "bool":
        boolean(text)
    elif setting.type == "addr":
        addr(text)
    elif setting.type == "endpoint":
        endpoint(text)
    elif setting.type == "enum" and text not in setting.words:
        raise Wrong(expected(text, setting.words))
