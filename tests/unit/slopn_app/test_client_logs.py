from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from slopn_app.conversation import Conversation
from slopn_app.feed import Problem
from slopn_wire.commands import GetSnapshot
from slopn_wire.logs import LogFilter, LogLevel, Logs
from support.fake_helper import FakeHelper
from support.tray import client, following, in_thread, run


def note(helper: FakeHelper, *messages: str, level: str = "info") -> None:
    """Lines of the helper's log."""
    helper.run(lambda: [helper.logs.add(1000.0 + i, level, "x", text) for i, text in enumerate(messages)])


def texts(batch: Logs) -> list[str]:
    """The lines' words."""
    return [line.message for line in batch.lines]


def test_lines_come_as_they_are_written(helper: FakeHelper) -> None:
    """What there is, then what comes, numbered without a gap."""
    note(helper, "one", "two")

    async def go() -> None:
        async with client(helper.path) as tray, following(tray.logs()) as batch:
            assert texts(await batch())[-2:] == ["one", "two"]
            await in_thread(note, helper, "three")
            assert texts(await batch()) == ["three"]

    run(go())


def test_the_helper_filters(helper: FakeHelper) -> None:
    """By level and text; what isn't wanted isn't sent."""
    note(helper, "one")
    note(helper, "bad", level="error")

    async def go() -> None:
        wanted = LogFilter(level=LogLevel.ERROR)
        async with client(helper.path) as tray, following(tray.logs(wanted)) as batch:
            assert texts(await batch()) == ["bad"]

    run(go())


def test_a_broken_connection_goes_on_where_it_broke_off(helper: FakeHelper, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line twice, none left out."""
    made: list[Conversation] = []

    class Noted(Conversation):
        def __init__(self, *ends: Any) -> None:
            super().__init__(*ends)
            made.append(self)

    monkeypatch.setattr("slopn_app.client.Conversation", Noted)
    note(helper, "one")

    async def go() -> None:
        async with client(helper.path) as tray, following(tray.logs()) as batch:
            assert texts(await batch())[-1] == "one"
            for conversation in made:
                conversation.close()
            await in_thread(note, helper, "two")
            while isinstance(message := await batch(), Problem):
                pass
            assert "one" not in texts(message)
            assert "two" in texts(message)
            assert message.missed == 0

    run(go())


def test_after_a_restart_the_numbers_begin_anew(tmp_path: Path) -> None:
    """The new helper's first line isn't taken for an old one's."""

    async def go() -> None:
        with contextlib.ExitStack() as running:
            first = FakeHelper(tmp_path)
            first.logs.epoch = "first"
            await in_thread(running.enter_context, first)
            await in_thread(note, first, *map(str, range(50)))
            async with client(first.path) as tray, following(tray.logs()) as batch:
                assert texts(await batch())[-1] == "49"
                await tray.submit(GetSnapshot())
                await in_thread(first.stop)
                second = FakeHelper(tmp_path)
                second.logs.epoch = "second"
                await in_thread(running.enter_context, second)
                # More of them than the first one had, so that its last number would hide some.
                await in_thread(note, second, "new", *map(str, range(50, 150)))
                seen: list[str] = []
                while "new" not in seen:
                    message = await batch()
                    seen += [] if isinstance(message, Problem) else texts(message)
                assert "49" not in seen

    run(go())
