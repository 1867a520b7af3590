"""Where a user's programs keep what they must remember, and how they take turns: passwd(5), flock(2)."""

# pathlib is heavy, and every `slopn status` comes through here.
# ruff: noqa: PTH101, PTH102, PTH104, PTH108, PTH112, PTH116, PTH117, PTH118, PTH120
from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pwd
import stat
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PAUSE = 0.02
_MOST = 1 << 20
"""Bytes; nothing of ours is nearly as large."""


class PosixFiles:
    """Files of one user's. `below_home`: where they are kept in the home directory unless $XDG_STATE_HOME says it."""

    def __init__(self, environ: Mapping[str, str], below_home: str) -> None:
        self._environ = environ
        self._below_home = below_home

    def state_directory(self) -> str:
        """$XDG_STATE_HOME/slopn if that is the user's own, else the one below home. Raises `OSError`.

        The home is that of the effective user by the system: after `sudo`, $HOME and its kin may be somebody else's.
        """
        stated = self._environ.get("XDG_STATE_HOME", "")
        if os.path.isabs(stated) and _ours(stated):
            return os.path.join(stated, "slopn")
        try:
            home = pwd.getpwuid(os.geteuid()).pw_dir
        except KeyError:
            raise FileNotFoundError(errno.ENOENT, "this user has no home directory", str(os.geteuid())) from None
        return os.path.join(home, self._below_home)

    def make_private(self, directory: str) -> None:
        """Make it and those above it, for this user alone. Raises `OSError`, also if it is somebody else's."""
        # Not makedirs' mode alone: that is for the last one only.
        missing = []
        path = directory
        while not os.path.isdir(path) and path != os.path.dirname(path):
            missing.append(path)
            path = os.path.dirname(path)
        for each in reversed(missing):
            with contextlib.suppress(FileExistsError):
                os.mkdir(each, 0o700)
        found = os.lstat(directory)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise PermissionError(errno.EPERM, "is not a directory of yours", directory)
        if found.st_mode & 0o077:
            os.chmod(directory, 0o700)

    def read(self, path: str) -> bytes:
        """All of a file of this user's that nobody else may read. Raises `OSError`."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
                raise PermissionError(errno.EPERM, "is not a file for you alone", path)
            return file.read(_MOST)

    def write(self, path: str, data: bytes) -> None:
        """Put a whole file there, for this user alone, on disk before this returns. Raises `OSError`."""
        fresh = f"{path}.{os.urandom(6).hex()}"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            os.rename(fresh, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(fresh)
            raise
        directory = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    @contextlib.contextmanager
    def lock(self, path: str, timeout: float) -> Iterator[None]:
        """Hold the file `path`, made if need be, alone among processes. Raises `TimeoutError`, `OSError`."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            deadline = time.monotonic() + timeout
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        raise TimeoutError(errno.ETIMEDOUT, "another program holds it", path) from None
                    time.sleep(_PAUSE)
            yield
        finally:
            os.close(descriptor)


def _ours(path: str) -> bool:
    """Whether `path`, or what it would be made in, belongs to the effective user."""
    while True:
        try:
            return os.stat(path).st_uid == os.geteuid()
        except FileNotFoundError:
            path, last = os.path.dirname(path), path
            if path == last:
                return False
        except OSError:
            return False
