from __future__ import annotations

import asyncio
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from slopn_helper.host.dns import DnsConfigurator, DnsError, manager, resolved
from slopn_helper.host.dns.manager import DnsManager
from slopn_helper.host.journal import Journal
from slopn_wire.profile import DnsConfig

CONFIG = DnsConfig((ip_address("10.9.0.1"),))


class Fake:
    """A mechanism that notes what is asked of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.supports_split = name == "resolved"
        self.calls: list[Any] = []
        self.refuses_reset = False

    async def apply(self, interface: str, config: DnsConfig) -> None:
        """Note it."""
        self.calls.append((interface, config))

    async def reset(self) -> None:
        """Note it, and fail if told to."""
        self.calls.append("reset")
        if self.refuses_reset:
            raise DnsError(f"{self.name} refuses")

    async def drift(self) -> str | None:
        """Say who was asked."""
        return f"{self.name} drifted"


class Host:
    """A host whose DNS is in the hands of resolved or not, with fake mechanisms."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.resolved_runs = True
        self.path = folder / "resolv.conf"
        self.path.write_text("nameserver 127.0.0.53\n")
        monkeypatch.setattr(resolved, "is_running", self._is_running)
        monkeypatch.setattr(manager, "NSSWITCH", folder / "nsswitch.conf")
        self.manager = DnsManager(Journal(folder / "journal"), self.path)
        self.resolved, self.file = Fake("resolved"), Fake("resolv_conf")
        self.manager._mechanisms = {"resolved": self.resolved, "resolv_conf": self.file}

    async def _is_running(self) -> bool:
        return self.resolved_runs


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host on which resolved runs."""
    return Host(tmp_path, monkeypatch)


def test_it_is_a_configurator(host: Host) -> None:
    """The driver can be handed the manager where it expects one mechanism."""
    configurator: DnsConfigurator = host.manager
    assert configurator.name == "none"


def test_the_mechanism_is_chosen_on_every_apply(host: Host) -> None:
    """When resolved is stopped between two connections the file takes over, and what resolved was told is taken back."""
    asyncio.run(host.manager.apply("slopn0", CONFIG))
    assert (host.manager.name, host.manager.supports_split) == ("resolved", True)
    host.resolved_runs = False
    asyncio.run(host.manager.apply("slopn0", CONFIG))
    assert (host.manager.name, host.manager.supports_split) == ("resolv_conf", False)
    assert host.resolved.calls == [("slopn0", CONFIG), "reset"]
    assert host.file.calls == ["reset", ("slopn0", CONFIG)]
    assert asyncio.run(host.manager.drift()) == "resolv_conf drifted"


def test_an_override_of_the_settings_wins(host: Host) -> None:
    """Support can force a mechanism, and take the override away again."""
    host.manager.override = "resolv_conf"
    asyncio.run(host.manager.apply("slopn0", CONFIG))
    assert host.manager.name == "resolv_conf"
    host.manager.override = None
    asyncio.run(host.manager.apply("slopn0", CONFIG))
    assert host.manager.name == "resolved"


def test_the_reason_is_logged_once(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """The trace is in the log when it changes, and not again on each reconnection."""
    with caplog.at_level("INFO"):
        asyncio.run(host.manager.apply("slopn0", CONFIG))
        asyncio.run(host.manager.apply("slopn0", CONFIG))
    assert [r.message for r in caplog.records] == [
        "dns: rc=plain link=no nss=unset bus=yes nm=no resolvconf=no mount=no (the file leads to resolved's stub) -> resolved"
    ]


def test_another_mechanism_that_cannot_let_go_does_not_stop_the_connection(host: Host) -> None:
    """A resolved that has gone away can't be asked to forget; the file is what programs read now."""
    host.resolved_runs = False
    host.resolved.refuses_reset = True
    asyncio.run(host.manager.apply("slopn0", CONFIG))
    assert host.manager.name == "resolv_conf"


def test_reset_asks_all_and_reports_all(host: Host) -> None:
    """After a crash nobody knows which mechanism was used: each is reset, and a failure doesn't spare the others."""
    host.resolved.refuses_reset = host.file.refuses_reset = True
    with pytest.raises(DnsError, match="resolved refuses; resolv_conf refuses"):
        asyncio.run(host.manager.reset())
    assert (host.resolved.calls, host.file.calls) == (["reset"], ["reset"])
    assert asyncio.run(host.manager.drift()) is None


def test_a_profile_without_servers_leaves_the_host_alone(host: Host) -> None:
    """An empty config removes all of ours."""
    asyncio.run(host.manager.apply("slopn0", CONFIG))
    asyncio.run(host.manager.apply("slopn0", DnsConfig()))
    assert host.resolved.calls[-1] == host.file.calls[-1] == "reset"
    assert host.manager.name == "none"
