from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.dns_world import LAN, TUNNEL, DnsWorld, dns_world
from support.fingerprint import differences, fingerprint
from support.until import until

FOLDERS = ("/etc", "/run/resolvconf")
STRIDE = 5
"""Of the moments in a short run one in so many is tried; all of them in a long one."""


def openresolv(world: DnsWorld) -> None:
    """openresolv, told of the LAN's server by a DHCP client."""
    world.bring("openresolv", "sbin", "lib", "etc")
    world.client.run("resolvconf -a eth0.dhcp", input=f"nameserver {LAN}\nsearch lan.example\n")


def debian(world: DnsWorld) -> None:
    """Debian's resolvconf, as its package and its unit set it up, told of the LAN's server."""
    world.bring("resolvconf", "sbin", "lib/resolvconf", "etc")
    world.client.run("""
        mkdir -p /run/resolvconf/interface
        ln -sf /run/resolvconf/resolv.conf /etc/resolv.conf
        resolvconf --enable-updates
    """)
    world.client.run("resolvconf -a eth0.dhcp", input=f"nameserver {LAN}\nsearch lan.example\n")


FLAVOURS = [pytest.param(openresolv, id="openresolv"), pytest.param(debian, id="debian")]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DnsWorld]:
    """A host without any bus."""
    with dns_world(tmp_path) as made:
        yield made


def state(world: DnsWorld) -> dict[str, str]:
    """What must be the same afterwards; their own lock stays once it was taken, and so do folders that they need."""
    found = fingerprint(world.client, FOLDERS)
    key = "files below /run/resolvconf"
    own = ("/run-lock", "/lock", "/metrics ", "/exclusive ", "/postponed-update")
    found[key] = "\n".join(line for line in found[key].splitlines() if not any(part in line for part in own))
    return found


@pytest.mark.parametrize("install", FLAVOURS)
def test_only_the_tunnel_is_asked_and_nothing_stays(world: DnsWorld, install: Callable[[DnsWorld], None]) -> None:
    """Names go to the tunnel's server, also when set twice and then otherwise; afterwards all is what it was."""
    install(world)
    before = state(world)
    assert world.asked() == ("lan",)
    with world.process() as dns:
        assert f"resolvconf={install.__name__}" in dns.do("trace")
        for _ in range(2):
            assert dns.do("apply", servers=[TUNNEL]) == ["resolvconf", False]
            assert dns.do("drift") is None
            assert world.asked() == ("tunnel",)
        assert dns.do("upstream") == [LAN]
        assert dns.do("check", servers=[TUNNEL]) is None
        dns.do("apply", servers=[TUNNEL, "10.9.0.3"], search=["corp.example"])
        assert "corp.example" in world.resolv_conf()
        assert world.asked() == ("tunnel",)
        dns.do("reset")
        dns.do("reset")
    assert world.asked() == ("lan",)
    assert differences(before, state(world)) == []
    assert not (world.client.root() / "run/slopn-resolvconf.lock").exists()


def test_openresolv_lists_ours_alone(world: DnsWorld) -> None:
    """Exclusive: whatever else is told meanwhile waits until we are gone."""
    openresolv(world)
    with world.process() as dns:
        dns.do("apply", servers=[TUNNEL])
        world.client.run("resolvconf -a wlan0.dhcp", input="nameserver 10.1.0.5\n")
        assert dns.do("drift") is None
        assert "10.1.0" not in world.resolv_conf()
        dns.do("reset")
    assert "10.1.0.5" in world.resolv_conf()


def test_debians_lists_the_others_after_ours_and_that_is_said(world: DnsWorld) -> None:
    """It can't be exclusive: the log says whom the firewall must refuse, and without its block that is a finding."""
    debian(world)
    with world.process() as dns:
        dns.do("apply", servers=[TUNNEL])
        assert f"resolvconf still lists {LAN} after the tunnel's servers" in dns.log.read_text()
        assert dns.do("check", servers=[TUNNEL], blocked=True) is None
        assert dns.do("check", servers=[TUNNEL], blocked=False) == [
            "dns_elsewhere",
            f"This computer's programs ask {LAN}, beside the tunnel",
        ]


@pytest.mark.parametrize("install", FLAVOURS)
def test_a_record_that_others_take_away_is_seen(world: DnsWorld, install: Callable[[DnsWorld], None]) -> None:
    """Another program's `-d` is drift, and applying again repairs it."""
    install(world)
    with world.process() as dns:
        dns.do("apply", servers=[TUNNEL])
        world.client.run("resolvconf -d slopn0 || true; resolvconf -d tun-slopn0.slopn || true")
        assert dns.do("drift") == f"/etc/resolv.conf names {LAN}"
        dns.do("apply", servers=[TUNNEL])
        assert world.asked() == ("tunnel",)


@pytest.mark.parametrize("install", FLAVOURS)
def test_where_the_program_is_gone_its_files_are_put_right(
    world: DnsWorld, install: Callable[[DnsWorld], None]
) -> None:
    """Uninstalled while we were connected: no server stays behind that answers no more."""
    install(world)
    with world.process() as dns:
        dns.do("apply", servers=[TUNNEL])
    world.client.run("rm /usr/sbin/resolvconf")
    assert world.asked() == ("tunnel",)
    assert world.restore() == []
    assert world.asked() == ("lan",)
    assert TUNNEL not in world.client.run("cat /etc/resolv.conf; find /run/resolvconf -type f -exec cat {} +").stdout


def test_after_a_power_cut_openresolvs_file_names_no_dead_server(world: DnsWorld) -> None:
    """/run is empty then, but the file in /etc still names the tunnel's."""
    openresolv(world)
    with world.process() as dns:
        dns.do("apply", servers=[TUNNEL])
    world.client.run("rm -r /run/resolvconf")
    assert world.restore() == []
    assert TUNNEL not in world.resolv_conf()


def test_a_program_that_others_can_change_is_never_started(world: DnsWorld) -> None:
    """It would be root's shell for whoever may write it: the file is written and guarded instead."""
    openresolv(world)
    world.client.run("chmod g+w /usr/sbin/resolvconf")
    before = state(world)
    with world.process() as dns:
        assert "resolvconf=unknown" in dns.do("trace")
        assert dns.do("apply", servers=[TUNNEL]) == ["resolv_conf", False]
        assert world.asked() == ("tunnel",)
        assert "not root's alone" in dns.log.read_text()
        dns.do("reset")
    assert differences(before, state(world)) == []


def test_one_that_does_not_do_what_it_says_is_given_up(world: DnsWorld) -> None:
    """Its own configuration may leave the file alone: that is seen, undone, and the file is written instead."""
    openresolv(world)
    world.client.run("echo resolvconf=NO >> /etc/resolvconf.conf")
    before = state(world)
    with world.process() as dns:
        assert dns.do("apply", servers=[TUNNEL]) == ["resolv_conf", False]
        assert dns.do("drift") is None
        assert world.asked() == ("tunnel",)
        dns.do("reset")
    assert differences(before, state(world)) == []


@pytest.mark.parametrize("stride", [STRIDE, pytest.param(1, marks=pytest.mark.long)], ids=["sample", "all"])
@pytest.mark.parametrize("install", FLAVOURS)
def test_killed_between_any_two_steps_restore_gives_all_back(
    world: DnsWorld, install: Callable[[DnsWorld], None], stride: int
) -> None:
    """Also while resolvconf still runs: it ends before its record is taken back."""
    install(world)
    before = state(world)
    dirty = tried = 0
    for moment in range(1, 1000, stride):
        with world.process(die_at=moment) as dns:
            try:
                dns.do("apply", servers=[TUNNEL])
                dns.do("apply", servers=[TUNNEL, "10.9.0.3"])
                dns.do("reset")
            except EOFError:
                assert dns.process.wait() == -signal.SIGKILL
            else:
                break
        tried += 1
        dirty += bool(differences(before, state(world)))
        assert world.restore() == []
        until(lambda: not (world.client.root() / "run/resolvconf/lock").exists(), 20.0, "no resolvconf runs")
        assert differences(before, state(world)) == [], f"killed at moment {moment}"
    assert tried > 3
    assert dirty, "the positive control: some deaths leave something to undo"
