"""Whole files of the host, taken down before a change and put back after it."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

from slopn_helper.files import sync_directory
from slopn_helper.host.journal import FileWas


def snapshot(path: Path) -> FileWas:
    """What is at `path` now: a link is taken as a link, not as what it points to. Raises `OSError`."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return FileWas(str(path))
    if stat.S_ISLNK(found.st_mode):
        return FileWas(str(path), link=str(path.readlink()), uid=found.st_uid, gid=found.st_gid)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "neither a file nor a link", str(path))
    mode = stat.S_IMODE(found.st_mode)
    return FileWas(str(path), content=path.read_bytes(), mode=mode, uid=found.st_uid, gid=found.st_gid)


def put(state: FileWas) -> None:
    """Make `path` what `state` says: by an atomic rename, or in place where the path is a mount point. It is on disk then.

    Raises `OSError`; the old state is then there unharmed, unless writing in place failed.
    """
    path = Path(state.path)
    if state.content is None and state.link is None:
        _remove(path)
        return
    temporary = _temporary(path)
    temporary.unlink(missing_ok=True)
    try:
        if state.link is not None:
            temporary.symlink_to(state.link)
        else:
            _write_new(temporary, state)
        os.chown(temporary, state.uid, state.gid, follow_symlinks=False)
        temporary.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        # A bind mount (containers, namespaces) can't be renamed over: rename(2) says EBUSY.
        if error.errno != errno.EBUSY or state.content is None:
            raise
        _write_in_place(path, state)
    finally:
        temporary.unlink(missing_ok=True)


def undo(entry: FileWas) -> None:
    """Put the file back, unless what is there now is neither ours nor nothing. Raises `OSError`."""
    path = Path(entry.path)
    _remove(_temporary(path))
    now = snapshot(path)
    if now.link is not None and entry.ours:
        return
    if now.content is None or now.content.startswith(entry.ours) or _is_half_back(now, entry):
        put(entry)


def settle(path: Path) -> None:
    """Make durable what another program has written at `path`, and the name. Missing is durable, too. Raises `OSError`."""
    with contextlib.suppress(FileNotFoundError):
        # Where a link leads to, the text is.
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    sync_directory(path.parent)


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except FileNotFoundError:
        return
    except OSError:
        # A read-only file system refuses before it looks.
        if path.is_symlink() or path.exists():
            raise
        return
    sync_directory(path.parent)


def _temporary(path: Path) -> Path:
    """Always the same name, so that what a killed process left of it is found and removed."""
    return path.with_name(f".{path.name}.slopn")


def _write_new(path: Path, state: FileWas) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(fd, "wb") as file:  # noqa: PTH123 (an open descriptor, not a path)
        file.write(state.content or b"")
        file.flush()
        os.fchmod(fd, state.mode)
        os.fsync(fd)


def _write_in_place(path: Path, state: FileWas) -> None:
    """Whoever is killed halfway leaves the new content with empty lines behind it, never with a rest of the old one."""
    content = state.content or b""
    with path.open("r+b", buffering=0) as file:
        rest = os.fstat(file.fileno()).st_size - len(content)
        file.write(content + b"\n" * rest)
        os.ftruncate(file.fileno(), len(content))
        os.fsync(file.fileno())
    path.chmod(state.mode)
    os.chown(path, state.uid, state.gid)


def _is_half_back(now: FileWas, entry: FileWas) -> bool:
    """Whether an undo in place was killed before its end."""
    if now.content is None or entry.content is None or now.content.rstrip(b"\n") != entry.content.rstrip(b"\n"):
        return False
    return (now.content, now.mode, now.uid, now.gid) != (entry.content, entry.mode, entry.uid, entry.gid)
