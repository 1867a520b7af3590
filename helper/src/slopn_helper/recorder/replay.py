"""Runs a recording through the pure core again. Pure, and safe with input from anybody: bounded in size, time, output."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from itertools import islice

import msgspec

from slopn_helper.recorder.lines import Damaged, Reader, Recorded
from slopn_helper.tunnel.machine import step
from slopn_wire import codec
from slopn_wire.diagnosis import Replayed, ReplayedStep
from slopn_wire.state import TunnelState

MOST_BYTES = 1 << 20
"""Of a recording; the recorder's own ring is three quarters of it."""
MOST_STEPS = 8_000
MOST_OUTPUT = 3 << 20
"""Bytes of the answer."""


def replay(recording: bytes) -> Replayed:
    """`replay_lines` of a recording compressed by zlib (RFC 1950). May take a second: call it in a thread."""
    inflate = zlib.decompressobj()
    try:
        raw = inflate.decompress(recording, MOST_BYTES)
    except zlib.error:
        return Replayed((), "", "This is not a recording: it isn't compressed as one.")
    if inflate.unconsumed_tail:
        return Replayed((), "", f"The recording is larger than {MOST_BYTES >> 20} MiB; no SloPN makes such a one.")
    found = replay_lines(raw)
    if not inflate.eof and not found.problem:
        return msgspec.structs.replace(found, problem="The recording is cut off; what was there has been run.")
    return found


def replay_lines(raw: bytes) -> Replayed:
    """The core's states for the inputs in `raw`, as they are now and as they were recorded.

    Each step goes on from the state of the one before, and from the recorded one where the recording begins anew:
    after a start of the helper, or where the ring went on in its other file. Lines that can't be run are left out;
    `problem` tells of them, but for one that a killed helper didn't finish.
    """
    steps: list[ReplayedStep] = []
    left_out: list[int] = []
    begins: set[int] = set()
    reader = Reader()
    version = ""
    output = 0
    state: TunnelState | None = None
    total = sum(1 for _ in _lines(raw))
    for number, line in enumerate(islice(_lines(raw), MOST_STEPS), 1):
        recorded = _read(reader, line)
        if recorded is not None and recorded.before is not None:
            state = recorded.before
            begins.add(number)
        done = None if recorded is None or state is None else _again(state, recorded)
        if done is None or recorded is None:
            state = None
            left_out.append(number)
            continue
        output += len(codec.encode(done))
        if output > MOST_OUTPUT:
            break
        steps.append(done)
        state, version = done.state, recorded.version
    if output > MOST_OUTPUT or total > MOST_STEPS:
        return Replayed(tuple(steps), version, f"The recording is too long: {len(steps)} steps of it were run.")
    bad = [number for number in left_out if not _is_unfinished(number, left_out, begins, total)] if steps else left_out
    return Replayed(tuple(steps), version, _problem(bad, total))


def _lines(raw: bytes) -> Iterator[bytes]:
    """One after the other: a list of them would take more memory than the recording."""
    return filter(None, (line.rstrip(b"\n") for line in io.BytesIO(raw)))


def _read(reader: Reader, line: bytes) -> Recorded | None:
    try:
        return reader.read(line)
    except Damaged:
        return None


def _again(state: TunnelState, recorded: Recorded) -> ReplayedStep | None:
    """One step; None for one that the core can't do, or that can't be told."""
    try:
        now = step(state, recorded.inp, recorded.settings, recorded.context).state
        done = ReplayedStep(recorded.number, recorded.at, recorded.inp_json, now, recorded.after)
        codec.encode(done)
    except Exception:  # noqa: BLE001 - whatever a forged recording makes of the core
        return None
    return done


def _is_unfinished(number: int, left_out: list[int], begins: set[int], last: int) -> bool:
    """Whether a line is the end of a killed helper's recording: alone, and nothing or a new beginning after it."""
    return number - 1 not in left_out and (number == last or number + 1 in begins)


def _problem(bad: list[int], total: int) -> str:
    if not total:
        return "The recording is empty."
    if not bad:
        return ""
    return (
        f"{len(bad)} of {total} lines could not be run, from line {bad[0]} on: "
        "they are damaged, or continue one that is damaged or missing."
    )
