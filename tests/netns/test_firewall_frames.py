"""Programs with packet sockets make their own frames, which no rule for packets sees: those on the devices do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from ipaddress import ip_interface, ip_network
from pathlib import Path

import pytest

from slopn_helper.host.firewall import Blocked, FirewallPolicy, Open
from slopn_helper.host.journal import Journal
from slopn_helper.host.routes import RouteConfig
from slopn_helper.host.routes.linux import LinuxRouter
from support.capture import Capture
from support.firewall import HostFirewall, blocked, supports_owned_tables, tunnelled
from support.gateway import CLIENT4, CLIENT6
from support.internet import TCP_SINK, UDP_ECHO
from support.netns import Namespace, veth
from support.probe import ask, connect, dns, send
from support.raw_frames import Frame, arrived, router_solicitation, udp
from support.topology import DNS4, ETH0, GATEWAY4, GATEWAY6, GATEWAY_PORT, WEB4, WEB6, Lab
from support.toy_tunnel import INTERFACE, MARK, ToyTunnel

LINK = {
    "ARP": Frame(0x0806, b"who has"),
    "EAPOL": Frame(0x888E, b"\x01\x01\0\0", b"\x01\x80\xc2\0\0\x03"),
    "LACP": Frame(0x8809, b"\x01", b"\x01\x80\xc2\0\0\x02"),
    "STP": Frame(0x0026, b"\x42\x42\x03", b"\x01\x80\xc2\0\0\0"),
    "PPPoE discovery": Frame(0x8863, b"\x11\x09\0\0"),
    "DHCP": udp(("255.255.255.255", 67), source_port=68),
    "DHCPv6": udp(("ff02::1:2", 547), source_port=546),
    "router solicitation": router_solicitation(),
    "ours to the gateway": udp((GATEWAY4, GATEWAY_PORT), mark=MARK),
    "ours to the gateway, IPv6": udp((GATEWAY6, GATEWAY_PORT), mark=MARK),
}
"""What the inet table lets out of a blocked host, and what it never sees but a link needs."""

FORBIDDEN = {
    "UDP": udp((WEB4, 9)),
    "UDP, IPv6": udp((WEB6, 9)),
    "past the queue": udp((WEB4, 9), bypass=True),
    "called ARP": udp((WEB4, 9), told=0x0806),
    "in a VLAN": Frame(0x8100, b"\0\x05\x08\0" + udp((WEB4, 9)).body),
    "DNS": udp((DNS4, 53)),
    "to the gateway without our mark": udp((GATEWAY4, GATEWAY_PORT)),
    "elsewhere with our mark": udp((WEB4, GATEWAY_PORT), mark=MARK),
    "DHCP to a server": udp((WEB4, 67), source_port=68),
    "LLDP": Frame(0x88CC, b"\x02", b"\x01\x80\xc2\0\0\x0e"),
    "nothing known": Frame(0x9000, b""),
}
LAN = {
    "LAN": udp((ETH0.router4, 8080)),
    "LAN, IPv6": udp((f"{ETH0.lan6}1", 8080)),
    "mDNS": udp(("224.0.0.251", 5353)),
}
LAN_DNS = {"LAN's DNS": udp((ETH0.router4, 53)), "LLMNR": udp(("224.0.0.252", 5355))}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """The lab with one uplink."""
    with Lab(uplinks=("eth0",)) as made:
        yield made


@pytest.fixture
def firewall(lab: Lab, tmp_path: Path) -> Iterator[HostFirewall]:
    """The kill switch of the client, open at the start and at the end."""
    with HostFirewall(lab.client, tmp_path) as made:
        yield made
        made.apply(Open())


def passing(lab: Lab, frames: dict[str, Frame]) -> set[str]:
    """Which of the frames reach the router."""
    went = arrived(lab.client, "eth0", lab.router, "r-eth0", tuple(frames.values()))
    return {name for name, passed in zip(frames, went, strict=True) if passed}


def test_an_open_host_sends_any_frame(lab: Lab, firewall: HostFirewall) -> None:
    """The positive control of all below: each of the frames arrives where there are no rules."""
    firewall.apply(Open())
    everything = {**LINK, **FORBIDDEN, **LAN, **LAN_DNS}
    assert passing(lab, everything) == set(everything)


@pytest.mark.parametrize("policy", [blocked(), tunnelled()], ids=["blocked", "tunnelled"])
def test_the_links_own_frames_pass_and_no_others(lab: Lab, firewall: HostFirewall, policy: FirewallPolicy) -> None:
    """Address resolution, DHCP, Wi-Fi's keys and our own packets: what the rules for packets allow, and no more."""
    firewall.apply(policy)
    assert firewall.firewall.unguarded is None
    assert passing(lab, {**LINK, **FORBIDDEN, **LAN, **LAN_DNS}) == set(LINK)


@pytest.mark.parametrize("policy", [blocked(allow_lan=True), tunnelled(allow_lan=True)], ids=["blocked", "tunnelled"])
def test_the_lan_is_as_open_as_for_packets(lab: Lab, firewall: HostFirewall, policy: FirewallPolicy) -> None:
    """With `allow_lan` frames to private addresses pass too, but no DNS."""
    firewall.apply(policy)
    assert passing(lab, {**LINK, **FORBIDDEN, **LAN, **LAN_DNS}) == {*LINK, *LAN}


@pytest.mark.parametrize("owned", [supports_owned_tables(), False], ids=["owned", "plain"])
def test_a_foreign_flush_of_an_owned_table_opens_no_device(lab: Lab, tmp_path: Path, owned: bool) -> None:
    """`nft flush ruleset` passes the devices' table by as well, where it has an owner; drift tells where it has none."""
    with HostFirewall(lab.client, tmp_path, owned=owned) as firewall:
        firewall.apply(blocked())
        lab.client.run("nft flush ruleset")
        assert (passing(lab, FORBIDDEN) == set()) is owned
        assert (firewall.drift() is None) is owned
        firewall.apply(blocked())
        assert passing(lab, FORBIDDEN) == set()
        firewall.apply(Open())


def test_excluded_networks_pass_and_only_holds_back_its_own(lab: Lab, firewall: HostFirewall) -> None:
    """The user's networks hold for frames as for packets."""
    web = ip_network(f"{WEB4}/32")
    firewall.apply(Blocked(excluded=(web,)))
    assert passing(lab, {**FORBIDDEN, **LAN, **LAN_DNS}) == {
        "UDP", "past the queue", "elsewhere with our mark", "DHCP to a server",
    }  # fmt: skip
    firewall.apply(Blocked(only=(web,)))
    assert passing(lab, {"UDP": FORBIDDEN["UDP"], **LAN, **LAN_DNS}) == {*LAN, *LAN_DNS}


def test_what_packets_may_do_frames_do_not_undo(lab: Lab, firewall: HostFirewall, tmp_path: Path) -> None:
    """A tunnelled host works as before: UDP, TCP and DNS through the tunnel, and nothing beside it."""
    routes = RouteConfig(
        INTERFACE,
        (ip_interface(f"{CLIENT4}/32"), ip_interface(f"{CLIENT6}/128")),
        (ip_network("0.0.0.0/0"), ip_network("::/0")),
        1380,
        MARK,
    )
    router = LinuxRouter(Journal(tmp_path / "routes"))
    with ToyTunnel(lab.client, lab.gateway):
        with lab.client.entered():
            asyncio.run(router.apply(routes))
        firewall.apply(tunnelled())
        with Capture(lab.router, ["r-eth0"]) as capture:
            for address in (WEB4, WEB6):
                assert ask(lab.client, (address, UDP_ECHO)) == b"probe"
                assert connect(lab.client, (address, TCP_SINK)) == 0
            assert ask(lab.client, ("10.9.0.1", 53), dns()) is not None
            tally = capture.tally()
            assert tally.total == 0, str(tally)
            assert tally.frames > 0
        # The tunnel's device has no such rules: its frames are the tunnel's.
        assert INTERFACE not in lab.client.run("nft list table netdev slopn").stdout
        with lab.client.entered():
            asyncio.run(router.apply(None))


def test_a_device_that_comes_later_is_guarded(lab: Lab, firewall: HostFirewall) -> None:
    """It isn't at first; from `links_changed` on it is, and from the next look on at the latest. That is no drift."""
    firewall.apply(blocked())
    for look in (firewall.links_changed, firewall.drift):
        with Namespace("dock") as dock:
            veth(lab.client, "usb0", dock, "far0")
            assert arrived(lab.client, "usb0", dock, "far0", [FORBIDDEN["UDP"]]) == [True]
            assert look() is None
            assert arrived(lab.client, "usb0", dock, "far0", [FORBIDDEN["UDP"]]) == [False]
            assert firewall.drift() is None
            lab.client.ip("link set usb0 down\nlink set usb0 name usb-1\nlink set usb-1 up")
            assert look() is None
            assert arrived(lab.client, "usb-1", dock, "far0", [FORBIDDEN["UDP"]]) == [False]
        assert look() is None
    assert passing(lab, FORBIDDEN) == set()


def test_a_hundred_devices_at_once_are_all_guarded(lab: Lab, firewall: HostFirewall) -> None:
    """As when a cluster starts; a look that finds nothing new changes nothing."""
    firewall.apply(blocked())
    names = [f"v{number}" for number in range(100)]

    async def storm() -> None:
        made = asyncio.ensure_future(
            asyncio.to_thread(
                lab.client.ip, "\n".join(f"link add {name} type veth peer name p{name}" for name in names)
            )
        )
        while not made.done():
            await asyncio.gather(*(firewall.firewall.links_changed() for _ in range(10)))
        await made
        await firewall.firewall.links_changed()

    try:
        with lab.client.entered():
            asyncio.run(storm())
        listed = lab.client.run("nft -a list table netdev slopn").stdout
        assert all(f"chain on_{name} " in listed and f"chain on_p{name} " in listed for name in names)
        firewall.links_changed()
        assert lab.client.run("nft -a list table netdev slopn").stdout == listed
        assert firewall.drift() is None
    finally:
        lab.client.ip("\n".join(f"link del {name}" for name in names), check=False)
    firewall.links_changed()
    assert passing(lab, FORBIDDEN) == set()


def test_guests_of_one_bridge_still_reach_each_other(lab: Lab, firewall: HostFirewall) -> None:
    """Containers and virtual machines on a bridge of the host's own aren't what leaves it."""
    with Namespace("one") as one, Namespace("two") as two:
        lab.client.ip("link add br7 type bridge\nlink set br7 up")
        try:
            for guest, name in ((one, "p1"), (two, "p2")):
                veth(guest, "g0", lab.client, name)
                lab.client.ip(f"link set {name} master br7")
            firewall.apply(blocked())
            # A frame that is no packet: br_netfilter shows those to the rules for packets.
            assert arrived(one, "g0", two, "g0", [FORBIDDEN["nothing known"]]) == [True]
            # The host's own way to them is closed as before.
            lab.client.ip("addr add 172.17.0.1/16 dev br7")
            assert send(lab.client, ("172.17.0.2", 9)) != 0
        finally:
            lab.client.ip("link del br7")


def test_a_guest_with_a_device_of_its_own_on_our_card_is_held_back(lab: Lab, firewall: HostFirewall) -> None:
    """A macvlan device in a container's namespace: no rule for packets of ours sees it, the card's chain does."""
    with Namespace("guest") as guest:
        lab.client.ip(f"link add link eth0 name mv0 netns {guest.name} type macvlan mode bridge")
        guest.ip(f"link set mv0 up\naddr add 10.1.0.66/24 dev mv0\nroute add default via {ETH0.router4}")
        assert ask(guest, (WEB4, UDP_ECHO)) == b"probe"
        for policy in (blocked(), tunnelled()):
            firewall.apply(policy)
            with Capture(lab.router, ["r-eth0"]) as capture:
                assert ask(guest, (WEB4, UDP_ECHO), seconds=0.5) is None
                assert arrived(guest, "mv0", lab.router, "r-eth0", [FORBIDDEN["UDP"]]) == [False]
                tally = capture.tally()
                assert tally.total == 0, str(tally)
