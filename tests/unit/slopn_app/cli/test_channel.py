from __future__ import annotations

import asyncio
import io
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from slopn_app import trouble
from slopn_app.applicant import NumberWanted
from slopn_app.cli import channel as module
from slopn_app.cli.channel import Channel, ask_number, failure
from slopn_app.cli.failure import Failure, Status
from slopn_wire.commands import Connect, GetUsers, ImportProfile, Reconnect
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


def test_a_helper_that_goes_away_ends_the_stream(helper: FakeHelper) -> None:
    """Whoever waits for events must ask again; so it is told, and not hidden."""
    with Channel() as channel:
        channel.watch()
        helper.stop()
        for _ in range(2):
            with pytest.raises(Failure) as failed:
                channel.streamed(time.monotonic() + TIMEOUT)
            assert failed.value.status is Status.UNREACHABLE


def test_a_request_survives_a_restart(tmp_path: Path) -> None:
    """The helper is stopped before it has answered; the next one gets the same request. Who watches is told."""
    with FakeHelper(tmp_path) as first, Channel(first.path) as channel, ThreadPoolExecutor(1) as pool:
        channel.watch()
        first.run(lambda: first.hub.slow.update({Connect: asyncio.Event()}))
        asked = pool.submit(channel.do, {"type": "connect", "profile": "berlin"})
        until(lambda: Connect("berlin") in first.commands, TIMEOUT, "the command arrives")
        first.stop()
        with FakeHelper(tmp_path) as second:
            assert asked.result(TIMEOUT)["type"] == "done"
            assert second.commands == [Connect("berlin")]
            assert channel.streamed(time.monotonic() + TIMEOUT) == {"type": "lagged"}


def test_a_retry_carries_the_same_key(helper: FakeHelper) -> None:
    """The connection breaks off after the command has arrived: it is carried out once, and answered all the same."""
    with Channel() as channel:
        helper.run(lambda: helper.hub.slow.update({Reconnect: asyncio.Event()}))
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(channel.do, {"type": "reconnect"})
            until(lambda: Reconnect() in helper.commands, TIMEOUT, "the command arrives")
            assert channel._link is not None
            channel._link._stream.shutdown(2)  # type: ignore[attr-defined]
            until(lambda: channel._link is not None and channel._link._last_id == 1, TIMEOUT, "it is sent again")
            helper.run(helper.hub.slow[Reconnect].set)
            assert asked.result(TIMEOUT) == {"type": "done", "notes": []}
    assert helper.commands.count(Reconnect()) == 1


def test_each_command_has_a_key_of_its_own(helper: FakeHelper) -> None:
    """The same command twice is carried out twice."""
    with Channel() as channel:
        channel.do({"type": "reconnect"})
        channel.do({"type": "reconnect"})
    assert helper.commands == [Reconnect(), Reconnect()]


@pytest.mark.usefixtures("helper")
def test_what_breaks_off_each_time_is_not_sent_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that brings the helper down must not bring it down again and again."""
    with Channel() as channel:
        sent = []

        def ask(self: object, *_: object) -> None:
            sent.append(self)
            raise trouble.HungUp

        monkeypatch.setattr("slopn_app.link.Link.ask", ask)
        with pytest.raises(Failure) as failed:
            channel.do({"type": "connect", "profile": None})
    assert failed.value.status is Status.UNREACHABLE
    assert len(sent) == 1 + module.MOST_RESENDS


def test_a_helper_that_stays_away_is_waited_for_with_an_end(
    helper: FakeHelper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status 3 when the time for a reply is over."""
    monkeypatch.setattr(module, "REPLY_TIMEOUT", 0.3)
    with Channel() as channel:
        channel.snapshot()
        helper.stop()
        with pytest.raises(Failure) as failed:
            channel.snapshot()
    assert failed.value.status is Status.UNREACHABLE


def test_a_revoked_program_is_paired_again_on_the_way(helper: FakeHelper, capsys: pytest.CaptureFixture[str]) -> None:
    """The command is carried out all the same, and the user reads what has happened."""
    with Channel() as channel:
        channel.snapshot()
    for device in helper.run(lambda: helper.hub.devices):
        with Channel() as channel:
            channel.do({"type": "revoke_device", "device": device.id})
    capsys.readouterr()
    with Channel() as channel:
        assert channel.do({"type": "connect", "profile": None})["type"] == "done"
    assert "must be paired again" in capsys.readouterr().err


def test_closing_lets_the_helper_forget(helper: FakeHelper) -> None:
    """No subscriber stays behind."""
    with Channel() as channel:
        channel.watch()
    until(lambda: helper.run(lambda: not helper.hub.subscribers), TIMEOUT, "the subscription ends")


@pytest.mark.usefixtures("helper")
def test_what_is_due_is_renewed_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the user has got what was asked for; not after a failure, and not while nothing was accepted."""
    renewed = []
    monkeypatch.setattr("slopn_app.pairing.Pairing.due", lambda _: True)
    monkeypatch.setattr("slopn_app.pairing.Pairing.renew", lambda *_: renewed.append(True))
    with Channel():
        pass
    with pytest.raises(Failure), Channel() as channel:
        channel.export("x")
    assert renewed == []
    with Channel() as channel:
        channel.snapshot()
        assert renewed == []
    assert renewed == [True]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """It does."""
        return True


def at_terminal(monkeypatch: pytest.MonkeyPatch, typed: str) -> Terminal:
    """Give the test a terminal at which that has been typed; what it shows."""
    shown = Terminal()
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    monkeypatch.setattr("sys.stderr", shown)
    return shown


def test_the_number_is_asked_for_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """With where to find it; an empty line asks again."""
    shown = at_terminal(monkeypatch, "\n 123456 \n")
    assert ask_number(NumberWanted(time.time() + 60, "")) == "123456"
    assert "sudo slopn devices" in shown.getvalue()
    assert "journalctl -u slopn-helper" in shown.getvalue()
    assert shown.getvalue().count("Number: ") == 2


def test_a_wrong_number_is_told_with_the_next_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the helper's words, instead of all that was said before."""
    shown = at_terminal(monkeypatch, "1\n")
    assert ask_number(NumberWanted(time.time() + 60, "That isn't the number.")) == "1"
    assert shown.getvalue() == "That isn't the number.\nNumber: "


def test_nobody_is_asked_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script must not hang; neither must an end of input, or a time that is up."""
    at_terminal(monkeypatch, "")
    assert ask_number(NumberWanted(time.time() + 60, "")) is None
    at_terminal(monkeypatch, "123456\n")
    assert ask_number(NumberWanted(time.time() - 1, "")) is None
    monkeypatch.setattr("sys.stdin", io.StringIO("123456\n"))
    assert ask_number(NumberWanted(time.time() + 60, "")) is None
    at_terminal(monkeypatch, "123456\n")
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert ask_number(NumberWanted(time.time() + 60, "")) is None
