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


def examples(kind: Any) -> list[Any]:
    """Some values of a type of the wire: each member of a union and of an enum comes up, nothing is left to chance."""
    if kind in _EXAMPLES:
        return [_EXAMPLES[kind]]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in {types.UnionType, typing.Union}:
        return [value for member in arguments for value in examples(member)]
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            return [tuple(examples(arguments[0])[:2])]
        return [tuple(examples(member)[0] for member in arguments)]
    if origin is dict:
        return [dict(zip(examples(arguments[0]), examples(arguments[1]), strict=False))]
    if issubclass(kind, enum.Enum):
        return list(kind)
    columns = {name: examples(field) for name, field in typing.get_type_hints(kind).items()}
    rows = max(map(len, columns.values()), default=1)
    return [kind(**{name: column[row % len(column)] for name, column in columns.items()}) for row in range(rows)]


_EXAMPLES: dict[Any, Any] = {
    str: "größe \u2028 x",
    int: 7,
    float: 1_700_000_000.25,
    bool: True,
    bytes: b"\x00\xff",
    type(None): None,
    IPAddress: ipaddress.ip_address("2001:db8::1"),
    IPInterface: ipaddress.ip_interface("10.9.0.2/32"),
    IPNetwork: ipaddress.ip_network("0.0.0.0/0"),
}
