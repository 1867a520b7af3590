from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
from PIL import Image

from tools import icons

GROUNDS = ((0xF6, 0xF5, 0xF4), (0x2B, 0x2B, 0x2B))
"""A light panel and a dark one."""
CONTRAST = 3.0
"""WCAG 2.2, 1.4.11: between what is there to be seen and what is beside it."""
APART = 10
"""Pixels of 256 in which two shapes differ at least, at the smallest size."""


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All icons."""
    folder = tmp_path_factory.mktemp("icons")
    icons.render(folder)
    return folder


def _picture(folder: Path, name: str, size: int) -> Image.Image:
    return _open(folder / f"hicolor/{size}x{size}/apps/{name}.png").convert("RGBA")


def test_each_size_is_there(rendered: Path) -> None:
    """For Linux, Windows and macOS."""
    for name in icons.states():
        for size in (16, 20, 22, 24, 32, 48, 64):
            assert _picture(rendered, name, size).size == (size, size)
        assert {(16, 16), (20, 20), (24, 24), (32, 32)} <= _open(rendered / f"{name}.ico").info["sizes"]
        assert _open(rendered / f"template/{name}@2x.png").size == (32, 32)
    assert (256, 256) in _open(rendered / "slopn.ico").info["sizes"]
    assert (512, 512, 2) in _open(rendered / "slopn.icns").info["sizes"]


def test_they_stand_out_from_light_and_dark_panels(rendered: Path) -> None:
    """By their own colour, without an edge around them."""
    for name in icons.states():
        colours = {pixel[:3] for pixel in _pixels(_picture(rendered, name, 32)) if pixel[3] == 255}
        assert colours
        assert all(_contrast(colour, ground) >= CONTRAST for colour in colours for ground in GROUNDS), name


def test_they_differ_by_shape(rendered: Path) -> None:
    """At the smallest size, in black; but for the bar, which is the same whoever set it."""
    shapes = {name: [pixel[3] > 127 for pixel in _pixels(_picture(rendered, name, 16))] for name in icons.states()}
    assert shapes["slopn-bar"] == shapes.pop("slopn-bar-error")
    frames = {name for name in shapes if "filling" in name}
    for one, other in combinations(sorted(shapes), 2):
        if not {one, other} <= frames:
            apart = sum(first != second for first, second in zip(shapes[one], shapes[other], strict=True))
            assert apart >= APART, f"{one} and {other} differ in {apart} pixels"


def test_templates_are_black(rendered: Path) -> None:
    """macOS gives them their colour."""
    for name in icons.states():
        picture = _open(rendered / f"template/{name}.png").convert("RGBA")
        assert {pixel[:3] for pixel in _pixels(picture)} == {(0, 0, 0)}


def test_they_are_the_same_each_time(rendered: Path, tmp_path: Path) -> None:
    """Byte by byte."""
    icons.render(tmp_path)
    for path in rendered.rglob("*.*"):
        assert path.read_bytes() == (tmp_path / path.relative_to(rendered)).read_bytes()


def _open(path: Path) -> Image.Image:
    with path.open("rb") as file:
        picture = Image.open(file)
        picture.load()
        return picture


def _pixels(picture: Image.Image) -> list[tuple[int, ...]]:
    """Red, green, blue, how opaque."""
    data = picture.convert("RGBA").tobytes()
    return [tuple(data[place : place + 4]) for place in range(0, len(data), 4)]


def _contrast(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: tuple[int, ...]) -> float:
    parts = [part / 255 for part in colour]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
