from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slopn_wire.codec import encode
from slopn_wire.commands import Request, Watch
from slopn_wire.events import Done, Event, EventBody, Lagged, Reply, Result, ServerMessage, Snapshot, Stats
from slopn_wire.greeting import Greeting
from support.wire import structs, values
from tools import wire

KINDS: dict[str, Any] = {"request": Request, "message": ServerMessage, "greeting": Greeting}
each = pytest.mark.parametrize("name", KINDS)


def schema(name: str) -> dict[str, Any]:
    """A file as it stands in the repository."""
    found: dict[str, Any] = json.loads((wire.FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


def test_the_files_are_what_the_types_say() -> None:
    """`make wire` would change nothing, and no other file lies there."""
    assert {path.name: path.read_text(encoding="utf-8") for path in wire.FOLDER.iterdir()} == {
        path.name: text for path, text in wire.documents().items()
    }


def test_a_difference_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A changed, a missing and a left-over file each fail the check; writing anew mends all three."""
    monkeypatch.setattr(wire, "FOLDER", tmp_path / "schema")
    monkeypatch.setattr("sys.argv", ["wire"])
    assert wire.main() == 0
    monkeypatch.setattr("sys.argv", ["wire", "--check"])
    assert wire.main() == 0
    for spoil in (
        lambda: (wire.FOLDER / "request.json").write_text("{}"),
        (wire.FOLDER / "request.json").unlink,
        (wire.FOLDER / "other.json").touch,
    ):
        spoil()
        assert wire.main() == 1
        assert "run `make wire`" in capsys.readouterr().err
        monkeypatch.setattr("sys.argv", ["wire"])
        wire.main()
        monkeypatch.setattr("sys.argv", ["wire", "--check"])
        assert wire.main() == 0


@each
def test_a_file_is_json_schema(name: str) -> None:
    """By the dialect's own schema."""
    jsonschema_rs.meta.validate(schema(name))


@each
@settings(max_examples=50)
@given(data=st.data())
def test_what_the_codec_writes_fits(name: str, data: st.DataObject) -> None:
    """Another implementation of JSON Schema accepts every message."""
    message = data.draw(values(KINDS[name]))
    jsonschema_rs.validator_for(schema(name)).validate(json.loads(encode(message)))


def spoilt(document: Any) -> Iterator[tuple[str, Any]]:
    """The document with one thing wrong, for each of several things."""
    for field in list(document):
        without = copy.deepcopy(document)
        del without[field]
        yield f"without {field}", without
        yield f"{field} is of another type", {**document, field: {"not": "this"}}
    yield "another tag", {**document, "type": "nonsense"}


@pytest.mark.parametrize(
    "message",
    [Event(3, Stats(1, 2)), Reply(1, Snapshot()), Reply(1, Done()), Lagged(), Reply(4, Done(("a",)))],
    ids=lambda message: type(message).__name__,
)
def test_what_the_helper_would_never_send_does_not_fit(message: Any) -> None:
    """A missing field, a wrong type and an unknown tag are seen: at the top and inside."""
    validator = jsonschema_rs.validator_for(schema("message"))
    document = json.loads(encode(message))
    wrong = dict(spoilt(document))
    if isinstance(message, Reply):
        wrong |= {f"result: {what}": {**document, "result": inner} for what, inner in spoilt(document["result"])}
    if isinstance(message, Event):
        wrong |= {f"body: {what}": {**document, "body": inner} for what, inner in spoilt(document["body"])}
    assert [what for what, document in wrong.items() if validator.is_valid(document)] == []


def test_a_request_may_be_short_but_never_wrong() -> None:
    """Defaults may be left out; a misspelt field is refused, as the helper does."""
    validator = jsonschema_rs.validator_for(schema("request"))
    assert validator.is_valid({"id": 1, "command": {"type": "watch"}})
    assert not validator.is_valid({"id": 1, "command": {"type": "watch", "afer": 3}})
    assert not validator.is_valid({"id": 1, "command": {"type": "watch"}, "kee": ""})
    assert not validator.is_valid({"command": {"type": "watch"}})
    assert validator.is_valid(json.loads(encode(Request(1, Watch(7, "e"), "k"))))


@pytest.mark.parametrize("union", [ServerMessage, Result, EventBody], ids=["ServerMessage", "Result", "EventBody"])
def test_every_member_of_a_union_is_there_with_its_constant(union: Any) -> None:
    """Generators of other languages' types tell members apart by a `const`."""
    types = schema("message")["$defs"]
    for kind in structs(union):
        assert types[kind.__name__]["properties"]["type"] == {"const": kind.__struct_config__.tag}
        assert types[kind.__name__]["required"] == ["type", *kind.__struct_fields__]


def test_what_may_be_null_says_so() -> None:
    """`X | None` is `X` or null, and no more."""
    snapshot = schema("message")["$defs"]["Snapshot"]["properties"]
    assert snapshot["paused_until"]["anyOf"] == [{"type": "number"}, {"type": "null"}]
    assert snapshot["since"]["type"] == "number"


def test_an_address_is_text_with_a_name() -> None:
    """Each use refers to one type, so that a generator makes one."""
    types = schema("message")["$defs"]
    assert types["DnsConfig"]["properties"]["servers"]["items"] == {"$ref": "#/$defs/IPAddress"}
    assert (types["IPAddress"]["type"], types["IPAddress"]["format"]) == ("string", "ip-address")
    assert set(types) >= {"IPAddress", "IPInterface", "IPNetwork"}
    assert "IPInterface" not in schema("request")["$defs"]


def test_words_of_the_source_are_in_the_schema() -> None:
    """A field's string in the source is its description, for whoever reads another language's types."""
    types = schema("message")["$defs"]
    assert types["Snapshot"]["properties"]["since"]["description"].startswith("Unix time at which")
    assert types["Snapshot"]["description"].startswith("Everything a fresh client needs")


@each
def test_every_reference_leads_somewhere(name: str) -> None:
    """And nothing is listed that nobody refers to."""
    document = schema(name)
    text = json.dumps(document)
    used = {reference.split('"')[0] for reference in text.split('"#/$defs/')[1:]}
    assert used == set(document["$defs"]) | ({"Greeting"} if name == "greeting" else set())


def test_a_type_that_has_no_text_is_named() -> None:
    """A new custom type in the wire can't slip into the schema as anything at all."""
    holder = msgspec.defstruct("Holder", [("odd", type("Odd", (), {}))])
    with pytest.raises(TypeError, match="Odd"):
        wire.document("x", holder, "", complete=True)
