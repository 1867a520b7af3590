from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from slopn_helper import wiring
from slopn_helper.host.inverses import Entry, RemoveWfpFilters
from slopn_helper.host.journal import Journal
from slopn_helper.parts import Back, System
from slopn_helper.store import Store

ENTRY = RemoveWfpFilters("provider")


class Host:
    """A system that notes what is asked of it, in turn; `broken` fails."""

    def __init__(self, broken: str = "") -> None:
        self.asked: list[str] = []
        self._broken = broken

    def system(self) -> System:
        """What a restore may ask for; the rest fails the test."""

        def never() -> Any:
            raise AssertionError("not for this role")

        return System(
            boot=lambda: "boot",
            harden=never,
            hold=self._hold,
            end_other=lambda _: self._asked("end the other"),
            on_stop=lambda _: never(),
            ignore_stop=lambda: self._asked("ignore the end"),
            ready=never,
            stopping=never,
            back=lambda _: Back(router=cast("Any", self), dns=cast("Any", self), undo=self.undo, open=self.open),
            parts=cast("Callable[[Journal], Any]", never),
        )

    async def reset(self) -> None:
        """DNS."""
        self._asked("dns")

    async def apply(self, config: object) -> None:
        """Routes."""
        assert config is None
        self._asked("routes")

    async def undo(self, entry: Entry) -> None:
        """One of the journal."""
        self._asked(entry.key)

    async def open(self) -> None:
        """The kill switch."""
        self._asked("open")

    def close(self) -> None:
        """Let another helper in."""
        self._asked("let go")

    def _hold(self) -> Host:
        self._asked("hold")
        return self

    def _asked(self, what: str) -> None:
        self.asked.append(what)
        if what == self._broken:
            raise RuntimeError(f"{what} is broken")


ALL = ["ignore the end", "end the other", "hold", "dns", "routes", ENTRY.key, "open", "let go"]


def recorded(folder: Path) -> Path:
    """A state directory with one entry to undo."""
    Journal(folder / wiring.JOURNAL, "boot").record(ENTRY)
    return folder


def test_restore_ends_the_helper_first_and_opens_last(tmp_path: Path) -> None:
    """Traffic goes out in the clear when everything else is as it was."""
    host = Host()
    assert wiring.run_restore(host.system(), recorded(tmp_path)) == []
    assert host.asked == ALL
    assert Journal(tmp_path / wiring.JOURNAL, "boot").entries() == ()


@pytest.mark.parametrize("broken", ["dns", "routes", ENTRY.key, "open"])
def test_what_fails_is_told_and_stops_nothing_else(tmp_path: Path, broken: str) -> None:
    """Whoever restores has no second way."""
    host = Host(broken)
    (sentence,) = wiring.run_restore(host.system(), recorded(tmp_path))
    assert f"{broken} is broken" in sentence
    assert host.asked == ALL


def test_unlock_wants_no_block_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the next start would close this computer again."""
    done: list[str] = []
    monkeypatch.setattr(Store, "block_no_more", lambda _: done.append("no more"))
    assert wiring.run_unlock(Host().system(), tmp_path) == []
    assert done == ["no more"]


def test_who_can_not_be_ended_keeps_what_there_is(tmp_path: Path) -> None:
    """Undoing beneath a helper at work would fight with it."""
    host = Host("end the other")
    with pytest.raises(RuntimeError):
        wiring.run_restore(host.system(), recorded(tmp_path))
    assert host.asked == ALL[:2]
    assert Journal(tmp_path / wiring.JOURNAL, "boot").entries() == (ENTRY,)
