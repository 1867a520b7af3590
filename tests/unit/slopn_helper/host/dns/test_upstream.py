from __future__ import annotations

import asyncio
from ipaddress import ip_address
from pathlib import Path

import pytest

from slopn_helper.host.dns import networkmanager, records, upstream
from slopn_helper.host.dns.resolv_conf import ResolvConfDns
from slopn_helper.host.journal import DomainDns, Journal, NetworkManagerWas, ResolvconfRecord
from slopn_wire.profile import DnsConfig, IPAddress


@pytest.fixture(autouse=True)
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host without a bus, and without this machine's own files."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/nobody")
    monkeypatch.setattr(upstream, "RESOLVED_UPLINKS", tmp_path / "resolved")
    monkeypatch.setattr(upstream, "NETWORKMANAGER_UPLINKS", tmp_path / "nm")


def ask(tmp_path: Path) -> list[str]:
    """The upstream servers of this host."""
    journal = Journal(tmp_path / "journal")
    return list(map(str, asyncio.run(upstream.upstream(journal, "slopn0", tmp_path / "resolv.conf"))))


def test_each_source_has_its_place(tmp_path: Path) -> None:
    """resolved's uplinks first, then resolv.conf, then NetworkManager's list; local stubs only if nothing else is there."""
    assert ask(tmp_path) == []
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.53\n")
    assert ask(tmp_path) == ["127.0.0.53"]
    (tmp_path / "nm").write_text("nameserver 192.0.2.3\n")
    assert ask(tmp_path) == ["192.0.2.3"]
    (tmp_path / "resolv.conf").write_text("nameserver 192.0.2.2\nnameserver 127.0.0.1\nnameserver 192.0.2.2\n")
    assert ask(tmp_path) == ["192.0.2.2"]
    (tmp_path / "resolved").write_text("nameserver 192.0.2.1\nnameserver 2001:db8::1\n")
    assert ask(tmp_path) == ["192.0.2.1", "2001:db8::1"]


@pytest.mark.parametrize("linked", [False, True])
def test_while_ours_is_in_place_the_original_is_asked(tmp_path: Path, *, linked: bool) -> None:
    """The tunnel's own server is no way to find the tunnel's endpoint: the journal knows the file from before."""
    path = tmp_path / "resolv.conf"
    if linked:
        (tmp_path / "behind").write_text("nameserver 192.0.2.2\n")
        path.symlink_to("behind")
    else:
        path.write_text("nameserver 192.0.2.2\n")
    config = DnsConfig((ip_address("10.9.0.1"),))
    asyncio.run(ResolvConfDns(Journal(tmp_path / "journal"), path).apply("slopn0", config))
    assert "10.9.0.1" in path.read_text()
    assert ask(tmp_path) == ["192.0.2.2"]


def test_what_no_firewall_rule_can_carry_is_left_out() -> None:
    """Words that aren't addresses and link-local servers are passed over."""
    text = "nameserver fe80::1%eth0\nnameserver fe80::1\nnameserver router\nnameserver 192.0.2.1\n"
    assert list(map(str, upstream.parse(text))) == ["192.0.2.1"]


def test_an_unreadable_place_has_no_servers(tmp_path: Path) -> None:
    """A folder in the file's place is logged and is not a crash on the way to a connection."""
    (tmp_path / "resolv.conf").mkdir()
    assert ask(tmp_path) == []


def test_while_networkmanager_has_ours_its_connections_are_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All its files name ours then. The user's own global servers come first, what the file held before us last."""
    for name in ("resolv.conf", "nm"):
        (tmp_path / name).write_text("nameserver 10.9.0.1\n")
    journal = Journal(tmp_path / "journal")
    journal.record(NetworkManagerWas(resolv_conf=b"nameserver 192.0.2.4\n"))
    assert ask(tmp_path) == ["192.0.2.4"]

    async def connections() -> tuple[IPAddress, ...]:
        return (ip_address("192.0.2.5"),)

    monkeypatch.setattr(networkmanager, "servers", connections)
    assert ask(tmp_path) == ["192.0.2.5"]
    journal.replace(NetworkManagerWas(domains={"*": DomainDns(("192.0.2.6",))}))
    assert ask(tmp_path) == ["192.0.2.6"]
    target, text = upstream.original(journal, tmp_path / "resolv.conf")
    assert (target, text) == (None, "nameserver 10.9.0.1\n")


def test_while_resolvconf_has_ours_the_others_records_are_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file may name ours alone."""
    monkeypatch.setattr(records, "STATE", tmp_path)
    (tmp_path / "resolv.conf").write_text("nameserver 10.9.0.1\n")
    (tmp_path / "interfaces").mkdir()
    (tmp_path / "interfaces/slopn0").write_text("nameserver 10.9.0.1\n")
    (tmp_path / "interfaces/eth0").write_text("nameserver 192.0.2.7\n")
    Journal(tmp_path / "journal").record(ResolvconfRecord("/sbin/resolvconf", "openresolv", "slopn0", ("10.9.0.1",)))
    assert ask(tmp_path) == ["192.0.2.7"]


def test_the_file_as_it_was_before_networkmanager_had_ours_decides(tmp_path: Path) -> None:
    """Else a program that writes over it would make us let go of NetworkManager, and take it back a moment later."""
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 192.0.2.9\n")
    journal = Journal(tmp_path / "journal")
    journal.record(NetworkManagerWas(resolv_conf=b"# Generated by NetworkManager\n"))
    assert upstream.original(journal, path) == (None, "# Generated by NetworkManager\n")
