"""Names of profiles."""

from __future__ import annotations

import re
import unicodedata

MAX_NAME = 64
"""Longest name, in characters."""


def name_problem(name: str) -> str | None:
    """What is wrong with `name` and what is allowed, in a sentence; None: it may name a profile."""
    if not 1 <= len(name) <= MAX_NAME:
        return f"a profile's name of {len(name)} characters; 1 to {MAX_NAME} are allowed"
    if not name.isprintable():
        return "a profile's name with a character that can't be printed; letters, digits, signs and spaces are allowed"
    if "/" in name or "\\" in name:
        return "a profile's name with a path separator; any printable character but / and \\ is allowed"
    if name[0] in ".- ~" or name[-1] == " ":
        return "a profile's name that begins with . - ~ or a space, or ends in a space; begin it with a letter or digit"
    if unicodedata.normalize("NFC", name) != name:
        return "a profile's name with letters in pieces; write them as whole characters (Unicode's form NFC)"
    return None


def valid_name(name: str) -> bool:
    """May `name` name a profile?"""
    return name_problem(name) is None


def name_of_file(filename: str) -> str:
    """The name a file gives its profile: the last part of its path without `.conf`. May be invalid."""
    last = re.split(r"[/\\]", filename)[-1]
    return unicodedata.normalize("NFC", re.sub(r"\.conf\Z", "", last, flags=re.IGNORECASE))
