from __future__ import annotations

from msgspec.structs import replace

from model.psk_world import Chance, ToyKem, World, private, public
from slopn_helper.psk.client import Client
from slopn_helper.psk.gateway import OFFER_PAUSE, PENDING, Gateway
from slopn_helper.psk.messages import Confirm, Offer, decode, encode
from slopn_helper.psk.outputs import Gate, Send, SetKeys
from slopn_helper.psk.schedule import Pair


def begun(*, demanded: bool = False) -> tuple[World, Gateway, bytes]:
    """A world with an offer on its way."""
    world = World(demanded=demanded)
    world.handshake()
    assert isinstance(world.gateway.side, Gateway)
    return world, world.gateway.side, world.wire.pop(0)[1]


def test_an_offer_changes_no_key_and_gets_the_same_answer_twice() -> None:
    """It is answered only; the second time with the same bytes, and without another encapsulation."""
    world, gateway, offer = begun()
    first = gateway.received(offer, world.now)
    assert len(first) == 1
    assert gateway.received(offer, world.now + 0.1) == first
    assert gateway.keys == (0,)


def test_offers_come_one_a_second_and_never_back() -> None:
    """A second client run within a second is passed over, and so is an older offer of the same run."""
    world, gateway, offer = begun()
    gateway.received(offer, world.now)
    pair = Pair(private("client"), public("gateway"), client=True)
    (other,) = Client(pair, None, Chance(b"another"), kem=ToyKem()).handshake(0, world.now)
    assert isinstance(other, Send)
    assert gateway.received(other.datagram, world.now + OFFER_PAUSE / 2) == []
    assert len(gateway.received(other.datagram, world.now + OFFER_PAUSE)) == 1
    parsed = decode(other.datagram)
    assert isinstance(parsed, Offer)
    older = replace(parsed, exchange=replace(parsed.exchange, number=0))
    older = replace(older, mac=pair.chain(None).offer_mac(older))
    assert gateway.received(encode(older), world.now + 5) == []


def test_an_offer_of_somebody_else_is_passed_over() -> None:
    """Whoever lacks the client's private key, or starts from a key that isn't ours, gets no answer."""
    world, gateway, _ = begun()
    stranger = Pair(private("mallory"), public("gateway"), client=True)
    client = Pair(private("client"), public("gateway"), client=True)
    for pair, base in ((stranger, None), (client, b"no key of ours")):
        (offer,) = Client(pair, base, Chance(b""), kem=ToyKem()).handshake(0, world.now)
        assert isinstance(offer, Send)
        assert gateway.received(offer.datagram, world.now) == []


def test_a_confirm_puts_the_key_in_force_and_keeps_the_old_one() -> None:
    """Once; later ones are answered. A wrong one does nothing."""
    world, gateway, offer = begun()
    (accept,) = gateway.received(offer, world.now)
    assert isinstance(accept, Send)
    _, confirm = world.client.side.received(accept.datagram, world.now)
    assert isinstance(confirm, Send)
    parsed = decode(confirm.datagram)
    assert isinstance(parsed, Confirm)
    assert gateway.received(encode(replace(parsed, mac=bytes(32))), world.now) == []
    assert gateway.keys == (0,)
    keys, done = gateway.received(confirm.datagram, world.now)
    assert isinstance(keys, SetKeys)
    assert [label for label, _ in keys.keys] == [1, 0]
    assert gateway.received(confirm.datagram, world.now + 2 * PENDING) == [done]


def test_a_confirm_that_comes_late_is_none() -> None:
    """The client has given up by then, and may have forgotten the key."""
    world, gateway, offer = begun()
    (accept,) = gateway.received(offer, world.now)
    assert isinstance(accept, Send)
    outputs = world.client.side.received(accept.datagram, world.now)
    confirm = outputs[-1]
    assert isinstance(confirm, Send)
    assert gateway.received(confirm.datagram, world.now + PENDING + 1) == []


def test_a_device_that_comes_without_its_key_is_let_in_behind_the_gate() -> None:
    """Demanded: the configured key counts again once two answers weren't used, and the gate is closed before."""
    world, gateway, offer = begun(demanded=True)
    world.wire.insert(0, ("gateway", offer))
    assert world.calm(5) is not None
    assert gateway.keys == (1,)
    assert gateway.unused(1) == []
    gate, keys = gateway.unused(2)
    assert gate == Gate(open=False)
    assert isinstance(keys, SetKeys)
    assert [label for label, _ in keys.keys] == [0, 1]
    assert gateway.unused(3) == []
    assert gateway.handshake(0, world.now)[-1].keys == ((0, None),)  # type: ignore[union-attr]
    assert gateway.status.lost == 1
    assert not gateway.gate


def test_another_engine_forgets_the_keys() -> None:
    """And the gate is closed where it has to be."""
    world, gateway, offer = begun(demanded=True)
    world.wire.insert(0, ("gateway", offer))
    world.calm(5)
    assert gateway.restarted() == [Gate(open=False)]
    assert gateway.keys == (0,)
