from __future__ import annotations

import ipaddress
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given

from slopn_wire.codec import decode, encode, greeting_decoder, request_decoder, server_decoder
from slopn_wire.commands import ApplySettings, Connect, Replay, Request
from slopn_wire.devices import Device, PendingPairing, Right
from slopn_wire.diagnosis import Diagnosis
from slopn_wire.events import Done, NumberNeeded, PairingsChanged, Reply, ServerMessage
from slopn_wire.framing import frame
from slopn_wire.greeting import MAX_GREETING, Greeting
from slopn_wire.settings import Settings
from support.wire import values


@given(values(Request))
def test_requests_survive_the_wire(request: Request) -> None:
    """What a client encodes is what the helper decodes, for every command."""
    assert request_decoder.decode(encode(request)) == request


@given(values(ServerMessage))
def test_messages_survive_the_wire(message: Any) -> None:
    """What the helper encodes is what a client decodes, for every message."""
    assert server_decoder.decode(encode(message)) == message


@given(values(ServerMessage))
def test_messages_are_plain_json(message: Any) -> None:
    """Any JSON reader understands a message, and every field is there, whether or not it has its default."""
    document = json.loads(encode(message))
    assert document["type"] in {"reply", "event", "logs", "lagged"}
    assert set(document) == {"type", *message.__struct_fields__}


@given(values(Greeting))
def test_greetings_survive_the_wire(greeting: Greeting) -> None:
    """What is said before TLS comes out as it went in."""
    assert greeting_decoder.decode(encode(greeting)) == greeting


def test_a_greeting_is_small() -> None:
    """A certificate of the kind that we make, and the longest sentence, fit many times."""
    pem = "-----BEGIN CERTIFICATE-----\n" + "A" * 1000 + "\n-----END CERTIFICATE-----\n"
    assert len(frame(encode(Greeting(version="1.0.0", authority=pem)))) < MAX_GREETING / 8


def test_bytes_are_base64() -> None:
    """A recording is compressed, and JSON has only text."""
    request = Request(1, Replay(b"\x00\xff"))
    assert json.loads(encode(request))["command"]["recording"] == "AP8="
    assert request_decoder.decode(encode(request)) == request


def test_texts_by_name_stay_a_mapping() -> None:
    """The files of a diagnosis keep their names, whatever characters those have."""
    reply = Reply(1, Diagnosis((), {"log.jsonl": "{}", "größe": "\u2028"}))
    assert server_decoder.decode(encode(reply)) == reply


def test_no_event_and_no_snapshot_can_carry_a_pairings_number() -> None:
    """It goes to those who ask for it with the right to, in a reply of its own: every watcher sees the rest."""
    assert "number" not in PendingPairing.__struct_fields__
    pairing = PendingPairing("p1", "window", "ann", 1000, "/usr/bin/x", (Right.VIEW,), 5.0)
    assert b"number" not in encode(PairingsChanged((pairing,)))
    assert b"number" not in encode(NumberNeeded("p1", 5.0)).replace(b"number_needed", b"")
    assert not {"certificate", "serial", "key"} & set(Device.__struct_fields__)


def test_addresses_are_text() -> None:
    """An ipaddress object is its usual notation."""
    settings = Settings(resolvers=(ipaddress.ip_address("192.0.2.1"), ipaddress.ip_address("2001:db8::1")))
    assert json.loads(encode(settings))["resolvers"] == ["192.0.2.1", "2001:db8::1"]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "truncated"),
        (b"{}", "required field `id`"),
        (b'{"id":1}', "required field `command`"),
        (b'{"id":"1","command":{"type":"disconnect"}}', r"Expected `int`, got `str` - at `\$.id`"),
        (b'{"id":1,"command":{"type":"reboot"}}', "Invalid value 'reboot'"),
        (b'{"id":1,"command":{}}', "required field `type`"),
        (b'{"id":1,"command":{"type":"connect","profile":7}}', r"got `int` - at `\$.command.profile`"),
        (b'{"id":1,"command":{"type":"disconnect"}} {}', "trailing characters"),
        (
            b'{"id":1,"command":{"type":"apply_settings","settings":{"resolvers":["1.2.3"]}}}',
            "'1.2.3' does not appear to be an IPv4 or IPv6 address",
        ),
        (
            b'{"id":1,"command":{"type":"apply_settings","settings":{"resolvers":[16909060]}}}',
            "got int",
        ),
        (
            b'{"id":1,"command":{"type":"apply_settings","settings":{"kill_switch":"maybe"}}}',
            "Invalid enum value 'maybe'",
        ),
        (b'{"id":1,"command":{"type":"pause","seconds":1.5}}', r"got `float` - at `\$.command.seconds`"),
        (b'{"id":1,"command":{"type":"pause"}}', "required field `seconds`"),
        (b'{"id":1,"command":{"type":"watch","after":"7"}}', r"at `\$.command.after`"),
        (b'{"id":1,"command":{"type":"get_logs","filter":{"level":"loud"}}}', "Invalid enum value 'loud'"),
        (b'{"id":1,"command":{"type":"pair","name":"x","request":"y","rights":["all"]}}', "Invalid enum value 'all'"),
        (b'{"id":1,"command":{"type":"replay","recording":"?"}}', "Invalid base64"),
        (b'{"id":1,"command":{"type":"disconnect"},"key":null}', r"at `\$.key`"),
    ],
)
def test_what_is_no_request_is_refused(raw: bytes, message: str) -> None:
    """Nothing is guessed: a wrong type, a missing field or rubbish after the end is an error that names the place."""
    with pytest.raises(msgspec.DecodeError, match=message):
        request_decoder.decode(raw)


def test_only_the_wires_types_are_encoded() -> None:
    """An object that doesn't belong on the wire is an error, not its repr."""
    with pytest.raises(TypeError, match="object does not belong on the wire"):
        encode(Done(notes=(object(),)))  # type: ignore[arg-type]


def test_decode_takes_one_kind() -> None:
    """`decode` is for a struct on its own."""
    assert decode(b'{"type":"connect","profile":"berlin"}', Connect) == Connect("berlin")
    assert decode(encode(ApplySettings(Settings())), ApplySettings) == ApplySettings(Settings())
    assert decode(encode(Reply(3, Done())), Reply) == Reply(3, Done())


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"connect","profil":"x"}',
        '{"type":"apply_settings","settings":{"killswitch":"off"}}',
        '{"type":"watch","a":1}',
        '{"type":"follow_logs","filter":{"levle":"error"}}',
        '{"type":"pair","name":"x","request":"y","right":[]}',
        '{"type":"disconnect"},"ky":"x"',
    ],
)
def test_a_misspelt_field_is_refused(text: str) -> None:
    """It would be a command for something else: the default."""
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        request_decoder.decode(f'{{"id":1,"command":{text}}}')
