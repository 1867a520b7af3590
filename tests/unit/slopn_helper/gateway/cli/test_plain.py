from __future__ import annotations

import os
import stat
from ipaddress import ip_address
from pathlib import Path

import msgspec

from slopn_helper import conf
from slopn_helper.gateway import cli, config_file, keys
from slopn_helper.gateway.cli import plain
from slopn_helper.gateway.config import DnsSection
from slopn_wire.profile import IPNetwork
from support.gateway_cli import ENDPOINT, Cli


def test_a_plain_device_gets_a_file_that_fits_this_gateway(gateway: Cli) -> None:
    """Its key is the one that the registry knows, the gateway's is the one in its file; names are asked here."""
    made = gateway.json("device", "add", "phone", "--wireguard")
    parsed = conf.parse(made["conf"], "phone.conf")
    profile = parsed.named("phone")
    (device,) = gateway.json("device", "list")
    assert plain.base64(keys.public_key(parsed.secrets.private_key.reveal())) == device["public_key"]
    assert [str(each.ip) for each in profile.addresses] == device["addresses"]
    (peer,) = profile.peers
    own = keys.public_key(keys.load(gateway.state / keys.NAME, os.getuid()))
    assert (peer.public_key, str(peer.endpoint)) == (plain.base64(own), f"{ENDPOINT}:51820")
    assert [str(each) for each in peer.allowed_ips] == ["0.0.0.0/0", "::/0"]
    assert profile.dns.servers == tuple(pool.network_address + 1 for pool in pools(gateway))
    assert (device["kind"], device["expires"]) == ("wireguard", None)


def pools(gateway: Cli) -> tuple[IPNetwork, ...]:
    """The first of each family."""
    section = gateway.config.pools
    return (section.ipv4[0], section.ipv6[0])


def test_the_private_key_is_kept_nowhere(gateway: Cli, tmp_path: Path) -> None:
    """Printed once, with its QR code."""
    out = gateway.good("device", "add", "phone", "--wireguard")
    key = next(line for line in out.splitlines() if line.startswith("PrivateKey")).partition("= ")[2]
    assert "█" in out or "▀" in out
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert key.encode() not in everything
    (line,) = gateway.audit()
    assert (line["what"], line["name"], line["on"] != "") == ("device.add", "phone", True)


def test_files_are_their_owners_and_nothing_is_printed_of_them(gateway: Cli, tmp_path: Path) -> None:
    """The `.conf` and its code hold the key."""
    made = [str(tmp_path / name) for name in ("phone.conf", "phone.svg")]
    out = gateway.good("device", "add", "phone", "--wireguard", "--conf", made[0], "--svg", made[1])
    assert "PrivateKey" not in out
    assert {stat.S_IMODE(Path(each).stat().st_mode) for each in made} == {0o600}
    conf.parse(Path(made[0]).read_text(encoding="utf-8"), "phone.conf")


def test_a_bad_name_adds_nobody(gateway: Cli) -> None:
    """A sentence."""
    status, _, err = gateway.run("device", "add", "a\nb", "--wireguard")
    assert (status, err.count("\n")) == (cli.USAGE, 1)
    assert gateway.json("device", "list") == []


def test_named_resolvers_are_told_instead(gateway: Cli) -> None:
    """With the domains to search."""
    servers = (ip_address("9.9.9.9"),)
    named = msgspec.structs.replace(gateway.config, dns=DnsSection(servers, ("example.org",)))
    gateway.config_file.write_text(config_file.write(named), encoding="utf-8")
    made = gateway.json("device", "add", "phone", "--wireguard")
    assert "DNS = 9.9.9.9, example.org\n" in made["conf"]
