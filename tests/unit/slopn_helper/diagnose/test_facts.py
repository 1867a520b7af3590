from __future__ import annotations

import asyncio
import os
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import msgspec
import pytest

from slopn_helper.diagnose import facts as module
from slopn_helper.diagnose.facts import Answer, Disk, Facts, Missing, Sources, collect
from slopn_wire.profile import DnsConfig
from support.diagnosis import DISCONNECTED, FACTS, SNAPSHOT, FakeHost, sources


def collected(wired: Sources) -> Facts:
    """What is found out."""
    return asyncio.run(collect(wired))


def test_everything_is_collected(tmp_path: Path) -> None:
    """Each fact from its source."""
    found = collected(sources(tmp_path, authority=lambda: FACTS.authority))
    expected = msgspec.structs.replace(FACTS, resolvers="nameserver 10.8.0.1\n", disk=found.disk)
    assert found == expected
    assert isinstance(found.disk, Disk)
    assert found.disk.problem is None
    assert found.disk.free > 0


@pytest.mark.parametrize("name", ["links", "routes", "rules", "filters", "system", "resolvers", "answers"])
def test_one_that_fails_is_missing_alone(tmp_path: Path, name: str) -> None:
    """With the reason in its place; the others are told."""
    host = FakeHost()
    host.refuse[name] = OSError("no netlink here")
    found = collected(sources(tmp_path, host))
    missing = {field for field in Facts.__struct_fields__ if isinstance(getattr(found, field), Missing)}
    assert missing == {name}
    assert getattr(found, name) == Missing("no netlink here")


def test_sources_that_fail_at_once_are_missing(tmp_path: Path) -> None:
    """Those that need no waiting, too; an error without words is named."""

    def fails() -> Any:
        raise ZeroDivisionError

    found = collected(
        sources(tmp_path, log=fails, recording=fails, undo=fails, authority=fails, state_dir=Path("/none"))
    )
    assert found.log == found.recording == found.undo == found.authority == Missing("ZeroDivisionError")
    assert isinstance(found.disk, Missing)
    assert "/none" in found.disk.why


def test_one_that_hangs_is_missing_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others aren't held up by it."""
    monkeypatch.setattr(module, "WITHIN", 0.05)

    async def hangs() -> str | None:
        await asyncio.Event().wait()
        return None

    found = collected(sources(tmp_path, dns_drift=hangs))
    assert found.dns_drift == Missing("there was no answer within 0 s")
    assert found.links == FACTS.links


def test_resolvers_are_asked_through_the_tunnel_alone(tmp_path: Path) -> None:
    """Those that the profile leads there, and by the tunnel's interface; others are never asked."""
    host = FakeHost()
    live = msgspec.structs.replace(
        SNAPSHOT.live, dns=DnsConfig((ip_address("10.8.0.1"), ip_address("10.9.0.1"), ip_address("2001:db8::53")))
    )
    paris = msgspec.structs.replace(SNAPSHOT.state, profile="paris")
    snapshot = msgspec.structs.replace(SNAPSHOT, live=live, state=paris)
    found = collected(sources(tmp_path, host, snapshot=lambda: snapshot))
    assert host.asked == [(ip_address("10.9.0.1"), "slopn0")]
    assert found.answers == (Answer(ip_address("10.9.0.1"), 0.012),)


def test_nobody_is_asked_without_a_tunnel(tmp_path: Path) -> None:
    """A question would leave beside it."""
    host = FakeHost()
    found = collected(sources(tmp_path, host, snapshot=lambda: DISCONNECTED))
    assert host.asked == []
    assert found.answers == ()


def test_the_disk_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    """What is written there for the try is gone again; the newest file is found."""
    (tmp_path / "settings.json").touch()
    os.utime(tmp_path / "settings.json", (5e9, 5e9))
    found = collected(sources(tmp_path))
    assert isinstance(found.disk, Disk)
    assert found.disk.newest == 5e9
    assert [path.name for path in tmp_path.iterdir()] == ["settings.json"]
