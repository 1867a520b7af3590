"""Reading and writing `gateway.toml`. Every error names file, line and key, and what is allowed there."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterable, Sequence
from enum import Enum
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import FieldInfo, fields

from slopn_helper.gateway.config import Config, Wrong, problem
from slopn_wire.profile import IPAddress, IPNetwork

MOST_BYTES = 64 << 10
"""Size of a file that is read."""

_HEAD = """\
# SloPN gateway. Each key is described above it, with what is allowed; what stands here as a comment is the default.
# `slopn-gateway doctor` checks this file and the machine. It may hold a password: mode 0600.
"""
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_MSGSPEC_PATH = re.compile(r"(.*) - at `\$([^`]*)`\Z", re.DOTALL)
_STEP = re.compile(r"\.([A-Za-z0-9_]+)|\[(\d+)\]")
_SYNTAX = re.compile(r"(.*) \((?:at line (\d+), column (\d+)|at end of document)\)\Z", re.DOTALL)


class ConfigError(ValueError):
    """What is wrong with the file, as `FILE, line N, KEY: …`."""

    def __init__(self, file: Path, line: int | None, key: str, message: str, allowed: str) -> None:
        self.file, self.line, self.key, self.message, self.allowed = file, line, key, message, allowed
        place = ", ".join(filter(None, (str(file), f"line {line}" if line else "", key)))
        super().__init__(f"{place}: {message}" + (f" Allowed: {allowed}." if allowed else ""))


def load(path: Path) -> Config:
    """The file's settings. Raises `ConfigError`, also for a file that can't be read."""
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(path, None, "", f"can't be read: {error.strerror}.", "") from error
    if len(raw) > MOST_BYTES:
        raise ConfigError(path, None, "", f"The file has more than {MOST_BYTES >> 10} KiB.", "")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigError(path, line, "", "This isn't UTF-8.", "") from None
    return parse(text, path)


def parse(text: str, file: Path) -> Config:
    """As `load`, of a text; `file` is for errors alone. Raises `ConfigError`."""
    text = text.replace("\r\n", "\n")
    try:
        tree = tomllib.loads(text)
    except ValueError as error:
        # Not only tomllib's own: a number of more digits than Python reads is the language's error.
        raise _syntax_error(error, text, file) from None
    except RecursionError:
        raise ConfigError(file, None, "", "Values are nested too deeply.", "") from None
    if (unknown := _unknown(tree)) is not None:
        raise _error(unknown, text, file)
    try:
        config = msgspec.convert(tree, Config, dec_hook=_from_text)
    except msgspec.ValidationError as error:
        raise _error(_wrong(str(error), tree), text, file) from None
    if (wrong := problem(config)) is not None:
        raise _error(wrong, text, file)
    return config


def write(config: Config) -> str:
    """The file for these settings, with every key's description. What is as by default stands there as a comment."""
    parts = [_HEAD]
    for section in fields(Config):
        kind, value = section.type, getattr(config, section.name)
        parts.append(f"\n# {(kind.__doc__ or '').strip()}\n[{section.name}]\n")
        for key in fields(kind):
            meta = _meta(key)
            set_to = getattr(value, key.name)
            mark = "#" if not key.required and set_to == key.default else ""
            parts.append(f"# {meta.description}\n# Allowed: {_allowed(meta)}.\n{mark}{key.name} = {_toml(set_to)}\n")
    return "".join(parts)


def locate(text: str, path: Sequence[str | int]) -> int | None:
    """The line, from 1 on, where the statement begins that gives `path` its value; None: no line does.

    The real parser is asked how much of the text it needs: the first lines that parse and hold the key end with its
    statement, and that begins after the lines that parsed before. So no rule of TOML's is repeated here.
    """
    lines = text.split("\n")
    if not _holds(tomllib.loads(text), path):
        return None
    low, high = 0, len(lines)  # without `low` lines' last the key is missing; with `high` lines it is there
    while low + 1 < high:
        middle = (low + high) // 2
        count, tree = _whole_before(lines, middle, low)
        if tree is None or not _holds(tree, path):
            # Between `count` and `middle` nothing parses: the next that does may be anywhere above.
            low = middle
        else:
            high = count
    start, _ = _whole_before(lines, high - 1, 0)
    return start + 1


def _whole_before(lines: Sequence[str], count: int, least: int) -> tuple[int, dict[str, Any] | None]:
    """The most lines up to `count` that parse, and what they hold; None where that takes fewer than `least`."""
    for number in range(count, least - 1, -1):
        try:
            return number, tomllib.loads("\n".join(lines[:number]))
        except ValueError:
            continue
    return least, None


def _holds(tree: Any, path: Sequence[str | int]) -> bool:
    for step in path:
        try:
            tree = tree[step]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def _unknown(tree: dict[str, Any]) -> Wrong | None:
    """The first key that there isn't, with the likeliest that was meant."""
    sections = {each.name: each.type for each in fields(Config)}
    for name, value in tree.items():
        if name not in sections:
            return Wrong((name,), f"There is no section or key of this name{_meant(name, sections)}.")
        known = {each.name for each in fields(sections[name])}
        for key in value if isinstance(value, dict) else ():
            if key not in known:
                return Wrong((name, key), f"There is no key of this name{_meant(key, known)}.")
    return None


def _meant(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; is {close[0]} meant" if close else ""


def _wrong(message: str, tree: dict[str, Any]) -> Wrong:
    """What msgspec says, as a key and a sentence."""
    found = _MSGSPEC_PATH.match(message)
    said, where = found.groups() if found else (message, "")
    path = tuple(name or int(index) for name, index in _STEP.findall(where))
    if (missing := re.search(r"missing required field `(\w+)`", said)) is not None:
        return Wrong((*path, missing[1]), "This must be said, and isn't.")
    value: Any = tree
    for step in path:
        value = value[step]
    is_secret = path[:1] == ("database",)
    return Wrong(path, "This can't be." if is_secret else f"{_shown(value)} can't be.")


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    printable = "".join(letter if letter.isprintable() else "�" for letter in text)
    return printable if len(printable) <= 60 else f"{printable[:59]}…"


def _error(wrong: Wrong, text: str, file: Path) -> ConfigError:
    path = wrong.path
    line = locate(text, path)
    # What is missing altogether: the nearest table that could have held it.
    nearest = path
    while line is None and nearest:
        nearest = nearest[:-1]
        line = locate(text, nearest) if nearest else text.rstrip("\n").count("\n") + 1
    return ConfigError(file, line, _dotted(path), wrong.message, _allowed_at(path))


def _syntax_error(error: ValueError, text: str, file: Path) -> ConfigError:
    found = _SYNTAX.match(str(error))
    said, line = (found[1], found[2]) if found else (str(error), None)
    number = int(line) if line else text.rstrip("\n").count("\n") + 1
    return ConfigError(file, number, "", f"This isn't TOML: {said}.", "KEY = VALUE, [SECTION], # and a comment")


def _allowed_at(path: Sequence[str | int]) -> str:
    sections = {each.name: each.type for each in fields(Config)}
    section = sections.get(str(path[0])) if path else None
    if section is None:
        return ", ".join(f"[{name}]" for name in sections)
    keys = {each.name: each for each in fields(section)}
    if len(path) > 1 and path[1] in keys:
        return _allowed(_meta(keys[str(path[1])]))
    return f"the keys {', '.join(keys)}"


def _dotted(path: Sequence[str | int]) -> str:
    """`pools.ipv4[1]`, with quotes where TOML wants them."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += ("." if text else "") + (step if _BARE.fullmatch(step) else _shown(step))
    return text


def _meta(key: FieldInfo) -> msgspec.Meta:
    (meta,) = key.type.__metadata__
    assert isinstance(meta, msgspec.Meta)  # noqa: S101 - config.py gives each key one
    return meta


def _allowed(meta: msgspec.Meta) -> str:
    return str((meta.extra or {})["allowed"])


def _toml(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case tuple():
            return f"[{', '.join(map(_toml, value))}]"
        case Enum():
            return _toml(value.value)
        case _:
            # A TOML basic string is a JSON string that escapes DEL too.
            return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def _from_text(kind: Any, value: Any) -> Any:
    """An address or a network from its text. `ValueError`: msgspec adds where it stands."""
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {type(value).__name__}")
    if "%" in value:
        raise ValueError("a zone means something on one machine alone")
    if kind is IPAddress:
        return ip_address(value)
    if kind is IPNetwork:
        return ip_network(value)
    if kind in {IPv4Network, IPv6Network}:
        return kind(value)
    raise TypeError(f"no text for {kind}")
