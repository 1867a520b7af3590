"""The shelf of profiles: which one is meant. Import, export and removal are tested where clients ask for them, in test_control."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from slopn_helper.profiles import Profiles
from slopn_helper.store import Store
from support.fakes import PROFILE


def shelf(directory: Path, *names: str) -> Profiles:
    """With profiles of these names."""
    return Profiles(Store(directory), [replace(PROFILE, name=name) for name in names], lambda _: None)


@pytest.mark.parametrize(
    ("names", "asked", "last", "meant"),
    [
        (("a", "b"), "b", "a", "b"),
        (("a", "b"), None, "a", "a"),
        (("a",), None, None, "a"),
        (("a",), None, "gone", "a"),
    ],
)
def test_which_is_meant(tmp_path: Path, names: tuple[str, ...], asked: str | None, last: str | None, meant: str) -> None:
    """The one named, else the last one used, else the only one."""
    assert shelf(tmp_path, *names).choose(asked, last) == meant


@pytest.mark.parametrize(
    ("names", "asked", "says"),
    [
        ((), None, "slopn import"),
        (("b", "a"), None, "Say which profile: a, b."),
        (("b", "a"), "c", "There are: a, b."),
        ((), "c", "none yet"),
    ],
)
def test_which_is_not_clear(tmp_path: Path, names: tuple[str, ...], asked: str | None, says: str) -> None:
    """The sentence lists those there are."""
    with pytest.raises(ValueError, match=says.replace(".", r"\.")):
        shelf(tmp_path, *names).choose(asked, None)
