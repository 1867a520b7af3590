"""What administrators do, each act one JSON line: when, who, what, on whom, and how it ended. Never a secret.

The file is appended to and synced; it is opened before the act, so that what can't be recorded isn't done. JSON escapes
what a name may hold, so no name makes a line of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from slopn_helper.files import make_directory, why

NAME = "audit.jsonl"
"""The file's name in the state directory."""
JOURNAL = Path("/run/systemd/journal/socket")
"""systemd's, https://systemd.io/JOURNAL_NATIVE_PROTOCOL/."""

_NOBODY = 2**32 - 1
"""/proc/self/loginuid where nobody has logged in, proc(5)."""
_LONGEST_NAME = 128

Value = str | int | float | bool | None
"""What a line may say."""


class AuditError(Exception):
    """The act can't be recorded; the sentence says why, and what that means for the act."""


class Who(Struct, frozen=True):
    """Whoever acts. `loginuid` outlives su and sudo; the kernel lets nobody change it back (audit(7))."""

    uid: int
    sudo_user: str = ""
    """As sudo(8) says; only root could have said something else."""
    loginuid: int | None = None


class Act:
    """One act, until it is recorded. `on` and what `tell` adds may become known during it."""

    def __init__(self, what: str, on: str) -> None:
        self.what = what
        self.on = on
        self._details: dict[str, Value] = {}

    def tell(self, **details: Value) -> None:
        """Say more about it: numbers and names, no secret."""
        self._details |= details

    def fields(self) -> Mapping[str, Value]:
        """What was told."""
        return self._details


class Audit:
    """The audit log at `path`. `clock`: Unix time."""

    def __init__(self, path: Path, clock: Callable[[], float], who: Who, journal: Path = JOURNAL) -> None:
        self._path = path
        self._clock = clock
        self._who = who
        self._journal = journal

    @contextlib.contextmanager
    def act(self, what: str, on: str = "") -> Iterator[Act]:
        """Record what is done within, also when it fails. Raises `AuditError`: before, so that nothing is done."""
        act = Act(what, on)
        with self._opened() as descriptor:
            try:
                yield act
            except BaseException as error:
                self._put(descriptor, act, type(error).__name__)
                raise
            self._put(descriptor, act, None)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        try:
            make_directory(self._path.parent)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self._path, flags, 0o600)
        except OSError as error:
            raise AuditError(f"{self._path} can't be written, so nothing was done: {why(error)}.") from None
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _put(self, descriptor: int, act: Act, failed: str | None) -> None:
        text = line(self._clock(), self._who, act, failed)
        try:
            data = f"{text}\n".encode()
            # One write: lines of two programs never mix.
            if os.write(descriptor, data) != len(data):
                raise AuditError(
                    f"{self._path} is full: this act has no whole line in it, although it was carried out."
                )
            os.fsync(descriptor)
        except OSError as error:
            raise AuditError(
                f"{self._path} can't be written, so this act isn't recorded, although it was carried out: {why(error)}."
            ) from None
        finally:
            _tell_journal(self._journal, text)


def line(at: float, who: Who, act: Act, failed: str | None) -> str:
    """The JSON, in ASCII: no letter of a name ends the line or changes the writing's direction."""
    document: dict[str, Value] = {
        "at": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds"),
        "what": act.what,
        "on": act.on,
        "outcome": "done" if failed is None else "failed",
        "uid": who.uid,
        "sudo_user": who.sudo_user,
        "loginuid": who.loginuid,
    }
    # What an act tells can't pass for what is ours to say.
    document |= {name: value for name, value in act.fields().items() if name not in document}
    if failed is not None:
        document["error"] = failed
    return json.dumps(document, ensure_ascii=True).replace("\x7f", "\\u007f")


def whoever_runs(environment: Mapping[str, str], loginuid: Path = Path("/proc/self/loginuid")) -> Who:
    """Who runs this program."""
    number: int | None = None
    with contextlib.suppress(OSError, ValueError):
        found = int(loginuid.read_text(encoding="ascii"))
        number = None if found == _NOBODY else found
    return Who(os.getuid(), environment.get("SUDO_USER", "")[:_LONGEST_NAME], number)


def _tell_journal(path: Path, text: str) -> None:
    # The journal comes second: without one, or with a full one, the file has the line.
    fields = f"MESSAGE=audit {text}\nPRIORITY=5\nSYSLOG_IDENTIFIER=slopn-gateway-audit\n"
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.sendto(fields.encode(), str(path))
