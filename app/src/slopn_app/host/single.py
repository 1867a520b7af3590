"""One program of a kind for each user: flock(2) says who, a Unix socket brings it what later starts were called with."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from slopn_app.host.posix import PosixFiles

Words = tuple[str, ...]
_MOST = 1 << 20
"""Bytes of words."""
_TIMEOUT = 5.0
_PAUSE = 0.05
_HEARD = b"+"


class Single:
    """The names that are taken, in a folder that is this user's alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def claim(self, name: str, words: Words) -> Instance | None:
        """Be the only `name`; or hand `words` to the one there is, and get None. Raises `OSError`."""
        PosixFiles({}, "").make_private(str(self._folder))
        deadline = time.monotonic() + _TIMEOUT
        while True:
            instance = self._alone(name)
            if instance is not None:
                return instance
            # It may be on its way in or out.
            if self.call(name, words) or time.monotonic() >= deadline:
                return None
            time.sleep(_PAUSE)

    def call(self, name: str, words: Words) -> bool:
        """Hand `words` to the `name` that runs; False: none does, or it doesn't listen."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(_TIMEOUT)
                connection.connect(str(self._folder / f"{name}.sock"))
                connection.sendall(json.dumps(words).encode())
                connection.shutdown(socket.SHUT_WR)
                return connection.recv(1) == _HEARD
        except OSError:
            return False

    def _alone(self, name: str) -> Instance | None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        lock = os.open(self._folder / f"{name}.lock", flags, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path = self._folder / f"{name}.sock"
            path.unlink(missing_ok=True)  # of one that was killed
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                listener.bind(str(path))
                listener.listen(8)
            except BaseException:
                listener.close()
                raise
        except BlockingIOError:
            os.close(lock)
            return None
        except BaseException:
            os.close(lock)
            raise
        return Instance(lock, listener, path)


class Instance:
    """The only one, until `close` or its process ends."""

    def __init__(self, lock: int, listener: socket.socket, path: Path) -> None:
        self._lock = lock
        self._listener = listener
        self._path = path

    def listen(self, called: Callable[[Words], None]) -> None:
        """See `slopn_app.desktop.parts.Instance`."""
        threading.Thread(target=self._serve, args=(called,), name="later starts", daemon=True).start()

    def close(self) -> None:
        """Let another one be."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        with contextlib.suppress(OSError):  # wakes the thread; macOS says that nobody is connected
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        os.close(self._lock)

    def _serve(self, called: Callable[[Words], None]) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError, ValueError):
                connection.settimeout(_TIMEOUT)
                words = _words(connection)
                connection.sendall(_HEARD)
                called(words)


def folder(environ: Mapping[str, str], state_directory: str) -> Path:
    """Below $XDG_RUNTIME_DIR if that is this user's (XDG Base Directory Specification), else in the state directory."""
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    with contextlib.suppress(OSError):
        found = os.stat(runtime)  # noqa: PTH116 - an empty path is no folder, and no error of ours
        if os.path.isabs(runtime) and stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():  # noqa: PTH117
            return Path(runtime) / "slopn"
    return Path(state_directory) / "run"


def _words(connection: socket.socket) -> Words:
    data = b""
    while len(data) <= _MOST and (more := connection.recv(1 << 16)):
        data += more
    found = json.loads(data)
    if not isinstance(found, list) or not all(isinstance(word, str) for word in found):
        raise ValueError("no words")
    return tuple(found)
