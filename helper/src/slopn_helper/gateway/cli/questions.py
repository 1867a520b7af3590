"""What `init` asks a person at a terminal, with what is usual in brackets."""

from __future__ import annotations

import argparse
import sys

import msgspec

from slopn_helper.gateway import cli
from slopn_helper.gateway.choices import Choices, WrongChoice, settle
from slopn_helper.gateway.cli import output
from slopn_helper.gateway.config import Config

OWN = "own"
"""As a resolver: the gateway itself."""


def said(arguments: argparse.Namespace) -> Choices:
    """What the arguments say."""
    dns = _tuple(arguments.dns)
    return Choices(
        endpoint=arguments.endpoint,
        port=arguments.port,
        https_port=arguments.https_port,
        ipv4=_tuple(arguments.ipv4),
        ipv6=_tuple(arguments.ipv6),
        dns=() if dns == (OWN,) else dns,
        database=arguments.database,
        allow=_tuple(arguments.allow),
    )


def asked(known: Choices, base: Config, *, pools: bool) -> Choices:
    """`known`, with answers for what wasn't said; Enter takes what `base` has. `pools`: whether to ask for networks."""
    questions = [
        ("endpoint", "Name or address by which clients reach this server", ""),
        ("port", "UDP port of WireGuard", str(base.wireguard.port)),
        ("https_port", "TCP port of enrolment", str(base.enrolment.port)),
        ("dns", "Resolvers for devices", OWN),
    ]
    if pools:
        questions += [
            ("ipv4", "IPv4 network for devices", _listed(base.pools.ipv4)),
            ("ipv6", "IPv6 network for devices", _listed(base.pools.ipv6)),
        ]
    found = known
    for name, question, usual in questions:
        if getattr(known, name) is None:
            found = _answered(found, base, name, question, usual)
    return found


def yes(question: str) -> bool:
    """Whether the answer is yes; Enter isn't."""
    return _read(f"{question} [y/N] ").lower() in {"y", "yes"}


def _answered(found: Choices, base: Config, name: str, question: str, usual: str) -> Choices:
    while True:
        text = _read(f"{question} [{usual}]: " if usual else f"{question}: ")
        if not text:
            if usual:
                return found
            continue
        try:
            chosen = msgspec.structs.replace(found, **{name: _value(name, text)})
            settle(base, chosen)
        except (WrongChoice, ValueError) as error:
            output.say(str(error))
            continue
        return chosen


def _value(name: str, text: str) -> str | int | tuple[str, ...]:
    if name == "endpoint":
        return text
    if name in {"port", "https_port"}:
        if not text.isascii() or not text.isdecimal():
            raise ValueError("A port is a number from 1 to 65535.")
        return int(text)
    return () if text == OWN else tuple(text.replace(",", " ").split())


def _read(prompt: str) -> str:
    output.put(prompt)
    line = sys.stdin.readline()
    if not line:
        raise cli.UsageError("Nothing was changed.")
    return line.strip()


def _listed(networks: tuple[object, ...]) -> str:
    return ", ".join(map(str, networks))


def _tuple(values: list[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)
