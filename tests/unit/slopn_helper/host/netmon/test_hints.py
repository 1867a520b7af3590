from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
from dbus_fast import Message, Variant

from slopn_helper.host.netmon import hints
from slopn_helper.host.systembus import Heard, Question


def listening(monkeypatch: pytest.MonkeyPatch, *items: Heard) -> list[Question | None]:
    """The system bus brings `items` and no more; what is asked of it."""
    asked: list[Question | None] = []

    async def signals(
        rules: tuple[str, ...], *, settle: float = 0.0, ask: Question | None = None
    ) -> AsyncGenerator[Heard]:
        asked.append(ask)
        assert all("sender='" in rule for rule in rules)
        assert settle >= 0
        for item in items:
            yield item

    monkeypatch.setattr(hints, "signals", signals)
    return asked


def collected(hear: Callable[[], AsyncGenerator[Any]]) -> list[Any]:
    """All that is told."""

    async def main() -> list[Any]:
        return [item async for item in hear()]

    return asyncio.run(main())


def test_metered_is_a_yes_or_a_guessed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """NMMetered's yes and its guess for a tethered telephone; unknown, no, and nobody there are no."""
    answers = [*(Variant("u", number) for number in range(5)), None, "nonsense"]
    asked = listening(monkeypatch, *(Heard((), answer) for answer in answers))
    assert collected(hints.metered) == [False, True, False, True, False, False, False]
    (question,) = asked
    assert question is not None
    assert (question.member, question.body) == ("Get", ("org.freedesktop.NetworkManager", "Metered"))


def test_awake_is_the_end_of_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not its beginning, not another signal, and not that the bus was reached."""

    def signal(member: str, *body: object) -> Message:
        return Message.new_signal("/org/freedesktop/login1", "org.freedesktop.login1.Manager", member, "b", list(body))

    listening(
        monkeypatch,
        Heard(()),
        Heard((signal("PrepareForSleep", True),)),
        Heard((signal("PrepareForShutdown", False),)),
        Heard((signal("PrepareForSleep", True), signal("PrepareForSleep", False))),
    )
    assert collected(hints.wake_ups) == [None]
