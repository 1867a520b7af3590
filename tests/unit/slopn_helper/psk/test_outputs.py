"""What an end asks for and tells of itself gives no key away."""

from __future__ import annotations

from slopn_helper.psk import ALGORITHM
from slopn_helper.psk.outputs import SetKeys, Status


def test_keys_do_not_show_in_what_is_logged() -> None:
    """Which of them are set does."""
    shown = repr(SetKeys(((3, b"k" * 32), (0, None)), initiate=True))
    assert "kkk" not in shown
    assert "[3, 0]" in shown


def test_an_algorithm_is_named_only_while_it_protects() -> None:
    """Never because one was tried."""
    assert Status(protected=True).algorithm == ALGORITHM
    assert Status(protected=False, agreed=3).algorithm is None
