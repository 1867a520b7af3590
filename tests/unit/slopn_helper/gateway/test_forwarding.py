from __future__ import annotations

import asyncio
from ipaddress import ip_address, ip_network
from typing import Any, cast

import pytest
from msgspec.structs import replace

from slopn_helper.gateway.config import Config, Nat, defaults, lent
from slopn_helper.gateway.forwarding import Forwarding, NoUplink, policy
from slopn_helper.gateway.net import GatewayNetError
from slopn_helper.gateway.net.network import GatewayNet
from slopn_helper.gateway.net.policy import GatewayNetPolicy, Protocol, Service
from slopn_helper.gateway.net.rules import chains
from slopn_helper.psk import PORT

CONFIG = defaults("a.example.org", bytes(7))
POOLS = lent(CONFIG.pools)


def test_the_settings_as_a_policy() -> None:
    """By default: the internet by NAT, apart from each other, the gateway's resolver, the preshared keys' port, the API."""
    made = policy(CONFIG, POOLS, ["eth0"])
    assert made.pools == (*CONFIG.pools.ipv4, *CONFIG.pools.ipv6)
    assert made.addresses == made.dns == (ip_address("100.64.0.1"), ip_address("fd00::1"))
    assert made.services == (Service(Protocol.UDP, PORT),)
    assert (made.nat44, made.nat66, made.isolated, made.refused, made.api_inside) == (True, True, True, (), True)
    assert (made.https_port, made.wireguard_port) == (8443, 51820)


@pytest.mark.parametrize(
    ("how", "nat", "refused"),
    [(Nat.MASQUERADE, True, ()), (Nat.ROUTED, False, ()), (Nat.OFF, True, (ip_network("::/0"),))],
)
def test_ways_out(how: Nat, nat: bool, refused: tuple[object, ...]) -> None:
    """A family that is off leaves by no way, and nothing comes to it from outside; the rules can be written."""
    made = policy(replace(CONFIG, network=replace(CONFIG.network, nat6=how, isolate=False)), POOLS, ["eth0"])
    assert (made.nat66, made.refused, made.nat44, made.isolated) == (nat, refused, True, False)
    assert chains(made)


class Net:
    """Stands for `GatewayNet`."""

    def __init__(self) -> None:
        self.applied: list[GatewayNetPolicy] = []
        self.difference: str | None = None
        self.refuse = False

    async def apply(self, wanted: GatewayNetPolicy) -> None:
        """Note it, or refuse."""
        if self.refuse:
            raise GatewayNetError("no such hook")
        self.applied.append(wanted)
        self.difference = None

    async def drift(self) -> str | None:
        """What differs."""
        return self.difference


class World:
    """Forwarding over a fake network."""

    def __init__(self, config: Config = CONFIG) -> None:
        self.net = Net()
        self.uplinks: tuple[str, ...] = ("eth0",)
        self.made = Forwarding(cast("GatewayNet", cast("Any", self.net)), config, POOLS, self._found)

    async def _found(self) -> tuple[str, ...]:
        return self.uplinks

    @property
    def last(self) -> tuple[str, ...]:
        """The uplinks of the policy in force."""
        return self.net.applied[-1].uplinks


def test_it_follows_the_uplinks() -> None:
    """A new default route, a cable that is out: what held holds then, and nothing is applied twice."""

    async def run() -> None:
        world = World()
        world.uplinks = ()
        with pytest.raises(NoUplink):
            await world.made.apply()
        world.uplinks = ("eth0",)
        await world.made.apply()
        await world.made.heal()
        assert len(world.net.applied) == 1
        world.uplinks = ()
        await world.made.heal()
        assert (len(world.net.applied), world.made.trouble) == (1, None)
        world.uplinks = ("eth1", "eth0")
        await world.made.heal()
        assert world.last == ("eth1", "eth0")

    asyncio.run(run())


def test_what_others_change_is_put_back() -> None:
    """And what can't be is trouble, until it can."""

    async def run() -> None:
        world = World()
        await world.made.apply()
        world.net.difference = "a rule is missing"
        world.net.refuse = True
        await world.made.heal()
        assert "no such hook" in str(world.made.trouble)
        world.net.refuse = False
        await world.made.heal()
        assert world.made.trouble is None
        assert len(world.net.applied) == 2
        await world.made.interface_made()
        assert world.net.applied[2] == world.net.applied[1]

    asyncio.run(run())
