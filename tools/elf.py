"""What an ELF file lets its memory be used for: elf(5), 64 bits, little end first."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

MAGIC = b"\x7fELF"
_LOAD, _DYNAMIC, _STACK, _RELRO = 1, 2, 0x6474E551, 0x6474E552
_EXECUTE, _WRITE = 1, 2
_STRTAB, _RPATH, _RUNPATH, _FLAGS, _FLAGS_1 = 5, 15, 29, 30, 0x6FFFFFFB
_BIND_NOW, _NOW = 8, 1
_ORIGIN = ("$ORIGIN", "${ORIGIN}")


class Segment(NamedTuple):
    """One row of the program header."""

    kind: int
    flags: int
    offset: int
    address: int
    size: int


def soft(data: bytes, *, full: bool) -> list[str]:
    """What weakens it, a phrase each. `full`: its tables of addresses must be read-only before anything runs, too."""
    if data[4:6] != b"\x02\x01":
        return ["is no 64-bit ELF file of this kind of machine"]
    rows = list(_segments(data))
    kinds = {row.kind for row in rows}
    found = []
    if any(row.flags & _EXECUTE for row in rows if row.kind == _STACK) or _STACK not in kinds:
        found.append("has an executable stack")
    if any(row.flags & _EXECUTE and row.flags & _WRITE for row in rows if row.kind == _LOAD):
        found.append("has memory that can be written and run")
    tags = list(_dynamic(data, rows))
    paths = [path for tag, value in tags if tag in {_RPATH, _RUNPATH} for path in _text(data, rows, tags, value)]
    found += [f"looks for libraries in {path}" for path in paths if not path.startswith(_ORIGIN)]
    if full:
        if _RELRO not in kinds:
            found.append("has no RELRO")
        now = any((tag == _FLAGS and value & _BIND_NOW) or (tag == _FLAGS_1 and value & _NOW) for tag, value in tags)
        if not now:
            found.append("binds lazily, so that RELRO isn't full")
    return found


def needed(data: bytes) -> list[str]:
    """The libraries that it is linked with (DT_NEEDED)."""
    rows = list(_segments(data))
    tags = list(_dynamic(data, rows))
    return [name for tag, value in tags if tag == 1 for name in _text(data, rows, tags, value)]


def _segments(data: bytes) -> Iterator[Segment]:
    (start,) = struct.unpack_from("<Q", data, 32)
    length, count = struct.unpack_from("<HH", data, 54)
    for number in range(count):
        kind, flags, offset, address, _, size = struct.unpack_from("<IIQQQQ", data, start + number * length)
        yield Segment(kind, flags, offset, address, size)


def _dynamic(data: bytes, rows: list[Segment]) -> Iterator[tuple[int, int]]:
    for row in rows:
        if row.kind == _DYNAMIC:
            for place in range(row.offset, row.offset + row.size, 16):
                yield struct.unpack_from("<QQ", data, place)


def _text(data: bytes, rows: list[Segment], tags: list[tuple[int, int]], place: int) -> list[str]:
    table = next(value for tag, value in tags if tag == _STRTAB)
    for row in rows:
        if row.kind == _LOAD and row.address <= table < row.address + row.size:
            start = row.offset + table - row.address + place
            return data[start : data.index(b"\0", start)].decode("utf-8", "replace").split(":")
    return []
