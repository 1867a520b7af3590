"""JSON on the wire: strict both ways, ipaddress types as text."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_interface,
    ip_network,
)
from typing import Any, TypeVar

import msgspec

from slopn_wire.commands import Request
from slopn_wire.events import ServerMessage
from slopn_wire.greeting import Greeting
from slopn_wire.profile import IPAddress, IPInterface, IPNetwork

_IP_TYPES = (IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network)
_PARSERS: dict[Any, Callable[[str], object]] = {
    IPAddress: ip_address,
    IPInterface: ip_interface,
    IPNetwork: ip_network,
}
_T = TypeVar("_T")


def _to_json(obj: Any) -> Any:
    if isinstance(obj, _IP_TYPES):
        return str(obj)
    raise TypeError(f"{type(obj).__name__} does not belong on the wire")


def _from_json(kind: Any, obj: Any) -> Any:
    parser = _PARSERS.get(kind)
    if parser is not None and isinstance(obj, str):
        return parser(obj)
    raise TypeError(f"expected {kind}, got {type(obj).__name__}")


_encoder = msgspec.json.Encoder(enc_hook=_to_json)


def encode(message: Any) -> bytes:
    """Any struct of this package as one line of JSON."""
    return _encoder.encode(message)


def encode_into(message: Any, buffer: bytearray, offset: int) -> None:
    """As `encode`, into `buffer` from `offset` on; what comes behind that is cut off. Spares a copy of a large message."""
    _encoder.encode_into(message, buffer, offset)


def decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    """A strict decoder of `kind` that knows the ipaddress types. Raises `msgspec.ValidationError`."""
    return msgspec.json.Decoder(kind, dec_hook=_from_json)


def decode(raw: bytes | str, kind: type[_T]) -> _T:
    """`raw` as a `kind`. Raises `msgspec.DecodeError` (its subclass `ValidationError` names the field)."""
    return msgspec.json.decode(raw, type=kind, dec_hook=_from_json)


request_decoder: msgspec.json.Decoder[Request] = decoder(Request)
server_decoder: msgspec.json.Decoder[ServerMessage] = decoder(ServerMessage)
greeting_decoder: msgspec.json.Decoder[Greeting] = decoder(Greeting)
