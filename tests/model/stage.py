"""Where scenes are played for recordings: the core on a host on paper, the hub, and one front end's connection to it."""

from __future__ import annotations

import itertools
from ipaddress import ip_address, ip_interface, ip_network

from msgspec.structs import replace

from model.world import World, _carry_out, advance, context, wanted
from slopn_helper.hub import Hub
from slopn_helper.ring import EventRing, Subscription
from slopn_helper.tunnel.driver import Position
from slopn_helper.tunnel.effects import ApplyFirewall
from slopn_helper.tunnel.inputs import Input, Started
from slopn_helper.tunnel.machine import step
from slopn_wire.codec import encode, server_decoder
from slopn_wire.events import Lagged, Live, Network, Reply, ServerMessage, Snapshot
from slopn_wire.framing import MAX_MESSAGE, Deframer
from slopn_wire.profile import DnsConfig, Endpoint, Peer, Profile
from slopn_wire.settings import Settings
from slopn_wire.state import TargetState
from support.follower import Follower

START = 1_793_000_000.5
"""Unix time at which a stage's clock begins; each look at it moves it on by a quarter of a second."""
PROFILE = Profile(
    name="a",
    addresses=(ip_interface("10.9.0.2/32"), ip_interface("fd00:9::2/128")),
    peers=(
        Peer(
            "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=",
            Endpoint("vpn.example.org", 51820),
            (ip_network("0.0.0.0/0"), ip_network("::/0")),
            persistent_keepalive=25,
            has_preshared_key=True,
        ),
    ),
    dns=DnsConfig((ip_address("10.9.0.1"),), ("corp.example",), ("corp.example",)),
)
OTHER = replace(PROFILE, name="b", addresses=(ip_interface("10.8.0.2/32"),), dns=DnsConfig(), mtu=1380)
LIVE = Live("slopn0", PROFILE.addresses, PROFILE.dns, 1420, 1500)


class Stage:
    """One helper, one front end. What the front end hears is recorded as it is on the wire."""

    def __init__(self, *, most_events: int = 100) -> None:
        self._ticks = itertools.count()
        self._requests = 0
        self._recorded: list[bytes] = []
        self._follower = Follower()
        self.settings = Settings()
        self.ends_behind = False
        """Whether the scene ends before the front end has caught up."""
        self.begin("5f0c2a917be4d386", most_events)

    def begin(self, epoch: str, most_events: int = 100) -> None:
        """A helper starts, and the front end watches it from its first policy on."""
        self.hub = Hub(self._clock, epoch)
        self.hub._ring = EventRing(most_events)
        self.world = World()
        self.hub.start(
            profiles=(PROFILE, OTHER),
            settings=self.settings,
            target=TargetState.UNSECURED,
            target_profile=None,
            paused_until=None,
            stored=(),
        )
        # The version isn't recorded: it would change every file with each release.
        self.hub._snapshot = replace(self.hub.snapshot(), version="1.0.0")
        self.hub.set_network(Network(online=True, interface="wlan0", mtu=1500))
        self.play(Started(None))

    def want(self, target: TargetState, profile: str | None, paused_until: float | None = None) -> None:
        """What the user wants."""
        self.hub.set_target(target, profile, paused_until)

    def play(self, *inputs: Input, pause_left: float = 0.0) -> None:
        """Hand inputs to the core, each once it rests; what becomes of them goes to the hub."""
        todo = list(inputs)
        while self.world.pending or todo:
            inp = self.world.pending[0] if self.world.pending else todo.pop(0)
            self._become(advance(self.world, inp, self.settings, pause_left).after)

    def refuse(self, inp: Input) -> None:
        """Hand an input to the core; the firewall refuses what follows from it."""
        nxt = step(self.world.state, inp, self.settings, context(self.world.in_force))
        effects = [type(effect) for effect in nxt.effects]
        self._become(_carry_out(self.world, inp, nxt, effects.index(ApplyFirewall)).after)

    def watch(self, after: int | None = None, epoch: str = "") -> None:
        """The front end asks: for everything, or for what comes after an event. The answer is recorded."""
        self._requests += 1
        self._reader: Subscription = self.hub.subscribe(after, epoch)
        self.hear(Reply(self._requests, self._reader.first))

    def hear(self, message: ServerMessage) -> None:
        """A message that doesn't come from the ring."""
        self._recorded.append(encode(message))
        self._follower.take(message)

    async def read(self, *, lose: int = 0) -> None:
        """All that waits for the front end; the first `lose` events never arrive."""
        while self._reader._seq < self.hub._ring.last:
            batch = await self._reader.batch()
            if batch.lagged:
                self.hear(Lagged())
                return
            payloads = list(Deframer(MAX_MESSAGE).feed(batch.frames))
            for payload in payloads[lose:]:
                self._recorded.append(payload)
                self._follower.take(server_decoder.decode(payload))
            lose = max(0, lose - len(payloads))

    @property
    def view(self) -> Snapshot:
        """What the front end knows by now."""
        assert self._follower.view is not None
        return self._follower.view

    async def lines(self) -> list[str]:
        """The recording, and what the front end knows in the end."""
        await self.read()
        assert self._follower.behind == self.ends_behind
        assert self.ends_behind != (self.view == self.hub.snapshot())
        return [raw.decode() for raw in (*self._recorded, encode(self.view))]

    def _become(self, after: World) -> None:
        self.world = after
        position = Position(after.state, after.in_force, wanted(after, self.settings))
        self.hub.set_position(position, LIVE if after.configured else Live(), ())

    def _clock(self) -> float:
        return START + next(self._ticks) / 4
