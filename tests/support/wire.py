"""Hypothesis strategies for everything that goes over the wire, made from the types themselves."""

from __future__ import annotations

import enum
import functools
import ipaddress
import types
import typing
from typing import Any

import msgspec
from hypothesis import strategies as st

from slopn_wire.profile import IPAddress, IPInterface, IPNetwork

_ADDRESSES = st.ip_addresses()
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    str: _TEXT,
    int: st.integers(min_value=-(1 << 53), max_value=1 << 53),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    bytes: st.binary(max_size=12),
    type(None): st.none(),
    IPAddress: _ADDRESSES,
    IPInterface: _ADDRESSES.map(ipaddress.ip_interface),
    IPNetwork: _ADDRESSES.map(ipaddress.ip_network),
}


@functools.cache
def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a struct of the wire, or of a union of them."""
    if kind in _LEAVES:
        return _LEAVES[kind]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in {types.UnionType, typing.Union}:
        return st.one_of([values(member) for member in arguments])
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            return st.lists(values(arguments[0]), max_size=2).map(tuple)
        return st.tuples(*(values(member) for member in arguments))
    if origin is dict:
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=2)
    if issubclass(kind, enum.Enum):
        return st.sampled_from(kind)
    assert issubclass(kind, msgspec.Struct), kind
    return st.builds(kind, **{name: values(field) for name, field in typing.get_type_hints(kind).items()})


def structs(kind: Any) -> list[type[msgspec.Struct]]:
    """The members of a union of structs."""
    return list(typing.get_args(kind))
