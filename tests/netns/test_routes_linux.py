from __future__ import annotations

import asyncio
import errno
import json
import socket
from collections.abc import Iterator
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path

import pytest

from slopn_helper.host.journal import Journal
from slopn_helper.host.restore import restore
from slopn_helper.host.routes import RouteConfig, RouteError
from slopn_helper.host.routes.linux import LinuxRouter
from support.fingerprint import differences, fingerprint
from support.netns import Namespace
from support.route_host import FAR4, FAR6, FULL, MARK, SPLIT, TUN, apply, drift, make_tun, uplinked, way
from support.until import until


@pytest.fixture
def client() -> Iterator[Namespace]:
    """A host with one uplink to a router, both families, and a TUN device."""
    with uplinked() as host:
        yield host


def test_everything_but_the_engines_own_packets_goes_in(client: Namespace, tmp_path: Path) -> None:
    """Unmarked packets to far away take the tunnel, marked ones the uplink, and the LAN stays on its device."""
    assert (way(client, FAR4), way(client, FAR6)) == ("eth0", "eth0")
    apply(client, LinuxRouter(Journal(tmp_path / "journal")), FULL)
    assert (way(client, FAR4), way(client, FAR6)) == (TUN, TUN)
    assert (way(client, FAR4, MARK), way(client, FAR6, MARK)) == ("eth0", "eth0")
    assert (way(client, "10.1.0.77"), way(client, "fd01::77")) == ("eth0", "eth0")
    # Prefix routes of the tunnel's own addresses would let another network in than the allowed IPs say.
    assert "10.9.0.0/24" not in client.run("ip route show table all").stdout
    link = json.loads(client.run(f"ip -j addr show {TUN}").stdout)[0]
    assert (link["mtu"], {a["local"] for a in link["addr_info"]}) == (1380, {"10.9.0.2", "fd09::2"})


@pytest.mark.parametrize("config", [FULL, SPLIT], ids=["full", "split"])
def test_applied_again_nothing_changes_and_removed_all_is_as_before(
    client: Namespace, tmp_path: Path, config: RouteConfig
) -> None:
    """Apply is idempotent, None puts the host back exactly, and foreign rules and routes are never touched."""
    client.ip(f"""
        link set {TUN} up
        rule add from 10.1.0.2 lookup 77 priority 32000
        -6 rule add from fd01::2 lookup 77 priority 32764
        route add 203.0.113.0/24 via 10.1.0.1 table 77
    """)
    client.ip(f"-6 addr flush dev {TUN}")
    before = fingerprint(client)
    router = LinuxRouter(Journal(tmp_path / "journal"))
    apply(client, router, config)
    during = fingerprint(client)
    assert differences(before, during)
    apply(client, router, config)
    apply(client, LinuxRouter(Journal(tmp_path / "journal")), config)
    assert not differences(during, fingerprint(client))
    assert drift(client, router) is None
    apply(client, router, None)
    apply(client, router, None)
    after = fingerprint(client)
    # The device is the engine's to remove: its MTU and its generator of link-local addresses go with it.
    assert [d for d in differences(before, after) if TUN not in d] == []
    left = [line for k, v in after.items() if k not in {"links", "sysctls"} for line in v.splitlines() if TUN in line]
    assert all("ff00::/8" in line for line in left), left
    assert Journal(tmp_path / "journal").entries() == ()


def test_without_the_device_packets_end_here(client: Namespace, tmp_path: Path) -> None:
    """When the TUN dies with its process nothing falls through to the uplink; a new one is filled again."""
    with client.entered():
        far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        far6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    with far, far6:
        far.sendto(b"control: this leaves by the uplink", (FAR4, 9))
        far6.sendto(b"control: so does this", (FAR6, 9))
        router = LinuxRouter(Journal(tmp_path / "journal"))
        apply(client, router, FULL)
        client.ip(f"link del {TUN}")
        for sock, address in ((far, FAR4), (far6, FAR6)):
            with pytest.raises(OSError, match=r"(No route to host|unreachable)") as error:
                sock.sendto(b"leak", (address, 9))
            assert error.value.errno in {errno.ENETUNREACH, errno.EHOSTUNREACH}
    assert way(client, FAR4, MARK) == "eth0"
    assert drift(client, router) == f"the interface {TUN} is gone"
    make_tun(client)
    assert drift(client, router) is not None
    apply(client, router, FULL)
    assert (way(client, FAR4), way(client, FAR6)) == (TUN, TUN)
    assert drift(client, router) is None


def test_a_split_tunnel_takes_its_networks_and_no_rules(client: Namespace, tmp_path: Path) -> None:
    """Without a default route there are plain routes in main, as with wg-quick, and no sysctl is touched."""
    before = fingerprint(client)
    apply(client, LinuxRouter(Journal(tmp_path / "journal")), SPLIT)
    after = fingerprint(client)
    assert (way(client, "172.16.5.5"), way(client, "fd77::5")) == (TUN, TUN)
    assert (way(client, FAR4), way(client, FAR6)) == ("eth0", "eth0")
    for title in ("policy rules, IPv4", "policy rules, IPv6"):
        assert after[title] == before[title]
    assert not [d for d in differences(before, after) if d.startswith("sysctls") and "/all/" in d]


def test_an_ipv4_profile_leaves_ipv6_alone(client: Namespace, tmp_path: Path) -> None:
    """The kill switch decides about the other family, routes don't."""
    config = RouteConfig(TUN, FULL.addresses[:1], FULL.routes[:1], 1420, MARK)
    apply(client, LinuxRouter(Journal(tmp_path / "journal")), config)
    assert (way(client, FAR4), way(client, FAR6)) == (TUN, "eth0")


def test_a_host_without_ipv6_on_new_interfaces_still_connects(client: Namespace, tmp_path: Path) -> None:
    """A profile with both families works where IPv6 is switched off, and IPv6 of older interfaces doesn't leave."""
    client.sysctl({f"net/ipv6/conf/{TUN}/disable_ipv6": "1"})
    router = LinuxRouter(Journal(tmp_path / "journal"))
    apply(client, router, FULL)
    assert way(client, FAR4) == TUN
    assert "No route to host" in way(client, FAR6)
    assert drift(client, router) is None


def test_a_new_address_of_the_same_network_replaces_the_old_one(client: Namespace, tmp_path: Path) -> None:
    """The kernel deletes later addresses together with the first of a network: the new one must survive that."""
    router = LinuxRouter(Journal(tmp_path / "journal"))
    apply(client, router, FULL)
    other = RouteConfig(TUN, (ip_interface("10.9.0.3/24"), FULL.addresses[1]), FULL.routes, 1380, MARK)
    apply(client, router, other)
    assert drift(client, router) is None
    shown = client.run(f"ip -o addr show {TUN}").stdout
    assert "10.9.0.3/24" in shown
    assert "10.9.0.2/24" not in shown


def test_a_half_of_the_internet_does_not_swallow_the_engine(client: Namespace, tmp_path: Path) -> None:
    """With the endpoint inside a route, marked packets still find the uplink; without that knowledge they'd loop."""
    halves = (ip_network("0.0.0.0/1"), ip_network("128.0.0.0/1"))
    router = LinuxRouter(Journal(tmp_path / "journal"))
    apply(client, router, RouteConfig(TUN, FULL.addresses, halves, 1420, MARK))
    assert way(client, FAR4, MARK) == TUN
    known = RouteConfig(TUN, FULL.addresses, halves, 1420, MARK, endpoints=(ip_address(FAR4),))
    apply(client, router, known)
    assert way(client, FAR4, MARK) == "eth0"
    assert (way(client, FAR4), way(client, "9.9.9.9")) == (TUN, TUN)


def test_a_named_table_gets_routes_and_no_rules(client: Namespace, tmp_path: Path) -> None:
    """With Table = N the user's own rules decide what uses it; foreign routes in it survive removal."""
    client.ip("route add 203.0.113.0/24 via 10.1.0.1 table 123")
    router = LinuxRouter(Journal(tmp_path / "journal"))
    apply(client, router, RouteConfig(TUN, FULL.addresses, FULL.routes, 1420, MARK, table=123))
    assert way(client, FAR4) == "eth0"
    assert f"default dev {TUN}" in client.run("ip route show table 123").stdout
    assert f"default dev {TUN}" in client.run("ip -6 route show table 123").stdout
    apply(client, router, None)
    assert client.run("ip route show table 123").stdout.split() == ["203.0.113.0/24", "via", "10.1.0.1", "dev", "eth0"]


def test_from_full_to_split_and_back(client: Namespace, tmp_path: Path) -> None:
    """A changed profile leaves nothing of the old one, in either direction."""
    router = LinuxRouter(Journal(tmp_path / "journal"))
    apply(client, router, SPLIT)
    until(lambda: "linkdown" in client.run("ip route show table local").stdout, 10, "nobody holds the TUN")
    split = fingerprint(client)
    apply(client, router, FULL)
    full = fingerprint(client)
    assert way(client, "172.16.5.5") == TUN
    assert "172.16.0.0/12" not in full["routes, IPv4"]
    for config, before in ((SPLIT, split), (FULL, full)):
        apply(client, router, config)
        assert not differences(before, fingerprint(client))


def test_a_table_in_foreign_use_is_refused(client: Namespace, tmp_path: Path) -> None:
    """wg-quick's own full tunnel uses the same table: the user is told, and nothing is changed."""
    client.ip("route add default dev eth0 table 51820")
    before = fingerprint(client)
    with pytest.raises(RouteError, match="in use by another program"):
        apply(client, LinuxRouter(Journal(tmp_path / "journal")), FULL)
    assert not differences(before, fingerprint(client))


def test_a_route_that_is_there_already_is_not_taken_over(client: Namespace, tmp_path: Path) -> None:
    """A network that main leads elsewhere with the same metric is refused by name, and survives."""
    client.ip("route add 172.16.0.0/12 via 10.1.0.1")
    router = LinuxRouter(Journal(tmp_path / "journal"))
    with pytest.raises(RouteError, match=r"172\.16\.0\.0/12.*another program"):
        apply(client, router, SPLIT)
    apply(client, router, None)
    assert way(client, "172.16.5.5") == "eth0"


def test_a_missing_interface_is_an_error_of_ours(client: Namespace, tmp_path: Path) -> None:
    """Without the TUN nothing is changed and the error says what is missing."""
    client.ip(f"link del {TUN}")
    before = fingerprint(client)
    with pytest.raises(RouteError, match=f"no interface {TUN}"):
        apply(client, LinuxRouter(Journal(tmp_path / "journal")), FULL)
    assert not differences(before, fingerprint(client))


def test_sysctls_are_raised_and_put_back(client: Namespace, tmp_path: Path) -> None:
    """`src_valid_mark` and `arp_ignore` come back as they were, and a stricter `arp_ignore` is left alone."""
    for arp in ("0", "2"):
        client.sysctl({"net/ipv4/conf/all/arp_ignore": arp})
        before = fingerprint(client)
        router = LinuxRouter(Journal(tmp_path / f"journal{arp}"))
        apply(client, router, FULL)
        during = fingerprint(client)["sysctls"].splitlines()
        assert "net/ipv4/conf/all/src_valid_mark = 1" in during
        assert f"net/ipv4/conf/all/arp_ignore = {max(arp, '1')}" in during
        apply(client, router, None)
        assert not [d for d in differences(before, fingerprint(client)) if TUN not in d]


@pytest.mark.parametrize("name", ["src_valid_mark", "arp_ignore"])
def test_a_sysctl_that_somebody_lowers_is_drift(client: Namespace, tmp_path: Path, name: str) -> None:
    """It is raised again, and what it was before us still comes back."""
    client.sysctl({f"net/ipv4/conf/all/{name}": "0"})
    before = fingerprint(client)
    router = LinuxRouter(Journal(tmp_path / "journal"))
    apply(client, router, FULL)
    client.sysctl({f"net/ipv4/conf/all/{name}": "0"})
    assert drift(client, router) == f"net/ipv4/conf/all/{name} was lowered"
    apply(client, router, FULL)
    assert drift(client, router) is None
    apply(client, router, None)
    assert not [d for d in differences(before, fingerprint(client)) if TUN not in d]


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        ("rule del priority 32765", "missing: IPv4 rule 32765 to table 51820"),
        ("-6 rule del priority 32764", "missing: IPv6 rule 32764 to table 254"),
        (f"route del default dev {TUN} table 51820", "missing: 0.0.0.0/0 in table 51820"),
        ("-6 route del unreachable default table 51820 metric 4294967294", "missing: unreachable ::/0 in table 51820"),
        (f"addr del 10.9.0.2/24 dev {TUN}", "missing: address 10.9.0.2/24"),
        ("rule add lookup 99 priority 100 protocol 151", "left over: IPv4 rule 100 to table 99"),
        ("rule add lookup 99 priority 100", None),
        (f"addr add 192.0.2.200/24 dev {TUN}", f"left over: address 192.0.2.200/24 of {TUN}"),
        (f"link set {TUN} mtu 1300", f"the MTU of {TUN} is 1300 instead of 1380"),
    ],
)
def test_drift_names_what_is_missing(client: Namespace, tmp_path: Path, damage: str, expected: str | None) -> None:
    """Each thing of ours that somebody removes is named, foreign things are not ours to report, and apply repairs it."""
    router = LinuxRouter(Journal(tmp_path / "journal"))
    apply(client, router, FULL)
    client.ip(damage)
    assert drift(client, router) == expected
    apply(client, router, FULL)
    assert drift(client, router) is None


def test_a_fresh_process_removes_what_a_dead_one_left(client: Namespace, tmp_path: Path) -> None:
    """The journal alone, or with it lost the protocol alone, is enough to put the host back."""
    client.ip(f"link set {TUN} up")
    client.ip(f"-6 addr flush dev {TUN}")
    before = fingerprint(client)
    for journal_survives in (True, False):
        apply(client, LinuxRouter(Journal(tmp_path / "journal")), FULL)
        assert way(client, FAR4) == TUN
        if journal_survives:
            with client.entered():
                assert asyncio.run(restore(Journal(tmp_path / "journal"))) == []
            assert [d for d in differences(before, fingerprint(client)) if TUN not in d] == []
        else:
            (tmp_path / "journal").unlink()
            apply(client, LinuxRouter(Journal(tmp_path / "journal")), None)
        after = fingerprint(client)
        for title in ("policy rules, IPv4", "policy rules, IPv6", "routes, IPv4"):
            assert [d for d in differences({"": before[title]}, {"": after[title]}) if "10.9.0.2" not in d] == []
