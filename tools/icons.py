"""assets/icons/*.svg → assets/icons/rendered: PNGs in an icon theme's folders, ICO, ICNS, template images, a sheet to look at.

The same bytes each time. What is newer than its drawings is left alone.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "assets/icons"
RENDERED = SOURCES / "rendered"
DRAWN = (16, 20, 24, 32)
"""Pixels for which each state is drawn."""
_SIZES = {16: (16, 1.0), 20: (20, 1.0), 22: (20, 1.0), 24: (24, 1.0), 32: (32, 1.0), 48: (24, 2.0), 64: (32, 2.0)}
# Pixels of the PNG: which drawing, and how much larger. 22 is 20 with a margin: no drawing is scaled by a fraction.
_PROGRAM = (16, 22, 24, 32, 48, 64, 128, 256)
_ICO = [(size, size) for size in (16, 20, 24, 32)]
_GROUNDS = ("#f6f5f4", "#2b2b2b")


def main() -> int:
    """Render what isn't there or is older than what it is made of."""
    drawings = [*SOURCES.rglob("*.svg"), Path(__file__)]
    stamp = RENDERED / "sheet.png"
    if not stamp.is_file() or stamp.stat().st_mtime < max(path.stat().st_mtime for path in drawings):
        render(RENDERED)
    return 0


def states() -> list[str]:
    """The names of the tray's icons."""
    return sorted(path.stem for path in (SOURCES / str(DRAWN[0])).glob("*.svg"))


def render(target: Path) -> None:
    """Everything, into `target`."""
    for name in states():
        for size in _SIZES:
            _save(_tray(name, size), target / f"hicolor/{size}x{size}/apps/{name}.png")
        template = {factor: _template(_drawn(name, 16, factor)) for factor in (1, 2)}
        _save(template[1], target / f"template/{name}.png")
        _save(template[2], target / f"template/{name}@2x.png")
        largest, *others = (_tray(name, size[0]) for size in reversed(_ICO))
        largest.save(target / f"{name}.ico", sizes=_ICO, append_images=others)
    program = SOURCES / "slopn.svg"
    pictures = {size: _render(program, size) for size in (*_PROGRAM, 512, 1024)}
    for size in _PROGRAM:
        _save(pictures[size], target / f"hicolor/{size}x{size}/apps/slopn.png")
    pictures[256].save(target / "slopn.ico", sizes=[(size, size) for size in (16, 24, 32, 48, 64, 128, 256)])
    pictures[1024].save(target / "slopn.icns", append_images=[pictures[size] for size in (16, 32, 64, 128, 256, 512)])
    _save(_sheet(), target / "sheet.png")


def _tray(name: str, size: int) -> Picture:
    from PIL import Image

    drawn, factor = _SIZES[size]
    picture = _drawn(name, drawn, factor)
    margin = (size - picture.width) // 2
    if not margin:
        return picture
    framed = Image.new("RGBA", (size, size))
    framed.paste(picture, (margin, margin))
    return framed


def _drawn(name: str, size: int, factor: float) -> Picture:
    return _render(SOURCES / str(size) / f"{name}.svg", int(size * factor))


def _render(source: Path, size: int) -> Picture:
    import resvg_py
    from PIL import Image

    data = resvg_py.svg_to_bytes(svg_path=str(source), width=size, height=size)
    return Image.open(io.BytesIO(bytes(data))).convert("RGBA")


def _template(picture: Picture) -> Picture:
    """Black, as transparent as it was: the menu bar of macOS gives it its colour."""
    from PIL import Image

    black = Image.new("RGBA", picture.size)
    black.putalpha(picture.getchannel("A"))
    return black


def _sheet() -> Picture:
    """Each state at each size as it is, and at three times, on both grounds."""
    from PIL import Image

    cell, names = 140, states()
    sheet = Image.new("RGB", (cell * len(names), 2 * cell * len(DRAWN)))
    for number, (ground, size) in enumerate((ground, size) for ground in _GROUNDS for size in DRAWN):
        top = number * cell
        sheet.paste(ground, (0, top, sheet.width, top + cell))
        for column, name in enumerate(names):
            picture = _drawn(name, size, 1)
            large = picture.resize((3 * size, 3 * size), Image.Resampling.NEAREST)
            sheet.paste(picture, (column * cell + 4, top + 20), picture)
            sheet.paste(large, (column * cell + 38, top + 20), large)
    return sheet


def _save(picture: Picture, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
