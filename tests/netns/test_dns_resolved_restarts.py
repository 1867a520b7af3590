from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.dns_world import TUNNEL, DnsWorld, Resolved, dns_world
from support.fingerprint import differences, fingerprint
from support.until import until

FOLDERS = ("/etc", "/run/systemd/resolve/netif")
STRIDE = 9
"""Of the moments in a short run one in so many is tried; all of them in a long one."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DnsWorld]:
    """A host with a system bus."""
    with dns_world(tmp_path) as made:
        made.start_bus()
        yield made


@pytest.fixture
def resolved(world: DnsWorld) -> Resolved:
    """The real one, which the whole host asks."""
    return Resolved(world)


def state(world: DnsWorld) -> dict[str, str]:
    """What must be the same afterwards."""
    return fingerprint(world.client, FOLDERS)


def test_a_restart_is_told_and_changes_nothing(world: DnsWorld, resolved: Resolved) -> None:
    """The settings survive it, the change is announced, and the look that follows finds all as it was."""
    with world.process() as dns:
        assert dns.do("apply", servers=[TUNNEL]) == ["resolved", True]
        assert dns.do("check", servers=[TUNNEL]) is None
        resolved.kill()
        resolved.start()
        until(lambda: "resolve1" in " ".join(dns.changes), 10.0, "the change is announced")
        assert dns.do("drift") is None
        assert world.asked() == ("tunnel",)
        dns.do("reset")
    assert world.asked() == ("lan",)


def test_stopped_for_good_the_file_takes_over(world: DnsWorld, resolved: Resolved) -> None:
    """Programs would ask a stub that answers no more; the link to it comes back in the end."""
    before = fingerprint(world.client, ["/etc"])
    with world.process() as dns:
        dns.do("apply", servers=[TUNNEL])
        resolved.kill()
        found = dns.do("check", servers=[TUNNEL])
        assert found == ["dns_silent", "This computer's own name server 127.0.0.53 gave no answer"]
        assert dns.do("drift") == "this host's DNS is in the hands of resolv_conf now"
        assert dns.do("apply", servers=[TUNNEL]) == ["resolv_conf", False]
        assert dns.do("drift") is None
        assert world.asked() == ("tunnel",)
        dns.do("reset")
    assert differences(before, fingerprint(world.client, ["/etc"])) == []
    resolved.start()
    assert world.asked() == ("lan",)


def test_gone_when_we_undo_the_next_one_knows_nothing_of_us(world: DnsWorld, resolved: Resolved) -> None:
    """What it would read at its start is removed from the file where it keeps it."""
    with world.process() as dns:
        dns.do("apply", servers=[TUNNEL])
    resolved.kill()
    assert world.restore() == []
    resolved.start()
    assert world.asked() == ("lan",)


def test_a_tunnel_that_is_silent_is_found(world: DnsWorld, resolved: Resolved) -> None:
    """Names don't resolve then, and the finding says which server it is."""
    assert resolved.process.poll() is None
    with world.process() as dns:
        dns.do("apply", servers=[TUNNEL])
        world.tunnel_dns.silent = True
        assert dns.do("check", servers=[TUNNEL]) == [
            "dns_silent",
            f"The tunnel's name server {TUNNEL} gave no answer",
        ]
        world.tunnel_dns.silent = False
        assert dns.do("check", servers=[TUNNEL]) is None
        world.client.run(
            "ln -sf /dev/null /etc/resolv.conf; rm /etc/resolv.conf; echo nameserver 10.1.0.1 > /etc/resolv.conf"
        )
        assert dns.do("check", servers=[TUNNEL])[0] == "dns_elsewhere"
        assert not [kind for _, _, kind in world.lan_dns.asked if kind == "NS"]


@pytest.mark.parametrize("stride", [STRIDE, pytest.param(1, marks=pytest.mark.long)], ids=["sample", "all"])
def test_killed_between_any_two_steps_restore_gives_all_back(world: DnsWorld, resolved: Resolved, stride: int) -> None:
    """Whenever the helper dies, the link's settings are taken back from the journal alone."""
    assert resolved.process.poll() is None
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
        assert world.asked() == ("lan",)
    assert tried > 2
    assert dirty, "the positive control: some deaths leave something to undo"
