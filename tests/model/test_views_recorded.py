"""The recordings for every language: as the helper makes them today, and read by each way that we have ourselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from model import recordings
from slopn_app.cli.fold import folded
from slopn_wire.codec import decode, encode, server_decoder
from slopn_wire.events import Event, EventBody, Lagged, Reply, Resumed, Snapshot
from support.follower import Follower
from support.wire import structs

NAMES = [scene.__name__ for scene in recordings.SCENES]
SCHEMA = Path(__file__).resolve().parents[2] / "helper/wire/schema/message.json"
JSONS_LARGEST = (1 << 53) - 1
each = pytest.mark.parametrize("name", NAMES)


def lines(name: str) -> list[bytes]:
    """A file's lines: messages, and the view at last."""
    return (recordings.FOLDER / f"{name}.jsonl").read_bytes().splitlines()


def test_the_files_are_what_the_helper_says() -> None:
    """Another wording, field or order of events shows here, as a difference to be looked at: `make wire`."""
    assert {path.name: path.read_text("utf-8") for path in recordings.FOLDER.glob("*.jsonl")} == recordings.recordings()


@each
def test_a_view_comes_to_what_it_must(name: str) -> None:
    """By the structs, as tray and window do."""
    *messages, last = lines(name)
    follower = Follower()
    for raw in messages:
        follower.take(server_decoder.decode(raw))
    assert follower.behind == (name == "gap")
    assert follower.view == decode(last, Snapshot)


@each
def test_documents_come_to_the_same(name: str) -> None:
    """By plain JSON, as the command line does and as another language would, by the README's rules."""
    *messages, last = lines(name)
    assert read_by_the_rules(messages, folded) == json.loads(last)


def read_by_the_rules(messages: list[bytes], apply: Callable[[Any, Any], Any]) -> Any:
    """The README, in a few lines."""
    view: Any = None
    counts = False
    for message in map(json.loads, messages):
        match message:
            case {"type": "reply", "result": {"type": "snapshot"} as view}:
                counts = True
            case {"type": "reply", "result": {"type": "resumed", "seq": seq}}:
                assert view["seq"] == seq
                counts = True
            case {"type": "event", "seq": seq} if counts and seq == view["seq"] + 1:
                view = apply(view, message)
            case {"type": "event" | "lagged"}:
                counts = False
    return view


@each
def test_each_line_is_strictly_a_message(name: str) -> None:
    """By our decoder, which writes the same bytes again, and by the schema; no number is larger than JSON's readers keep."""
    *messages, last = lines(name)
    validator = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text("utf-8")))
    for raw in messages:
        assert encode(server_decoder.decode(raw)) == raw
        validator.validate(json.loads(raw, parse_int=small))
    assert encode(decode(last, Snapshot)) == last
    with pytest.raises(msgspec.DecodeError):
        server_decoder.decode(last)  # a view is no message: a test that reads one line too far sees it


def small(text: str) -> int:
    """An integer of JSON, if JavaScript would keep it."""
    assert abs(int(text)) <= JSONS_LARGEST
    return int(text)


def test_everything_that_can_happen_to_a_view_is_recorded() -> None:
    """Each body of an event, a lag and a resumption; scripts beyond ASCII; the largest number; two runs of the helper."""
    raw = [line for name in NAMES for line in lines(name)[:-1]]
    messages = [server_decoder.decode(line) for line in raw]
    assert {type(message.body) for message in messages if isinstance(message, Event)} == set(structs(EventBody))
    assert any(isinstance(message, Lagged) for message in messages)
    results = [message.result for message in messages if isinstance(message, Reply)]
    assert {type(result) for result in results} == {Snapshot, Resumed}
    assert len({result.epoch for result in results if isinstance(result, Snapshot)}) == 2
    text = b"".join(raw)
    assert all(word in text for word in ("größer".encode(), "第".encode(), "🧅".encode(), str(JSONS_LARGEST).encode()))


def test_who_ignores_a_gap_is_found_out() -> None:
    """A front end that applies whatever comes ends with another view than the recording of a gap says."""
    *messages, last = map(json.loads, lines("gap"))
    view = messages[0]["result"]
    for event in messages[1:]:
        view = folded(view, event)
    assert view != last
    assert view["profiles"] == last["profiles"]
    assert view["seq"] > last["seq"]
