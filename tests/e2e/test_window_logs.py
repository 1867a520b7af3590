"""The log in the window: a thousand lines a second, none lost, and nothing pulled while nobody looks."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from slopn_wire.commands import FollowLogs
from slopn_wire.events import Stats
from support.desktop import DesktopSession
from support.fake_helper import FakeHelper
from support.samples import DISCONNECTED
from support.until import until
from support.window import Window

RATE = 1000
_TAKE = """
window.got = { lines: 0, missed: 0, batches: 0, gaps: 0, last: 0, pushes: 0 };
const receive = window.slopn.receive;
window.slopn.receive = (batch) => {
  if (batch.some((push) => push.kind === "logs")) got.batches += 1;
  for (const push of batch) {
    got.pushes += 1;
    if (push.kind !== "logs") continue;
    got.missed += push.missed;
    for (const line of push.lines) {
      if (got.last && line.number !== got.last + 1) got.gaps += 1;
      got.last = line.number;
      got.lines += 1;
    }
  }
  receive.call(window.slopn, batch);
};
"""


@pytest.fixture(scope="module")
def screen() -> Iterator[DesktopSession]:
    """One for all."""
    with DesktopSession() as screen:
        yield screen


@pytest.fixture
def helper(tmp_path: Path) -> Iterator[FakeHelper]:
    """One whose log the test writes."""
    with FakeHelper(tmp_path) as helper:
        helper.show(DISCONNECTED)
        yield helper


@pytest.fixture
def window(screen: DesktopSession, helper: FakeHelper, tmp_path: Path) -> Iterator[Window]:
    """At the log, which it follows."""
    environ = {"SLOPN_SOCKET": helper.path, "XDG_STATE_HOME": str(tmp_path / "front-end")}
    with Window(screen, environ) as window:
        window.wait_text("Not protected", "h1")
        window.js(_TAKE)
        window.page("Logs")
        until(lambda: followed(helper) > 0, 20, "it follows the log")
        yield window


def followed(helper: FakeHelper) -> int:
    """How often somebody has begun to follow."""
    return sum(isinstance(command, FollowLogs) for command in helper.commands)


def write(helper: FakeHelper, count: int) -> None:
    """So many lines at once."""
    now = time.time()

    def add() -> None:
        for number in range(count):
            helper.logs.add(now, "info", "tunnel.driver", f"Zürich – keepalive {number} sent to 203.0.113.5")

    helper.run(add)


@pytest.mark.parametrize("seconds", [4, pytest.param(60, marks=pytest.mark.long)])
def test_no_line_is_lost(window: Window, helper: FakeHelper, seconds: int) -> None:
    """At a thousand a second, each comes once, in order, in at most ten batches a second; the page shows them all."""
    begun = time.monotonic()
    sent = 0
    while sent < RATE * seconds:
        due = min(int((time.monotonic() - begun) * RATE), RATE * seconds)
        write(helper, due - sent)
        sent = due
        time.sleep(0.02)
    until(lambda: window.js("return got.lines") >= sent, 60, "all lines are there")
    took = time.monotonic() - begun
    got = window.js("return got")
    sys.stdout.write(f"{got} in {took:.1f} s\n")
    assert (got["lines"], got["missed"], got["gaps"]) == (sent, 0, 0)
    assert got["batches"] <= 11 * took + 10
    window.wait_text(f"{sent:,} lines")


def test_a_hidden_window_pulls_nothing(screen: DesktopSession, window: Window, helper: FakeHelper) -> None:
    """Neither lines nor events come while it is minimized, then it hangs up; seen again it has everything."""
    write(helper, 10)
    until(lambda: window.js("return got.lines") == 10, 20, "the first lines are there")
    screen.run("xdotool", "search", "--sync", "--onlyvisible", "--name", "^SloPN$", "windowminimize")
    until(lambda: window.js("return document.hidden"), 20, "nobody sees it")
    until(lambda: not helper.run(lambda: list(helper.hub.subscribers)), 20, "it has hung up")
    before = window.js("return got.pushes")
    write(helper, 10)
    helper.publish(Stats(1, 1), Stats(2, 2))
    assert window.js("return got.pushes") == before
    screen.run("xdotool", "search", "--name", "^SloPN$", "windowmap", "windowactivate")
    until(lambda: window.js("return got.lines") == 20, 20, "the lines from meanwhile are there")
    assert window.js("return [got.gaps, got.missed]") == [0, 0]
    until(lambda: len(helper.run(lambda: list(helper.hub.subscribers))) == 1, 20, "it watches again")
