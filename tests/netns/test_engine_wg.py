from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Iterator

import pytest

import slopn_engine
from support.gateway import Keys
from support.netns import Namespace

_DEVICE = f"wg{os.getpid()}{secrets.token_hex(2)}"[:15]


@pytest.fixture
def host() -> Iterator[Namespace]:
    """A namespace with an engine that serves the UAPI socket."""
    with Namespace("wg") as namespace:
        with namespace.entered():
            engine = slopn_engine.Engine(_DEVICE)
        try:
            yield namespace
        finally:
            engine.close()


def show(host: Namespace, what: str) -> str:
    """What `wg show DEVICE WHAT` says."""
    return host.run(["wg", "show", _DEVICE, what]).stdout.strip()


def wg_set(host: Namespace, *words: str, stdin: str | None = None, check: bool = True) -> int:
    """Run `wg set DEVICE …` and give its status."""
    return host.run(["wg", "set", _DEVICE, *words], input=stdin, check=check).returncode


def test_wg_set_and_show_agree(host: Namespace) -> None:
    """Everything that wg(8) can set is shown by it afterwards."""
    ours, theirs = Keys.new(), Keys.new()
    psk = host.run("wg genpsk").stdout
    wg_set(host, "private-key", "/dev/stdin", "listen-port", "40123", "fwmark", "0x1234", stdin=ours.private)
    assert show(host, "public-key") == ours.public
    assert show(host, "listen-port") == "40123"
    assert show(host, "fwmark") == "0x1234"
    peer = ("peer", theirs.public)
    wg_set(host, *peer, "preshared-key", "/dev/stdin", stdin=psk)
    wg_set(host, *peer, "endpoint", "[2001:db8::9]:7", "persistent-keepalive", "21")
    wg_set(host, *peer, "allowed-ips", "10.0.0.0/8,fd00::/8,192.0.2.1/32")
    assert show(host, "peers") == theirs.public
    assert show(host, "preshared-keys") == f"{theirs.public}\t{psk.strip()}"
    assert show(host, "endpoints") == f"{theirs.public}\t[2001:db8::9]:7"
    assert show(host, "persistent-keepalive") == f"{theirs.public}\t21"
    assert set(show(host, "allowed-ips").split()[1:]) == {"10.0.0.0/8", "fd00::/8", "192.0.2.1/32"}
    assert show(host, "latest-handshakes") == f"{theirs.public}\t0"
    wg_set(host, *peer, "persistent-keepalive", "off", "allowed-ips", "")
    assert show(host, "persistent-keepalive") == f"{theirs.public}\toff"
    assert show(host, "allowed-ips") == f"{theirs.public}\t(none)"
    wg_set(host, *peer, "remove")
    assert show(host, "peers") == ""


def test_an_allowed_ip_moves_as_in_the_kernel(host: Namespace) -> None:
    """Giving a prefix to another peer takes it from the first; a longer one within it doesn't."""
    first, second = Keys.new().public, Keys.new().public
    wg_set(host, "private-key", "/dev/stdin", stdin=Keys.new().private)
    wg_set(host, "peer", first, "allowed-ips", "10.0.0.0/8,10.1.0.0/16")
    wg_set(host, "peer", second, "allowed-ips", "10.1.0.0/16,10.1.2.0/24")
    owners = dict(line.split("\t") for line in show(host, "allowed-ips").splitlines())
    assert owners[first] == "10.0.0.0/8"
    assert set(owners[second].split()) == {"10.1.0.0/16", "10.1.2.0/24"}


def test_setconf_and_showconf_are_inverse(host: Namespace) -> None:
    """What `wg showconf` writes, `wg setconf` reads back; `wg syncconf` with the same keeps every peer."""
    conf = f"""[Interface]
ListenPort = 40124
FwMark = 0x77
PrivateKey = {Keys.new().private}

[Peer]
PublicKey = {Keys.new().public}
AllowedIPs = 10.7.0.0/16
Endpoint = 192.0.2.7:51820
PersistentKeepalive = 25
"""
    host.run(["wg", "setconf", _DEVICE, "/dev/stdin"], input=conf)
    first = host.run(["wg", "showconf", _DEVICE]).stdout
    assert first.split() == conf.split()
    host.run(["wg", "syncconf", _DEVICE, "/dev/stdin"], input=first)
    assert host.run(["wg", "showconf", _DEVICE]).stdout == first


def test_the_own_key_is_no_peer(host: Namespace) -> None:
    """An interface isn't its own peer, whichever comes first."""
    ours, other = Keys.new(), Keys.new()
    wg_set(host, "peer", ours.public, "allowed-ips", "10.0.0.0/8")
    wg_set(host, "private-key", "/dev/stdin", stdin=ours.private)
    wg_set(host, "peer", ours.public, "allowed-ips", "10.0.0.0/8")
    wg_set(host, "peer", other.public)
    assert show(host, "peers") == other.public


@pytest.mark.parametrize("first", [0, 1], ids=["zero", "one"])
def test_a_key_that_everyone_shares_is_refused(host: Namespace, first: int) -> None:
    """A public key of low order would let anybody in as that peer; nothing of such a request is in force."""
    weak = base64.b64encode(bytes([first]) + bytes(31)).decode()
    other = Keys.new().public
    wg_set(host, "private-key", "/dev/stdin", stdin=Keys.new().private)
    assert wg_set(host, "peer", other, "peer", weak, "allowed-ips", "10.0.0.0/8", check=False) != 0
    assert show(host, "peers") == ""


def test_a_port_in_use_is_an_error_and_changes_nothing(host: Namespace) -> None:
    """`wg set` fails for a port that is taken, and nothing of the same request is in force."""
    wg_set(host, "private-key", "/dev/stdin", stdin=Keys.new().private)
    port = show(host, "listen-port")
    other = "40999"
    with host.entered():
        taken = slopn_engine.Engine("wgtaken", uapi=False)
        taken.apply(bytes(range(32)), int(other), None, None, [], initiate=False)
    try:
        assert wg_set(host, "listen-port", other, "fwmark", "5", check=False) != 0
    finally:
        taken.close()
    assert show(host, "listen-port") == port
    assert show(host, "fwmark") == "off"


def test_the_mark_is_on_the_sockets(host: Namespace) -> None:
    """The fwmark is set at once on the sockets that are open, so that policy routing sees it."""
    host.ip(
        """link add d0 type veth peer name d1
        link set d0 up
        link set d1 up
        addr add 192.0.2.1/24 dev d0
        rule add fwmark 0x99 unreachable"""
    )
    theirs = Keys.new().public
    wg_set(host, "private-key", "/dev/stdin", stdin=Keys.new().private)
    host.ip(f"link set {_DEVICE} up\naddr add 10.8.0.1/24 dev {_DEVICE}")
    wg_set(host, "peer", theirs, "endpoint", "192.0.2.9:9", "allowed-ips", "10.8.0.0/24")
    host.run("ping -c1 -W0.2 10.8.0.2", check=False)
    sent = int(show(host, "transfer").split()[2])
    assert sent > 0
    wg_set(host, "fwmark", "0x99", "peer", theirs, "remove")
    wg_set(host, "peer", theirs, "endpoint", "192.0.2.9:9", "allowed-ips", "10.8.0.0/24")
    host.run("ping -c1 -W0.2 10.8.0.2", check=False)
    assert show(host, "transfer").split()[2] == "0"
