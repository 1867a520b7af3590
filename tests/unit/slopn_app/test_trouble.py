from __future__ import annotations

from slopn_app.trouble import UNREACHABLE, HungUp, Impostor, Late, Nonsense, Trouble


def test_trouble_is_told_in_lines_and_in_one() -> None:
    """Lines for a terminal, one sentence after the other for a log."""
    trouble = Trouble(UNREACHABLE, "It is gone.", "Start it.")
    assert trouble.lines == ("It is gone.", "Start it.")
    assert str(trouble) == "It is gone. Start it."


def test_each_kind_says_what_happened() -> None:
    """The numbers and reasons that it was given are in it."""
    assert "2.5 s" in str(Late(2.5))
    assert str(Nonsense("no type")).endswith("no type.")
    assert HungUp().kind == UNREACHABLE
    assert "1000" in str(Impostor(1000))
