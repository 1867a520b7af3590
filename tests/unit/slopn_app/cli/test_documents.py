from __future__ import annotations

import json
import types
import typing
from typing import Any

import hypothesis
import msgspec
import pytest
from hypothesis import strategies as st

from slopn_app.cli import documents, snapshot_documents
from slopn_wire import devices, diagnosis, events, logs, profile, settings, state
from slopn_wire.codec import encode
from support.wire import values

# What a document is called where that isn't its struct's name with Doc behind it.
STRUCTS: dict[str, Any] = {
    "EndpointDoc": profile.Endpoint,
    "DnsDoc": profile.DnsConfig,
    "PeerDoc": profile.Peer,
    "ProfileDoc": profile.Profile,
    "EnrolmentDoc": profile.Enrolment,
    "EnrolledGatewayDoc": profile.EnrolledGateway,
    "SettingsDoc": settings.Settings,
    "ErrorDoc": state.ErrorState,
    "DisconnectedDoc": state.Disconnected,
    "ConnectingDoc": state.Connecting,
    "ConnectedDoc": state.Connected,
    "DisconnectingDoc": state.Disconnecting,
}
OURS = {"OtherBodyDoc", "StatusDoc", "UnreachableDoc"}
DOCUMENTS = {
    name: kind
    for name, kind in {**vars(documents), **vars(snapshot_documents)}.items()
    if name.endswith("Doc") and typing.is_typeddict(kind) and name not in OURS
}


def struct_of(name: str) -> Any:
    """The struct that a document mirrors."""
    bare = name.removesuffix("Doc")
    return STRUCTS.get(name) or next(
        vars(module)[bare] for module in (events, diagnosis, devices, logs) if bare in vars(module)
    )


def fits(value: Any, kind: Any) -> bool:
    """Whether a value out of `json.loads` is what the annotation promises."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in {types.UnionType, typing.Union}:
        return any(fits(value, member) for member in arguments)
    if origin is typing.Literal:
        return value in arguments
    if origin is dict:
        return isinstance(value, dict) and all(fits(item, arguments[1]) for item in value.values())
    if origin is list:
        return isinstance(value, list) and all(fits(item, arguments[0]) for item in value)
    if typing.is_typeddict(kind):
        if kind is documents.OtherBodyDoc:
            return isinstance(value, dict) and fits(value.get("type"), typing.get_type_hints(kind)["type"])
        hints = typing.get_type_hints(kind)
        return (
            isinstance(value, dict) and set(value) == set(hints) and all(fits(value[key], hints[key]) for key in hints)
        )
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_a_document_has_its_structs_fields(name: str) -> None:
    """Field for field, and the tag: a struct that changes changes its document."""
    struct = struct_of(name)
    tag = {"type"} if struct.__struct_config__.tag is not None else set()
    assert set(typing.get_type_hints(DOCUMENTS[name])) == {*struct.__struct_fields__, *tag}


@hypothesis.settings(max_examples=15)
@hypothesis.given(st.data())
@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_a_document_is_what_the_helper_sends(name: str, data: st.DataObject) -> None:
    """Any value of the struct, encoded, has the types that the document promises, down to the leaves."""
    value = data.draw(values(struct_of(name)))
    assert fits(json.loads(encode(value)), DOCUMENTS[name])


def test_every_struct_of_the_wires_answers_has_a_document() -> None:
    """Whatever the helper may send, the command line knows its shape."""
    sent = {
        *typing.get_args(events.ServerMessage),
        *typing.get_args(events.Result),
        *typing.get_args(state.TunnelState),
    }
    assert sent <= {struct_of(name) for name in DOCUMENTS}


def test_the_check_can_fail() -> None:
    """A missing key, a wrong type and a foreign tag are seen."""
    good = json.loads(encode(events.Stats()))
    assert fits(good, snapshot_documents.StatsDoc)
    assert not fits(good | {"rx_bytes": "1"}, snapshot_documents.StatsDoc)
    assert not fits(good | {"type": "stat"}, snapshot_documents.StatsDoc)
    assert not fits({key: good[key] for key in good if key != "tx_bytes"}, snapshot_documents.StatsDoc)
    assert issubclass(events.Stats, msgspec.Struct)
