from __future__ import annotations

import asyncio
from ipaddress import ip_address
from pathlib import Path

import pytest

from slopn_helper.host.dns import upstream
from slopn_helper.host.dns.resolv_conf import ResolvConfDns
from slopn_helper.host.journal import Journal
from slopn_wire.profile import DnsConfig


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
