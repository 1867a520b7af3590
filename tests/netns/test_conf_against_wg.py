"""Our reading of wg-quick files against that of the real programs."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_interface
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slopn_helper.conf import ConfError, Parsed, parse, write
from support.netns import Namespace
from support.wg_reader import Device, WgReader

DATA = Path(__file__).resolve().parents[1] / "data/conf"
VALID = sorted((DATA / "valid").glob("*.conf"))
BROKEN = sorted(path for path in (DATA / "broken").glob("*.conf") if path.stem != "invalid_utf8")

# The names in the files, as the namespace's /etc/hosts has them: nobody else is asked.
HOSTS = {
    name: f"192.0.2.{number}"
    for number, name in enumerate(("vpn-1.example.net", "xn--bcher-kva.example", "gw_a", "test.example.com"), 101)
}

# Broken files that wg-quick and wg would take, and why we don't: all else they refuse as we do.
STRICTER = {
    "no_interface": "wg allows a device without keys",
    "no_peer": "wg allows a device that talks to nobody",
    "interface_twice": "wg(8): only one Interface section may be specified",
    "key_twice_interface": "the last one would win, silently",
    "key_twice_peer": "the last one would win, silently",
    "private_key_missing": "wg(8): required",
    "private_key_zero": "it stands for none",
    "public_key_zero": "no peer can have it",
    "public_key_twice": "two peers would become one, silently",
    "address_missing": "nothing would be routed",
    "address_empty": "nothing would be routed",
    "allowed_ips_of_two_peers": "the last one would win, silently",
    "endpoint_v6_without_brackets": "it may be an address without a port",
    "endpoint_v6_zone": "a firewall can't express it",
    "endpoint_multicast": "no peer can have it",
    "endpoint_unspecified": "no peer can have it",
    "endpoint_inside": "the tunnel would go through itself",
    "endpoint_port_zero": "no peer can have it",
    "nul_character": "bash leaves it out",
    "listen_port_word": "a service's name may mean another number on another host",
    "endpoint_port_word": "a service's name may mean another number on another host",
    "listen_port_too_large": "getaddrinfo(3) cuts it to 16 bits, silently",
    "endpoint_port_too_large": "getaddrinfo(3) cuts it to 16 bits, silently",
}
# Files in which wg finds nothing to object to, since there is nothing.
EMPTY = {"empty", "only_comments"}
# Broken files whose defect wg-quick hands to ip(8) or resolvconf(8) without a look.
LEFT_TO_IP = ("address_", "dns_", "mtu_", "table_")


def ours(parsed: Parsed) -> Device:
    """The same from our reading."""

    def hexadecimal(key: str) -> str:
        return base64.b64decode(key).hex()

    interface = {
        "set": "1",
        "private_key": parsed.secrets.private_key.reveal().hex(),
        "listen_port": str(parsed.listen_port or 0),
        "fwmark": str(parsed.fwmark or 0),
        "replace_peers": "true",
    }
    peers = []
    for peer in parsed.peers:
        each: dict[str, Any] = {"public_key": hexadecimal(peer.public_key), "allowed": set(peer.allowed_ips)}
        if peer.public_key in parsed.secrets.preshared_keys:
            each["preshared_key"] = parsed.secrets.preshared_keys[peer.public_key].reveal().hex()
        if peer.endpoint is not None:
            name = peer.endpoint.host.rstrip(".").lower()
            each["endpoint"] = f"{HOSTS[name]}:{peer.endpoint.port}" if name in HOSTS else str(peer.endpoint)
        if peer.persistent_keepalive is not None:
            each["persistent_keepalive_interval"] = str(peer.persistent_keepalive)
        peers.append(each)
    return interface, peers


_GAP = r"[ \t\r\v\f]*"
_NO_NETWORKS = re.compile(f"(?im)^{_GAP}{_GAP.join('AllowedIPs')}{_GAP}={_GAP}(#.*)?$")


def prepared(text: str) -> str:
    """What we take though wg doesn't: a byte order mark, and an AllowedIPs line with nothing in it."""
    return _NO_NETWORKS.sub("", text.removeprefix("\ufeff"))


@pytest.fixture(scope="module")
def wg(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WgReader]:
    """The real programs, for all tests of this file."""
    with (
        Namespace("wgconf", private=True) as namespace,
        WgReader(namespace, tmp_path_factory.mktemp("wgconf"), HOSTS) as reader,
    ):
        yield reader


def check(wg: WgReader, text: str, parsed: Parsed) -> None:
    """What we read is what the real programs read."""
    quick = wg.quick(prepared(text))
    assert wg.device(quick["rest"]) == ours(parsed)
    assert [ip_interface(address) for address in quick["addresses"]] == list(parsed.addresses)
    assert set(map(ip_address, quick["dns"])) == set(parsed.dns.servers)
    assert set(quick["search"]) == set(parsed.dns.search)
    assert int(quick["mtu"] or 0) == (parsed.mtu or 0)
    tables = {"": "auto", "main": "254", "0x4d2": "1234"}
    assert tables.get(quick["table"], quick["table"]) == parsed.table
    never_run = [note for note in parsed.notes if "never run" in note]
    assert len(never_run) == quick["hooks"]
    assert any("SaveConfig" in note for note in parsed.notes) == (quick["save"] == "1")


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_wg_reads_a_valid_file_as_we_do(wg: WgReader, path: Path) -> None:
    """Each valid file means the same to us, to wg-quick and to wg."""
    text = path.read_bytes().decode()
    check(wg, text, parse(text, path.name))


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_wg_reads_what_we_export(wg: WgReader, path: Path) -> None:
    """What we write is a file that `wg-quick strip` takes, and that means the same."""
    parsed = parse(path.read_bytes().decode(), path.name)
    text = write(parsed.named("any"), parsed.secrets)
    assert wg.device(wg.strip(text)) == ours(parsed)


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_wg_refuses_a_broken_file_or_we_know_why_not(wg: WgReader, path: Path) -> None:
    """The real programs refuse what we refuse, but for a list with reasons and what they hand on without a look."""
    text = path.read_bytes().decode()
    try:
        taken = wg.device(wg.quick(text)["rest"]) is not None
    except RuntimeError:
        taken = False
    assert taken == (path.stem in STRICTER or path.stem.startswith(LEFT_TO_IP) or path.stem in EMPTY)


PRIVATE = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="
PUBLIC = ("xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=", "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=")
spaces = st.sampled_from([*["", " ", "\t", "  ", "\r", "\x0b"] * 4, "\u00a0"])
WORDS = {
    "Address": ["10.0.0.2/32", "fd00::2/64", "10.0.0.2 10.0.0.3", "10.0.0.4,,10.0.0.5/24", "010.0.0.1", "10.0.0.9/024"],
    "DNS": ["10.0.0.1", "corp.example", "fd00::53 lan", "10.0.0.1,10.0.0.1", "1.1", ""],
    "MTU": ["1280", "01400", "0x500", " 1400 ", "1 400", ""],
    "Table": ["off", "auto", "1234", "main", "0x4d2", ""],
    "PostUp": ["true", "a=b, [c] # d", ""],
    "SaveConfig": ["true", "FALSE", "yes"],
    "ListenPort": ["0", "51820", "051820", "5 1820", "65535", "+5", "1e3", ""],
    "FwMark": ["off", "0", "0xca6c", "51820", "0X5", "007", "0x0x5", "4294967295", "0xfffffffff", ""],
    "AllowedIPs": [
        "0.0.0.0/0",
        "10.1.2.3/8, ::/0",
        "10.0.0.1",
        "::1/ 64",
        "10.0.0.0/8,",
        "1 0.0.0.0/8",
        "+10.0.0.0/8",
        "",
    ],
    "Endpoint": [
        "192.0.2.1:51820",
        "[2001:DB8::1]:1",
        "gw_a:65535",
        "192.0.2.1 : 051820",
        "[::1]:1:2",
        "192.0.2.1:",
        "[::1]",
    ],
    "PersistentKeepalive": ["off", "OFF", "0", "25", "0025", "65536", "-1", "2 5", ""],
    "PresharedKey": [PRIVATE, "A" * 43 + "=", PRIVATE[:20] + " " + PRIVATE[20:], PRIVATE[:-1], ""],
}


@st.composite
def lines(draw: st.DrawFn, keys: tuple[str, ...]) -> str:
    """Lines with some of these keys and values that are good, odd or wrong, in odd spelling."""
    text = ""
    for key in draw(st.lists(st.sampled_from(keys), unique=True)):
        spelt = draw(st.sampled_from([key, key.lower(), key.upper(), key[:3] + " " + key[3:]]))
        value = draw(st.sampled_from(WORDS[key]))
        before, middle, after, end = (draw(spaces) for _ in range(4))
        comment = draw(st.sampled_from(["", "", "# comment = [x]", "#"]))
        text += f"{before}{spelt}{middle}={after}{value}{end}{comment}\n"
    return text


@st.composite
def files(draw: st.DrawFn) -> str:
    """A file that is nearly a good one."""
    quick = ("Address", "DNS", "MTU", "Table", "PostUp", "SaveConfig", "ListenPort", "FwMark")
    interface = f"[Interface]\nPrivateKey={PRIVATE}\nAddress = 192.0.2.9/32\n" + draw(lines(quick))
    peer = ("AllowedIPs", "Endpoint", "PersistentKeepalive", "PresharedKey")
    peers = "".join(
        f"{draw(st.sampled_from(['[Peer]', '[ PEER ]', ' [Peer]#']))}\nPublicKey = {key}\n" + draw(lines(peer))
        for key in draw(st.sampled_from([PUBLIC, PUBLIC[:1]]))
    )
    return draw(st.sampled_from(["", "\ufeff", "# first\n"])) + interface + peers


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=files())
def test_whatever_we_take_wg_takes_in_the_same_sense(wg: WgReader, text: str) -> None:
    """No file is accepted by us that the real programs refuse or read otherwise."""
    try:
        parsed = parse(text, "x.conf")
    except ConfError:
        return
    check(wg, text, parsed)
