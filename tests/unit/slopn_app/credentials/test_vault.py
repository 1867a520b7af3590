from __future__ import annotations

import threading

import pytest

from slopn_app.credentials.vault import Unavailable, bounded


def test_what_is_asked_comes_back() -> None:
    """Values, None among them, and failures as they are."""
    assert bounded(lambda: "x", 20) == "x"
    assert bounded(lambda: None, 20) is None
    with pytest.raises(ZeroDivisionError):
        bounded(lambda: 1 // 0, 20)


def test_what_hangs_is_given_up_and_holds_up_nothing() -> None:
    """The thread goes on, but the process may end without it."""
    go = threading.Event()
    with pytest.raises(Unavailable, match="doesn't answer"):
        bounded(lambda: go.wait(20), 0.02)
    (hanging,) = [thread for thread in threading.enumerate() if thread.name == "keyring"]
    assert hanging.daemon
    go.set()
    hanging.join(20)
