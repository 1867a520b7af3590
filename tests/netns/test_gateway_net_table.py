"""The gateway's table and settings in a real kernel: exact, idempotent, closed when something fails, gone when asked."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest
from msgspec.structs import replace

from slopn_helper.gateway.net import GatewayNetError, rules
from slopn_helper.gateway.net.policy import GatewayNetPolicy, Protocol, Refusal, Service
from slopn_helper.gateway.net.script import TABLE
from slopn_helper.host.firewall.ruleset import Chain
from slopn_helper.host.restore import restore
from support.firewall import supports_owned_tables
from support.gateway_net import POLICY, WEB4, HostNet, World, asks, mirror
from support.netns import Namespace, veth
from support.until import until

FORWARDING = ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding")
VARIANTS: tuple[GatewayNetPolicy, ...] = (
    POLICY,
    replace(POLICY, interfaces=("wg0", "wg1"), uplinks=("eth0", "eth1.7"), isolated=False, private=True),
    replace(POLICY, nat44=False, nat66=False, reachable=True, api_inside=True, dns_only=True, dns=POLICY.addresses),
    replace(POLICY, pools=(ip_network("10.98.0.0/24"),), addresses=POLICY.addresses[:1]),
    replace(POLICY, pools=(ip_network("fd98::/64"), ip_network("fd97::/64")), services=(Service(Protocol.TCP, 8443),)),
    replace(POLICY, destinations=(ip_network("198.51.100.0/24"),), refused=(ip_network("2001:db8:1::/48"),)),
)


@pytest.fixture
def host() -> Iterator[Namespace]:
    """A server with nothing but its interfaces."""
    with Namespace("gateway") as made:
        made.ip("link add up0 type veth peer name wgt0\nlink set up0 up\nlink set wgt0 up")
        yield made


def forwarding(host: Namespace) -> list[str]:
    """Both families' switch."""
    with host.entered():
        return [Path("/proc/sys", name).read_text(encoding="ascii").strip() for name in FORWARDING]


def table(host: Namespace) -> str:
    """As nft(8) lists it, but for what was counted; empty: there is none."""
    return host.run(f"nft -s list table inet {TABLE}", check=False).stdout


@pytest.mark.parametrize("owned", [True, False])
def test_the_kernel_holds_exactly_each_policy(host: Namespace, tmp_path: Path, owned: bool) -> None:
    """Each after each other one: read back rule by rule by `apply`, and found unchanged afterwards."""
    with HostNet(host, tmp_path, owned=owned) as net:
        for policy in (*VARIANTS, *reversed(VARIANTS), POLICY, POLICY):
            net.apply(policy)
            assert net.drift() is None
        assert ("flags owner" in table(host)) is (owned and supports_owned_tables())
        assert forwarding(host) == ["1", "1"]
    assert table(host) == ""
    assert forwarding(host) == ["0", "0"]
    assert net.journal.entries() == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (f"nft delete table inet {TABLE}", "gone"),
        (f"nft flush chain inet {TABLE} from_devices", "from_devices has 0 rules"),
        (f"nft insert rule inet {TABLE} forward accept", "rule 1 of forward is «accept»"),
        (f"nft add chain inet {TABLE} other", "a chain that isn't ours: other"),
        (f"nft add set inet {TABLE} s '{{ type ipv4_addr; }}'", "something that isn't ours: set"),
        (f"nft add chain inet {TABLE} forward '{{ policy drop; }}'", "policy drop"),
        ("sysctl -qw net.ipv4.ip_forward=0", "net/ipv4/ip_forward is 0"),
    ],
)
def test_others_changes_are_drift_and_mended(host: Namespace, tmp_path: Path, change: str, words: str) -> None:
    """Each is named, and gone after the same policy is applied once more."""
    with HostNet(host, tmp_path) as net:
        net.apply(POLICY)
        host.run(change)
        assert words in (net.drift() or "")
        net.apply(POLICY)
        assert net.drift() is None


def test_what_isnt_in_the_table_is_no_drift(host: Namespace, tmp_path: Path) -> None:
    """Another table's changes, as bans make all the time."""
    with HostNet(host, tmp_path) as net:
        net.apply(POLICY)
        host.nft("add table inet slopn_bans\nadd set inet slopn_bans v4 { type ipv4_addr; }")
        assert net.drift() is None


def test_a_foreign_flush_passes_an_owned_table_by(host: Namespace, tmp_path: Path) -> None:
    """Where the kernel knows owners; it is adopted by the next gateway after the first one's death."""
    assert supports_owned_tables(), "this test needs Linux 6.9"
    first = HostNet(host, tmp_path / "first", owned=True)
    first.apply(POLICY)
    host.run("nft flush ruleset")
    assert "chain from_devices" in table(host)
    assert first.drift() is None
    first.close()
    assert "chain from_devices" in table(host)
    with HostNet(host, tmp_path / "second", owned=True) as second:
        second.apply(POLICY)
        assert second.drift() is None


def test_counters_outlive_a_new_policy_and_a_new_gateway(host: Namespace, tmp_path: Path) -> None:
    """They only grow, so that rates can be made of them."""
    with Namespace("far") as far:
        veth(far, "f0", host, "up1")
        host.ip("addr add 192.0.2.1/24 dev up1")
        far.ip("addr add 192.0.2.2/24 dev f0\nroute add 10.98.0.0/24 via 192.0.2.1")
        net = HostNet(host, tmp_path, owned=True)
        net.apply(POLICY)
        asks(far, "10.98.0.7", seconds=0.2)
        assert net.count(Refusal.UNASKED) == 1
        net.apply(VARIANTS[2])
        net.close()
        with HostNet(host, tmp_path, owned=True) as again:
            assert again.count(Refusal.UNASKED) == 1, "an orphan can be read too"
            again.apply(POLICY)
            asks(far, "10.98.0.7", seconds=0.2)
            assert again.count(Refusal.UNASKED) == 2


def test_a_second_gateway_is_refused(host: Namespace, tmp_path: Path) -> None:
    """Another living one has the table: the second says so and changes nothing."""
    second = HostNet(host, tmp_path / "second", owned=True)
    with HostNet(host, tmp_path / "first", owned=True) as first:
        first.apply(POLICY)
        before = table(host)
        with pytest.raises(GatewayNetError, match=r"another running process.*no device may be let in"):
            second.apply(VARIANTS[1])
        assert table(host) == before
        assert first.drift() is None
    second.close()


def test_no_rules_no_forwarding(host: Namespace, tmp_path: Path) -> None:
    """A table that can't be had leaves the kernel's switches as they are."""
    first, second = (HostNet(host, tmp_path / name, owned=True) for name in ("first", "second"))
    first.apply(POLICY)
    host.sysctl(dict.fromkeys(FORWARDING, "0"))
    with pytest.raises(GatewayNetError, match="another running process"):
        second.apply(POLICY)
    assert forwarding(host) == ["0", "0"]
    for each in (first, second):
        each.close()


def test_a_kernel_that_refuses_the_rules_lets_nothing_through(
    host: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rules that close everything hold instead, and forwarding is not turned on; after a policy, that one holds."""
    good = rules.chains(POLICY)
    bad = (*good, Chain("strange", 0, "", (("accept nonsense",),), None))
    with HostNet(host, tmp_path) as net:
        monkeypatch.setattr(rules, "chains", lambda _: bad)
        with pytest.raises(GatewayNetError, match="nothing passes to or from devices"):
            net.apply(POLICY)
        assert table(host).count("drop") == 2
        assert 'iifname "wgt0" drop' in table(host)
        assert forwarding(host) == ["0", "0"]
        monkeypatch.setattr(rules, "chains", lambda _: good)
        net.apply(POLICY)
        monkeypatch.setattr(rules, "chains", lambda _: bad)
        with pytest.raises(GatewayNetError, match="the rules of before hold"):
            net.apply(VARIANTS[1])
        assert net.drift() is None


def test_the_journal_alone_undoes_it_all(host: Namespace, tmp_path: Path) -> None:
    """As after a crash: `restore` needs nothing of the gateway's."""
    net = HostNet(host, tmp_path)
    net.apply(POLICY)
    net.close()
    with host.entered():
        assert asyncio.run(restore(net.journal)) == []
    assert (table(host), forwarding(host)) == ("", ["0", "0"])


def test_the_servers_own_route_from_a_router_stays(tmp_path: Path) -> None:
    """A default route learnt from an advertisement outlives the switch to forwarding; by the switch alone it is lost."""
    for careful in (True, False):
        with Namespace("gateway") as host, Namespace("router") as router:
            veth(host, "up0", router, "r0")
            host.ip("link add wgt0 type veth peer name other0")
            router.ip("-6 addr add fe80::1/64 dev r0 nodad")

            def learnt(host: Namespace = host) -> bool:
                return "default via fe80::1" in host.run("ip -6 route").stdout

            def advertised(router: Namespace = router) -> bool:
                _advertise(router)
                return learnt()

            until(advertised, 10, "the router is known")
            if careful:
                with HostNet(host, tmp_path) as net:
                    net.apply(POLICY)
                    assert learnt()
                    assert host.run("cat /proc/sys/net/ipv6/conf/up0/accept_ra").stdout == "2\n"
                assert host.run("cat /proc/sys/net/ipv6/conf/up0/accept_ra").stdout == "1\n"
            else:
                host.sysctl({FORWARDING[1]: "1"})
                assert not learnt()


def test_no_packet_slips_between_two_policies(tmp_path: Path) -> None:
    """One device floods another while policies that both isolate follow each other; with the switch off it arrives."""
    with World() as world, HostNet(world.gateway, tmp_path) as net:
        one, other = world.star.clients[:2]
        policies = (POLICY, replace(POLICY, api_inside=True, dns_only=True), VARIANTS[5])
        net.apply(POLICY)
        sent = 0
        with mirror(other.namespace) as senders, one.namespace.entered():
            stop = threading.Event()
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

            def flood() -> None:
                nonlocal sent
                while not stop.is_set():
                    sock.sendto(b"x", (other.inner4, 7007))
                    sent += 1

            thread = threading.Thread(target=flood)
            thread.start()
            try:
                for number in range(30):
                    net.apply(replace(policies[number % 3], uplinks=("up0",)))
            finally:
                stop.set()
                thread.join()
                sock.close()
            refused = net.count(Refusal.ISOLATED)
            assert senders == [], f"{len(senders)} of {sent} packets slipped through"
            assert refused > 100, "there was hardly anything to refuse"
            net.apply(replace(POLICY, isolated=False))
            assert asks(one.namespace, other.inner4) == one.inner4
        assert asks(one.namespace, WEB4, seconds=0.2) is None


def _advertise(router: Namespace) -> None:
    """One router advertisement to all nodes: a router for half an hour (RFC 4861, 4.2)."""
    body = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)
    with router.entered(), socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        index = socket.if_nametoindex("r0")
        sock.bind(("fe80::1", 0, 0, index))
        sock.sendto(body, ("ff02::1", 0, 0, index))
