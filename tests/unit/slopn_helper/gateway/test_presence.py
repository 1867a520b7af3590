from __future__ import annotations

import asyncio
from ipaddress import ip_address, ip_interface, ip_network

import pytest
from msgspec.structs import replace

from slopn_helper.gateway import presence
from slopn_helper.gateway.config import defaults
from slopn_helper.gateway.presence import ABSENT_AFTER, KeyShared, Presence
from slopn_helper.gateway.registry.errors import Unavailable
from slopn_helper.gateway.types import Device, DeviceKind, Enrolled, Gateway, Lease, Pool
from slopn_wire.profile import Endpoint
from support.until import until_async

NOW = 1_800_000_000.0
CONFIG = defaults("a.example.org", bytes(7))
OWN = presence.itself(CONFIG, b"k" * 32, b"p" * 32, NOW)
POOLS = (Pool("v4", ip_network("100.80.0.0/20")), Pool("v6", ip_network("fd80::/64")))
ENROLLED = Enrolled(
    Device("d", "laptop", b"d" * 32, DeviceKind.SLOPN, NOW, expires=NOW + 9.0),
    (Lease("d", "v4", ip_address("100.80.0.7")), Lease("d", "v6", ip_address("fd80::7"))),
)


def other(name: str, age: float = 0.0) -> Gateway:
    """Another gateway, seen so many seconds ago."""
    return replace(OWN, id=name, endpoint=Endpoint(f"{name}.example.org", 51820), last_seen=NOW - age)


def test_an_id_is_the_keys() -> None:
    """The same after each start, another with another key."""
    assert presence.gateway_id(b"k" * 32) == OWN.id
    assert presence.gateway_id(b"x" * 32) != OWN.id
    assert OWN.api == Endpoint("a.example.org", 8443)


def test_devices_are_told_of_who_was_seen_lately() -> None:
    """Ourselves first, once; who has been gone for long not at all."""
    known = [other("z"), replace(OWN, last_seen=0.0), other("b", ABSENT_AFTER), other("c", ABSENT_AFTER + 1.0)]
    assert [each.id for each in presence.told(OWN, known, NOW)] == [OWN.id, "b", "z"]


def test_what_a_device_must_know() -> None:
    """Addresses of its own, gateways with their pins, and by default the gateway's own resolver."""
    made = presence.configuration(ENROLLED, [OWN, other("b")], POOLS, CONFIG)
    assert made.addresses == (ip_interface("100.80.0.7/32"), ip_interface("fd80::7/128"))
    assert made.gateway_addresses == made.dns == (ip_address("100.80.0.1"), ip_address("fd80::1"))
    assert [each.endpoint.host for each in made.gateways] == ["a.example.org", "b.example.org"]
    assert made.gateways[0].pin == b"p" * 32
    assert made.expires == NOW + 9.0
    named = replace(CONFIG, dns=replace(CONFIG.dns, servers=(ip_address("9.9.9.9"),), search=("lan",)))
    made = presence.configuration(ENROLLED, [OWN], POOLS, named)
    assert (made.dns, made.search) == ((ip_address("9.9.9.9"),), ("lan",))
    assert made.gateway_addresses[0] == ip_address("100.80.0.1")


class Registry:
    """Stands for the registry."""

    def __init__(self) -> None:
        self.there: dict[str, Gateway] = {}
        self.gone = False

    async def beat(self, gateway: Gateway) -> Gateway | None:
        """Note it."""
        if self.gone:
            raise Unavailable("no route")
        before = self.there.get(gateway.id)
        self.there[gateway.id] = gateway
        return before

    async def gateways(self) -> tuple[Gateway, ...]:
        """All."""
        return tuple(self.there.values())


def test_without_the_registry_the_last_answer_holds() -> None:
    """Each beat says when, and learns of others; a database that is gone is trouble until it answers again."""

    async def run() -> None:
        registry = Registry()
        now = NOW + 5.0
        made = Presence(registry, OWN, lambda: now)
        registry.there["b"] = other("b")
        await made.beat()
        assert registry.there[OWN.id].last_seen == now
        registry.gone = True
        await made.beat()
        assert made.trouble is not None
        assert "no route" in made.trouble
        assert [each.id for each in made.told()] == [OWN.id, "b"]
        now += ABSENT_AFTER + 1.0
        assert [each.id for each in made.told()] == [OWN.id]
        registry.gone = False
        await made.beat()
        assert made.trouble is None

    asyncio.run(run())


def test_two_that_run_with_one_key_are_told() -> None:
    """Each sees that somebody else has written; when the other has gone, all is well."""

    async def run() -> None:
        registry = Registry()
        now = NOW
        one, other = (Presence(registry, each, lambda: now) for each in (OWN, replace(OWN, api=Endpoint("b", 1))))
        await one.beat()
        now += 5.0
        await one.beat()
        assert one.trouble is None
        await other.beat()
        now += 5.0
        await other.beat()
        await one.beat()
        assert "WireGuard key" in str(one.trouble)
        now += 5.0
        await one.beat()
        assert one.trouble is None
        registry.there[OWN.id] = replace(OWN, last_seen=NOW)  # a backup was restored
        await one.beat()
        assert one.trouble is None

    asyncio.run(run())


@pytest.mark.parametrize(("age", "lives", "shared"), [(2.0, True, True), (2.0, False, False), (60.0, True, False)])
def test_a_start_with_a_key_that_is_in_use(
    monkeypatch: pytest.MonkeyPatch, age: float, lives: bool, shared: bool
) -> None:
    """Refused while its owner lives. A restart, or a return after long, is looked at and taken for what it is."""
    monkeypatch.setattr(presence, "BEAT_EVERY", 0.01)

    async def run() -> None:
        registry = Registry()
        registry.there[OWN.id] = replace(OWN, last_seen=NOW - age)
        looks = 0

        class Watched(Presence):
            async def _seen(self) -> float | None:
                nonlocal looks
                looks += 1
                if lives and looks > 1:
                    registry.there[OWN.id] = replace(OWN, last_seen=NOW + 1.0)
                return await super()._seen()

        made = Watched(registry, OWN, lambda: NOW)
        task = asyncio.ensure_future(made.run())
        if shared:
            with pytest.raises(KeyShared, match=r"a\.example\.org"):
                await task
        else:
            await until_async(lambda: registry.there[OWN.id].last_seen == NOW, 30.0, "it has said that it is there")
            task.cancel()

    asyncio.run(run())
