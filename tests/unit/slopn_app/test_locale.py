from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polib
import pytest

from slopn_app import assets
from slopn_app.locale import HEALTH, REMEDY, n, speak, t, warned


@pytest.fixture
def catalogues(tmp_path: Path) -> Iterator[Path]:
    """A German one; English is spoken again in the end."""
    german = polib.POFile()
    german.metadata = {"Content-Type": "text/plain; charset=utf-8", "Plural-Forms": "nplurals=2; plural=(n != 1);"}
    german.append(polib.POEntry(msgid="since {time}", msgstr="seit {time}"))
    german.append(
        polib.POEntry(
            msgid="{count} line", msgid_plural="{count} lines", msgstr_plural={0: "{count} Zeile", 1: "{count} Zeilen"}
        )
    )
    german.append(polib.POEntry(msgctxt=HEALTH, msgid="no_tunnel", msgstr="Kein Tunnel kommt zustande: {why}."))
    german.append(polib.POEntry(msgctxt=REMEDY, msgid="no_tunnel", msgstr="SloPN versucht es weiter."))
    german.append(polib.POEntry(msgctxt=HEALTH, msgid="silent", msgstr="Nichts kommt zurück."))
    file = tmp_path / "de/LC_MESSAGES/slopn.mo"
    file.parent.mkdir(parents=True)
    file.write_bytes(german.to_binary())
    (tmp_path / "fr/LC_MESSAGES").mkdir(parents=True)
    (tmp_path / "fr/LC_MESSAGES/slopn.mo").write_bytes(b"no catalogue")
    yield tmp_path
    speak("en", {})


def test_the_catalogue_has_the_word(catalogues: Path) -> None:
    """Sentences and plurals; what isn't in it is English."""
    assert speak("de", {}, catalogues) == "de"
    assert (t("since {time}", time="14:02"), t("Quit")) == ("seit 14:02", "Quit")
    assert (n("{count} line", "{count} lines", 1), n("{count} line", "{count} lines", 3)) == ("1 Zeile", "3 Zeilen")


def test_braces_in_what_is_filled_in_stay(catalogues: Path) -> None:
    """A profile may be called anything."""
    speak("de", {}, catalogues)
    assert t("{a} and {b}", a="{b}", b="c") == "{b} and c"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("no_tunnel", ("Kein Tunnel kommt zustande: {x} ist weg.", "SloPN versucht es weiter.")),
        ("silent", ("Nichts kommt zurück.", "Wait.")),
        ("newer", ("No tunnel: {x} ist weg.", "Wait.")),
    ],
)
def test_warnings_are_known_by_their_codes(catalogues: Path, code: str, said: tuple[str, str]) -> None:
    """With what the helper filled in; a sentence that the catalogue lacks stays as the helper said it."""
    speak("de", {}, catalogues)
    assert warned(code, "No tunnel: {x} ist weg.", "Wait.", {"why": "{x} ist weg"}) == said


def test_english_warnings_are_the_helpers_own() -> None:
    """Word for word."""
    assert warned("no_tunnel", "As it is: {why}.", "Wait.", {"why": "x"}) == ("As it is: {why}.", "Wait.")


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({"LANG": "de_AT.UTF-8"}, "de"),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "en_GB.UTF-8", "LANGUAGE": "xx:de:en"}, "de"),
        ({"LANGUAGE": "en:de"}, "en"),
        ({"LANG": "C.UTF-8", "LANGUAGE": "de"}, "en"),
        ({"LC_ALL": "POSIX", "LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "de_CH"}, "de"),
        ({"LANG": "fr_FR@euro"}, "en"),
        ({}, "en"),
    ],
)
def test_the_session_says_which(catalogues: Path, environ: dict[str, str], language: str) -> None:
    """As gettext finds it; a language without a readable catalogue is passed over."""
    assert speak("auto", environ, catalogues) == language


def test_the_real_catalogue_is_found() -> None:
    """Where the sources have it."""
    folder = assets.folder("locale")
    assert (folder / "de/slopn.po").is_file()


def test_a_language_is_no_path(tmp_path: Path) -> None:
    """Whatever the environment says, catalogues are looked up among our own."""
    outside = tmp_path / "de/LC_MESSAGES"
    outside.mkdir(parents=True)
    (outside / "slopn.mo").write_bytes(b"")
    assert speak("auto", {"LANG": f"../../../..{tmp_path}/de"}) == "en"
