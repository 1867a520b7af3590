"""Compares structures in Python with those of Windows' own headers, as mingw-w64 has them, without running anything."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

COMPILER = "x86_64-w64-mingw32-gcc"
Kind = type[ctypes.Structure] | type[ctypes.Union]


def compare(folder: Path, headers: Iterable[str], structures: Mapping[str, Kind], names: Mapping[str, str]) -> str:
    """What the compiler says against sizes and offsets; empty: they are the same.

    `names` has the header's name of a field where it differs, by `STRUCTURE.field`; empty where there is none to name.
    """
    lines = ["#define _WIN32_WINNT 0x0A00", "#define NTDDI_VERSION 0x0A000006", "#include <stddef.h>"]
    lines += [f"#include <{header}>" for header in headers]
    for name, kind in structures.items():
        lines.append(f'_Static_assert(sizeof({name}) == {ctypes.sizeof(kind)}, "sizeof {name}");')
        for field, *_ in kind._fields_:  # type: ignore[misc, unused-ignore]
            called = names.get(f"{name}.{field}", field)
            if called:
                offset = getattr(kind, field).offset
                lines.append(f'_Static_assert(offsetof({name}, {called}) == {offset}, "{name}.{field}");')
    source = folder / "sizes.c"
    source.write_text("\n".join([*lines, ""]), encoding="utf-8")
    done = subprocess.run(
        [COMPILER, "-fsyntax-only", "-w", str(source)], capture_output=True, text=True, check=False, timeout=60
    )
    return done.stderr
