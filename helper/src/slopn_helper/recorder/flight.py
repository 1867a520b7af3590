"""Records each step of the core on disk. Whatever goes wrong with that is the recorder's own trouble."""

from __future__ import annotations

import logging
from pathlib import Path

from slopn_helper.recorder.lines import Writer
from slopn_helper.recorder.segments import LIMIT, Segments
from slopn_helper.tunnel.context import Context
from slopn_helper.tunnel.inputs import Input
from slopn_wire.settings import Settings
from slopn_wire.state import TunnelState

_log = logging.getLogger(__name__)


class FlightRecorder:
    """A `Recorder` in `directory`, of at most two files of `limit` bytes. Belongs to one thread."""

    def __init__(self, directory: Path, limit: int = LIMIT) -> None:
        self._segments = Segments(directory, limit)
        self._writer = Writer(self._segments.last)
        self._works = True

    def note(
        self, at: float, before: TunnelState, inp: Input, settings: Settings, context: Context, after: TunnelState
    ) -> None:
        """See `Recorder.note`. Half a dozen system calls at most; nothing is synced."""
        try:
            line = self._writer.line(at, before, inp, settings, context, after)
            if not self._segments.has_room(len(line)):
                self._writer.restart()
                line = self._writer.line(at, before, inp, settings, context, after)
                self._segments.turn()
            self._segments.append(line)
            self._writer.written()
        except Exception as error:  # noqa: BLE001 - the tunnel goes on, whatever becomes of its recording
            self._writer.restart()
            if self._works:
                _log.warning("the flight recorder can't be written, and tries again with each step: %s", error)
            self._works = False
        else:
            self._works = True

    def read(self) -> bytes:
        """All lines that there are, oldest first."""
        return self._segments.read()

    def close(self) -> None:
        """Nothing more is noted."""
        self._segments.close()
