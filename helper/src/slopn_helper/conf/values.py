"""What may stand after each key. Every function takes the value's token and raises `Defect` if it is malformed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network

from slopn_helper.conf.errors import quoted
from slopn_helper.conf.lexer import Token
from slopn_helper.secrets import Secret
from slopn_wire.profile import Endpoint, IPAddress, IPInterface, IPNetwork

_KEY = "a key is 44 characters of base64 that stand for 32 bytes, as wg genkey, pubkey and genpsk print them"
_PORT = "a port is a number from 1 to 65535"
_ENDPOINT = "an endpoint is host:port, where an IPv6 address stands in brackets: [2001:db8::1]:51820"
_ADDRESS = "an address is IPv4 or IPv6, with an optional prefix length: 10.0.0.2/32 or fd00::2/64"
_NETWORK = "allowed IPs are IPv4 or IPv6 networks between commas: 0.0.0.0/0, fd00::/64"
_DNS = "DNS takes IP addresses without a port, and search domains, between commas"
_TABLE = "Table is auto, off, main, default or a number from 1 to 4294967295 but 255"
_LEAST_MTU, _LEAST_MTU6 = 576, 1280
MOST_MTU = 65535
_MTU = f"an MTU is a number from {_LEAST_MTU} to {MOST_MTU}"
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_NUMBER_LABEL = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_KEYWORD_TABLES = {"auto": "auto", "off": "off", "main": "254", "default": "253"}


def secret_key(value: Token) -> Secret:
    """A key in base64; never quoted in a defect, neither are its parts."""
    text = value.squeezed
    if len(text) != 44:
        raise value.defect(f"a key of {len(text)} characters" if text else "no key", _KEY)
    try:
        key = Secret.from_base64(text)
    except ValueError as error:
        raise value.defect(str(error), _KEY) from None
    return key


def nonzero_key(value: Token) -> Secret:
    """A key in base64 that isn't all zeros, which WireGuard takes for none."""
    key = secret_key(value)
    if not any(key.reveal()):
        raise value.defect("a key of nothing but zeros", _KEY)
    return key


def public_key(value: Token) -> str:
    """A peer's key, in base64."""
    return nonzero_key(value).reveal_base64()


def addresses(value: Token) -> list[tuple[Token, IPInterface]]:
    """Address: between commas or white space; without a prefix length the address stands for itself alone."""
    return [(word, _interface(word)) for word in value.words()]


def networks(value: Token) -> Iterator[tuple[Token, IPNetwork]]:
    """AllowedIPs: between commas, host bits masked off as wg does. An empty value is no network."""
    for item in value.items() if value.text else ():
        yield item, _network(item)


def resolvers(value: Token) -> tuple[list[IPAddress], list[str]]:
    """DNS: servers and search domains, told apart as wg-quick does: digits and dots, or a colon, make an address."""
    servers: list[IPAddress] = []
    search: list[str] = []
    for word in value.words():
        if ":" in word.text or re.fullmatch(r"[0-9.]+", word.text):
            server = _literal(word.text)
            if server is None or server.is_unspecified or server.is_multicast:
                raise word.defect(f"{quoted(word.text)} as resolver", _DNS)
            servers.append(server)
        elif _is_name(word.text):
            search.append(word.text)
        else:
            raise word.defect(f"{quoted(word.text)} as search domain", _DNS)
    return servers, search


def mtu(value: Token) -> int | None:
    """MTU: None where empty, as wg-quick has it."""
    return _number(value, value.text, "MTU", _LEAST_MTU, MOST_MTU, _MTU) if value.text else None


def least_mtu(inside: Iterable[IPInterface | IPNetwork]) -> int:
    """Of a tunnel that has these: with IPv6 inside it is more (RFC 8200 § 5; Linux takes IPv6 off an interface below it)."""
    return _LEAST_MTU6 if any(each.version == 6 for each in inside) else _LEAST_MTU


def table(value: Token) -> str:
    """Table: `auto`, `off` or a table's number in decimal. Of ip-route(8)'s names those that each host has."""
    word = value.text.lower()
    if not word:
        return "auto"
    if word in _KEYWORD_TABLES:
        return _KEYWORD_TABLES[word]
    if re.fullmatch(r"[1-9][0-9]{0,9}|0x[0-9a-f]{1,8}", word):
        number = int(word, 0)
        if 1 <= number <= 0xFFFFFFFF and number != 255:
            return str(number)
    raise value.defect(f"{quoted(value.text)} as table", _TABLE)


def boolean(value: Token) -> bool:
    """SaveConfig: true or false, in any case."""
    word = value.text.lower()
    if word not in {"true", "false"}:
        raise value.defect(f"{quoted(value.text)} as value" if word else "no value", "SaveConfig is true or false")
    return word == "true"


def listen_port(value: Token) -> int | None:
    """ListenPort: None for 0, which means any free port."""
    return (
        _number(value, value.squeezed, "port", 0, 65535, "a port is a number from 0 to 65535, where 0 is any free one")
        or None
    )


def fwmark(value: Token) -> int | None:
    """FwMark: None for `off` and 0."""
    text = value.squeezed
    if text.lower() == "off":
        return None
    allowed = "FwMark is off or a number of 32 bits, 0 to 4294967295 or 0x0 to 0xffffffff"
    if re.fullmatch(r"0x[0-9a-fA-F]{1,32}", text):
        number = int(text, 16)
    elif re.fullmatch(r"[0-9]{1,32}", text):
        number = int(text)
    else:
        raise value.defect(f"{quoted(value.text)} as mark" if text else "no mark", allowed)
    if number > 0xFFFFFFFF:
        raise value.defect(f"{quoted(value.text)} as mark", allowed)
    return number or None


def keepalive(value: Token) -> int | None:
    """PersistentKeepalive: seconds; None for `off` and 0."""
    if value.squeezed.lower() == "off":
        return None
    return (
        _number(
            value, value.squeezed, "interval", 0, 65535, "PersistentKeepalive is off or a number of seconds up to 65535"
        )
        or None
    )


def endpoint(value: Token) -> Endpoint:
    """Endpoint: `host:port`. Ports are numbers, IPv6 addresses stand in brackets, names are ASCII."""
    text = value.squeezed
    host, colon, _ = text.rpartition(":")
    if not text:
        raise value.defect("no endpoint", _ENDPOINT)
    if text.startswith("["):
        return Endpoint(_bracketed(value), _port(value))
    if not colon:
        raise value.defect(f"{quoted(value.text)} without a port", _ENDPOINT)
    if isinstance(_literal(host), IPv6Address) or isinstance(_literal(text), IPv6Address):
        raise value.defect(f"{quoted(value.text)}, an IPv6 address without brackets", _ENDPOINT)
    if not host:
        raise value.defect("no host before the port", _ENDPOINT)
    number = _port(value)
    literal = _literal(host)
    if literal is not None:
        _refuse_special(value, literal)
    elif not host.isascii():
        raise value.defect("a host name with letters beyond ASCII", "write an international name in its xn-- form")
    elif not _is_name(host):
        raise value.defect(f"{quoted(host)} as host", _ENDPOINT)
    return Endpoint(host if literal is None else str(literal), number)


def _bracketed(value: Token) -> str:
    match = re.fullmatch(r"\[([^\]]*)\]:[^:\]]*", value.squeezed)
    if match is None:
        raise value.defect(f"{quoted(value.text)}, where “]:” and a port are missing", _ENDPOINT)
    host = match.group(1)
    if "%" in host:
        raise value.defect(
            "an address with a zone (%)", "an endpoint's address is reachable without naming an interface"
        )
    literal = _literal(host)
    if not isinstance(literal, IPv6Address):
        raise value.defect(f"{quoted(host)} in brackets", _ENDPOINT)
    _refuse_special(value, literal)
    return str(literal)


def _port(value: Token) -> int:
    port = value.part(value.text.rindex(":") + 1)
    return _number(port, port.squeezed, "port", 1, 65535, _PORT)


def _refuse_special(value: Token, literal: IPAddress) -> None:
    if literal.is_unspecified or literal.is_multicast or literal == IPv4Address("255.255.255.255"):
        raise value.defect(f"the address {literal}", "an endpoint is the address of one host")


def _interface(word: Token) -> IPInterface:
    address, prefix = _prefixed(word, word.text, _ADDRESS)
    if address.is_unspecified or address.is_multicast or address.is_loopback:
        raise word.defect(
            f"the address {address}", "an interface's address is a host's own, not 0, loopback or multicast"
        )
    if isinstance(address, IPv4Address):
        return IPv4Interface((address, prefix))
    return IPv6Interface((address, prefix))


def _network(item: Token) -> IPNetwork:
    text = item.squeezed
    if text[:1] in {"+", "-"}:
        raise item.defect(f"{quoted(item.text)}, a change to a list", _NETWORK)
    address, prefix = _prefixed(item, text, _NETWORK)
    if isinstance(address, IPv4Address):
        return IPv4Network((address, prefix), strict=False)
    return IPv6Network((address, prefix), strict=False)


def _prefixed(token: Token, text: str, allowed: str) -> tuple[IPAddress, int]:
    host, slash, mask = text.partition("/")
    address = _literal(host)
    if not text:
        raise token.defect("nothing between two commas", allowed)
    if address is None:
        raise token.defect(f"{quoted(token.text)} as address", allowed)
    if not slash:
        return address, address.max_prefixlen
    if not re.fullmatch(r"[0-9]{1,9}", mask):
        raise token.defect(f"{quoted(token.text)} as address with prefix length", allowed)
    if int(mask) > address.max_prefixlen:
        found = f"{mask} as prefix length"
        raise token.defect(found, f"prefix lengths of IPv{address.version} go up to {address.max_prefixlen}")
    return address, int(mask)


def _literal(text: str) -> IPAddress | None:
    # As inet_pton(3): no zone.
    if "%" in text:
        return None
    try:
        return IPv6Address(text) if ":" in text else IPv4Address(text)
    except ValueError:
        return None


def _is_name(text: str) -> bool:
    labels = text.removesuffix(".").split(".")
    # A name that ends in a number is a mistyped address; resolvers would never be asked for it (RFC 1123 § 2.1).
    return (
        len(text) <= 253
        and all(_LABEL.fullmatch(label) for label in labels)
        and not _NUMBER_LABEL.fullmatch(labels[-1])
    )


def _number(value: Token, text: str, what: str, low: int, high: int, allowed: str) -> int:
    if not text:
        raise value.defect(f"no {what}", allowed)
    if not re.fullmatch(r"[0-9]{1,32}", text) or not low <= int(text) <= high:
        raise value.defect(f"{quoted(value.text)} as {what}", allowed)
    return int(text)
