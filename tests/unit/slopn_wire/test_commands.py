from __future__ import annotations

import pytest

from slopn_wire.commands import CheckEnrolment, CheckProfile, Command, Enrol, ImportProfile, Request

LINK, CONF = "slopn://enrol?token=SECRET", "PrivateKey = SECRET"


@pytest.mark.parametrize(
    "command",
    [
        Enrol(LINK, "office"),
        CheckEnrolment(LINK),
        ImportProfile("office", CONF, "office.conf"),
        CheckProfile("office", CONF, "office.conf"),
    ],
)
def test_secrets_show_in_no_trace(command: Command) -> None:
    """Of links and files: `repr` is what a traceback or a log line would show of them."""
    shown = repr(Request(1, command))
    assert "SECRET" not in shown
    assert type(command).__name__ in shown
