from __future__ import annotations

import asyncio
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from slopn_helper.host import program
from slopn_helper.host.dns import DnsError, resolvconf
from slopn_helper.host.dns.resolvconf import Installed, ResolvconfDns, installed, record, render
from slopn_helper.host.journal import Journal, ResolvconfRecord
from slopn_helper.host.program import Ended, ProgramError
from slopn_wire.profile import DnsConfig

CONFIG = DnsConfig((ip_address("10.9.0.1"), ip_address("fd09::1")), ("corp.example",))
TEXT = "nameserver 10.9.0.1\nnameserver fd09::1\nsearch corp.example\n"


class Host:
    """A host with a resolvconf that writes what it is told, or doesn't."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.program = folder / "resolvconf"
        self.program.touch()
        self.file = folder / "resolv.conf"
        self.calls: list[tuple[str, ...]] = []
        self.version = "openresolv 3.12.0"
        self.status = 0
        self.others = ""
        self.obeys = True
        self.journal = Journal(folder / "journal", "boot")
        self.dns = ResolvconfDns(self.journal, self.file)
        monkeypatch.setattr(resolvconf, "PROGRAMS", (self.program,))
        monkeypatch.setattr(resolvconf, "LOCK", folder / "lock")
        monkeypatch.setattr(resolvconf, "_known", {})
        monkeypatch.setattr(program, "run", self._run)

    async def _run(self, path: Path, *arguments: str, stdin: bytes = b"", keep: int | None = None) -> Ended:
        assert path == self.program
        if arguments == ("--version",):
            return Ended(0, self.version)
        assert keep is not None
        assert [type(entry) for entry in self.journal.entries()] == [ResolvconfRecord]
        self.calls.append((*arguments, stdin.decode()))
        if self.obeys:
            self.file.write_text((stdin.decode() if arguments[0] == "-a" else "") + self.others)
        return Ended(self.status, "what it says")

    def apply(self, config: DnsConfig = CONFIG) -> None:
        """Apply it."""
        asyncio.run(self.dns.apply("slopn0", config))


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """The host."""
    return Host(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("version", "flavour"),
    [
        ("openresolv 3.12.0\nCopyright (c) 2007-2020 Roy Marples", "openresolv"),
        ("Debian resolvconf 1.91+nmu1", "debian"),
        ("resolvectl 254", "unknown"),
    ],
)
def test_they_are_told_apart_by_what_they_say(host: Host, version: str, flavour: str) -> None:
    """The name is the same, the options are not."""
    host.version = version
    assert asyncio.run(installed()) == Installed(host.program, flavour)


def test_systemds_is_known_by_where_its_link_leads(host: Host) -> None:
    """It isn't started at all: resolvectl under that name has side effects of its own."""
    host.program.rename(host.program.with_name("resolvectl"))
    host.program.symlink_to("resolvectl")
    host.version = "openresolv"
    assert asyncio.run(installed()) == Installed(host.program, "resolvectl")
    with pytest.raises(DnsError, match="it is resolvectl"):
        host.apply()


def test_it_is_asked_once_as_long_as_it_stays_the_same(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The choice is made every few seconds, and starting a shell costs milliseconds."""
    assert asyncio.run(installed()) == Installed(host.program, "openresolv")
    host.version = "Debian resolvconf 2"
    assert asyncio.run(installed()) == Installed(host.program, "openresolv")
    monkeypatch.setattr(resolvconf, "PROGRAMS", (host.program.with_name("none"),))
    assert asyncio.run(installed()) is None
    with pytest.raises(DnsError, match="there is none"):
        host.apply()


def test_one_that_may_not_be_started_is_unknown(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The choice then falls on the file, and the log says why."""

    async def refused(*_: Any, **__: Any) -> Ended:
        raise ProgramError("not root's alone")

    monkeypatch.setattr(program, "run", refused)
    assert asyncio.run(installed()) == Installed(host.program, "unknown")


def test_openresolv_is_told_that_ours_is_the_only_one(host: Host) -> None:
    """Metric 0, exclusive, under the interface's name; taken back by force, since it may be gone already."""
    host.apply()
    asyncio.run(host.dns.reset())
    assert host.calls == [("-a", "slopn0", "-m", "0", "-x", TEXT), ("-d", "slopn0", "-f", "")]
    assert host.journal.entries() == ()
    assert not resolvconf.LOCK.exists()


def test_debians_gets_a_name_that_sorts_before_network_cards(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """Who stays listed behind ours is said."""
    host.version = "Debian resolvconf 1.91"
    host.others = "nameserver 192.0.2.1\n"
    host.apply()
    asyncio.run(host.dns.reset())
    assert host.calls == [("-a", "tun-slopn0.slopn", TEXT), ("-d", "tun-slopn0.slopn", "")]
    assert "still lists 192.0.2.1 after the tunnel's servers" in caplog.text


def test_a_failure_is_told_in_its_own_words(host: Host) -> None:
    """The inverse stays: half of it may be done."""
    host.status = 1
    with pytest.raises(DnsError, match="-a slopn0 -m 0 -x ended with 1: what it says"):
        host.apply()
    assert host.journal.entries() != ()


def test_a_file_that_does_not_follow_is_an_error(host: Host) -> None:
    """Its configuration may keep it from writing resolv.conf."""
    host.obeys = False
    host.file.write_text("nameserver 192.0.2.1\n")
    with pytest.raises(DnsError, match=r"but .* names 192\.0\.2\.1"):
        host.apply()
    assert asyncio.run(host.dns.drift()) is None


def test_a_resolver_on_this_host_may_stand_first(host: Host) -> None:
    """resolvconf feeds unbound and dnsmasq too; that it vanishes from the file, or is replaced, is drift."""
    host.obeys = False
    host.file.write_text("nameserver 127.0.0.1\n")
    host.apply()
    assert asyncio.run(host.dns.drift()) is None
    host.file.write_text("nameserver 192.0.2.1\n")
    assert (asyncio.run(host.dns.drift()) or "").endswith("names 192.0.2.1")


def test_the_inverse_knows_all_servers_that_were_ours(host: Host) -> None:
    """The file may name those of the profile before, if we die in between."""
    host.apply(DnsConfig(CONFIG.servers[:1]))
    host.apply(DnsConfig(CONFIG.servers[1:]))
    (entry,) = host.journal.entries()
    assert isinstance(entry, ResolvconfRecord)
    assert entry.servers == ("10.9.0.1", "fd09::1")


def test_split_dns_is_refused_in_words(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """All names go to the tunnel's servers then: the safe side."""
    host.apply(DnsConfig(CONFIG.servers, (), ("corp.example",)))
    assert "can't split" in caplog.text


def test_the_record_is_a_resolv_conf() -> None:
    """Servers first, then search domains; its name depends on the kind."""
    assert render(CONFIG).decode() == TEXT
    assert render(DnsConfig(CONFIG.servers[:1])) == b"nameserver 10.9.0.1\n"
    assert [record(flavour, "slopn0") for flavour in ("openresolv", "debian")] == ["slopn0", "tun-slopn0.slopn"]
