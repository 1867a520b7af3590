"""The contract with the page: what is in it is understood, all else is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slopn_app.preferences import Preferences
from slopn_app.window import messages
from slopn_app.window.messages import Call, Invalid
from slopn_wire import commands
from slopn_wire.logs import LogFilter, LogLevel


def test_a_call() -> None:
    """Who asks, whom, and what."""
    assert messages.call('{"id": 3, "to": "ask", "text": "{}"}') == Call(3, "ask", "{}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"id": -1, "to": "ask", "text": ""}',
        '{"id": 1.5, "to": "ask", "text": ""}',
        '{"id": 1, "to": "eval", "text": ""}',
        '{"id": 1, "to": "ask"}',
        '{"id": 1, "to": "ask", "text": 5}',
        '{"id": 1, "to": "ask", "text": "", "more": 1}',
        "[" * 100_000,
    ],
)
def test_no_call(text: str) -> None:
    """Other fields, other types, other functions, and nesting without end."""
    with pytest.raises(Invalid):
        messages.call(text)


def test_too_long_a_call() -> None:
    """Refused before it is looked at."""
    with pytest.raises(Invalid, match="too much"):
        messages.call(" " * (messages.MOST + 1))


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ({"type": "connect", "profile": "Berlin"}, commands.Connect("Berlin")),
        ({"type": "pause", "seconds": 300}, commands.Pause(300)),
        (
            {"type": "check_profile", "name": "a", "text": "", "filename": "a.conf"},
            commands.CheckProfile("a", "", "a.conf"),
        ),
        ({"type": "diagnose"}, commands.Diagnose()),
    ],
)
def test_commands(text: dict[str, Any], command: messages.PageCommand) -> None:
    """As the wire has them."""
    assert messages.command(json.dumps(text)) == command


@pytest.mark.parametrize(
    "kind", ["watch", "follow_logs", "pair", "confirm_pairing", "renew", "replay", "quit", "", "__class__"]
)
def test_what_is_no_command_of_the_pages(kind: str) -> None:
    """Connections and pairings are the window's own; what isn't on the wire is nobody's."""
    with pytest.raises(Invalid):
        messages.command(json.dumps({"type": kind, "request": "", "name": "", "number": "123456", "recording": ""}))


@pytest.mark.parametrize("more", [{"profile": 5}, {"profile": ["a"]}, {"force": True}])
def test_commands_with_other_fields(more: dict[str, Any]) -> None:
    """Types are strict, and nothing is ignored."""
    with pytest.raises(Invalid):
        messages.command(json.dumps({"type": "connect", **more}))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ({"do": "ready"}, messages.Ready()),
        ({"do": "save", "name": "a", "text": "b"}, messages.Save("a", "b")),
        (
            {"do": "follow_logs", "filter": {"level": "info"}, "after": 5, "epoch": "e"},
            messages.FollowLogs(LogFilter(LogLevel.INFO), 5, "e"),
        ),
        ({"do": "confirm_pairing", "number": "012345"}, messages.ConfirmPairing("012345")),
        (
            {"do": "set_preferences", "preferences": {"language": "de"}},
            messages.SetPreferences(Preferences(language="de")),
        ),
    ],
)
def test_what_is_local(text: dict[str, Any], what: messages.Local) -> None:
    """As the contract has it."""
    assert messages.local(json.dumps(text)) == what


@pytest.mark.parametrize(
    "text",
    [
        {"do": "run"},
        {"do": "save", "name": "a"},
        {"do": "save", "name": "a" * 301, "text": ""},
        {"do": "save", "name": "a", "text": "", "path": "/etc/passwd"},
        {"do": "follow_logs", "after": -1},
        {"do": "confirm_pairing", "number": "12345"},
        {"do": "confirm_pairing", "number": "1234567"},
        {"do": "confirm_pairing", "number": "١٢٣٤٥٦"},
        {"do": "set_preferences", "preferences": {"language": "tlh"}},
        {"do": "set_preferences", "preferences": {"favourites": ["a" * 201]}},
        {"do": ["ready"]},
        {},
    ],
)
def test_what_is_not_local(text: dict[str, Any]) -> None:
    """No other deeds, no paths, no numbers that can't be one."""
    with pytest.raises(Invalid):
        messages.local(json.dumps(text))


def test_answers_are_ascii() -> None:
    """Other letters come as escapes, and mean the same."""
    for text, inside in (
        (messages.ok("Zürich \u2028 🛡"), {"ok": "Zürich \u2028 🛡"}),
        (messages.error("invalid", "Für nichts"), {"error": {"code": "invalid", "text": "Für nichts"}}),
        (messages.pushed([{"kind": "ü"}]), {"pushes": [{"kind": "ü"}]}),
        (messages.answered(7, "ü"), {"id": 7, "text": "ü"}),
    ):
        assert text.isascii()
        assert json.loads(text) == inside


def test_files_are_base64() -> None:
    """Whatever bytes they hold."""
    assert messages.picked("a.png", b"\x89PNG\xff") == {"name": "a.png", "data": "iVBOR/8="}
