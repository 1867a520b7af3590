from __future__ import annotations

from slopn_wire.commands import Enrol, Request


def test_a_link_shows_in_no_trace() -> None:
    """It holds a token: `repr` is what a traceback or a log line would show of it."""
    assert "SECRET" not in repr(Request(1, Enrol("slopn://enrol?token=SECRET", "office")))
    assert "office" in repr(Enrol("slopn://enrol?token=SECRET", "office"))
