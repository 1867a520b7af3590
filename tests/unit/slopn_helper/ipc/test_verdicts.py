from __future__ import annotations

import pytest

from slopn_helper.ipc.verdicts import Problem
from slopn_wire.events import ErrorKind


@pytest.mark.parametrize("problem", Problem)
def test_every_problem_says_what_to_do(problem: Problem) -> None:
    """A sentence for the user, and a word for the log that a filter can match: lower case and underscores."""
    assert problem.sentence.endswith(".")
    assert problem.value.replace("_", "").isalpha()
    assert problem.value.islower()
    assert problem.refused().message == problem.sentence


def test_only_who_may_pair_is_told_to() -> None:
    """A front end pairs again by itself on NOT_PAIRED; who may not use SloPN would try in vain."""
    kinds = {problem: problem.refused().kind for problem in Problem}
    assert kinds.pop(Problem.NOT_ALLOWED) is ErrorKind.NOT_PERMITTED
    assert set(kinds.values()) == {ErrorKind.NOT_PAIRED}
