"""Windows' executables, as far as a check of them needs: which protections a file asks for, and whether it is signed.

The layout is of Microsoft's "PE Format".
"""

from __future__ import annotations

import struct
from typing import NamedTuple

MAGIC = b"MZ"
AMD64 = 0x8664
_HIGH_ENTROPY, _DYNAMIC_BASE, _NX = 0x20, 0x40, 0x100
_DIRECTORIES = {0x10B: 96, 0x20B: 112}
"""Magic number of the optional header, 32 and 64 bits → where its data directories begin."""
_SECURITY = 4
"""Which data directory holds the signature."""


class Image(NamedTuple):
    """The headers of one file."""

    machine: int
    characteristics: int
    signature: tuple[int, int]
    """Where it stands and how long it is, in bytes; zero for none."""


def read(data: bytes) -> Image | None:
    """The headers, or None where this is no executable of Windows'."""
    try:
        (at,) = struct.unpack_from("<I", data, 0x3C)
        if not data.startswith(MAGIC) or data[at : at + 4] != b"PE\0\0":
            return None
        machine, _, _, _, _, _, _ = struct.unpack_from("<HHIIIHH", data, at + 4)
        optional = at + 24
        directories = _DIRECTORIES.get(struct.unpack_from("<H", data, optional)[0])
        if directories is None:
            return None
        (characteristics,) = struct.unpack_from("<H", data, optional + 70)
        signature = struct.unpack_from("<II", data, optional + directories + 8 * _SECURITY)
    except struct.error:
        return None
    return Image(machine, characteristics, (signature[0], signature[1]))


def soft(image: Image) -> list[str]:
    """Which of Windows' protections the linker left out, a phrase each."""
    wanted = {_DYNAMIC_BASE: "moves", _NX: "keeps data from being run", _HIGH_ENTROPY: "moves far"}
    return [
        f"isn't linked so that Windows {what} it" for bit, what in wanted.items() if not image.characteristics & bit
    ]
