"""A recording from anybody, run through the core again: it tells what it could make of it, within bounds, and never fails."""

from __future__ import annotations

import functools
import random
import zlib

from fuzz import shapes
from slopn_helper.logs import veil
from slopn_helper.recorder import replay, replay_lines
from slopn_helper.recorder.disguise import Cloak
from slopn_helper.recorder.lines import Writer
from slopn_helper.recorder.replay import MOST_OUTPUT, MOST_STEPS
from slopn_helper.tunnel.context import Context
from slopn_helper.tunnel.inputs import Input
from slopn_helper.tunnel.machine import step
from slopn_wire.codec import encode, server_decoder
from slopn_wire.diagnosis import Replayed
from slopn_wire.events import Reply
from slopn_wire.framing import MAX_MESSAGE
from slopn_wire.settings import Settings
from slopn_wire.state import Connected, Disconnected, TunnelState
from support.wire import examples


def target(data: bytes) -> None:
    """As lines, as they come compressed, and in disguise."""
    check(replay_lines(data))
    check(replay(zlib.compress(data, 1)))
    check(replay(data))
    check(replay_lines(Cloak(veil()).recording(data)))


def check(found: Replayed) -> None:
    """The answer can be sent, and says why if it isn't whole."""
    assert len(found.steps) <= MOST_STEPS
    raw = encode(Reply(1, found))
    assert len(raw) < min(MAX_MESSAGE, MOST_OUTPUT * 2)
    assert server_decoder.decode(raw) == Reply(1, found)
    assert found.steps or found.problem


@functools.cache
def lines() -> tuple[bytes, ...]:
    """What the recorder writes of each kind of input: as the first one of a recording, and after others."""
    alone, chain = [], []
    writer = Writer()
    state: TunnelState = Disconnected()
    for number, inp in enumerate(examples(Input)):
        for before in (Disconnected(), Connected("lab", (), "slopn0")):
            after = step(before, inp, Settings(), Context()).state
            alone.append(Writer().line(1.5, before, inp, Settings(), Context(), after))
        after = step(state, inp, Settings(), Context(pause_left=float(number))).state
        chain.append(writer.line(2.0 + number, state, inp, Settings(), Context(pause_left=float(number)), after))
        writer.written()
        state = after
    return (*alone, *chain)


def seeds() -> list[bytes]:
    """Each line, and the recording of them all."""
    made = [line for line in lines() if b'"v":' in line]
    rest = [line for line in lines() if b'"v":' not in line]
    return [*made, made[-1] + b"".join(rest), made[0] + b"half a li"]


def build(chance: random.Random) -> bytes:
    """A recording, more or less."""
    made = [shapes.nearly(chance, lines()) for _ in range(chance.randint(1, 5))]
    return chance.choice((b"\n", b"\n\n", b"\r\n")).join(made)
