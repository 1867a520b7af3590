"""The hub: one snapshot, events without a gap, readers that can't hold it up."""

from __future__ import annotations

from slopn_helper.host.firewall.policy import Blocked, Open, Tunnelled
from slopn_helper.hub import READER_LIMIT, Hub, kind_of
from slopn_helper.tunnel.driver import Position
from slopn_wire.events import Event, Lagged, Live, Network, PolicyKind, Stats
from slopn_wire.fold import fold
from slopn_wire.settings import KillSwitchMode, Settings
from slopn_wire.state import Connecting, Disconnected, Step, TargetState
from support.aio import in_loop
from support.fakes import PROFILE

AT_HOME = Position(Disconnected(), Open(), Open())
GOING = Position(Connecting("lab"), Blocked(), Blocked())


def started(clock: list[float] | None = None) -> Hub:
    """A hub with one profile; its clock gives the numbers of `clock` one after the other, the last one for ever."""
    times = clock or [1.0]
    hub = Hub(lambda: times.pop(0) if len(times) > 1 else times[0])
    hub.start(profiles=(PROFILE,), settings=Settings(), target=TargetState.UNSECURED, target_profile=None, stored=())
    return hub


@in_loop
async def test_a_reader_can_follow() -> None:
    """Snapshot and events, folded, are the hub's snapshot after any number of changes."""
    hub = started()
    with hub.subscribe() as reader:
        hub.set_position(AT_HOME, Live(), ())
        hub.set_target(TargetState.SECURED, "lab")
        hub.set_position(GOING, Live(), ())
        hub.set_settings(Settings(kill_switch=KillSwitchMode.ALWAYS))
        hub.set_network(Network(online=True, interface="eth0"))
        hub.set_stats(Stats(1, 2, 3.0))
        hub.set_profiles(())
        hub.set_position(Position(Connecting("lab"), Open(), Blocked()), Live(), ("left",))
        view = reader.snapshot
        while view.seq < hub.snapshot().seq:
            event = await reader.next()
            assert isinstance(event, Event)
            assert event.seq == view.seq + 1
            view = fold(view, event)
        assert view == hub.snapshot()
    assert view.target is TargetState.SECURED
    assert [warning.code for warning in view.health] == ["firewall_refused", "restore_incomplete"]


@in_loop
async def test_what_does_not_change_is_no_event() -> None:
    """Telling the same twice is silent."""
    hub = started()
    for _ in range(2):
        hub.set_position(GOING, Live(), ())
        hub.set_network(Network(online=True))
        hub.set_stats(Stats())
        hub.set_settings(Settings())
    assert hub.snapshot().seq == 2


@in_loop
async def test_since_is_when_the_state_was_entered() -> None:
    """Another policy or another step of it doesn't move it, another profile does."""
    hub = started([1.0, 5.0, 9.0])
    hub.set_position(GOING, Live(), ())
    assert hub.snapshot().since == 5.0
    hub.set_position(Position(Connecting("lab", 1, Step.HANDSHAKE), Blocked(), Blocked()), Live(), ())
    assert hub.snapshot().since == 5.0
    hub.set_position(Position(GOING.state, Open(), Blocked()), Live(), ())
    assert hub.snapshot().since == 5.0
    hub.set_position(Position(Connecting("other"), Blocked(), Blocked()), Live(), ())
    assert hub.snapshot().since == 9.0


@in_loop
async def test_a_slow_reader_lags_and_nobody_waits() -> None:
    """It is told once, gets nothing more, and the others get all."""
    hub = started()
    with hub.subscribe() as slow, hub.subscribe() as quick:
        for number in range(READER_LIMIT + 1):
            hub.set_stats(Stats(rx_bytes=number + 1))
            assert isinstance(await quick.next(), Event)
        assert isinstance(await slow.next(), Lagged)
        hub.set_stats(Stats(rx_bytes=0))
        assert not slow._queue
        assert isinstance(await quick.next(), Event)


@in_loop
async def test_a_reader_that_leaves_is_forgotten() -> None:
    """Its queue doesn't grow."""
    hub = started()
    with hub.subscribe() as reader:
        pass
    hub.set_stats(Stats(1))
    assert not reader._queue
    assert not hub._subscriptions


def test_a_policy_in_one_word() -> None:
    """Unknown is a word of its own."""
    tunnelled = Tunnelled(allow_lan=False, endpoints=(), interface="slopn0")
    kinds = [kind_of(policy) for policy in (Open(), Blocked(), tunnelled, None)]
    assert kinds == [PolicyKind.OPEN, PolicyKind.BLOCKED, PolicyKind.TUNNELLED, PolicyKind.UNKNOWN]
