"""Which profiles were used lately, the last one first; remembered from one tray to the next."""

from __future__ import annotations

import contextlib
import os

import msgspec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from slopn_app.host.interfaces import Files

MOST = 20


class Recent:
    """The list. What can't be kept is forgotten, and harms nobody."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self.names: tuple[str, ...] = ()
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            self.names = msgspec.json.decode(files.read(self._path()), type=tuple[str, ...])[:MOST]

    def used(self, name: str) -> None:
        """`name` comes first from now on."""
        if self.names[:1] == (name,):
            return
        self.names = (name, *(other for other in self.names if other != name))[:MOST]
        with contextlib.suppress(OSError):
            self._files.make_private(self._files.state_directory())
            self._files.write(self._path(), msgspec.json.encode(self.names))

    def _path(self) -> str:
        return os.path.join(self._files.state_directory(), "recent.json")  # noqa: PTH118 - `Files` speaks in strings
