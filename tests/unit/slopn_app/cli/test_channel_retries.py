from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from slopn_app import trouble
from slopn_app.cli import channel as module
from slopn_app.cli.channel import Channel
from slopn_app.cli.failure import Failure, Status
from slopn_wire.commands import Connect, Reconnect
from support.fake_helper import FakeHelper
from support.until import until

TIMEOUT = 20.0


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
