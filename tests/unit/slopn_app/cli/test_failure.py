from __future__ import annotations

from slopn_app.cli.failure import Failure, Status


def test_statuses_are_what_scripts_rely_on() -> None:
    """The numbers of DESIGN.md, all of them."""
    assert {status.name: status.value for status in Status} == {
        "DONE": 0,
        "FAILED": 1,
        "USAGE": 2,
        "UNREACHABLE": 3,
        "NOT_PERMITTED": 4,
        "TIMED_OUT": 5,
    }


def test_a_failure_has_status_and_lines() -> None:
    """The first line is what happened."""
    failure = Failure(Status.FAILED, "It broke.", "Mend it.")
    assert (failure.status, failure.lines) == (1, ("It broke.", "Mend it."))
