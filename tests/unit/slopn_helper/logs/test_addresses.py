from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from slopn_helper.logs.addresses import Veil, tells_nothing


@pytest.mark.parametrize(
    ("text", "covered"),
    [
        ("from 192.0.2.1:51820.", "from [address 1]:51820."),
        ("192.0.2.1, 192.0.2.2 and 192.0.2.1", "[address 1], [address 2] and [address 1]"),
        ("default via fe80::1%eth0", "default via [address 1]%eth0"),
        ("[2001:db8::1]:51820", "[[address 1]]:51820"),
        ("2001:DB8:0::1 is 2001:db8::1", "[address 1] is [address 1]"),
        ("::ffff:192.0.2.1 is 192.0.2.1", "[address 1] is [address 1]"),
        ("Interface:2001:db8::1:up, at 2001:db8::2.", "Interface:[address 1]:up, at [address 2]."),
        ("to_192.0.2.1_5", "to_[address 1]_5"),
        ("10.9.0.2/32 and fd00::2/128", "[address 2]/32 and [address 1]/128"),
        ("Endpoint(host='vpn.example.org', port=51820)", "Endpoint(host='[host 1]', port=51820)"),
        ("https://vpn.example.org:443/path", "https://[host 1]:443/path"),
        ("VPN.example.org. can't be resolved", "[host 1]. can't be resolved"),
        ("xn--bcher-kva.example", "[host 1]"),
        ("gateway_mac='02:00:5e:10:00:01'", "gateway_mac='[address 1]'"),
    ],
)
def test_addresses_and_hosts_get_stand_ins(text: str, covered: str) -> None:
    """The same one each time it is the same."""
    assert Veil().cover(text) == covered


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0/0, ::/0, ::ffff:0.0.0.0, 127.0.0.1, ::1, 224.0.0.251, ff02::fb",
        "12:34:56 the helper began",
        "version 1.2.3, kernel 6.1.0-13-amd64, nftables 1.0.6",
        "/etc/resolv.conf, resolv.conf and helper.sock",
        'File "/usr/lib/python3/dist-packages/slopn_helper/logs/store.py", line 3',
        "slopn_helper.tunnel.driver: systemd-resolved.service",
        "org.freedesktop.resolve1",
        "std::io::Error",
        "1.2.3.4.5",
    ],
)
def test_what_tells_nothing_of_anybody_stays(text: str) -> None:
    """What everybody has; and what is no address: times, versions, names of files and modules."""
    assert Veil().cover(text) == text


@given(st.ip_addresses(), st.text("abc ,;()='\"/\n", max_size=10), st.text(" ,;)'\"/\n", max_size=10))
def test_no_address_passes(address: IPv4Address | IPv6Address, before: str, after: str) -> None:
    """In its usual form, and an IPv6 one written out, with anything around it that isn't part of an address."""
    assume(not tells_nothing(address))
    for form in (str(address), address.exploded, str(address).upper()):
        assert form not in Veil().cover(f"{before[:-1]} {form}{after}")


def test_text_without_addresses_takes_linear_time() -> None:
    """Long runs of what an address is made of end at once."""
    for part in ("1.", "a.", "a:", "::", "ab:", "1:", "a-", "0", "f"):
        Veil().cover(part * 30_000)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """After very many addresses the others have one stand-in."""
    monkeypatch.setattr("slopn_helper.logs.addresses._MOST", 3)
    assert Veil().cover("192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.1") == (
        "[address 1] [address 2] [address] [address] [address 1]"
    )
