"""The user's preferences: kept whole, and never a reason not to start."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec
import pytest

from slopn_app import preferences
from slopn_app.preferences import Geometry, Notifications, Preferences, Stored


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    """Every field comes back, from a file for the user alone in a folder that was made."""
    file = preferences.path({"XDG_CONFIG_HOME": str(tmp_path / "config")})
    stored = Stored(
        Preferences(start_at_login=True, language="de", notifications=Notifications(back=False), favourites=("Ä",)),
        Geometry(360, 600, 5, 6, maximized=True),
        told_no_tray=True,
    )
    preferences.save(file, stored)
    assert preferences.load(file) == stored
    assert file == tmp_path / "config/slopn/preferences.json"
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_relative_folder_is_no_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As the XDG specification says: it is ignored."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert preferences.path({"XDG_CONFIG_HOME": "here"}) == tmp_path / ".config/slopn/preferences.json"


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 60_000])
def test_nonsense_holds_the_defaults(raw: bytes) -> None:
    """Whatever the file is, the front ends start."""
    assert preferences.parse(raw) == Stored()


def test_a_bad_field_spoils_no_other() -> None:
    """Each is taken by itself; what a newer version wrote is left out."""
    raw = msgspec.json.encode(
        {
            "preferences": {
                "appearance": "dark",
                "language": "tlh",
                "welcomed": 1,
                "favourites": ["a"] * 1000,
                "notifications": {"lost": False, "back": "no", "later": True},
            },
            "geometry": {"width": "wide", "height": 500},
            "later": {},
        }
    )
    assert preferences.parse(raw) == Stored(
        Preferences(appearance="dark", notifications=Notifications(lost=False)), Geometry(height=500)
    )


def test_there_is_none(tmp_path: Path) -> None:
    """A new user has the defaults, and no file is made by looking."""
    assert preferences.load(tmp_path / "slopn/none") == Stored()
    assert not (tmp_path / "slopn").exists()


def test_a_change_leaves_the_rest(tmp_path: Path) -> None:
    """The tray's field doesn't undo the window's."""
    file = tmp_path / "slopn/preferences.json"
    preferences.change(file, preferences=Preferences(welcomed=True))
    assert preferences.change(file, told_no_tray=True) == Stored(Preferences(welcomed=True), told_no_tray=True)


def test_who_reads_meanwhile_gets_a_whole_one(tmp_path: Path) -> None:
    """A file is replaced, never rewritten in place: no reader sees half of it, and nothing is left lying about."""
    file = tmp_path / "slopn/preferences.json"
    one, other = (Stored(Preferences(favourites=("x" * n,) * 50)) for n in (1, 200))
    preferences.save(file, one)
    done = threading.Event()
    seen = []

    def read() -> None:
        while not done.is_set():
            seen.append(preferences.load(file))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(50):
        preferences.save(file, other)
        preferences.save(file, one)
    done.set()
    reader.join()
    assert {stored in (one, other) for stored in seen} == {True}
    assert [path.name for path in file.parent.iterdir()] == ["preferences.json"]
