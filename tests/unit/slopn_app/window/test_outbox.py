"""Pushes on their way: together, in order, as fast as the page takes them, and lines at most ten times a second."""

from __future__ import annotations

import pytest

from slopn_app.window.outbox import MOST_LINES, PAUSE, Outbox
from slopn_wire.logs import LogLine, Logs
from support.window_shell import FakeShell


@pytest.fixture
def page() -> FakeShell:
    """One that takes everything at once."""
    return FakeShell()


@pytest.fixture
def outbox(page: FakeShell) -> Outbox:
    """An open one."""
    outbox = Outbox(page)
    outbox.open([{"kind": "link"}])
    page.run()
    page.taken.clear()
    return outbox


def lines(first: int, count: int = 1, missed: int = 0) -> Logs:
    """That many lines."""
    return Logs(tuple(LogLine(n, 0.0, "info", "test", "x") for n in range(first, first + count)), missed, "e")


def numbers(page: FakeShell) -> list[int]:
    """Of the lines that the page has."""
    return [line["number"] for batch in page.taken for push in batch for line in push.get("lines", ())]


def test_shut_until_opened(page: FakeShell) -> None:
    """What nobody listens to isn't kept."""
    outbox = Outbox(page)
    outbox.push({"kind": "event"})
    outbox.lines(lines(1))
    outbox.open([{"kind": "link"}])
    page.run(1.0)
    assert page.taken == [[{"kind": "link"}]]


def test_what_comes_together_goes_together(page: FakeShell, outbox: Outbox) -> None:
    """In order."""
    for n in range(3):
        outbox.push({"kind": "event", "n": n})
    page.run()
    assert page.taken == [[{"kind": "event", "n": n} for n in range(3)]]


def test_a_slow_page_is_waited_for(page: FakeShell, outbox: Outbox) -> None:
    """One call at a time; the next one has all that came meanwhile."""
    page.stuck = True
    outbox.push({"kind": "event", "n": 0})
    page.run()
    for n in (1, 2):
        outbox.push({"kind": "event", "n": n})
        page.run(1.0)
    assert len(page.taken) == 1
    page.busy.pop()()
    page.run()
    assert [[push["n"] for push in batch] for batch in page.taken] == [[0], [1, 2]]


def test_lines_go_ten_times_a_second(page: FakeShell, outbox: Outbox) -> None:
    """However fast they come, and none is lost."""
    for n in range(1000):
        outbox.lines(lines(n))
        page.run(0.001)
    page.run(PAUSE)
    assert numbers(page) == list(range(1000))
    assert 9 <= len(page.taken) <= 11


def test_a_flood_is_handed_over_in_parts(page: FakeShell, outbox: Outbox) -> None:
    """The page draws between them."""
    for n in range(20):
        outbox.lines(lines(n * 1000, 1000))
    page.run(2.0)
    assert numbers(page) == list(range(20_000))
    assert max(sum(len(push["lines"]) for push in batch) for batch in page.taken) <= 6000


def test_what_a_page_never_takes_is_counted(page: FakeShell, outbox: Outbox) -> None:
    """Memory is bounded, and the page hears how many lines it has missed."""
    page.stuck = True
    outbox.push({"kind": "event"})
    page.run()
    for n in range(MOST_LINES // 1000 + 30):
        outbox.lines(lines(n * 1000, 1000, missed=1))
    page.stuck = False
    page.busy.pop()()
    page.run(60.0)
    got = numbers(page)
    missed = sum(push["missed"] for batch in page.taken for push in batch if push["kind"] == "logs")
    assert len(got) == MOST_LINES
    assert missed == 30_000 + MOST_LINES // 1000 + 30
    assert got == list(range(30_000, 30_000 + MOST_LINES))


def test_a_new_beginning_keeps_the_lines(page: FakeShell, outbox: Outbox) -> None:
    """A page that has missed an event asks anew: what the snapshot overtakes is dropped, the log goes on."""
    page.stuck = True
    outbox.push({"kind": "show"})
    page.run()
    outbox.push({"kind": "event", "n": 1}, {"kind": "preferences"})
    outbox.lines(lines(1))
    page.run(PAUSE)
    outbox.open([{"kind": "link"}, {"kind": "snapshot"}])
    outbox.push({"kind": "event", "n": 2})
    page.busy.pop()()
    page.run(1.0)
    assert [push["kind"] for push in page.taken[-1]] == ["preferences", "logs", "link", "snapshot", "event"]


def test_shut_drops_everything(page: FakeShell, outbox: Outbox) -> None:
    """And a page that comes later begins anew, also if the old one never answered."""
    page.stuck = True
    outbox.push({"kind": "event", "n": 1})
    page.run()
    outbox.push({"kind": "event", "n": 2})
    outbox.lines(lines(1))
    outbox.shut()
    page.run(1.0)
    assert len(page.taken) == 1
    outbox.open([{"kind": "link"}])
    page.run(1.0)
    assert page.taken[1:] == [[{"kind": "link"}]]
    outbox.push({"kind": "event", "n": 3})
    old, new = page.busy
    old()
    page.run(1.0)
    assert len(page.taken) == 2, "the page is still busy with the second"
    new()
    page.run(1.0)
    assert page.taken[2:] == [[{"kind": "event", "n": 3}]]


def test_lines_that_are_no_longer_wanted(page: FakeShell, outbox: Outbox) -> None:
    """They aren't handed over."""
    outbox.lines(lines(1, 5))
    outbox.forget_lines()
    outbox.push({"kind": "event"})
    page.run(1.0)
    assert page.taken == [[{"kind": "event"}]]
