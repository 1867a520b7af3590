from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path

import pytest

from slopn_helper.health import REGISTRY
from slopn_wire.state import ErrorCause
from tools import docstrings, reference

ROOT = Path(__file__).resolve().parents[2]
TROUBLE = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("code", [*REGISTRY, *map(str, ErrorCause)])
def test_whoever_sees_a_code_finds_what_to_do(code: str) -> None:
    """Each warning's code and each cause stands on the page that goes by symptoms."""
    assert f"`{code}`" in TROUBLE


def test_no_code_is_explained_that_there_isnt() -> None:
    """What looks like a code on that page is one, or a setting's or device's name."""
    words = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", TROUBLE))
    assert words <= {*REGISTRY, *map(str, ErrorCause)}


@pytest.mark.parametrize("name", ["reference-cli.md", "reference-settings.md", "reference-messages.md"])
def test_a_page_that_the_code_writes_is_the_code_s(name: str) -> None:
    """`make reference` has been run, and its result is committed."""
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == reference.pages()[name]


def test_the_reference_has_verbs_roles_and_keys() -> None:
    """One of each kind: a verb's option, a program's role, a nested verb of the gateway, a setting, a preference, a key."""
    pages = reference.pages()
    for wanted in (
        "### slopn connect",
        "`--wait S`",
        "### slopn-helper early-block",
        "#### slopn-gateway token create",
    ):
        assert f"{wanted}" in pages["reference-cli.md"]
    for wanted in ("`kill_switch`", "`connect_at_start`", "### [pools]"):
        assert f"{wanted}" in pages["reference-settings.md"]


class Colour(StrEnum):
    """For the test below."""

    RED = "red"
    """Of roses."""
    BLUE = "blue"


def test_docstrings_belong_to_the_name_above() -> None:
    """One that has none isn't given the class's or the next one's."""
    assert docstrings.attributes(Colour) == {"RED": "Of roses."}
