from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.dns_world import LAN, TUNNEL, DnsWorld, NetworkManager, dns_world
from support.until import until


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DnsWorld]:
    """A host with a system bus."""
    with dns_world(tmp_path) as made:
        made.start_bus()
        yield made


def test_with_dnsmasq_only_what_matches_goes_to_the_tunnel(world: DnsWorld) -> None:
    """NetworkManager's dnsmasq splits: all other names still go to the LAN's server; without `match` none does."""
    NetworkManager(world, dns="dnsmasq")
    until(lambda: world.asked() == ("lan",), 20.0, "dnsmasq answers")
    with world.process() as dns:
        assert "nm=dnsmasq/symlink" in dns.do("trace")
        assert dns.do("apply", servers=[TUNNEL], match=["example.net"]) == ["networkmanager", True]
        until(lambda: world.asked() == ("tunnel",), 20.0, "what matches goes to the tunnel")
        assert dns.do("drift") is None
        assert dns.do("check", servers=[TUNNEL], match=["example.net"]) is None
        before = len(world.tunnel_dns.asked)
        world.lan_dns.records["other.example.org"] = ("192.0.2.8",)
        world.client.run(["getent", "ahostsv4", "other.example.org"])
        assert not [name for _, name, _ in world.tunnel_dns.asked[before:] if name == "other.example.org"]
        assert dns.do("apply", servers=[TUNNEL]) == ["networkmanager", True]
        until(lambda: world.asked() == ("tunnel",), 20.0, "all goes to the tunnel")
        assert world.client.run(["getent", "ahostsv4", "other.example.org"], check=False).returncode
        dns.do("reset")
    until(lambda: world.asked() == ("lan",), 20.0, "all goes to the LAN again")


def test_behind_debians_resolvconf_ours_are_listed_alone(world: DnsWorld) -> None:
    """What resolvconf can't do by itself, NetworkManager does: its own record then names the tunnel's server only."""
    world.bring("resolvconf", "sbin", "lib/resolvconf", "etc")
    world.client.run("""
        mkdir -p /run/resolvconf/interface
        ln -sf /run/resolvconf/resolv.conf /etc/resolv.conf
        resolvconf --enable-updates
    """)
    NetworkManager(world, rc_manager="resolvconf")
    until(lambda: LAN in world.resolv_conf(), 20.0, "resolvconf was told")
    with world.process() as dns:
        assert "nm=default/resolvconf resolvconf=debian" in dns.do("trace")
        assert dns.do("apply", servers=[TUNNEL]) == ["networkmanager", False]
        assert LAN not in world.resolv_conf()
        assert world.asked() == ("tunnel",)
        dns.do("reset")
    assert world.asked() == ("lan",)
