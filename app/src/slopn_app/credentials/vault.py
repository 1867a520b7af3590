"""How a keyring may fail, and the time-out without which it may also hang."""

from __future__ import annotations

from slopn_app.locale import t

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

WITHIN = 5.0
"""Seconds a keyring has for everything that is asked of it at once."""


class Locked(Exception):
    """There is a keyring, and its user must unlock it first."""


class Unavailable(Exception):
    """There is no keyring to use here. The message goes on after a colon and has no full stop."""


def bounded(ask: Callable[[], T], within: float) -> T:
    """What `ask` returns or raises; raises `Unavailable` when it takes more than `within` seconds.

    It then goes on in a thread that doesn't keep the process alive: keyrings offer nothing to end a call by.
    """
    import threading

    outcome: list[tuple[T | None, BaseException | None]] = []

    def run() -> None:
        try:
            outcome.append((ask(), None))
        except BaseException as error:  # noqa: BLE001 - handed to the caller
            outcome.append((None, error))

    thread = threading.Thread(target=run, name="keyring", daemon=True)
    thread.start()
    thread.join(within)
    if not outcome:
        raise Unavailable(t("the keyring doesn't answer"))
    result, error = outcome[0]
    if error is not None:
        raise error
    return result  # type: ignore[return-value]
