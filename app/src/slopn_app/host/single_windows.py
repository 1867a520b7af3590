"""One program of a kind for each user on Windows: a named pipe of which there can be one, which brings the words of later starts.

The pipe's name holds the user's, and the default access of a pipe lets nobody else write to it.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pywintypes
import win32file
import win32pipe

Words = tuple[str, ...]
_MOST = 1 << 20
_TIMEOUT = 5.0
_PAUSE = 0.05
_HEARD = b"+"
_NOTHING: Any = b"[]"
_DEFAULT: Any = None  # security attributes
_FIRST = 0x00080000  # FILE_FLAG_FIRST_PIPE_INSTANCE
_LOCAL = 0x00000008  # PIPE_REJECT_REMOTE_CLIENTS
_MESSAGES = 0x00000004 | 0x00000002  # PIPE_TYPE_MESSAGE, PIPE_READMODE_MESSAGE


class WindowsSingle:
    """The names that `user` has taken."""

    def __init__(self, user: str) -> None:
        self._user = user

    def claim(self, name: str, words: Words) -> WindowsInstance | None:
        """See `Single.claim`."""
        deadline = time.monotonic() + _TIMEOUT
        while True:
            with contextlib.suppress(pywintypes.error):
                return WindowsInstance(self._path(name), _pipe(self._path(name), first=True))
            if self.call(name, words) or time.monotonic() >= deadline:
                return None
            time.sleep(_PAUSE)

    def call(self, name: str, words: Words) -> bool:
        """See `Single.call`."""
        message: Any = json.dumps(words).encode()  # pywin32 takes bytes; its stubs say text
        try:
            heard: Any = win32pipe.CallNamedPipe(self._path(name), message, 1, int(_TIMEOUT * 1000))
        except pywintypes.error:
            return False
        return bool(heard == _HEARD)

    def _path(self, name: str) -> str:
        return rf"\\.\pipe\slopn-{name}-{self._user}"


class WindowsInstance:
    """See `Instance`."""

    def __init__(self, path: str, pipe: int) -> None:
        self._path = path
        self._pipe = pipe
        self._closing = threading.Event()

    def listen(self, called: Callable[[Words], None]) -> None:
        """See `Instance.listen`."""
        threading.Thread(target=self._serve, args=(called,), name="later starts", daemon=True).start()

    def close(self) -> None:
        """See `Instance.close`."""
        self._closing.set()
        with contextlib.suppress(pywintypes.error):  # wakes the thread
            win32pipe.CallNamedPipe(self._path, _NOTHING, 1, 100)

    def _serve(self, called: Callable[[Words], None]) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(pywintypes.error, ValueError):
                win32pipe.ConnectNamedPipe(self._pipe, None)
                _, data = win32file.ReadFile(self._pipe, _MOST, None)
                words: Any = json.loads(bytes(data))
                win32file.WriteFile(self._pipe, _HEARD, None)
                if (
                    not self._closing.is_set()
                    and isinstance(words, list)
                    and all(isinstance(word, str) for word in words)
                ):
                    called(tuple(words))
            with contextlib.suppress(pywintypes.error):
                win32pipe.DisconnectNamedPipe(self._pipe)
        win32file.CloseHandle(self._pipe)


def _pipe(path: str, *, first: bool) -> int:
    mode = win32pipe.PIPE_ACCESS_DUPLEX | (_FIRST if first else 0)
    return win32pipe.CreateNamedPipe(path, mode, _MESSAGES | _LOCAL, 1, _MOST, _MOST, 0, _DEFAULT)
