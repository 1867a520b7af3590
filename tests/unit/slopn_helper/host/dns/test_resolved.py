from __future__ import annotations

import asyncio
import time
from ipaddress import ip_address
from pathlib import Path

import pytest

from slopn_helper.host.dns import DnsError, bus, resolved
from slopn_helper.host.dns.resolved import ResolvedDns, domains
from slopn_helper.host.journal import Journal, ResolvedRevert
from slopn_wire.profile import DnsConfig

SERVER = (ip_address("10.9.0.1"),)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (DnsConfig(SERVER), ((".", True),)),
        (DnsConfig(SERVER, ("corp.example",)), ((".", True), ("corp.example", False))),
        (DnsConfig(SERVER, match=("corp.example",)), (("corp.example", True),)),
        (DnsConfig(SERVER, ("a.example",), ("b.example",)), (("b.example", True), ("a.example", False))),
        (DnsConfig(SERVER, ("a.example",), ("a.example",)), (("a.example", False),)),
    ],
)
def test_domains_route_everything_or_only_what_matches(
    config: DnsConfig, expected: tuple[tuple[str, bool], ...]
) -> None:
    """Without `match` all names go to the link, with it only those; search domains are searched and routed."""
    assert domains(config) == expected


def test_without_a_bus_it_is_not_running(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A host without D-Bus is no error when asked, and one when it is to be used."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/nobody")
    assert asyncio.run(resolved.is_running()) is False
    with pytest.raises(DnsError, match="no system bus"):
        asyncio.run(ResolvedDns(Journal(tmp_path / "journal")).apply("lo", DnsConfig(SERVER)))


def test_a_bus_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A stuck bus costs the deadline and not more: the helper must not hang in a connect."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/bus")
    monkeypatch.setattr(bus, "TIMEOUT", 0.1)

    async def scenario() -> bool:
        stuck = asyncio.Event()

        async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await stuck.wait()
            writer.close()

        async with await asyncio.start_unix_server(silent, tmp_path / "bus"):
            before = time.monotonic()
            running = await resolved.is_running()
            assert time.monotonic() - before < 60
            stuck.set()
        return running

    assert asyncio.run(scenario()) is False


def test_nothing_to_undo_without_the_interface(tmp_path: Path) -> None:
    """resolved forgot the link's settings together with the device, so neither undo nor reset needs a bus."""
    asyncio.run(resolved.undo(ResolvedRevert("slopn-no-such")))
    journal = Journal(tmp_path / "journal")
    journal.record(ResolvedRevert("slopn-no-such"))
    asyncio.run(ResolvedDns(journal).reset())
    assert journal.entries() == ()


def test_a_missing_interface_is_an_error_of_ours(tmp_path: Path) -> None:
    """Without the TUN nothing is asked of resolved and nothing is journalled."""
    journal = Journal(tmp_path / "journal")
    with pytest.raises(DnsError, match="no interface slopn-no-such"):
        asyncio.run(ResolvedDns(journal).apply("slopn-no-such", DnsConfig(SERVER)))
    assert journal.entries() == ()
