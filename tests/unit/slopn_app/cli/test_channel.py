from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from slopn_app import trouble
from slopn_app.cli import channel as module
from slopn_app.cli.channel import Channel, failure
from slopn_app.cli.failure import Failure, Status
from slopn_wire.commands import Connect, GetUsers, ImportProfile
from slopn_wire.events import Done, ErrorKind, Exported, Refused, Stats
from support.fake_helper import FakeHelper
from support.until import until

TIMEOUT = 20.0


def test_requests_and_results(helper: FakeHelper) -> None:
    """A command arrives as it was meant, its result comes back as a document."""
    helper.answer(Connect, Done(("careful",)))
    with Channel(helper.path) as channel:
        assert channel.snapshot()["version"] == "fake"
        assert channel.do({"type": "connect", "profile": "berlin"}) == {"type": "done", "notes": ["careful"]}
        assert channel.logs(0.0, "debug")["lines"] == []
        assert channel.ask({"type": "get_users"}, "users")["type"] == "users"
    assert [type(command) for command in helper.commands if not isinstance(command, GetUsers)][1] is Connect


def test_the_environment_names_the_socket(helper: FakeHelper) -> None:
    """Without a path $SLOPN_SOCKET counts."""
    with Channel() as channel:
        assert channel.snapshot()["seq"] == 1
    assert helper.path == os.environ["SLOPN_SOCKET"]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (ErrorKind.INVALID, Status.USAGE),
        (ErrorKind.NOT_PERMITTED, Status.NOT_PERMITTED),
        (ErrorKind.LIMITED, Status.FAILED),
        (ErrorKind.FAILED, Status.FAILED),
    ],
)
def test_a_refusal_decides_the_status(helper: FakeHelper, kind: ErrorKind, status: Status) -> None:
    """And its sentence is what the user reads."""
    helper.answer(Connect, Refused(kind, "No.\nTry again."))
    with pytest.raises(Failure) as failed, Channel() as channel:
        channel.do({"type": "connect", "profile": None})
    assert failed.value.status is status
    assert failed.value.lines == ("No.", "Try again.")


def test_every_kind_of_refusal_has_a_status() -> None:
    """A new kind can't be forgotten."""
    assert set(module._STATUS) == set(ErrorKind)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (trouble.UNREACHABLE, Status.UNREACHABLE),
        (trouble.TIMED_OUT, Status.TIMED_OUT),
        (trouble.NOT_PERMITTED, Status.NOT_PERMITTED),
        (trouble.NOT_PAIRED, Status.NOT_PERMITTED),
        (trouble.KEYRING_LOCKED, Status.NOT_PERMITTED),
        (trouble.INCOMPATIBLE, Status.FAILED),
        (trouble.LIMITED, Status.FAILED),
        (trouble.INVALID, Status.USAGE),
    ],
)
def test_trouble_decides_the_status(kind: str, status: Status) -> None:
    """All its lines are what the user reads."""
    failed = failure(trouble.Trouble(kind, "It is so.", "Do that."))
    assert (failed.status, failed.lines) == (status, ("It is so.", "Do that."))


def test_attempt_hands_back_what_is_wrong_with_the_input(helper: FakeHelper) -> None:
    """Only that: whoever isn't permitted fails as always."""
    command = {"type": "import_profile", "name": "x", "text": "", "filename": "x.conf", "replace": False}
    helper.answer(ImportProfile, Refused(ErrorKind.INVALID, "x.conf:1:1: empty"))
    with Channel() as channel:
        assert channel.attempt(command) == {"type": "refused", "kind": "invalid", "message": "x.conf:1:1: empty"}
        helper.answer(ImportProfile, Refused(ErrorKind.NOT_PERMITTED, "no"))
        with pytest.raises(Failure) as failed:
            channel.attempt(command)
    assert failed.value.status is Status.NOT_PERMITTED


def test_no_helper_is_unreachable(tmp_path: Path) -> None:
    """At once, with status 3, and what that means for the traffic."""
    with pytest.raises(Failure) as failed:
        Channel(str(tmp_path / "none"))
    assert failed.value.status is Status.UNREACHABLE
    assert failed.value.lines[1] == "Rules that were in force stay in force."


def test_wrong_results_are_seen(helper: FakeHelper) -> None:
    """Each question takes its own kind of answer alone."""
    helper.answer(Connect, Exported("text"))
    with Channel() as channel:
        with pytest.raises(Failure, match="exported"):
            channel.do({"type": "connect", "profile": None})
        with pytest.raises(Failure, match="done"):
            channel.export("x")
        with pytest.raises(Failure, match="snapshot"):
            channel.ask({"type": "get_snapshot"}, "users", "logs")


def test_too_large_a_request_is_bad_input(helper: FakeHelper) -> None:
    """It is refused before it is sent."""
    with pytest.raises(Failure) as failed, Channel() as channel:
        channel.do({"type": "export_profile", "name": "x" * (1 << 20)})
    assert failed.value.status is Status.USAGE
    assert helper.commands == []


def test_events_before_a_reply_are_kept(helper: FakeHelper) -> None:
    """What streams in while a reply is awaited comes afterwards, in order."""

    def connect(_: object) -> Done:
        helper.hub.publish(Stats(1, 1), Stats(2, 2))
        return Done()

    helper.answer(Connect, connect)
    with Channel() as channel:
        assert channel.watch()["seq"] == 1
        channel.do({"type": "connect", "profile": None})
        helper.publish(Stats(3, 3))
        streamed = [channel.streamed(time.monotonic() + TIMEOUT) for _ in range(3)]
    assert [message and message.get("seq") for message in streamed] == [2, 3, 4]


def test_a_new_watch_forgets_the_events_of_the_old_one(helper: FakeHelper) -> None:
    """They are in the new snapshot."""

    def connect(_: object) -> Done:
        helper.hub.publish(Stats(1, 1))
        return Done()

    helper.answer(Connect, connect)
    with Channel() as channel:
        channel.watch()
        channel.do({"type": "connect", "profile": None})
        assert channel.watch()["seq"] == 2
        helper.publish(Stats(2, 2))
        following = channel.streamed(time.monotonic() + TIMEOUT)
    assert following is not None
    assert following.get("seq") == 3


def test_streamed_ends_at_its_deadline(helper: FakeHelper) -> None:
    """Nothing came: None, and the connection is still good."""
    with Channel(helper.path) as channel:
        channel.watch()
        assert channel.streamed(time.monotonic() + 0.01) is None
        assert channel.streamed(time.monotonic() - 1) is None
        assert channel.snapshot()["seq"] == 1


def test_closing_lets_the_helper_forget(helper: FakeHelper) -> None:
    """No subscriber stays behind."""
    with Channel() as channel:
        channel.watch()
    until(lambda: helper.run(lambda: not helper.hub.subscribers), TIMEOUT, "the subscription ends")
