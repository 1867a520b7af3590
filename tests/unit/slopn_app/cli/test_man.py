from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slopn_app.cli.failure import Status
from slopn_app.cli.main import VERBS, load
from slopn_app.cli.man import STATUSES, verb_page
from slopn_app.cli.verb import Argument, Verb
from tools.man import pages

DATE = "2026-01-31"
PAGES = pages(DATE)


def linted(page: str) -> list[str]:
    """What mandoc(1) has against it, from warnings up; pages that aren't installed yet are no fault."""
    done = subprocess.run(
        ["mandoc", "-Tlint", "-Wall"], input=page, capture_output=True, text=True, check=False, timeout=60
    )
    found = (done.stdout + done.stderr).splitlines()
    return [
        line
        for line in found
        if "not found" not in line and "explicitly specified" not in line and "mandoc.db" not in line
    ]


def shown(page: str) -> str:
    """As a terminal has it, on one line, without hyphenation."""
    done = subprocess.run(
        ["mandoc", "-Tutf8", "-Owidth=1000"], input=page, capture_output=True, text=True, check=True, timeout=60
    )
    return " ".join(re.sub(r".\x08", "", done.stdout).split())


def test_every_verb_has_a_page() -> None:
    """Beside those of the two programs."""
    assert set(PAGES) == {"slopn.1", "slopn-helper.8", *(f"slopn-{verb}.1" for verb in VERBS)}


@pytest.mark.parametrize("name", PAGES)
def test_mandoc_has_nothing_against_it(name: str) -> None:
    """Neither an error nor a matter of style."""
    assert linted(PAGES[name]) == []


@pytest.mark.parametrize("name", PAGES)
def test_man_shows_it_without_a_warning(name: str, tmp_path: Path) -> None:
    """Groff is stricter about other things."""
    path = tmp_path / name
    path.write_text(PAGES[name])
    env = {**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80"}
    done = subprocess.run(
        ["man", "--warnings", "-l", str(path)], capture_output=True, text=True, check=True, timeout=60, env=env
    )
    assert done.stderr == ""


@pytest.mark.parametrize("name", VERBS)
def test_a_page_says_all_that_the_help_says(name: str) -> None:
    """Every argument with its help, every example, where to go next."""
    verb: Verb = load(name).VERB
    text = shown(PAGES[f"slopn-{name}.1"])
    assert f"slopn-{name} – {verb.summary}" in text or f"slopn-{name} — {verb.summary}" in text
    for argument in verb.every:
        assert argument.metavar in text
        assert all(option in text for option in argument.names if option.startswith("-"))
        assert argument.said[1:].rstrip(".") in text
    for command, _ in verb.examples:
        assert command in text
    for other in verb.see:
        assert f"slopn-{other}(1)" in text


def test_statuses_are_those_there_are() -> None:
    """Number for number."""
    assert set(STATUSES) == {status.value for status in Status}


def test_the_helpers_roles_come_from_its_parser() -> None:
    """With their options and what they are if left out."""
    text = shown(PAGES["slopn-helper.8"])
    assert "slopn-helper restore" in text
    assert "--runtime-dir RUNTIME_DIR Where helper.sock is made; /run/slopn if left out." in text


@settings(max_examples=60)
@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=9), min_size=1)
)
def test_no_text_is_taken_for_a_request(words: list[str]) -> None:
    """Dots, quotes, backslashes, macros' names: all come out as they went in."""
    text = " ".join(words)
    verb = Verb("do it", (Argument(("--x",), text, {"metavar": "X"}),), f"{text}\n  {text}", examples=((text, text),))
    found = shown(verb_page("do", verb, DATE))
    assert found.count(text) + found.count(text[:1].upper() + text[1:]) >= 4


def test_the_tool_writes_them(tmp_path: Path) -> None:
    """By section; the date is that of the sources, so that a package can be built twice."""
    root = Path(__file__).resolve().parents[4]
    env = {**os.environ, "SOURCE_DATE_EPOCH": "86400"}
    subprocess.run([sys.executable, "-m", "tools.man", str(tmp_path)], cwd=root, env=env, check=True, timeout=60)
    assert (tmp_path / "man1/slopn-status.1").read_text() == pages("1970-01-02")["slopn-status.1"]
    assert (tmp_path / "man8/slopn-helper.8").is_file()
