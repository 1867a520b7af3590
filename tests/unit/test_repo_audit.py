"""tools/audit.py: what it says of what the three programs said."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tools import audit


def test_nothing_found_is_nothing_said() -> None:
    """All were asked, and all are content."""
    assert audit.verdict({"pip-audit": None, "cargo-deny": None}) == ""


@pytest.mark.parametrize(
    "said",
    [
        "requests.exceptions.ConnectionError: Max retries exceeded with url: /pypi/x/json",
        "error: failed to fetch advisory database",
        "ERROR:pip_audit._cli:Dependency not found on PyPI and could not be audited: idna (3.20)",
        "npm error code ENOTFOUND",
        "npm error audit endpoint returned an error",
    ],
)
def test_a_database_that_is_far_away_is_no_hole(said: str) -> None:
    """Each is named by what it is: something to mend, or somewhere else to run."""
    told = audit.verdict({"one": said, "two": "Found 1 known vulnerability in 1 package", "three": None})
    assert told.splitlines() == [
        "Found something: two. Look above for what, and update or replace it.",
        "Not asked, since no database could be reached: one. Run it where there is a network.",
    ]


def test_what_asks_is_there() -> None:
    """Each program but cargo-deny, which is built before it is asked; and the folder it works in."""
    questions = audit.questions()
    assert {"cargo-deny", "npm audit", "pip-audit of requirements/dev.txt"} <= set(questions)
    for name, (argv, folder) in questions.items():
        assert name == "cargo-deny" or shutil.which(argv[0])
        assert Path(folder).is_dir()
