"""Where a user's programs keep what they must remember on Windows, and how they take turns.

%LOCALAPPDATA% is open to its user and to the system alone, and what is made below it inherits that.
"""

# pathlib is heavy, and every `slopn status` comes through here.
# ruff: noqa: PTH103, PTH105, PTH108, PTH118
from __future__ import annotations

import contextlib
import os
import time

import pywintypes
import win32con
import win32file
import winerror

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

_PAUSE = 0.02
_MOST = 1 << 20
"""Bytes; nothing of ours is nearly as large."""


class WindowsFiles:
    """Files of one user's; see `Files`."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def state_directory(self) -> str:
        """See `Files.state_directory`."""
        local = self._environ.get("LOCALAPPDATA")
        if not local:
            raise FileNotFoundError("%LOCALAPPDATA% isn't set")
        return os.path.join(local, "SloPN")

    def make_private(self, directory: str) -> None:
        """See `Files.make_private`."""
        os.makedirs(directory, exist_ok=True)

    def read(self, path: str) -> bytes:
        """See `Files.read`."""
        with open(path, "rb") as file:  # noqa: PTH123 - as above
            return file.read(_MOST)

    def write(self, path: str, data: bytes) -> None:
        """See `Files.write`."""
        fresh = f"{path}.{os.urandom(6).hex()}"
        try:
            with open(fresh, "xb") as file:  # noqa: PTH123 - as above
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(fresh, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(fresh)
            raise

    @contextlib.contextmanager
    def lock(self, path: str, timeout: float) -> Iterator[None]:
        """See `Files.lock`: the file is open for one process at a time."""
        deadline = time.monotonic() + timeout
        while (handle := _open_alone(path)) is None:
            if time.monotonic() >= deadline:
                raise TimeoutError(f"another program holds {path}")
            time.sleep(_PAUSE)
        try:
            yield
        finally:
            handle.Close()


def _open_alone(path: str) -> Any:
    access = win32con.GENERIC_READ | win32con.GENERIC_WRITE
    try:
        return win32file.CreateFile(path, access, 0, None, win32con.OPEN_ALWAYS, 0, None)
    except pywintypes.error as error:
        if error.winerror == winerror.ERROR_SHARING_VIOLATION:
            return None
        raise OSError(0, error.strerror, path, error.winerror) from error
