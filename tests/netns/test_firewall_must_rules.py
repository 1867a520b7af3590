"""The must rules of docs/firewall.md: each has a test under its number. Here are those that need more than the rules."""

from __future__ import annotations

import asyncio
import errno
import re
from collections.abc import Iterator
from ipaddress import ip_interface, ip_network
from pathlib import Path

import pytest

from slopn_helper import earlyboot
from slopn_helper.host.firewall import Open
from slopn_helper.host.journal import Journal
from slopn_helper.host.routes import RouteConfig
from slopn_helper.host.routes.linux import LinuxRouter
from slopn_helper.store import Store
from slopn_wire.events import PolicyKind
from slopn_wire.settings import KillSwitchMode, Settings
from support.capture import Capture
from support.firewall import HostFirewall, blocked, supports_owned_tables, tunnelled
from support.gateway import CLIENT4, CLIENT6
from support.internet import UDP_ECHO
from support.probe import send
from support.topology import ETH0, WEB4, WEB6, Lab
from support.toy_tunnel import INTERFACE, MARK, ToyTunnel
from support.until import until

TESTS = Path(__file__).parents[1]
ROUTES = RouteConfig(
    INTERFACE,
    (ip_interface(f"{CLIENT4}/32"), ip_interface(f"{CLIENT6}/128")),
    (ip_network("0.0.0.0/0"), ip_network("::/0")),
    1380,
    MARK,
)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """The lab with one uplink."""
    with Lab(uplinks=("eth0",)) as made:
        yield made


@pytest.fixture
def routed(lab: Lab, tmp_path: Path) -> Iterator[ToyTunnel]:
    """A tunnel with everything routed into it, as the helper does."""
    router = LinuxRouter(Journal(tmp_path / "routes"))
    with ToyTunnel(lab.client, lab.gateway) as made:
        with lab.client.entered():
            asyncio.run(router.apply(ROUTES))
        yield made
        with lab.client.entered():
            asyncio.run(router.apply(None))


def test_each_must_rule_has_a_test_named_after_it() -> None:
    """Fourteen rules in the document, and tests for each of them."""
    document = (TESTS.parent / "docs/firewall.md").read_text(encoding="utf-8")
    rules = {int(number) for number in re.findall(r"^(\d+)\. \*\*", document, re.MULTILINE)}
    assert rules == set(range(1, 15))
    named = {
        int(number)
        for path in (*TESTS.glob("netns/test_firewall_*.py"), *TESTS.glob("unit/slopn_helper/host/firewall/*.py"))
        for number in re.findall(r"^def test_must_(\d+)_", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert named == rules


@pytest.mark.parametrize("address", [CLIENT4, ETH0.client4])
def test_must_5_nobody_on_the_link_finds_the_tunnels_address(lab: Lab, routed: ToyTunnel, address: str) -> None:
    """Asked by ARP for the tunnel's address the host is silent (`arp_ignore`); for its own it answers."""
    del routed
    lab.router.ip(f"route replace {address}/32 dev r-eth0")
    try:
        lab.router.run(["ping", "-c1", "-W1", address], check=False)
        known = lab.router.run(["ip", "neigh", "show", address, "dev", "r-eth0"]).stdout
        assert ("lladdr" in known) is (address == ETH0.client4), known
    finally:
        lab.router.ip(f"route del {address}/32 dev r-eth0")


@pytest.mark.parametrize("address", [WEB4, WEB6])
def test_must_11_without_the_tunnels_device_packets_end(lab: Lab, routed: ToyTunnel, address: str) -> None:
    """The second layer, with no firewall at all: `unreachable` in the tunnel's own table. Without it they leave."""
    with Capture(lab.router, ["r-eth0"]) as capture:
        routed.stop()
        assert send(lab.client, (address, UDP_ECHO)) in {errno.ENETUNREACH, errno.EHOSTUNREACH}
        assert capture.tally().total == 0
        family = "-6" if ":" in address else "-4"
        lab.client.run(f"ip {family} route flush table {MARK} type unreachable")
        assert send(lab.client, (address, UDP_ECHO)) == 0
        until(lambda: capture.tally().total, 5.0, "it leaves without the second layer")
    routed.start()


def test_must_13_the_block_of_the_boot_is_taken_over(lab: Lab, tmp_path: Path) -> None:
    """What runs before the network closes the host and ends; the helper takes the tables over and swaps them."""
    store = Store(tmp_path)
    store.lock()
    assert send(lab.client, (WEB4, UDP_ECHO)) == 0
    with lab.client.entered():
        assert "Not blocked" in earlyboot.run(tmp_path)
        assert send(lab.client, (WEB4, UDP_ECHO)) == 0
        store.save_settings(Settings(kill_switch=KillSwitchMode.ALWAYS))
        assert "Blocked before" in earlyboot.run(tmp_path)
    store.unlock()
    assert send(lab.client, (WEB4, UDP_ECHO)) == errno.EPERM
    with HostFirewall(lab.client, tmp_path) as firewall:
        assert firewall.in_force() is PolicyKind.BLOCKED
        for policy in (blocked(), tunnelled()):
            firewall.apply(policy)
            assert send(lab.client, (WEB4, UDP_ECHO)) == errno.EPERM
            assert firewall.drift() is None
        owned = "flags owner" in lab.client.run("nft list table inet slopn").stdout
        assert owned is supports_owned_tables()
        firewall.apply(Open())
    assert send(lab.client, (WEB4, UDP_ECHO)) == 0
