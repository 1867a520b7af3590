from __future__ import annotations

import pytest

from model.psk_world import Chance, Host, ToyKem, World, private, public
from slopn_helper.psk import INTERVAL
from slopn_helper.psk.client import AGAIN, HANDSHAKE_AGAIN, PATIENCE, PAUSES, Client, Stage
from slopn_helper.psk.kem import MlKem768
from slopn_helper.psk.outputs import Gate, Send, SetKeys
from slopn_helper.psk.schedule import Pair


def client(*, demanded: bool = False) -> Client:
    """A fresh one."""
    pair = Pair(private("client"), public("gateway"), client=True)
    return Client(pair, None, Chance(b""), demanded=demanded, kem=ToyKem())


def machine(host: Host) -> Client:
    """The client in a world."""
    assert isinstance(host.side, Client)
    return host.side


@pytest.mark.parametrize("demanded", [False, True])
def test_a_key_is_agreed_by_the_real_algorithm(demanded: bool) -> None:
    """From the first handshake on: offer, accept, confirm, done, a handshake under the new key; nothing of it fails."""
    world = World(demanded=demanded, kem=MlKem768)
    assert world.client.gate is not demanded
    world.handshake()
    assert machine(world.client).stage is Stage.OFFERING
    assert world.calm(5) is not None
    assert world.failures == 0
    assert world.client.side.keys == (1,)
    assert world.gateway.side.keys == ((1,) if demanded else (1, 0))
    assert world.client.side.status.agreed == world.gateway.side.status.agreed == 1
    assert machine(world.client).stage is Stage.WAITING
    assert (machine(world.client).deadline or 0) > world.now + INTERVAL - 10


def test_each_key_is_another_and_follows_the_one_before() -> None:
    """Ten exchanges: ten keys, and none is lost."""
    world = World()
    world.handshake()
    seen = set()
    for count in range(1, 11):
        assert world.calm(5) is not None
        seen.add(world.session)
        assert world.client.side.status.agreed == count
        world.pass_time(INTERVAL + 1)
        while world.wire:
            world.deliver(0)
        world.handshake()
    assert len(seen) == 10
    assert world.client.side.status.lost == world.gateway.side.status.lost == 0


def test_what_is_not_answered_is_said_again_and_given_up() -> None:
    """The same bytes each time; then a pause that grows, and a new offer."""
    end = client()
    first = end.handshake(0, 0.0)
    assert len(first) == 1
    assert end.tick(AGAIN[0] - 0.01) == []
    assert end.tick(AGAIN[0]) == first
    assert end.deadline == AGAIN[0] + AGAIN[1]
    now = PATIENCE
    for pause in (*PAUSES, PAUSES[-1]):
        assert end.tick(now) == []
        assert end.stage is Stage.WAITING
        assert end.deadline == now + pause
        now += pause
        (again,) = end.tick(now)
        assert isinstance(again, Send)
        assert again not in first
        now += PATIENCE
    assert end.status.failed == len(PAUSES) + 1


def test_the_engine_has_the_key_before_the_gateway_may_use_it() -> None:
    """The confirm leaves after the keys were set; the old key is still in force here."""
    world = World()
    world.handshake()
    world.deliver(0)
    to, accept = world.wire[0]
    assert to == "client"
    keys, confirm = machine(world.client).received(accept, world.now)
    assert isinstance(keys, SetKeys)
    assert [label for label, _ in keys.keys] == [0, 1]
    assert isinstance(confirm, Send)


def test_a_lost_done_is_found_out_by_a_handshake() -> None:
    """The gateway has the key, and the client doesn't know: it asks for a handshake, again and again."""
    world = World()
    world.handshake()
    for _ in range(3):
        world.deliver(0)
    world.wire.clear()
    end = machine(world.client)
    assert end.stage is Stage.CONFIRMING
    world.now += PATIENCE
    (asked,) = end.tick(world.now)
    assert isinstance(asked, SetKeys)
    assert asked.initiate
    assert end.tick(world.now + HANDSHAKE_AGAIN) == [asked]
    world.handshake()
    assert world.is_protected()


def test_losing_packets_does_not_bring_back_the_configured_key() -> None:
    """Once protected, the client accepts the agreed key alone, until its engine says that nobody answers."""
    world = World(demanded=True)
    world.handshake()
    world.calm(5)
    assert world.client.side.keys == (1,)
    gate, keys = machine(world.client).stale()
    assert gate == Gate(open=False)
    assert isinstance(keys, SetKeys)
    assert [label for label, _ in keys.keys] == [1, 0]
    assert keys.initiate
    assert machine(world.client).stale() == []
    assert machine(world.client).handshake(1, world.now)[-1] == Gate(open=True)
    assert world.client.side.keys == (1,)


def test_another_engine_begins_anew() -> None:
    """The gate is closed, and the next handshake begins an exchange."""
    end = client(demanded=True)
    assert end.restarted() == []
    assert end.deadline is None
    assert not end.gate
    assert isinstance(end.handshake(0, 1.0)[0], Send)


def test_nothing_of_it_is_shown() -> None:
    """Neither key nor private key in a representation."""
    world = World(base=b"secret".ljust(32, b"s"))
    world.handshake()
    world.calm(5)
    shown = repr((machine(world.client), world.gateway.side))
    assert "secret" not in shown
    assert "b'" not in shown
