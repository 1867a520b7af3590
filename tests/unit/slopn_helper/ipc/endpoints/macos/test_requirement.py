from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.ipc.endpoints.macos.requirement import Signer, requirement


def test_the_requirement_in_apples_language() -> None:
    """Apple's root, a Developer ID for programs, our team, and one of our programs: all of it."""
    assert requirement(Signer("A1B2C3D4E5", ("net.slopn.slopn", "net.slopn.tray"))) == (
        "anchor apple generic"
        " and certificate 1[field.1.2.840.113635.100.6.2.6] exists"
        " and certificate leaf[field.1.2.840.113635.100.6.1.13] exists"
        ' and certificate leaf[subject.OU] = "A1B2C3D4E5"'
        ' and (identifier "net.slopn.slopn" or identifier "net.slopn.tray")'
    )


@pytest.mark.parametrize(
    "team", ["", "A1B2C3D4E", "A1B2C3D4E5F", "a1b2c3d4e5", 'A1B2C3D4"5', "A1B2C3D4E5\n", "A1B2C3D4Ü5"]
)
def test_what_is_no_team_is_refused(team: str) -> None:
    """Ten capitals and digits: the text can't be left."""
    with pytest.raises(ValueError, match="no team identifier"):
        Signer(team, ("net.slopn.slopn",))


@pytest.mark.parametrize("names", [(), ("",), ("slopn",), ("net.slopn.*",), ('net.slopn" or true or identifier "x.y',)])
def test_what_is_no_identifier_is_refused(names: tuple[str, ...]) -> None:
    """No wild card, no quote, and at least one."""
    with pytest.raises(ValueError, match="no signing identifiers"):
        Signer("A1B2C3D4E5", names)


@given(st.text(max_size=12), st.lists(st.text(max_size=20), max_size=3))
def test_no_name_adds_a_word(team: str, names: list[str]) -> None:
    """Whatever the build hands in, the text has as many quotes as it has names."""
    try:
        text = requirement(Signer(team, tuple(names)))
    except ValueError:
        return
    assert text.count('"') == 2 * (1 + len(names))
