from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest

from slopn_helper import __version__
from slopn_helper.recorder.lines import LONGEST, Damaged, Reader, Writer
from slopn_helper.tunnel.context import Context, ProfileFacts
from slopn_helper.tunnel.effects import StartEngine
from slopn_helper.tunnel.inputs import (
    Connect,
    Drifted,
    EffectFailed,
    EngineDown,
    Input,
    NetworkChanged,
    Part,
    TimerFired,
)
from slopn_wire.settings import Settings
from slopn_wire.state import Connecting, Disconnected, TunnelState
from support.recording import PROFILES, RESOLVERS

CONTEXT = Context(PROFILES, RESOLVERS)
KEY = base64.b64encode(bytes(range(32))).decode()


def written(writer: Writer, *step: Any) -> bytes:
    """The next line, and the writer knows that it is on disk."""
    raw = writer.line(*step)
    writer.written()
    return raw


def line(writer: Writer, inp: Input, before: TunnelState, after: TunnelState, **more: Any) -> dict[str, Any]:
    """What `writer` makes of a step, as JSON."""
    raw = written(
        writer, more.get("at", 1.0), before, inp, more.get("settings", Settings()), more.get("context", CONTEXT), after
    )
    decoded: dict[str, Any] = json.loads(raw)
    return decoded


def test_the_first_line_is_complete() -> None:
    """It has the version, and all that the step was made of."""
    told = line(Writer(41), Connect("berlin"), Disconnected(), Connecting("berlin"))
    assert (told["n"], told["v"]) == (42, __version__)
    assert told["before"]["type"] == "disconnected"
    assert told["after"]["type"] == "connecting"
    assert told["input"] == {"type": "connect", "profile": "berlin"}
    assert set(told["settings"]) == set(Settings.__struct_fields__)
    assert set(told["context"]) == set(Context.__struct_fields__)


def test_the_next_line_has_what_changed() -> None:
    """And nothing else: no state that is the last one, no settings that still hold."""
    writer = Writer()
    line(writer, Connect("berlin"), Disconnected(), Connecting("berlin"))
    told = line(writer, TimerFired(), Connecting("berlin"), Connecting("berlin"))
    assert told == {"n": 2, "at": 1.0, "input": {"type": "timer_fired"}}
    told = line(
        writer,
        TimerFired(),
        Connecting("berlin"),
        Connecting("berlin", 1),
        settings=Settings(allow_lan=True),
        context=msgspec.structs.replace(CONTEXT, jitter=0.25),
    )
    assert told["settings"] == {"allow_lan": True}
    assert told["context"] == {"jitter": 0.25}
    assert told["after"]["attempt"] == 1


def test_after_a_restart_a_line_is_complete() -> None:
    """As after lines that never reached the disk."""
    writer = Writer()
    line(writer, TimerFired(), Disconnected(), Disconnected())
    writer.restart()
    assert "v" in line(writer, TimerFired(), Disconnected(), Disconnected())


@pytest.mark.parametrize("restart", [True, False])
def test_a_line_that_was_not_written_does_not_count(restart: bool) -> None:
    """Its number is given again, and what it said is said again."""
    writer = Writer()
    line(writer, TimerFired(), Disconnected(), Disconnected())
    step = (1.0, Disconnected(), TimerFired(), Settings(allow_lan=True), CONTEXT, Disconnected())
    lost = writer.line(*step)
    if restart:
        writer.restart()
    again = json.loads(writer.line(*step))
    assert again["n"] == 2
    assert ("v" in again) == restart
    assert restart or again == json.loads(lost)


@pytest.mark.parametrize(
    ("inp", "before", "after", "names"),
    [
        (Connect("berlin"), Disconnected(), Connecting("berlin"), {"berlin"}),
        (TimerFired(), Disconnected("paris"), Connecting("paris"), {"paris"}),
        (EffectFailed(StartEngine("berlin", ())), Connecting("paris"), Connecting("paris"), {"berlin", "paris"}),
        (Connect("gone"), Disconnected(), Disconnected(), set()),
    ],
)
def test_only_profiles_that_matter_are_recorded(
    inp: Input, before: TunnelState, after: TunnelState, names: set[str]
) -> None:
    """Those that the core can have looked at: a list of hundreds would fill the ring."""
    assert set(line(Writer(), inp, before, after)["context"]["profiles"]) == names


@pytest.mark.parametrize(
    "inp",
    [
        EffectFailed(StartEngine("berlin", ()), f"bad key {KEY}"),
        EngineDown(f"token=abc {KEY}"),
        Drifted(Part.HOST, f"strange: {KEY}"),
    ],
)
def test_free_text_is_redacted(inp: Input) -> None:
    """An error may quote what it was about."""
    told = Writer().line(1.0, Disconnected(), inp, Settings(), CONTEXT, Disconnected())
    assert KEY[:40].encode() not in told
    assert b"[redacted]" in told


def test_what_was_written_is_read() -> None:
    """Each step whole again, with all settings and the context."""
    writer, reader = Writer(), Reader()
    connecting = Connecting("berlin")
    first = reader.read(written(writer, 5.0, Disconnected(), Connect("berlin"), Settings(), CONTEXT, connecting))
    assert (first.number, first.at, first.version) == (1, 5.0, __version__)
    assert (first.before, first.inp, first.after) == (Disconnected(), Connect("berlin"), connecting)
    assert first.settings == Settings()
    assert first.context.resolvers == RESOLVERS
    other = msgspec.structs.replace(CONTEXT, jitter=0.125, resolvers=())
    settings = Settings(allow_lan=True)
    second = reader.read(written(writer, 6.0, connecting, NetworkChanged(online=False), settings, other, connecting))
    assert (second.before, second.after, second.settings) == (None, connecting, settings)
    assert second.context == msgspec.structs.replace(other, profiles={"berlin": PROFILES["berlin"]})
    assert json.loads(second.inp_json) == {"type": "network_changed", "online": False}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"null",
        b"[1]",
        b"\xff\xfe",
        b'{"n":1}',
        b'{"n":2,"at":1.0,"input":{"type":"timer_fired"}}',
        b'{"n":1,"at":1.0,"v":"1","input":{"type":"timer_fired"}}',
        b'{"n":1,"at":1.0,"v":"1","before":{"type":"disconnected"},"input":{"type":"no such"}}',
        b'{"n":1,"at":1.0,"v":"1","before":{"type":"nowhere"},"input":{"type":"timer_fired"}}',
        b'{"n":1,"at":1e999,"v":"1","before":{"type":"disconnected"},"input":{"type":"timer_fired"}}',
        b'{"n":1,"at":1.0,"v":"1","before":{"type":"disconnected"},"settings":{"x":1},"input":{"type":"timer_fired"}}',
        b'{"n":1,"at":1.0,"v":"1","before":{"type":"disconnected"},"context":{"resolvers":["x"]},"input":{"type":"timer_fired"}}',
        b'{"n":1,"at":1.0,"input":' + b"[" * 5000,
        b'{"n":1,"at":1.0,"v":"' + b"x" * LONGEST + b'"}',
    ],
)
def test_rubbish_is_damaged(raw: bytes) -> None:
    """Whatever is wrong with it, it is the one error, and the next complete line is read again."""
    reader = Reader()
    with pytest.raises(Damaged):
        reader.read(raw)
    raw = Writer().line(1.0, Disconnected(), TimerFired(), Settings(), CONTEXT, Disconnected())
    assert reader.read(raw).number == 1


def test_a_missing_line_is_noticed() -> None:
    """What continues it can't be understood."""
    writer, reader = Writer(), Reader()
    step = (Disconnected(), TimerFired(), Settings(), CONTEXT, Disconnected())
    reader.read(written(writer, 1.0, *step))
    written(writer, 2.0, *step)
    with pytest.raises(Damaged, match="missing"):
        reader.read(written(writer, 3.0, *step))


def test_a_line_of_many_profiles_is_short() -> None:
    """The ring is for steps."""
    many = Context({f"profile {number}": ProfileFacts() for number in range(10_000)})
    assert len(Writer().line(1.0, Disconnected(), Connect("profile 7"), Settings(), many, Disconnected())) < 1000
