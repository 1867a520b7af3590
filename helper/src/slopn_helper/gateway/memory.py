"""A gateway's own copy of who was enrolled last, for a start while the shared database is away.

It is written whenever the registry tells something else, and used only until the registry answers. It holds names, public
keys and addresses, no secret. What was changed elsewhere after it was written isn't in it; so it is good for a day.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from slopn_helper.files import why, write_file
from slopn_helper.gateway.registry.feed import Update
from slopn_helper.gateway.types import Enrolled, Pool
from slopn_wire import codec

GOOD_FOR = 86400.0
"""Seconds after which a copy is too old to let anybody in by."""
PAUSE = 1.0
"""Seconds between two looks at whether there is something to write."""
REFRESH = 600.0
"""Seconds after which a copy is written anew though nothing was changed, so that its age says how long the database is gone."""

_log = logging.getLogger(__name__)


class Known(Struct, frozen=True):
    """What the file holds."""

    at: float
    """When the registry said so, Unix time by this gateway's clock."""
    pools: tuple[Pool, ...]
    devices: tuple[Enrolled, ...]


class Memory:
    """The copy in the file `path`, readable by its owner alone. `clock`: Unix time."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._devices: dict[str, Enrolled] = {}
        self._whole = False
        self._heard_at = 0.0
        self._written: tuple[tuple[Pool, ...], dict[str, Enrolled]] | None = None
        self._written_at = 0.0

    def read(self) -> Known | None:
        """What was known last; None: nothing, or that is too old. Raises nothing of ours: a damaged copy is none."""
        try:
            known: Known = codec.decode(self._path.read_bytes(), Known)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            _log.warning("the copy of the registry in %s can't be used: %s", self._path, error)
            return None
        if not 0.0 <= self._clock() - known.at <= GOOD_FOR:
            _log.warning("the copy of the registry in %s is too old to be used", self._path)
            return None
        return known

    def note(self, update: Update) -> None:
        """The registry tells this; `keep` writes it."""
        if update.whole:
            self._devices = {}
            self._whole = True
        self._devices.update({each.device.id: each for each in update.devices})
        for device in update.gone:
            self._devices.pop(device, None)
        self._heard_at = self._clock()

    async def keep(self, pools: Callable[[], Sequence[Pool]]) -> None:
        """Write what was noted, until cancelled. A disk that doesn't take it is told of once."""
        failed = False
        while True:
            await asyncio.sleep(PAUSE)
            now = (tuple(pools()), dict(self._devices))
            if not self._whole or (now == self._written and self._heard_at - self._written_at < REFRESH):
                continue
            try:
                await asyncio.to_thread(self._write, self._heard_at, *now)
            except OSError as error:
                if not failed:
                    _log.warning("the copy of the registry can't be written to %s: %s", self._path, why(error))
                failed = True
            else:
                failed = False
                self._written, self._written_at = now, self._heard_at

    def _write(self, at: float, pools: tuple[Pool, ...], devices: dict[str, Enrolled]) -> None:
        # By which token somebody was enrolled is nothing that packets depend on.
        plain = tuple(
            msgspec.structs.replace(each, device=msgspec.structs.replace(each.device, token=None))
            for each in devices.values()
        )
        write_file(self._path, codec.encode(Known(at, pools, plain)))
