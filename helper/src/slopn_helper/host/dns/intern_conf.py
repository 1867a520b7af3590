"""NetworkManager's state file, in which our servers stay when NetworkManager isn't there to take them out.

NetworkManager-intern.conf is a key file whose sections `.intern.global-dns` and `.intern.global-dns-domain-NAME` hold
the configuration that was set over D-Bus.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from slopn_helper.host import files
from slopn_helper.host.dns.detect import nameservers
from slopn_helper.host.journal import NetworkManagerWas

STATE = Path("/var/lib/NetworkManager/NetworkManager-intern.conf")
MARK = "slopn.invalid"
"""A domain that nobody has (RFC 6761): the global configuration that knows it is ours."""
_TOP = "[.intern.global-dns"
_DOMAIN = "[.intern.global-dns-domain-"


def is_ours(state: Path) -> bool:
    """Whether the file holds a configuration of ours."""
    return f"{_DOMAIN}{MARK}]".encode() in (read(state) or b"")


def give_back(state: Path, entry: NetworkManagerWas) -> None:
    """Put what was there before us in place of ours, if ours is there. Raises `OSError`."""
    if is_ours(state):
        found = files.snapshot(state)
        text = (found.content or b"").decode("utf-8", "surrogateescape")
        content = replaced(text, entry).encode("utf-8", "surrogateescape")
        files.put(msgspec.structs.replace(found, content=content))


def give_back_file(state: Path, resolv_conf: Path, before: bytes | None) -> None:
    """Make resolv.conf what it was, or leave our servers out of it, if it still names them. Raises `OSError`.

    It is written where a link leads to: the link is not ours, and the file is NetworkManager's.
    """
    ours = set(servers((read(state) or b"").decode("utf-8", "replace")))
    target = resolv_conf.resolve()
    text = read(target)
    if text is None or not ours.intersection(nameservers(text.decode("utf-8", "replace"))):
        return
    if before is None:
        lines = text.decode("utf-8", "surrogateescape").splitlines(keepends=True)
        left = "".join(line for line in lines if not ours.intersection(nameservers(line)))
        before = left.encode("utf-8", "surrogateescape")
    files.put(msgspec.structs.replace(files.snapshot(target), content=before))


def servers(text: str) -> tuple[str, ...]:
    """Our servers, as the state file has them. Pure."""
    mine = False
    for line in text.splitlines():
        if line.startswith("["):
            mine = line == f"{_DOMAIN}{MARK}]"
        elif mine and line.startswith("servers="):
            return tuple(filter(None, line.removeprefix("servers=").split(",")))
    return ()


def replaced(text: str, entry: NetworkManagerWas) -> str:
    """The state file with the global configuration of `entry` instead of the one that it has. Pure."""
    kept: list[str] = []
    heading: list[str] = []
    """Empty lines and comments, which belong to the section that follows."""
    keep = first = True
    for line in text.splitlines(keepends=True):
        if not line.strip() or line.startswith("#"):
            heading.append(line)
            continue
        if line.startswith("["):
            keep = not line.startswith(_TOP)
            if first and not keep:
                kept += _file_comment(heading)
            first = False
        if keep:
            kept += [*heading, line]
        heading.clear()
    return "".join([*kept, *(heading if keep else ()), *_sections(entry)])


def read(path: Path) -> bytes | None:
    """The file's content, or None when it can't be read."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def _file_comment(lines: list[str]) -> list[str]:
    """What stands before the last empty line; what follows it is about the section."""
    empty = [number for number, line in enumerate(lines) if not line.strip()]
    return lines[: empty[-1]] if empty else lines


def _sections(entry: NetworkManagerWas) -> Iterable[str]:
    if not (entry.domains or entry.searches or entry.options):
        return
    yield f"\n{_TOP}]\n{_list('searches', entry.searches)}{_list('options', entry.options)}"
    for name, domain in entry.domains.items():
        yield f"\n{_DOMAIN}{name}]\n{_list('servers', domain.servers)}{_list('options', domain.options)}"


def _list(key: str, words: Sequence[str]) -> str:
    return f"{key}={','.join(words)}\n"
