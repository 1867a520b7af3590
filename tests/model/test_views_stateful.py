"""Several front ends, one helper, and everything that can go wrong between them: no view is ever one that never was."""

from __future__ import annotations

import itertools
from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from slopn_helper.health import warning
from slopn_helper.host.firewall.policy import Blocked, FirewallPolicy, Open
from slopn_helper.hub import Hub
from slopn_helper.ring import EventRing, Subscription
from slopn_helper.tunnel.driver import Position
from slopn_wire.codec import server_decoder
from slopn_wire.devices import Device, PendingPairing
from slopn_wire.events import Event, Lagged, Live, Network, Reply, ServerMessage, Snapshot, Stats
from slopn_wire.framing import MAX_MESSAGE, Deframer
from slopn_wire.profile import Profile
from slopn_wire.settings import Settings
from slopn_wire.state import TargetState, TunnelState
from support.follower import Follower
from support.wire import values

MOST_EVENTS = 6
"""Of the ring: a reader that sleeps through a burst falls out of it."""
T = TypeVar("T")


class Ring(EventRing):
    """The hub's ring, which also keeps every state that there was."""

    def __init__(self, hub: Hub, history: dict[tuple[str, int], Snapshot]) -> None:
        super().__init__(MOST_EVENTS)
        self._hub = hub
        self._history = history
        self.note()

    def add(self, event: Event) -> None:
        """As the real one."""
        super().add(event)
        self.note()

    def note(self) -> None:
        """The state as of now."""
        now = self._hub.snapshot()
        self._history[now.epoch, now.seq] = now


class Client:
    """A front end: what it shows, its connection, and what is on the way to it."""

    def __init__(self) -> None:
        self.follower = Follower()
        self.reader: Subscription | None = None
        self.coming: list[list[ServerMessage]] = []

    def hang_up(self) -> None:
        """Without a connection; what was on the way is lost."""
        if self.reader is not None:
            self.reader.__exit__(None, None, None)
        self.reader = None
        self.coming.clear()
        self.follower.behind = True

    def ask(self, hub: Hub) -> None:
        """Watch (again): the answer comes after what is on the way already."""
        if self.reader is not None:
            self.reader.__exit__(None, None, None)
        watch = self.follower.ask()
        self.reader = hub.subscribe(watch.after, watch.epoch)
        self.follower.behind = True
        self.coming.append([Reply(1, self.reader.first)])

    def send(self, ring: EventRing) -> bool:
        """The helper writes the next batch, if there is one."""
        if self.reader is None or self.reader not in ring.readers or ring.last <= self.reader._seq:
            return False
        batch = at_once(self.reader.batch())
        messages = [server_decoder.decode(payload) for payload in Deframer(MAX_MESSAGE).feed(batch.frames)]
        self.coming.append([*messages, Lagged()] if batch.lagged else messages)
        return True

    def receive(self) -> None:
        """The next of what is on the way."""
        for message in self.coming.pop(0):
            self.follower.take(message)


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns that has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise AssertionError("it waits")


class Views(RuleBasedStateMachine):
    """Answers are never lost, or the connection is; events are."""

    clients: Bundle[Client] = Bundle("clients")

    def __init__(self) -> None:
        super().__init__()
        self.everyone: list[Client] = []
        self.history: dict[tuple[str, int], Snapshot] = {}
        self.runs = itertools.count(1)
        self.hub: Hub
        self.ring: Ring

    @initialize()
    def start(self) -> None:
        """A helper's first moment, with what was on disk."""
        self.hub = Hub(lambda: 1.0, f"run {next(self.runs)}")
        self.hub.start(
            profiles=(),
            settings=Settings(),
            target=TargetState.UNSECURED,
            target_profile=None,
            paused_until=None,
            stored=(),
        )
        self.hub._ring = self.ring = Ring(self.hub, self.history)

    @rule()
    def restart(self) -> None:
        """The helper is killed and started: every connection breaks, numbers begin anew."""
        for client in self.everyone:
            client.hang_up()
        self.start()

    @rule(target=clients, count=st.integers(1, 3))
    def join(self, count: int) -> Any:
        """More front ends start to watch."""
        new = [Client() for _ in range(count)]
        self.everyone += new
        for client in new:
            client.ask(self.hub)
        return multiple(*new)

    @rule(client=consumes(clients))
    def leave(self, client: Client) -> None:
        """A front end ends."""
        client.hang_up()
        self.everyone.remove(client)

    @rule(stats=values(Stats), times=st.integers(1, 2 * MOST_EVENTS))
    def count(self, stats: Stats, times: int) -> None:
        """Counters move, once or in a burst."""
        for number in range(times):
            self.hub.set_stats(Stats(number, stats.tx_bytes, stats.last_handshake, stats.endpoint))

    @rule(
        state=values(TunnelState),
        live=values(Live),
        in_force=st.sampled_from((Open(), Blocked(), None)),
        left=st.lists(st.just("routes"), max_size=1).map(tuple),
    )
    def move(self, state: Any, live: Live, in_force: FirewallPolicy | None, left: tuple[str, ...]) -> None:
        """The tunnel comes to another place; the health list may follow."""
        self.hub.set_position(Position(state, in_force, Open()), live, left)

    @rule(wanted=st.sampled_from(TargetState), profile=st.none() | st.just("lab"), until=st.none() | st.floats(0, 1e9))
    def want(self, wanted: TargetState, profile: str | None, until: float | None) -> None:
        """The user wants something else."""
        self.hub.set_target(wanted, profile, until)

    @rule(
        settings=values(Settings),
        profiles=st.lists(values(Profile), max_size=2).map(tuple),
        network=values(Network),
        devices=st.lists(values(Device), max_size=2).map(tuple),
        pairings=st.lists(values(PendingPairing), max_size=2).map(tuple),
    )
    def change(
        self,
        settings: Settings,
        profiles: tuple[Profile, ...],
        network: Network,
        devices: tuple[Device, ...],
        pairings: tuple[PendingPairing, ...],
    ) -> None:
        """All the rest, one event each."""
        self.hub.set_settings(settings)
        self.hub.set_profiles(profiles)
        self.hub.set_network(network)
        self.hub.set_devices(devices)
        self.hub.set_pairings(pairings)

    @rule(found=st.booleans())
    def warn(self, *, found: bool) -> None:
        """A lasting warning comes or goes."""
        self.hub.set_checked("clock", (warning("clock_wrong"),) if found else ())

    @rule(client=clients)
    def flow(self, client: Client) -> None:
        """As it should be: written, arrived, read; a front end that noticed a gap watches again, from where it is."""
        client.send(self.ring)
        while client.coming:
            client.receive()
        if client.follower.behind:
            client.ask(self.hub)

    @rule(client=clients)
    def read_a_little(self, client: Client) -> None:
        """A front end that takes its time."""
        client.send(self.ring)
        if client.coming:
            client.receive()

    @rule(client=clients)
    def reconnect(self, client: Client) -> None:
        """The connection breaks and the front end comes back."""
        client.hang_up()
        client.ask(self.hub)

    @rule(client=clients, place=st.integers(0, 2))
    def lose(self, client: Client, place: int) -> None:
        """A batch on the way is lost."""
        if (at := self._on_the_way(client, place)) is not None:
            del client.coming[at]

    @rule(client=clients, place=st.integers(0, 2))
    def repeat(self, client: Client, place: int) -> None:
        """A batch on the way comes twice."""
        if (at := self._on_the_way(client, place)) is not None:
            client.coming.insert(at, client.coming[at])

    @rule(client=clients)
    def overtake(self, client: Client) -> None:
        """A batch overtakes the one before it."""
        if (at := self._on_the_way(client, 1)) is not None and not isinstance(client.coming[at - 1][0], Reply):
            client.coming[at - 1], client.coming[at] = client.coming[at], client.coming[at - 1]

    @rule(client=clients)
    def tear(self, client: Client) -> None:
        """The beginning of a batch is lost."""
        self.hub.set_profiles(())
        if (at := self._on_the_way(client, 0)) is not None:
            client.coming[at] = client.coming[at][1:]

    @invariant()
    def no_view_is_one_that_never_was(self) -> None:
        """Whatever was lost: what a front end shows was true once, all of it at the same moment."""
        for client in self.everyone:
            view = client.follower.view
            if view is not None:
                assert view == self.history[view.epoch, view.seq]

    @invariant()
    def readers_cost_nothing(self) -> None:
        """The ring keeps its bound, however slow they are."""
        if hasattr(self, "ring"):
            assert len(self.ring._frames) - self.ring._gone <= MOST_EVENTS
            assert len(self.ring._frames) <= 2 * MOST_EVENTS + 1
            assert self.ring.readers <= {client.reader for client in self.everyone}

    def teardown(self) -> None:
        """Once nothing is lost any more, every view is the helper's snapshot, after at most one question each."""
        if hasattr(self, "hub"):
            # The last event is missed only once there is another one: on a real stream nothing is lost but its end.
            self.hub.set_network(Network(online=False, mtu=-1))
        for client in self.everyone:
            asked = 0
            while client.coming or client.send(self.ring) or client.follower.behind:
                if client.coming:
                    client.receive()
                else:
                    client.ask(self.hub)
                    asked += 1
                    assert asked == 1
            assert client.follower.view == self.hub.snapshot()

    def _on_the_way(self, client: Client, place: int) -> int | None:
        """Where a batch of events is among what is on the way; some are sent for that. None: no connection, or it lags."""
        for number in range(place + 1):
            self.hub.set_network(Network(online=True, mtu=self.hub.snapshot().seq + number))
            client.send(self.ring)
        places = [at for at, batch in enumerate(client.coming) if batch and isinstance(batch[0], Event)]
        return places[place] if place < len(places) else None


TestViews = Views.TestCase
TestViews.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
