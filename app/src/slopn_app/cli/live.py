"""`slopn status --watch`: the state as it is, for as long as somebody looks."""

from __future__ import annotations

import sys
import time

from slopn_app.cli.follow import Follower
from slopn_app.cli.output import put_json_lines, say
from slopn_app.cli.rates import Rates
from slopn_app.cli.report import headline, lines, status
from slopn_app.cli.screen import Screen, redraws
from slopn_app.locale import t

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from slopn_app.cli.documents import FollowedDoc
    from slopn_app.cli.output import Line

TICK = 1.0
"""Seconds between two drawings when nothing happens: something counts up or down."""


def watch(*, as_json: bool) -> NoReturn:
    """Go on until interrupted. Raises `Failure` when there is no helper to begin with, or it refuses."""
    with Follower() as follower:
        if as_json:
            _documents(follower)
        if redraws(sys.stdout):
            _picture(follower, Screen(sys.stdout))
        _sentences(follower)


def _picture(follower: Follower, screen: Screen) -> NoReturn:
    rates = Rates()
    while True:
        message = follower.next(time.monotonic() + TICK)
        if follower.view is not None and message is not None and _counts(message):
            rates.add(follower.view["stats"], time.monotonic())
        screen.show(frame(follower, time.time(), rates.text(time.monotonic())))


def frame(follower: Follower, now: float, rates: str) -> list[Line]:
    """What stands on the screen."""
    ending: list[Line] = ["", ((t("Ctrl-C ends this view and nothing else."), "faint"),)]
    if follower.view is None or follower.lost is not None:
        return [*_unreachable(), *ending]
    return [*lines(follower.view, now, live=True, rates=rates), *ending]


def _sentences(follower: Follower) -> NoReturn:
    """One line a change."""
    shown = ""
    while True:
        follower.next()
        at, text = time.time(), _sentence(follower)
        if text != shown:
            say(f"{time.strftime('%H:%M:%S', time.localtime(at))} {text}")
            shown = text


def _sentence(follower: Follower) -> str:
    if follower.view is None or follower.lost is not None:
        what, meaning, _ = _unreachable_words()
        return f"{what} {meaning}"
    # As of when it began: so that nothing in it changes by itself.
    return " – ".join(headline(follower.view, follower.view["since"]))


def _documents(follower: Follower) -> NoReturn:
    """One line of JSON a change, as `slopn status --json` would print it."""
    shown: Any = None
    while True:
        follower.next()
        document = _document(follower)
        if {**document, "seq": 0} != shown:
            put_json_lines(document)
            shown = {**document, "seq": 0}


def _document(follower: Follower) -> dict[str, Any]:
    if follower.view is None or follower.lost is not None:
        from slopn_app.cli.failure import Status

        return {"error": {"status": Status.UNREACHABLE.value, "message": "\n".join(_unreachable_words())}}
    return {**status(follower.view)}


def _counts(message: FollowedDoc) -> bool:
    """Whether it brings counters."""
    return message["type"] == "snapshot" or (message["type"] == "event" and message["body"]["type"] == "stats")


def _unreachable_words() -> tuple[str, str, str]:
    from slopn_app.words import unreachable

    return unreachable()


def _unreachable() -> list[Line]:
    what, meaning, remedy = _unreachable_words()
    return [((what, "bad"),), f"  {meaning}", f"  {remedy}"]
