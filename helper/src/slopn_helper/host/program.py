"""Starts a program of the host: the one place of the product that does.

A program is taken only by its absolute path, and only if nobody but root could have put it there. It gets an
environment of ours, a root folder to stand in, bytes to read, a time limit, and no more room to talk than we read.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
from pathlib import Path
from typing import NamedTuple

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
TIMEOUT = 15.0
"""Seconds. resolvconf waits up to ten for its own lock."""
INPUT_LIMIT = 16_384
"""Bytes: what a pipe holds before anybody reads it, on every system."""
OUTPUT_LIMIT = 16_384
"""Bytes of standard output and error together; the rest is read and thrown away."""
_LINKS = 40
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


class ProgramError(Exception):
    """The program wasn't started, or didn't end; the message says which and why."""


class Ended(NamedTuple):
    """How a program ended, and what it said on standard output and error."""

    status: int
    """As in `subprocess.Popen.returncode`: negative for a signal."""
    output: str


def trusted(path: Path) -> Path:
    """Where `path` leads, if root alone can change each name on the way and the file. Raises `ProgramError`.

    Links are followed one at a time: each folder that a name is looked up in must be root's.
    """
    if not path.is_absolute():
        raise ProgramError(f"{path} is not an absolute path")
    at, left, links = Path("/"), list(path.parts[1:]), 0
    try:
        _must_be_roots(at, at.lstat())
        while left:
            name = left.pop(0)
            if name == "..":
                at = at.parent
                continue
            found = (at / name).lstat()
            if stat.S_ISLNK(found.st_mode):
                links += 1
                if links > _LINKS:
                    raise ProgramError(f"{path} leads through too many links")
                target = (at / name).readlink()
                at, left = (
                    (Path("/"), [*target.parts[1:], *left]) if target.is_absolute() else (at, [*target.parts, *left])
                )
                continue
            _must_be_roots(at / name, found)
            at /= name
        if not stat.S_ISREG(at.stat().st_mode) or not os.access(at, os.X_OK):
            raise ProgramError(f"{at} is not a program")
    except OSError as error:
        raise ProgramError(f"{path} can't be started: {error.strerror or error}") from error
    return at


async def run(
    path: Path,
    *arguments: str,
    stdin: bytes = b"",
    timeout: float = TIMEOUT,  # noqa: ASYNC109 (whoever is late is killed with its children, not only left alone)
    keep: int | None = None,
) -> Ended:
    """Run the program to its end. Raises `ProgramError`.

    `keep` is a descriptor that the program and its children inherit: a lock on it lasts as long as any of them does,
    even if we die. The program and its children are killed when the time is up, or when we are cancelled.
    """
    if len(stdin) > INPUT_LIMIT:
        raise ProgramError(f"{path}: {len(stdin)} bytes to read are too many")
    program = trusted(path)
    loop = asyncio.get_running_loop()
    told = _Told()
    try:
        process = await _start([program, *arguments], stdin, told.their_end, () if keep is None else (keep,))
        told.listen(loop)
        try:
            async with asyncio.timeout(timeout):
                status = await process.wait()
        except TimeoutError as error:
            raise ProgramError(f"{program} didn't end within {timeout:g} s: {told.text()}") from error
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        return Ended(status, told.text())
    finally:
        told.close(loop)


async def _start(argv: list[Path | str], stdin: bytes, sink: int, keep: tuple[int, ...]) -> asyncio.subprocess.Process:
    source = _pipe_with(stdin)
    try:
        return await asyncio.create_subprocess_exec(
            *argv, stdin=source, stdout=sink, stderr=sink, env=ENVIRONMENT,
            cwd="/", start_new_session=True, umask=0o022, pass_fds=keep,
        )  # fmt: skip
    except OSError as error:
        raise ProgramError(f"{argv[0]} can't be started: {error.strerror or error}") from error
    finally:
        os.close(source)


class _Told:
    """What a program says. It isn't waited for: a service that it has started may hold the pipe open for ever."""

    def __init__(self) -> None:
        self._ours, self.their_end = os.pipe()
        os.set_blocking(self._ours, False)
        self._kept = bytearray()

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read what comes from now on, and let go of the other end."""
        os.close(self.their_end)
        self.their_end = -1
        loop.add_reader(self._ours, self._read, loop)

    def text(self) -> str:
        """All that was said up to now, within the limit."""
        self._read(None)
        return self._kept.decode("utf-8", "replace").strip()

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hear no more."""
        loop.remove_reader(self._ours)
        os.close(self._ours)
        if self.their_end >= 0:
            os.close(self.their_end)

    def _read(self, loop: asyncio.AbstractEventLoop | None) -> None:
        while True:
            try:
                said = os.read(self._ours, 65_536)
            except BlockingIOError:
                return
            if not said:
                if loop is not None:
                    loop.remove_reader(self._ours)
                return
            self._kept += said[: OUTPUT_LIMIT - len(self._kept)]
            if loop is not None:
                return


def _must_be_roots(path: Path, found: os.stat_result) -> None:
    if found.st_uid != 0 or found.st_mode & _OTHERS_MAY_WRITE:
        raise ProgramError(f"{path} is not root's alone, so nothing below it is started")


def _pipe_with(content: bytes) -> int:
    """The end to read of a pipe that holds `content` and then ends."""
    source, sink = os.pipe()
    try:
        os.write(sink, content)
    finally:
        os.close(sink)
    return source
