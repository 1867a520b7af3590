"""A journal that can't be written: no mechanism changes the host, every one undoes what it did, and room again is enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.dns_world import LAN, TUNNEL, DnsWorld, NetworkManager, Resolved, dns_world
from support.fingerprint import differences, fingerprint
from support.until import until

FULL = Path("/run/full")
OWN = ("/run-lock", "/lock", "/metrics ", "/exclusive ", "/postponed-update")
"""resolvconf's own: a lock stays once it was taken, and so do folders that it needs."""


def plain(world: DnsWorld) -> None:
    """A file that nobody rules."""
    world.client.run("cat > /etc/resolv.conf", input=f"nameserver {LAN}\n")


def resolved(world: DnsWorld) -> None:
    """systemd-resolved."""
    world.start_bus()
    Resolved(world)


def networkmanager(world: DnsWorld) -> None:
    """NetworkManager."""
    world.start_bus()
    NetworkManager(world)


def openresolv(world: DnsWorld) -> None:
    """openresolv."""
    world.bring("openresolv", "sbin", "lib", "etc")
    world.client.run("resolvconf -a eth0.dhcp", input=f"nameserver {LAN}\n")


def debian(world: DnsWorld) -> None:
    """Debian's resolvconf."""
    world.bring("resolvconf", "sbin", "lib/resolvconf", "etc")
    world.client.run("""
        mkdir -p /run/resolvconf/interface
        ln -sf /run/resolvconf/resolv.conf /etc/resolv.conf
        resolvconf --enable-updates
    """)
    world.client.run("resolvconf -a eth0.dhcp", input=f"nameserver {LAN}\n")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DnsWorld]:
    """A host whose journal is on a disk of its own."""
    with dns_world(tmp_path) as made:
        made.client.run(f"mkdir {FULL}; mount -t tmpfs -o size=256k tmpfs {FULL}")
        made.journal = FULL / "journal"
        yield made


def fill(world: DnsWorld) -> None:
    """Not a byte more."""
    world.client.run(f"cat /dev/zero > {FULL}/fill || true")


def state(world: DnsWorld) -> dict[str, str]:
    """What must be the same."""
    found = fingerprint(world.client, ("/run/.lab/upper", "/run/resolvconf"))
    for title, text in found.items():
        found[title] = "\n".join(line for line in text.splitlines() if not any(part in line for part in OWN))
    return found


@pytest.mark.parametrize(
    "rule",
    [plain, networkmanager, *(pytest.param(each, marks=pytest.mark.long) for each in (resolved, openresolv, debian))],
)
def test_a_full_disk(world: DnsWorld, rule: Callable[[DnsWorld], None]) -> None:
    """Applying is refused with what to do about it; undoing isn't, and nobody is told that it failed."""
    rule(world)
    before = state(world)
    with world.process() as dns:
        fill(world)
        with pytest.raises(RuntimeError, match="No space left on device; make room on that disk"):
            dns.do("apply", servers=[TUNNEL])
        assert world.asked() == ("lan",)
        assert differences(before, state(world)) == []
        world.client.run(f"rm {FULL}/fill")
        dns.do("apply", servers=[TUNNEL])
        assert world.asked() == ("tunnel",)
        fill(world)
        dns.do("reset")
        until(lambda: differences(before, state(world)) == [], 10.0, "the host is as it was")
        assert world.asked() == ("lan",)
        assert "Traceback" not in dns.log.read_text().partition("ERROR failed")[0]
    assert world.restore() == []
    assert differences(before, state(world)) == []
    world.client.run(f"rm {FULL}/fill")
    assert world.restore() == []
    assert differences(before, state(world)) == []
