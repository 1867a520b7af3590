"""The flight recorder: every input of the core, with what the core knew and where it went, in a bounded ring on disk.

The core is pure, so that the recording *is* the problem report: `replay` runs it again.
"""

from __future__ import annotations

from typing import Protocol

from slopn_helper.recorder.flight import FlightRecorder
from slopn_helper.recorder.replay import replay, replay_lines
from slopn_helper.tunnel.context import Context
from slopn_helper.tunnel.inputs import Input
from slopn_wire.settings import Settings
from slopn_wire.state import TunnelState


class Recorder(Protocol):
    """Who is told of each step."""

    def note(
        self, at: float, before: TunnelState, inp: Input, settings: Settings, context: Context, after: TunnelState
    ) -> None:
        """At Unix time `at` the core went from `before` to `after`. Never raises, whatever the disk says."""


class NoRecorder:
    """Forgets everything."""

    def note(
        self, at: float, before: TunnelState, inp: Input, settings: Settings, context: Context, after: TunnelState
    ) -> None:
        """See `Recorder.note`."""


__all__ = ["FlightRecorder", "NoRecorder", "Recorder", "replay", "replay_lines"]
