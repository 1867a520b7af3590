"""The page's files: read once, known by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from slopn_app.window.pages import MOST, Missing, Pages, Part
from slopn_app.window.policy import HOME


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A page of two files, beside things that are none."""
    (tmp_path / "dist/assets").mkdir(parents=True)
    (tmp_path / "dist/index.html").write_text("<p>")
    (tmp_path / "dist/assets/a.js").write_text("0")
    (tmp_path / "dist/assets/notes.txt").write_text("no part of it")
    with (tmp_path / "dist/assets/huge.js").open("wb") as file:
        file.truncate(MOST + 1)
    (tmp_path / "secret.html").write_text("outside")
    return tmp_path / "dist"


def test_files_by_their_addresses(folder: Path) -> None:
    """With the type that a browser wants."""
    pages = Pages(folder)
    assert pages.answer(HOME) == Part("text/html", b"<p>")
    assert pages.answer("slopn-page://window/assets/a.js") == Part("text/javascript", b"0")


@pytest.mark.parametrize("name", ["assets/notes.txt", "assets/huge.js", "../secret.html", "assets", "b.js"])
def test_nothing_else(folder: Path, name: str) -> None:
    """Other files, files outside, folders, and what isn't there."""
    assert Pages(folder).answer(f"slopn-page://window/{name}") is None


def test_what_changes_later_is_not_served(folder: Path) -> None:
    """The page is as it was at the start, whole."""
    pages = Pages(folder)
    (folder / "index.html").write_text("<p>other")
    assert pages.answer(HOME) == Part("text/html", b"<p>")


def test_no_page(tmp_path: Path) -> None:
    """Said with what to do about it."""
    with pytest.raises(Missing, match="make ui"):
        Pages(tmp_path)
