from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from slopn_app.cli import wait
from slopn_app.cli.channel import Channel
from slopn_app.cli.failure import Failure, Status
from slopn_wire.commands import Connect, Disconnect, Reconnect
from slopn_wire.events import Done, ErrorKind, EventBody, PolicyKind, Refused, StateChanged, Stats
from slopn_wire.state import (
    AfterDisconnect,
    Connected,
    Connecting,
    Disconnected,
    Disconnecting,
    ErrorCause,
    ErrorState,
    Step,
    TargetState,
    TunnelState,
)
from support.fake_helper import FakeHelper
from support.samples import CONNECTED, DISCONNECTED, LIVE

CONNECT = {"type": "connect", "profile": "berlin"}
RECONNECT = {"type": "reconnect"}
DISCONNECT = {"type": "disconnect"}
UP = Connected("berlin", (), "slopn0")
LONG = 20.0
SHORT = 0.2


def changed(state: TunnelState, since: float, policy: PolicyKind = PolicyKind.BLOCKED) -> StateChanged:
    """An event of the state."""
    target = TargetState.UNSECURED if isinstance(state, Disconnected) else TargetState.SECURED
    return StateChanged(state, since, target, "berlin", None, policy, LIVE)


def script(helper: FakeHelper, kind: type, *bodies: EventBody) -> None:
    """Let the hub accept the command and publish `bodies` at once, before its reply."""

    def answer(_: object) -> Done:
        helper.hub.publish(*bodies)
        return Done(("a note",))

    helper.answer(kind, answer)


def failure(act: Callable[[], object]) -> Failure:
    """What waiting ends with."""
    with pytest.raises(Failure) as failed:
        act()
    return failed.value


def test_connected_waits_for_the_state(helper: FakeHelper) -> None:
    """Through all the steps, to the view then, with the helper's notes."""
    helper.show(DISCONNECTED)
    script(
        helper,
        Connect,
        changed(Connecting("berlin"), 10.0),
        Stats(1, 1),
        changed(Connecting("berlin", step=Step.HANDSHAKE), 10.0),
        changed(UP, 11.0, PolicyKind.TUNNELLED),
    )
    with Channel() as channel:
        view, notes = wait.connected(channel, CONNECT, LONG)
    assert (view["state"]["type"], view["policy"], view["since"], notes) == ("connected", "tunnelled", 11.0, ["a note"])


def test_events_after_the_reply_count_as_well(helper: FakeHelper) -> None:
    """The outcome comes when it comes."""
    helper.show(DISCONNECTED)
    later = threading.Timer(0.05, lambda: helper.publish(changed(UP, 11.0)))

    def answer(_: object) -> Done:
        later.start()
        return Done()

    helper.answer(Connect, answer)
    with Channel() as channel:
        wait.connected(channel, CONNECT, LONG)
    later.join()


@pytest.mark.parametrize("profile", ["berlin", None])
def test_what_is_up_already_is_enough(helper: FakeHelper, profile: str | None) -> None:
    """Asking for the tunnel that is there ends at once."""
    helper.show(CONNECTED)
    with Channel() as channel:
        view, _ = wait.connected(channel, {"type": "connect", "profile": profile}, LONG)
    assert view["seq"] == CONNECTED.seq


def test_another_profiles_tunnel_is_not_enough(helper: FakeHelper) -> None:
    """A switch is waited for to its end."""
    helper.show(CONNECTED)
    script(
        helper,
        Connect,
        changed(Disconnecting("paris", AfterDisconnect.RECONNECT), 20.0),
        changed(Connecting("paris"), 21.0),
        changed(Connected("paris", (), "slopn0"), 22.0),
    )
    with Channel() as channel:
        view, _ = wait.connected(channel, {"type": "connect", "profile": "paris"}, LONG)
    assert view["since"] == 22.0


def test_reconnect_wants_a_fresh_tunnel(helper: FakeHelper) -> None:
    """Neither the old one counts, nor news about it."""
    helper.show(CONNECTED)
    old = replace(changed(UP, CONNECTED.since, PolicyKind.TUNNELLED), live=replace(LIVE, path_mtu=1300))
    script(helper, Reconnect, old, changed(Connecting("berlin"), 20.0), changed(UP, 21.0))
    with Channel() as channel:
        view, _ = wait.connected(channel, RECONNECT, LONG, fresh=True)
    assert view["since"] == 21.0


def test_an_error_ends_the_wait(helper: FakeHelper) -> None:
    """Status 1: what happened, what it means, what to do."""
    helper.show(DISCONNECTED)
    failing = changed(ErrorState(ErrorCause.OFFLINE, "berlin"), 11.0)
    script(helper, Connect, changed(Connecting("berlin"), 10.0), failing)
    with Channel() as channel:
        failed = failure(lambda: wait.connected(channel, CONNECT, LONG))
    assert failed.status is Status.FAILED
    assert failed.lines[:2] == ("This computer isn't on any network.", "Nothing leaves this computer.")


def test_an_old_error_does_not_end_the_wait(helper: FakeHelper) -> None:
    """Only what comes after the command counts."""
    helper.show(replace(DISCONNECTED, state=ErrorState(ErrorCause.OFFLINE, "berlin"), target=TargetState.SECURED))
    script(helper, Connect, Stats(1, 1), changed(Connecting("berlin"), 10.0), changed(UP, 11.0))
    with Channel() as channel:
        assert wait.connected(channel, CONNECT, LONG)[0]["since"] == 11.0


def test_a_disconnect_by_another_ends_the_wait(helper: FakeHelper) -> None:
    """The tunnel that was wanted is wanted no more."""
    helper.show(DISCONNECTED)
    script(helper, Connect, changed(Connecting("berlin"), 10.0), changed(Disconnected(), 11.0, PolicyKind.OPEN))
    with Channel() as channel:
        failed = failure(lambda: wait.connected(channel, CONNECT, LONG))
    assert (failed.status, failed.lines[0]) == (Status.FAILED, "The tunnel was disconnected meanwhile.")


def test_time_is_up(helper: FakeHelper) -> None:
    """Status 5, with where it stands."""
    helper.show(DISCONNECTED)
    script(helper, Connect, changed(Connecting("berlin", 2, Step.WAITING, cause=ErrorCause.HANDSHAKE), 10.0))
    with Channel() as channel:
        failed = failure(lambda: wait.connected(channel, CONNECT, SHORT))
    assert failed.status is Status.TIMED_OUT
    assert failed.lines[0] == "Not connected after 0.2 s: Reconnecting to berlin…"
    assert "nothing leaves meanwhile" in failed.lines[1]


def test_counters_do_not_keep_the_wait_alive(helper: FakeHelper) -> None:
    """Events that keep coming don't move the deadline."""
    helper.show(DISCONNECTED)
    stop = threading.Event()

    def chatter() -> None:
        while not stop.is_set():
            helper.publish(Stats(1, 1))

    thread = threading.Thread(target=chatter)
    thread.start()
    try:
        with Channel() as channel:
            assert failure(lambda: wait.connected(channel, CONNECT, SHORT)).status is Status.TIMED_OUT
    finally:
        stop.set()
        thread.join()


def test_a_refused_command_ends_the_wait(helper: FakeHelper) -> None:
    """With the refusal's own status."""
    helper.answer(Connect, Refused(ErrorKind.INVALID, "There is no profile berlin."))
    with Channel() as channel:
        assert failure(lambda: wait.connected(channel, CONNECT, LONG)).status is Status.USAGE


def test_a_gap_is_healed(helper: FakeHelper) -> None:
    """An event is missing, and it was the one that mattered: the new snapshot has it."""
    helper.show(DISCONNECTED)

    def answer(_: object) -> Done:
        helper.hub.view = replace(helper.hub.view, seq=50, state=UP, since=99.0)
        helper.hub.publish(Stats(1, 1))
        return Done()

    helper.answer(Connect, answer)
    with Channel() as channel:
        assert wait.connected(channel, CONNECT, LONG)[0]["since"] == 99.0


@pytest.mark.parametrize("limit", [2])
def test_lagging_is_healed(tmp_path_factory: pytest.TempPathFactory, limit: int) -> None:
    """A burst beyond the queue, the outcome in the middle of it."""
    with FakeHelper(tmp_path_factory.mktemp("lag"), limit=limit) as helper:
        helper.show(DISCONNECTED)
        script(helper, Connect, *[Stats(number, 0) for number in range(20)], changed(UP, 11.0), *[Stats()] * 20)
        with Channel(helper.path) as channel:
            assert wait.connected(channel, CONNECT, LONG)[0]["since"] == 11.0


def test_disconnected_waits_for_the_end(helper: FakeHelper) -> None:
    """Through the teardown."""
    helper.show(CONNECTED)
    script(
        helper,
        Disconnect,
        changed(Disconnecting("berlin", AfterDisconnect.NOTHING), 20.0),
        changed(Disconnected(), 21.0, PolicyKind.OPEN),
    )
    with Channel() as channel:
        view, notes = wait.disconnected(channel, DISCONNECT, LONG)
    assert (view["state"]["type"], view["policy"], notes) == ("disconnected", "open", ["a note"])


def test_disconnected_already(helper: FakeHelper) -> None:
    """Nothing to wait for."""
    helper.show(DISCONNECTED)
    with Channel() as channel:
        assert wait.disconnected(channel, DISCONNECT, LONG)[0]["seq"] == DISCONNECTED.seq


def test_a_failed_teardown_ends_the_wait(helper: FakeHelper) -> None:
    """Status 1, with the way back."""
    helper.show(CONNECTED)
    script(helper, Disconnect, changed(ErrorState(ErrorCause.RESTORE, "berlin"), 21.0))
    with Channel() as channel:
        failed = failure(lambda: wait.disconnected(channel, DISCONNECT, LONG))
    assert failed.status is Status.FAILED
    assert "slopn-helper restore" in failed.lines[2]


def test_an_attempt_that_fails_meanwhile_does_not_end_the_wait(helper: FakeHelper) -> None:
    """It was under way when the command came; the teardown follows it."""
    helper.show(CONNECTED)
    failing, over = changed(ErrorState(ErrorCause.HOST, "berlin"), 20.0), changed(Disconnected(), 22.0, PolicyKind.OPEN)
    script(helper, Disconnect, failing, over)
    with Channel() as channel:
        assert wait.disconnected(channel, DISCONNECT, LONG)[0]["since"] == 22.0


def test_disconnect_times_out(helper: FakeHelper) -> None:
    """Status 5."""
    helper.show(CONNECTED)
    with Channel() as channel:
        failed = failure(lambda: wait.disconnected(channel, DISCONNECT, 0.0))
    assert failed.status is Status.TIMED_OUT
    assert failed.lines[0].startswith("Not disconnected after 0 s: Protected through berlin")


@pytest.mark.parametrize("terminal", [True, False])
def test_steps_are_shown_at_a_terminal_alone(
    helper: FakeHelper, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    """Each once, on stderr; a script's log stays clean."""
    helper.show(DISCONNECTED)
    resolving = changed(Connecting("berlin"), 10.0)
    handshake = changed(Connecting("berlin", step=Step.HANDSHAKE), 10.0)
    script(helper, Connect, resolving, resolving, handshake, changed(UP, 11.0))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    with Channel() as channel:
        wait.connected(channel, CONNECT, LONG)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == (
        [
            "Connecting to berlin… Looking up the gateway · nothing leaves meanwhile",
            "Connecting to berlin… Waiting for the gateway's answer · nothing leaves meanwhile",
        ]
        if terminal
        else []
    )


def test_the_tunnel_follows_what_matters(helper: FakeHelper) -> None:
    """State, policy and their kin are those of the last event."""
    helper.show(DISCONNECTED)
    with Channel() as channel:
        tunnel = wait.Tunnel(channel)
        helper.publish(Stats(5, 5), changed(UP, 11.0, PolicyKind.TUNNELLED))
        assert tunnel.changed(time.monotonic() + LONG)
        assert (tunnel.view["seq"], tunnel.view["policy"], tunnel.view["target_profile"]) == (5, "tunnelled", "berlin")
        assert tunnel.view["live"]["path_mtu"] == 1420
        assert not tunnel.changed(time.monotonic() + 0.01)
