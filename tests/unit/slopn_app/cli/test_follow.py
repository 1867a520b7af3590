from __future__ import annotations

import json
import socket
import time
from pathlib import Path

import pytest

from slopn_app.cli.failure import Failure, Status
from slopn_app.cli.follow import Follower
from slopn_wire.codec import encode
from slopn_wire.events import Event, Lagged, Snapshot, Stats
from slopn_wire.framing import frame
from support.fake_helper import FakeHelper
from support.until import until

LONG = 20.0


def kinds(follower: Follower, until_kind: str) -> list[str]:
    """The types of what comes, up to and with the first of a kind."""
    seen: list[str] = []
    deadline = time.monotonic() + LONG
    while not seen or seen[-1] != until_kind:
        message = follower.next(deadline)
        assert message is not None, seen
        seen.append(message["type"])
    return seen


def view(helper: FakeHelper) -> Snapshot:
    """The helper's own."""
    return helper.run(helper.hub.snapshot)


def same(follower: Follower, helper: FakeHelper) -> bool:
    """Whether both see the same."""
    return bool(follower.view == json.loads(encode(view(helper))))


def gone(follower: Follower) -> bool:
    """Whether it says that the helper is lost."""
    return follower.lost is not None


def test_first_the_whole_then_changes(helper: FakeHelper) -> None:
    """Each event is told, and folded into the view."""
    with Follower() as follower:
        assert kinds(follower, "snapshot") == ["snapshot"]
        helper.publish(Stats(1, 2), Stats(3, 4))
        assert kinds(follower, "event") == ["event"]
        assert kinds(follower, "event") == ["event"]
        assert same(follower, helper)
        assert follower.next(time.monotonic() + 0.01) is None


def test_an_event_that_is_missing(helper: FakeHelper) -> None:
    """Is noticed by the number of the next one: what lies between is fetched, or the whole."""
    with Follower() as follower:
        kinds(follower, "snapshot")
        helper.run(lambda: helper.hub.send(Event(view_of(helper) + 5, Stats(9, 9))))
        assert set(kinds(follower, "snapshot")) <= {"snapshot", "resumed"}
        helper.publish(Stats(1, 1))
        kinds(follower, "event")
        assert same(follower, helper)


def view_of(helper: FakeHelper) -> int:
    """The last event's number; on the helper's own thread."""
    return helper.hub.view.seq


def test_events_of_before_are_passed_over(helper: FakeHelper) -> None:
    """One that the snapshot has already changes nothing."""
    with Follower() as follower:
        kinds(follower, "snapshot")
        helper.publish(Stats(1, 1))
        helper.run(lambda: helper.hub.send(Event(view_of(helper), Stats(7, 7))))
        helper.publish(Stats(2, 2))
        assert kinds(follower, "event") == ["event"]
        assert kinds(follower, "event") == ["event"]
        assert same(follower, helper)


def test_who_was_too_slow_asks_again(helper: FakeHelper) -> None:
    """`Lagged` is answered with a new watch."""
    with Follower() as follower:
        kinds(follower, "snapshot")
        helper.run(lambda: helper.hub.subscribers[0].push(frame(encode(Lagged()))))
        message = follower.next(time.monotonic() + LONG)
        assert message is not None
        assert message["type"] in {"snapshot", "resumed"}


def test_a_restart_begins_anew(helper: FakeHelper, tmp_path: Path) -> None:
    """Unreachable, for as long as it takes; then another run's snapshot. Until then the view is marked as lost."""
    with Follower() as follower:
        kinds(follower, "snapshot")
        helper.stop()
        assert kinds(follower, "unreachable") == ["unreachable"]
        assert gone(follower)
        assert follower.next(time.monotonic()) is None
        with FakeHelper(tmp_path / "run") as second:
            assert set(kinds(follower, "snapshot")) <= {"unreachable", "snapshot"}
            assert not gone(follower)
            assert same(follower, second)


def test_a_connection_alone_that_broke_is_continued(helper: FakeHelper) -> None:
    """The same run of the helper: the events of meanwhile come, and no snapshot."""
    with Follower() as follower:
        kinds(follower, "snapshot")
        channel = follower._channel
        assert channel is not None
        assert channel._link is not None
        stream = channel._link._stream
        assert isinstance(stream, socket.socket)
        stream.shutdown(socket.SHUT_RDWR)
        helper.publish(Stats(5, 5))
        assert kinds(follower, "resumed")[-1] == "resumed"
        assert kinds(follower, "event") == ["event"]
        assert same(follower, helper)


def test_an_earlier_watch_is_continued(helper: FakeHelper) -> None:
    """By number and epoch; another epoch gets the whole."""
    before = view(helper)
    helper.publish(Stats(1, 1), Stats(2, 2))
    with Follower(before.seq, before.epoch) as follower:
        assert kinds(follower, "event") == ["resumed", "event"]
        assert follower.view is None
        kinds(follower, "event")
    with Follower(before.seq, "another") as follower:
        assert kinds(follower, "snapshot") == ["snapshot"]


def test_without_a_helper_it_does_not_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first connection must succeed."""
    monkeypatch.setenv("SLOPN_SOCKET", str(tmp_path / "none"))
    with pytest.raises(Failure) as failed:
        Follower()
    assert failed.value.status is Status.UNREACHABLE


def test_what_waiting_cannot_cure_ends_it(helper: FakeHelper, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal is raised, instead of being asked for again for ever."""
    with Follower() as follower:
        kinds(follower, "snapshot")
        failure = Failure(Status.NOT_PERMITTED, "not you")
        monkeypatch.setattr(follower._channel, "streamed", lambda _: (_ for _ in ()).throw(failure))
        with pytest.raises(Failure) as failed:
            follower.next()
        assert failed.value is failure
    until(lambda: not helper.run(lambda: helper.hub.subscribers), LONG, "it hung up")
