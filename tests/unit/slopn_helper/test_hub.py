"""The hub: one snapshot, events without a gap, readers that can't hold it up."""

from __future__ import annotations

import asyncio

from slopn_helper.health import warning
from slopn_helper.host.firewall.policy import Blocked, Open, Tunnelled
from slopn_helper.hub import Hub, kind_of
from slopn_helper.ring import Subscription
from slopn_helper.tunnel.driver import Position
from slopn_wire.codec import server_decoder
from slopn_wire.events import Event, Live, Network, PolicyKind, Resumed, Snapshot, StateChanged, Stats
from slopn_wire.fold import fold
from slopn_wire.framing import MAX_MESSAGE, Deframer
from slopn_wire.profile import Endpoint
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
    hub.start(
        profiles=(PROFILE,),
        settings=Settings(),
        target=TargetState.UNSECURED,
        target_profile=None,
        paused_until=None,
        stored=(),
    )
    return hub


async def events(reader: Subscription) -> list[Event]:
    """What waits for a reader."""
    batch = await reader.batch()
    assert not batch.lagged
    return [server_decoder.decode(payload) for payload in Deframer(MAX_MESSAGE).feed(batch.frames)]  # type: ignore[misc]


@in_loop
async def test_a_reader_can_follow() -> None:
    """Snapshot and events, folded, are the hub's snapshot after any number of changes."""
    hub = started()
    with hub.subscribe() as reader:
        hub.set_position(AT_HOME, Live(), ())
        hub.set_target(TargetState.SECURED, "lab", None)
        hub.set_position(GOING, Live(), ())
        hub.set_settings(Settings(kill_switch=KillSwitchMode.ALWAYS))
        hub.set_network(Network(online=True, interface="eth0"))
        hub.set_stats(Stats(1, 2, 3.0))
        hub.set_profiles(())
        hub.set_position(Position(Connecting("lab"), Open(), Blocked()), Live(), ("left",))
        view = reader.first
        assert isinstance(view, Snapshot)
        for event in await events(reader):
            assert event.seq == view.seq + 1
            view = fold(view, event)
        assert view == hub.snapshot()
    assert view.target is TargetState.SECURED
    assert [found.code for found in view.health] == ["firewall_refused", "restore_incomplete"]


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
async def test_a_watch_goes_on_where_it_was() -> None:
    """From a number of this run, the rest follows; from one of another run, or from the future, everything comes anew."""
    hub = started()
    for number in range(5):
        hub.set_stats(Stats(rx_bytes=number + 1))
    epoch = hub.snapshot().epoch
    with hub.subscribe(2, epoch) as reader:
        assert reader.first == Resumed(2)
        assert [event.seq for event in await events(reader)] == [3, 4, 5]
    with hub.subscribe(5, epoch) as reader:
        assert reader.first == Resumed(5)
    for after, run in ((6, epoch), (-1, epoch), (2, "other"), (2, "")):
        with hub.subscribe(after, run) as reader:
            assert reader.first == hub.snapshot()
    assert started().snapshot().epoch != epoch


@in_loop
async def test_a_wish_is_told() -> None:
    """Every view has it, not only those that ask for the whole."""
    hub = started()
    with hub.subscribe() as reader:
        hub.set_target(TargetState.PAUSED, "lab", 7.0)
        hub.set_target(TargetState.PAUSED, "lab", 7.0)
        (event,) = await events(reader)
    assert isinstance(event.body, StateChanged)
    assert (event.body.target, event.body.target_profile, event.body.paused_until) == (TargetState.PAUSED, "lab", 7.0)


@in_loop
async def test_lasting_warnings_may_change() -> None:
    """What a look found wrong and the next one finds mended leaves the list."""
    hub = started()
    hub.set_checked("clock", (warning("clock_wrong"),))
    hub.set_position(AT_HOME, Live(), ())
    hub.set_checked("clock", (warning("clock_wrong"),))
    assert [found.code for found in hub.snapshot().health] == ["clock_wrong"]
    hub.set_checked("clock", ())
    assert hub.snapshot().health == ()


@in_loop
async def test_somebody_reads() -> None:
    """Known at once, and forgotten when the reader leaves."""
    hub = started()
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(hub.somebody_reads())
        await asyncio.sleep(0)
        assert not task.done()
        with hub.subscribe():
            await task


def test_a_policy_in_one_word() -> None:
    """Unknown is a word of its own."""
    tunnelled = Tunnelled(allow_lan=False, endpoints=(), interface="slopn0")
    kinds = [kind_of(policy) for policy in (Open(), Blocked(), tunnelled, None)]
    assert kinds == [PolicyKind.OPEN, PolicyKind.BLOCKED, PolicyKind.TUNNELLED, PolicyKind.UNKNOWN]


def test_what_is_live_changes_without_the_state() -> None:
    """One event for what is different, none for what isn't; the state's time stays."""
    hub = Hub(clock=lambda: 1.0)
    hub.set_position(GOING, Live("slopn0"), ())
    before = hub.snapshot()
    hub.set_live(Live("slopn0", gateway=Endpoint("b", 1)))
    hub.set_live(Live("slopn0", gateway=Endpoint("b", 1)))
    after = hub.snapshot()
    assert (after.live.gateway, after.seq) == (Endpoint("b", 1), before.seq + 1)
    assert (after.state, after.since, after.policy) == (before.state, before.since, before.policy)
