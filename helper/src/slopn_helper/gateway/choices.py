"""From what an administrator says at set-up, and what was there before, to the settings. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from slopn_helper.gateway import config, config_file
from slopn_helper.gateway.config import Config, PoolsSection
from slopn_helper.gateway.types import Pool


class Choices(Struct, frozen=True):
    """What was said; None: nothing was."""

    endpoint: str | None = None
    port: int | None = None
    https_port: int | None = None
    ipv4: tuple[str, ...] | None = None
    ipv6: tuple[str, ...] | None = None
    dns: tuple[str, ...] | None = None
    """Empty: the gateway's own."""
    database: str | None = None
    allow: tuple[str, ...] | None = None

    def keys(self) -> dict[tuple[str, str], Any]:
        """By the settings' section and key."""
        said = {
            ("wireguard", "endpoint"): self.endpoint,
            ("wireguard", "port"): self.port,
            ("enrolment", "port"): self.https_port,
            ("pools", "ipv4"): self.ipv4,
            ("pools", "ipv6"): self.ipv6,
            ("dns", "servers"): self.dns,
            ("database", "url"): self.database,
            ("bans", "allow"): self.allow,
        }
        return {key: value for key, value in said.items() if value is not None}


class WrongChoice(ValueError):
    """What was said can't be; a sentence that names the key and what is allowed."""


def settle(base: Config, choices: Choices) -> Config:
    """`base`, with what was chosen. Raises `WrongChoice`, in the words of the settings' file."""
    text = config_file.write(base)
    for (section, key), value in choices.keys().items():
        shown = [str(each) for each in value] if isinstance(value, tuple) else value
        text = _replaced(text, section, key, shown)
    try:
        return config_file.parse(text, Path("gateway.toml"))
    except config_file.ConfigError as error:
        raise WrongChoice(f"{error.key}: {error.message} Allowed: {error.allowed}.") from None


def first(endpoint: str, random: bytes, state: Path) -> Config:
    """What a fresh gateway begins with; `state` is where SQLite's file shall be. Raises `WrongChoice`."""
    base = config.defaults("localhost", random)
    own = msgspec.structs.replace(base, database=config.DatabaseSection(f"sqlite:///{state}/registry.db"))
    return settle(own, Choices(endpoint=endpoint))


def with_pools(base: Config, pools: Sequence[Pool]) -> Config:
    """`base` with the pools that a registry has already: all gateways that share one lend of the same."""
    networks = [pool.network for pool in pools]
    section = PoolsSection(
        tuple(each for each in networks if isinstance(each, IPv4Network)),
        tuple(each for each in networks if isinstance(each, IPv6Network)),
        tuple(dict.fromkeys(address for pool in pools for address in pool.reserved)),
    )
    return msgspec.structs.replace(base, pools=section)


def differences(before: Config, after: Config) -> Iterator[str]:
    """`wireguard.port: 51820 → 51821`, for each key that differs; the database's URL isn't shown."""
    for section in before.__struct_fields__:
        one, other = getattr(before, section), getattr(after, section)
        for key in one.__struct_fields__:
            was, will = getattr(one, key), getattr(other, key)
            if was != will:
                secret = section == "database"
                yield f"{section}.{key}" + ("" if secret else f": {_shown(was)} → {_shown(will)}")


def _shown(value: Any) -> str:
    return (", ".join(map(str, value)) or "none") if isinstance(value, tuple) else str(value)


def _replaced(text: str, section: str, key: str, value: Any) -> str:
    """The file's text with one key set; it was written by `config_file.write`, where each key has a line."""
    lines = text.split("\n")
    at = lines.index(f"[{section}]")
    while lines[at].lstrip("#").partition(" = ")[0] != key:
        at += 1
    lines[at] = f"{key} = {msgspec.json.encode(value).decode()}"
    return "\n".join(lines)
