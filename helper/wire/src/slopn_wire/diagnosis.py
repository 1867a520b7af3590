"""What the helper finds when it looks at itself and the host, and what a recording says when it is run again."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from slopn_wire.state import TunnelState


class Verdict(StrEnum):
    """What a check found."""

    FINE = "fine"
    NOTICE = "notice"
    """Worth knowing; nothing is broken."""
    BROKEN = "broken"
    UNKNOWN = "unknown"
    """It could not be checked."""


class Check(Struct, frozen=True):
    """One thing that was looked at."""

    code: str
    verdict: Verdict
    text: str
    remedy: str = ""


class Diagnosis(Struct, frozen=True, tag="diagnosis"):
    """Reply to `Diagnose`. `files`: name → redacted text."""

    checks: tuple[Check, ...]
    files: dict[str, str]


class ReplayedStep(Struct, frozen=True):
    """One input of a recording, run through the core again."""

    number: int
    at: float
    """Unix time of the recording."""
    input: str
    """Its JSON."""
    state: TunnelState
    """After it, as the core says now."""
    recorded: TunnelState
    """After it, as the core said then."""


class Replayed(Struct, frozen=True, tag="replayed"):
    """Reply to `Replay`. `problem`: why the rest of the recording could not be run; empty if there is no rest."""

    steps: tuple[ReplayedStep, ...]
    version: str
    """Of the SloPN that made the recording."""
    problem: str = ""
