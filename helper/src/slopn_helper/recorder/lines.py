"""One step of the core as a line of JSON, and back. Pure.

A line says only what differs from the one before: members of the settings and of the context that have changed,
`before` and `after` where they aren't the state in which the last line ended. A complete line (it has `v`, the
version) needs none before it. `n` rises by one from line to line, so that a missing one is noticed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from slopn_helper import __version__
from slopn_helper.logs import redact
from slopn_helper.tunnel.context import Context, ProfileFacts
from slopn_helper.tunnel.effects import ConfigureHost, ResolveEndpoints, StartEngine
from slopn_helper.tunnel.inputs import Drifted, EffectFailed, EngineDown, Input
from slopn_wire import codec
from slopn_wire.settings import Settings
from slopn_wire.state import TunnelState

LONGEST = 64 << 10
"""Bytes of one line; a longer one is damaged."""

_input_decoder: msgspec.json.Decoder[Input] = codec.decoder(Input)
_state_decoder: msgspec.json.Decoder[TunnelState] = codec.decoder(TunnelState)


class Damaged(ValueError):
    """A line that can't be understood, or not without one that is missing."""


class Recorded(Struct, frozen=True):
    """One step, whole."""

    number: int
    at: float
    version: str
    """Of the SloPN that recorded it."""
    before: TunnelState | None
    """None: the state in which the step before ended."""
    inp: Input
    inp_json: str
    settings: Settings
    context: Context
    after: TunnelState


class _Line(Struct, frozen=True, omit_defaults=True):
    n: int
    at: float
    v: str | UnsetType = UNSET
    before: Raw | UnsetType = UNSET
    settings: dict[str, Raw] = {}
    context: dict[str, Raw] = {}
    input: Raw = Raw(b"null")
    after: Raw | UnsetType = UNSET


class _Known(NamedTuple):
    """What the next line needn't repeat."""

    state: TunnelState
    settings: Settings
    context: Context


class Writer:
    """Makes the lines of one recording, in order."""

    def __init__(self, last: int = 0) -> None:
        self._number = last
        self._last: _Known | None = None
        self._made: _Known | None = None

    def restart(self) -> None:
        """The next line is a complete one: it begins a file, or those before it were not written."""
        self._last = None

    def line(
        self, at: float, before: TunnelState, inp: Input, settings: Settings, context: Context, after: TunnelState
    ) -> bytes:
        """The next line, without what the core can't have looked at. It counts once it is `written`."""
        context = msgspec.structs.replace(context, profiles=_looked_at(context.profiles, before, inp, after))
        last = self._last
        line = _Line(
            n=self._number + 1,
            at=at,
            v=__version__ if last is None else UNSET,
            before=UNSET if last is not None and before == last.state else _raw(before),
            settings=_changed(last and last.settings, settings),
            context=_changed(last and last.context, context),
            input=_raw(_without_secrets(inp)),
            after=UNSET if after == before else _raw(after),
        )
        self._made = _Known(after, settings, context)
        return msgspec.json.encode(line) + b"\n"

    def written(self) -> None:
        """The last line that was made is on disk: the next one continues it."""
        self._number += 1
        self._last = self._made


class Reader:
    """Makes steps of lines again."""

    def __init__(self) -> None:
        self._number = 0
        self._version = ""
        self._state: TunnelState | None = None
        self._members: tuple[dict[str, Raw], dict[str, Raw]] = ({}, {})
        self._settings = Settings()
        self._context = Context()

    def read(self, line: bytes) -> Recorded:
        """The step of the next line. Raises `Damaged`; then nothing can be read until a complete line comes."""
        try:
            return self._read(line)
        except (msgspec.MsgspecError, ValueError, TypeError, RecursionError, OverflowError) as error:
            self._state = None
            raise Damaged(str(error)) from None

    def _read(self, raw: bytes) -> Recorded:
        if len(raw) > LONGEST:
            raise Damaged("it is too long")
        line = msgspec.json.decode(raw, type=_Line)
        if not math.isfinite(line.at):
            raise Damaged("its time is no time")
        complete = line.v is not UNSET
        if not complete and (self._state is None or line.n != self._number + 1):
            raise Damaged("the line that it continues is missing")
        if complete and line.before is UNSET:
            raise Damaged("it doesn't say where it begins")
        if complete:
            self._members = ({}, {})
        if complete or line.settings:
            self._members[0].update(line.settings)
            self._settings = _whole(self._members[0], Settings)
        if complete or line.context:
            self._members[1].update(line.context)
            self._context = _whole(self._members[1], Context)
        before = None if line.before is UNSET else _state_decoder.decode(line.before)
        began = self._state if before is None else before
        after = began if line.after is UNSET else _state_decoder.decode(line.after)
        if after is None:
            raise Damaged("it doesn't say where it begins")
        recorded = Recorded(
            number=line.n,
            at=line.at,
            version=self._version if line.v is UNSET else line.v,
            before=before,
            inp=_input_decoder.decode(line.input),
            inp_json=bytes(line.input).decode(),
            settings=self._settings,
            context=self._context,
            after=after,
        )
        self._number, self._state, self._version = line.n, after, recorded.version
        return recorded


def _raw(value: object) -> Raw:
    return Raw(codec.encode(value))


def _changed(old: Struct | None, new: Struct) -> dict[str, Raw]:
    return {
        name: _raw(value)
        for name in new.__struct_fields__
        if (value := getattr(new, name)) != (UNSET if old is None else getattr(old, name))
    }


def _whole(members: dict[str, Raw], kind: type[Any]) -> Any:
    return codec.decode(msgspec.json.encode(members), kind)


def _looked_at(profiles: Mapping[str, ProfileFacts], *mentioned: object) -> dict[str, ProfileFacts]:
    """Of hundreds of profiles the core looks at those alone that the states and the input name."""
    names: set[str] = set()
    for one in mentioned:
        if isinstance(one, EffectFailed) and isinstance(one.effect, ResolveEndpoints | StartEngine | ConfigureHost):
            names.add(one.effect.profile)
        names |= {name for field in ("profile", "resume") if isinstance(name := getattr(one, field, None), str)}
    return {name: profiles[name] for name in sorted(names) if name in profiles}


def _without_secrets(inp: Input) -> Input:
    """Free text of an error may quote what it was about; the core never looks at it."""
    match inp:
        case EffectFailed(detail=detail):
            return msgspec.structs.replace(inp, detail=redact(detail))
        case EngineDown(reason=reason):
            return msgspec.structs.replace(inp, reason=redact(reason))
        case Drifted(what=what):
            return msgspec.structs.replace(inp, what=redact(what))
        case _:
            return inp
