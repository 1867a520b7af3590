"""The doctor's facts from a real host, made sick in one way after another."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from slopn_helper.gateway.net.doctor import Verdict, examine
from slopn_helper.gateway.net.facts import gather
from support.gateway_net import OUTSIDE4, OUTSIDE6, POLICY, WEB4, WEB6, HostNet, World, asks, mirror
from support.netns import Namespace


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A gateway whose default routes lead to the internet."""
    with World() as made, mirror(made.internet):
        made.gateway.ip(f"route add default via {WEB4}\n-6 route add default via {WEB6}\nlink set wgt0 mtu 1420")
        yield made


def faults(gateway: Namespace) -> dict[str, str]:
    """What the doctor finds wrong, by check."""
    with gateway.entered():
        facts = asyncio.run(gather(POLICY))
    return {found.check: found.sentence for found in examine(POLICY, facts) if found.verdict is not Verdict.OK}


def test_a_working_gateway_is_in_order(world: World, tmp_path: Path) -> None:
    """All green while it runs, owned table or plain; before and after it says what is missing."""
    before = faults(world.gateway)
    assert set(before) == {"forwarding4", "forwarding6", "settings", "table"}
    assert before["table"].endswith("there is no table inet slopn_gateway.")
    for owned in (False, True):
        with HostNet(world.gateway, tmp_path, owned=owned) as net:
            net.apply(POLICY)
            assert faults(world.gateway) == {}
    net = HostNet(world.gateway, tmp_path, owned=True)
    net.apply(POLICY)
    net.close()
    assert "left over from a gateway that has ended" in faults(world.gateway)["table"]
    with HostNet(world.gateway, tmp_path, owned=True) as again:
        again.apply(POLICY)


@pytest.mark.parametrize(
    ("sick", "well", "check", "words"),
    [
        ("link set up0 down", "link set up0 up", "uplink", "up0 is down"),
        ("link set wgt0 mtu 1500", "link set wgt0 mtu 1420", "mtu", "don't fit an uplink of 1500"),
        ("route del default", f"route add default via {WEB4}", "route4", "no IPv4 default route"),
    ],
)
def test_links_and_routes_are_seen(world: World, tmp_path: Path, sick: str, well: str, check: str, words: str) -> None:
    """As they are now."""
    with HostNet(world.gateway, tmp_path) as net:
        net.apply(POLICY)
        world.gateway.ip(sick)
        try:
            assert words in faults(world.gateway)[check]
        finally:
            world.gateway.ip(well)
            world.gateway.ip(
                f"""addr replace {OUTSIDE4}/24 dev up0\nroute replace default via {WEB4}
                -6 addr replace {OUTSIDE6}/64 dev up0 nodad\n-6 route replace default via {WEB6}"""
            )


def test_a_foreign_firewall_that_drops_is_named_and_its_remedy_works(world: World, tmp_path: Path) -> None:
    """As Docker makes it: devices' packets are lost in its chain, and pass once they are accepted there as told."""
    docker = """
        add table ip filter
        add chain ip filter DOCKER-USER
        add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }
        add rule ip filter FORWARD jump DOCKER-USER
    """
    with HostNet(world.gateway, tmp_path) as net:
        net.apply(POLICY)
        assert asks(world.clients[0], WEB4) == OUTSIDE4
        world.gateway.nft(docker)
        try:
            assert asks(world.clients[0], WEB4, seconds=0.5) is None
            assert "Docker drops what this host forwards" in faults(world.gateway)["others"]
            world.gateway.nft(
                """add rule ip filter DOCKER-USER iifname "wgt0" accept
                add rule ip filter DOCKER-USER oifname "wgt0" ct state { established, related } accept"""
            )
            assert asks(world.clients[0], WEB4) == OUTSIDE4
            assert faults(world.gateway) == {}
        finally:
            world.gateway.run("nft delete table ip filter")
