"""What resolvconf(8) keeps in /run, for when the program isn't there any more to be asked."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from slopn_helper.host import files
from slopn_helper.host.dns.detect import nameservers

STATE = Path("/run/resolvconf")
"""Below it openresolv keeps `interfaces`, and Debian's `interface`: a file a record, in the form of resolv.conf(5)."""
_FOLDERS = ("interfaces", "interface")
_MARKS = ("metrics", "exclusive", "private", "deprecated")
"""Where openresolv notes a record's properties, in empty files named `NUMBER RECORD` or `RECORD`."""


def others(record: str) -> tuple[str, ...]:
    """The texts of all records but ours, in the order of their names."""
    found = [
        path
        for folder in _FOLDERS
        if (STATE / folder).is_dir()
        for path in sorted((STATE / folder).iterdir())
        if path.name != record
    ]
    return tuple(text for text in map(read, found) if text is not None)


def remove(record: str) -> None:
    """Take our record out. Raises `OSError`."""
    for folder in _FOLDERS:
        (STATE / folder / record).unlink(missing_ok=True)
    for folder in _MARKS:
        for path in (STATE / folder).glob("*"):
            if path.name == record or path.name.endswith(f" {record}"):
                path.unlink(missing_ok=True)


def names_only(resolv_conf: Path, ours: Iterable[str]) -> bool:
    """Whether the file names servers, and all of them are ours."""
    asked = nameservers(read(resolv_conf) or "")
    return bool(asked) and set(asked) <= set(ours)


def give_back_file(resolv_conf: Path, record: str, ours: Iterable[str]) -> None:
    """Write the file from the others' records if it names one of `ours`, where a link leads to. Raises `OSError`."""
    text = read(resolv_conf)
    if text is not None and set(nameservers(text)) & set(ours):
        found = files.snapshot(resolv_conf.resolve())
        files.put(msgspec.structs.replace(found, content=rewritten(text, others(record)).encode()))


def rewritten(text: str, records: Iterable[str]) -> str:
    """A resolv.conf with the comments and options of `text`, and the servers and search domains of `records`. Pure."""
    kept = [line for line in text.splitlines() if not line.startswith(("nameserver", "search", "domain"))]
    lines = [line for record in records for line in record.splitlines()]
    return "".join(
        f"{line}\n" for line in [*kept, *dict.fromkeys(x for x in lines if x.startswith(("nameserver", "search")))]
    )


def read(path: Path) -> str | None:
    """The file's text, or None when it can't be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
