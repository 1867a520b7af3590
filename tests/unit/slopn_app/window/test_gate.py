"""Whose call it is."""

from __future__ import annotations

from slopn_app.window.gate import Gate


def test_a_call_belongs_to_the_page_that_made_it() -> None:
    """Not to the one that is there once it is looked at; our own page's first call waits until it is known as ours."""
    shown = "ours"
    gate = Gate(lambda uri: uri == "ours", lambda: shown)
    gate.begins()
    first = gate.ticket()
    assert gate.arrived()
    assert gate.ours(first)
    shown = "foreign"
    assert not gate.ours(gate.ticket())
    gate.begins()
    foreign = gate.ticket()
    assert not gate.arrived()
    shown = "ours"
    assert not gate.ours(foreign)
    gate.begins()
    assert gate.arrived()
    assert not gate.ours(foreign)
    assert not gate.ours(first)
    assert gate.ours(gate.ticket())
