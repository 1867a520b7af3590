"""`slopn-gateway device add NAME --wireguard`: a device for any WireGuard program.

Its private key is made here, printed once in the `.conf`, and kept nowhere.
"""

from __future__ import annotations

import argparse
import io
import os
import time
from base64 import b64encode
from collections.abc import Sequence
from ipaddress import ip_interface, ip_network
from pathlib import Path

import segno
from msgspec import Struct

from slopn_helper import conf
from slopn_helper.files import write_file
from slopn_helper.gateway import cli, devices, keys
from slopn_helper.gateway.cli import lengths, opened, output
from slopn_helper.gateway.config import Config
from slopn_helper.gateway.pools import gateway_address
from slopn_helper.gateway.types import DeviceKind, Enrolled
from slopn_helper.secrets import ProfileSecrets, Secret
from slopn_wire.profile import DnsConfig, Endpoint, IPAddress, IPNetwork, Peer, Profile

KEEPALIVE = 25
"""Seconds: most devices are behind NAT, and their owners expect to be reached after a while of silence."""


class PlainMade(Struct, frozen=True):
    """A fresh device for programs, the only time that its file is shown."""

    id: str
    name: str
    conf: str


def configure(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("name", help="what it is called")
    parser.add_argument("--wireguard", action="store_true", required=True, help="for any WireGuard program")
    parser.add_argument("--expires", default="never", metavar="LENGTH", help="7d, 4w, … or never (default)")
    parser.add_argument("--conf", type=Path, metavar="FILE", help="write it into this file (0600), print nothing of it")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write its QR code into this file (0600)")
    parser.add_argument("--json", action="store_true", help="for programs")


async def add(arguments: argparse.Namespace) -> int:
    """Enrol it."""
    config = opened.settings(arguments)
    paths = cli.paths(arguments)
    if (problem := devices.name_problem(arguments.name)) is not None:
        raise cli.UsageError(problem)
    now = time.time()
    lifetime = lengths.seconds_or_never(arguments.expires)
    gateway = keys.public_key(keys.load(paths.wireguard_key, os.getuid()))
    private = keys.clamped(os.urandom(keys.LENGTH))
    with opened.log(arguments).act("device.add") as act:
        act.tell(name=arguments.name, kind="wireguard")
        async with opened.registry(config) as registry:
            made = await registry.add(
                arguments.name,
                keys.public_key(private),
                DeviceKind.WIREGUARD,
                now=now,
                expires=None if lifetime is None else now + lifetime,
            )
        act.on = made.device.id
    text = file_of(made, config, gateway, private)
    _show(arguments, made, text)
    return cli.DONE


def file_of(made: Enrolled, config: Config, gateway: bytes, private: bytes) -> str:
    """The device's wg-quick file; it holds `private`."""
    addresses = [lease.address for lease in made.leases]
    peer = Peer(
        base64(gateway),
        Endpoint(config.wireguard.endpoint, config.wireguard.port),
        tuple(ip_network("0.0.0.0/0" if address.version == 4 else "::/0") for address in addresses),
        KEEPALIVE,
    )
    profile = Profile(
        "gateway",
        tuple(ip_interface(address) for address in addresses),
        (peer,),
        DnsConfig(name_servers(config, [address.version for address in addresses]), config.dns.search),
    )
    return conf.write(profile, ProfileSecrets(Secret(private)))


def name_servers(config: Config, versions: Sequence[int] = (4, 6)) -> tuple[IPAddress, ...]:
    """The resolvers that devices are told: those named in the settings, else the gateway's own addresses inside."""
    if config.dns.servers:
        return config.dns.servers
    first: tuple[tuple[IPNetwork, ...], ...] = (config.pools.ipv4[:1], config.pools.ipv6[:1])
    return tuple(gateway_address(pool) for pools in first for pool in pools if pool.version in versions)


def base64(key: bytes) -> str:
    """A public key as wg(8) writes it."""
    return b64encode(key).decode()


def _show(arguments: argparse.Namespace, made: Enrolled, text: str) -> None:
    code = segno.make(text, error="l", micro=False)
    if arguments.conf is not None:
        write_file(arguments.conf, text.encode())
    if arguments.svg is not None:
        svg = io.BytesIO()
        code.save(svg, kind="svg", scale=4)
        write_file(arguments.svg, svg.getvalue())
    if arguments.json:
        output.put_json(PlainMade(made.device.id, made.device.name, text))
        return
    if arguments.conf is None and arguments.svg is None:
        terminal = io.StringIO()
        code.terminal(terminal, compact=True)
        output.put(f"{text}\n{terminal.getvalue()}")
    output.say(f"{made.device.name} ({made.device.id}) may connect. Its private key is kept nowhere here.")
