"""What goes into the bundle: name → text, redacted. Pure."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec

from slopn_helper import __version__
from slopn_helper.diagnose.facts import Facts, Missing
from slopn_helper.host.facts import Filters, Link, Route, Rule, System
from slopn_helper.logs import redact
from slopn_helper.recorder.disguise import Cloak
from slopn_wire import codec
from slopn_wire.events import PROTOCOL
from slopn_wire.logs import LogLine

MOST = 3 << 20
"""Bytes of one file; of a longer one the end, which is the newest, is kept. All together fit into one message."""

_T = TypeVar("_T")


def files(facts: Facts, cloak: Cloak | None) -> dict[str, str]:
    """All of them. With `cloak` addresses and host names are replaced by stand-ins, the same in all files."""
    cover: Callable[[str], str] = (lambda text: text) if cloak is None else cloak.text

    def hide(text: str) -> str:
        return cover(redact(text))

    found = {
        "snapshot.json": _json(facts.snapshot, hide),
        "settings.json": _json(facts.snapshot.settings, hide),
        # Each line has been redacted; as a whole they are JSON that must stay so.
        "log.jsonl": _told(facts.log, lambda lines: _log(lines, cover), hide),
        "recorder.jsonl": _told(facts.recording, lambda raw: _recording(raw, cloak), hide),
    }
    plain = {
        "versions.txt": _told(facts.system, _versions),
        "rules.txt": _told(facts.filters, _filters),
        "routes.txt": _told(facts.routes, lambda rows: _lines(map(_route, rows))),
        "policy-rules.txt": _told(facts.rules, lambda rows: _lines(map(_rule, rows))),
        "addresses.txt": _told(facts.links, lambda rows: _lines(map(_link, rows))),
        "dns.txt": f"{_told(facts.dns_choice, lambda trace: trace)}\n\n{_told(facts.resolvers, lambda text: text)}",
        "undo.txt": _told(facts.undo, _lines),
    }
    found |= {name: hide(text) for name, text in plain.items()}
    return {name: _bounded(text) for name, text in found.items()}


def walk(value: Any, change: Callable[[str], str]) -> Any:
    """`value` (decoded JSON) with every string in it changed, keys too: so its form can't be hurt."""
    match value:
        case str():
            return change(value)
        case list():
            return [walk(member, change) for member in value]
        case dict():
            return {change(key): walk(member, change) for key, member in value.items()}
        case _:
            return value


def _told(fact: _T | Missing, tell: Callable[[_T], str], hide: Callable[[str], str] = str) -> str:
    return hide(f"It could not be found out: {fact.why}.\n") if isinstance(fact, Missing) else tell(fact)


def _json(value: object, hide: Callable[[str], str]) -> str:
    plain = walk(msgspec.json.decode(codec.encode(value)), hide)
    return msgspec.json.format(msgspec.json.encode(plain), indent=2).decode() + "\n"


def _log(lines: Iterable[LogLine], cover: Callable[[str], str]) -> str:
    # What was logged before addresses were to be hidden still has them.
    return "".join(
        codec.encode(msgspec.structs.replace(line, message=cover(line.message))).decode() + "\n" for line in lines
    )


def _recording(raw: bytes, cloak: Cloak | None) -> str:
    return (raw if cloak is None else cloak.recording(raw)).decode("utf-8", "replace")


def _versions(system: System) -> str:
    return _lines(
        [
            f"slopn-helper {__version__}",
            f"protocol {PROTOCOL[0]}.{PROTOCOL[1]}",
            f"Python {platform.python_version()}",
            f"{system.name}, kernel {system.kernel}, {platform.machine()}",
        ]
    )


def _filters(filters: Filters) -> str:
    ours = filters.ours or "There is no table of SloPN.\n"
    return f"{ours}\nOther tables, by name alone:\n{_lines(filters.others) or 'none'}"


def _route(row: Route) -> str:
    parts = [f"table {row.table}", "unreachable" if row.unreachable else "", row.destination]
    parts += [f"via {row.via}" if row.via else "", f"dev {row.device}" if row.device else ""]
    parts += [f"metric {row.metric}" if row.metric else "", f"proto {row.protocol}", "(SloPN)" if row.ours else ""]
    return " ".join(filter(None, parts))


def _rule(row: Rule) -> str:
    mark = f"{'not ' if row.inverted else ''}fwmark {row.fwmark:#x} " if row.fwmark else ""
    return f"IPv{row.version} {row.priority}: {mark}lookup {row.table}{' (SloPN)' if row.ours else ''}"


def _link(row: Link) -> str:
    state = "up" if row.usable else "down"
    return f"{row.name}: {state}, MTU {row.mtu} {' '.join(map(str, row.addresses))}".rstrip()


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _bounded(text: str) -> str:
    raw = text.encode("utf-8", "replace")
    if len(raw) <= MOST:
        return text
    kept = raw[-MOST:]
    return kept[kept.find(b"\n") + 1 :].decode("utf-8", "replace")
