from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.dns_world import LAN, TUNNEL, DnsWorld, NetworkManager, dns_world
from support.fingerprint import differences, fingerprint
from support.until import until

FOLDERS = ("/etc", "/var/lib/NetworkManager")
USERS = "10.1.0.77"
"""A server that the user has set for everything by hand."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DnsWorld]:
    """A host with a system bus."""
    with dns_world(tmp_path) as made:
        made.start_bus()
        yield made


def state(world: DnsWorld) -> dict[str, str]:
    """What must be the same afterwards; NetworkManager notes by itself when it last used a connection."""
    found = fingerprint(world.client, FOLDERS)
    key = "files below /var/lib/NetworkManager"
    found[key] = "\n".join(line for line in found[key].splitlines() if "/timestamps" not in line)
    return found


@pytest.mark.parametrize("rc_manager", ["file", "symlink"])
@pytest.mark.parametrize("linked", [False, True], ids=["file", "link"])
def test_only_the_tunnel_is_asked_and_nothing_stays(world: DnsWorld, rc_manager: str, *, linked: bool) -> None:
    """Names go to the tunnel's server alone, also when set twice; afterwards files and state are what they were."""
    if linked:
        world.client.run("ln -s /run/NetworkManager/resolv.conf /etc/resolv.conf")
    nm = NetworkManager(world, rc_manager=rc_manager)
    before = state(world)
    assert world.asked() == ("lan",)
    with world.process() as dns:
        assert f"nm=default/{rc_manager}" in dns.do("trace")
        for _ in range(2):
            assert dns.do("apply", servers=[TUNNEL]) == ["networkmanager", False]
            assert dns.do("drift") is None
            assert world.asked() == ("tunnel",)
        assert dns.do("upstream") == [LAN]
        assert dns.do("check", servers=[TUNNEL]) is None
        assert TUNNEL in nm.state()
        dns.do("reset")
        dns.do("reset")
        assert dns.do("upstream") == [LAN]
    assert world.asked() == ("lan",)
    assert differences(before, state(world)) == []


def test_a_global_configuration_of_the_users_comes_back(world: DnsWorld) -> None:
    """What was set by hand before the connection returns, and so does what is set by hand while it is up."""
    nm = NetworkManager(world)
    nm.set_global(USERS)
    before = state(world)
    with world.process() as dns:
        dns.do("apply", servers=[TUNNEL])
        assert world.asked() == ("tunnel",)
        dns.do("reset")
        assert differences(before, state(world)) == []
        dns.do("apply", servers=[TUNNEL])
        nm.set_global(LAN)
        assert dns.do("drift") == f"NetworkManager asks {LAN}"
        dns.do("apply", servers=[TUNNEL])
        assert world.asked() == ("tunnel",)
        dns.do("reset")
    assert f"servers={LAN}" in nm.state()
    assert USERS not in nm.state()


def test_an_administrators_file_can_not_be_overruled(world: DnsWorld) -> None:
    """NetworkManager refuses then: the file is written and guarded, and everything comes back."""
    world.client.run("mkdir -p /etc/NetworkManager/conf.d")
    text = f"[global-dns-domain-*]\nservers={LAN}\n"
    world.client.run("cat > /etc/NetworkManager/conf.d/dns.conf", input=text)
    NetworkManager(world)
    before = state(world)
    with world.process() as dns:
        assert dns.do("apply", servers=[TUNNEL]) == ["resolv_conf", False]
        assert dns.do("drift") is None
        assert world.asked() == ("tunnel",)
        dns.do("reset")
        assert "already set via configuration file" in dns.log.read_text()
    assert differences(before, state(world)) == []


def test_a_restart_of_networkmanager_is_told_and_survived(world: DnsWorld) -> None:
    """It comes back with the tunnel's servers, or is given them again, and the change is announced at once."""
    nm = NetworkManager(world)
    with world.process() as dns:
        dns.do("apply", servers=[TUNNEL])
        until(lambda: dns.changes == ["bus"], 10.0, "the bus is watched")
        nm.kill()
        nm.start()
        until(lambda: "NetworkManager" in " ".join(dns.changes), 10.0, "the change is announced")
        if dns.do("drift") is not None:
            dns.do("apply", servers=[TUNNEL])
        assert world.asked() == ("tunnel",)
        nm.kill()
        world.client.run("rm /var/lib/NetworkManager/NetworkManager-intern.conf")
        nm.start()
        assert dns.do("drift") == "NetworkManager has lost the tunnel's servers"
        assert dns.do("apply", servers=[TUNNEL]) == ["networkmanager", False]
        assert world.asked() == ("tunnel",)


def test_another_program_that_writes_the_file_is_seen(world: DnsWorld) -> None:
    """NetworkManager sees no reason to write again what it wrote once: it is made to."""
    NetworkManager(world)
    with world.process() as dns:
        dns.do("apply", servers=[TUNNEL])
        world.client.run(f"printf 'nameserver {LAN}\n' > /etc/resolv.conf")
        assert dns.do("drift") == f"/etc/resolv.conf names {LAN}"
        dns.do("apply", servers=[TUNNEL])
        assert dns.do("drift") is None
        assert world.asked() == ("tunnel",)


@pytest.mark.parametrize("linked", [False, True], ids=["file", "link"])
def test_where_networkmanager_is_gone_its_files_are_put_right(world: DnsWorld, *, linked: bool) -> None:
    """Neither a program nor the next NetworkManager finds a server that answers no more."""
    nm = NetworkManager(world)
    before = state(world)
    with world.process() as dns:
        dns.do("apply", servers=[TUNNEL])
    nm.process.kill()
    nm.process.wait()
    if linked:
        world.client.run(
            "mv /etc/resolv.conf /run/NetworkManager/kept; ln -s /run/NetworkManager/kept /etc/resolv.conf"
        )
    assert world.asked() == ("tunnel",)
    assert world.restore() == []
    assert world.asked() == ("lan",)
    assert nm.state() == ""
    if not linked:
        assert differences(before, state(world)) == []
    nm.start()
    assert world.asked() == ("lan",)


STRIDE = 9
"""Of the moments in a short run one in so many is tried; all of them in a long one."""


@pytest.mark.parametrize("stride", [STRIDE, pytest.param(1, marks=pytest.mark.long)], ids=["sample", "all"])
@pytest.mark.parametrize("users", [False, True], ids=["nothing before", "the user's own before"])
def test_killed_between_any_two_steps_restore_gives_all_back(world: DnsWorld, stride: int, *, users: bool) -> None:
    """Whenever the helper dies, what NetworkManager holds is undone from the journal alone."""
    nm = NetworkManager(world)
    if users:
        nm.set_global(LAN)
    before = state(world)
    dirty = tried = 0
    for moment in range(1, 1000, stride):
        with world.process(die_at=moment) as dns:
            try:
                dns.do("apply", servers=[TUNNEL])
                dns.do("apply", servers=[TUNNEL, "10.9.0.3"])
                dns.do("reset")
            except EOFError:
                pass
            else:
                break
        tried += 1
        dirty += bool(differences(before, state(world)))
        assert world.restore() == []
        assert differences(before, state(world)) == [], f"killed at moment {moment}"
    assert tried > 2
    assert dirty, "the positive control: some deaths leave something to undo"
