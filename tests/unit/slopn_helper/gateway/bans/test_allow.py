from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from slopn_helper.gateway.bans.allow import ALWAYS, logged_in, networks, remote_host, ssh_peer

SESSION = "# This is private data. Do not parse.\nUID=0\nUSER=root\nACTIVE=1\nREMOTE=1\nREMOTE_HOST={}\n"


@pytest.mark.parametrize(
    ("value", "peer"),
    [
        ("203.0.113.7 50022 198.51.100.1 22", "203.0.113.7"),
        ("::ffff:203.0.113.7 50022 ::ffff:198.51.100.1 22", "203.0.113.7"),
        ("fe80::7%eth0 50022 fe80::1%eth0 22", "fe80::7"),
        ("evil.example.com 1 2 3", None),
        ("", None),
    ],
)
def test_the_ssh_session_says_where_it_comes_from(value: str, peer: str | None) -> None:
    """As an address, whatever clothes it wears; no name is looked up."""
    assert ssh_peer({"SSH_CONNECTION": value}) == (None if peer is None else ip_address(peer))
    assert ssh_peer({}) is None


def test_who_is_logged_in_from_elsewhere_is_found(tmp_path: Path) -> None:
    """Remote sessions with an address; broken files and local sessions are nobody."""
    for name, text in {
        "1": SESSION.format("203.0.113.7"),
        "2": SESSION.format("2001:db8::7"),
        "3": SESSION.format("laptop.example.com"),
        "4": "REMOTE=0\nREMOTE_HOST=203.0.113.8\n",
        "5": "REMOTE",
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "6").write_bytes(b"\xff\xfe")
    (tmp_path / "7").mkdir()
    assert logged_in(tmp_path) == {ip_address("203.0.113.7"), ip_address("2001:db8::7")}
    assert logged_in(tmp_path / "none") == frozenset()
    assert remote_host("") is None


def test_the_list_has_the_host_its_neighbours_and_the_administrators() -> None:
    """Each once."""
    own, admin = ip_address("198.51.100.1"), ip_address("2001:db8::7")
    made = networks([ip_network("203.0.113.0/24")], [own, own], [admin])
    assert made == (
        *ALWAYS,
        ip_network("203.0.113.0/24"),
        ip_network("198.51.100.1/32"),
        ip_network("2001:db8::7/128"),
    )
