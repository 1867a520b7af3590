from __future__ import annotations

import asyncio
from ipaddress import ip_address, ip_interface, ip_network

from msgspec.structs import replace

from slopn_helper.gateway import presence
from slopn_helper.gateway.config import defaults
from slopn_helper.gateway.presence import ABSENT_AFTER, Presence
from slopn_helper.gateway.registry.errors import Unavailable
from slopn_helper.gateway.types import Device, DeviceKind, Enrolled, Gateway, Lease, Pool
from slopn_wire.profile import Endpoint

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

    async def beat(self, gateway: Gateway) -> None:
        """Note it."""
        if self.gone:
            raise Unavailable("no route")
        self.there[gateway.id] = gateway

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
