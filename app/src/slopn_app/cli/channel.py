"""A conversation with the helper over a plain blocking socket: all that a command of one question needs."""

from __future__ import annotations

import json
import os
import socket
import time

from slopn_app.cli.failure import Failure, Status
from slopn_app.endpoint import socket_path
from slopn_wire.framing import MAX_MESSAGE, MAX_REQUEST, Deframer, FrameTooLarge, frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Any, Self

    from slopn_app.cli.documents import (
        DoneDoc,
        ExportedDoc,
        LogsDoc,
        MessageDoc,
        RefusedDoc,
        ResultDoc,
        SnapshotDoc,
        StreamedDoc,
    )

    Command = dict[str, Any]
    """A command of the wire as JSON: its tag in `type`, then its fields."""

PROTOCOL_MAJOR = 1
REPLY_TIMEOUT = 15.0
"""Seconds the helper has for one reply."""
_CHUNK = 1 << 16
_STATUS = {
    "invalid": Status.USAGE,
    "not_permitted": Status.NOT_PERMITTED,
    "conflict": Status.FAILED,
    "failed": Status.FAILED,
}


class Channel:
    """One connection to the helper; a context. Everything here raises `Failure` and nothing else."""

    def __init__(self, path: str | None = None) -> None:
        self._socket = _connect(path or socket_path(os.environ))
        self._frames = Deframer(MAX_MESSAGE)
        self._messages: Iterator[bytes] = iter(())
        self._early: list[StreamedDoc] = []
        self._last_id = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def snapshot(self) -> SnapshotDoc:
        """The helper's whole state."""
        return _checked(self._ask({"type": "get_snapshot"}))

    def watch(self, *, logs: bool = False) -> SnapshotDoc:
        """The helper's whole state; its changes come from `streamed` after this."""
        snapshot = _checked(self._ask({"type": "watch", "logs": logs}))
        # An earlier watch's messages are in the snapshot already. Log lines are not.
        self._early = [message for message in self._early if message["type"] == "log"]
        return snapshot

    def logs(self, since: float, level: str) -> LogsDoc:
        """The lines that the helper still has."""
        result = self._ask({"type": "get_logs", "since": since, "level": level})
        if result["type"] != "logs":
            raise _unexpected(result)
        return result

    def export(self, name: str) -> ExportedDoc:
        """The profile as a file, with its keys."""
        result = self._ask({"type": "export_profile", "name": name})
        if result["type"] != "exported":
            raise _unexpected(result)
        return result

    def do(self, command: Command) -> DoneDoc:
        """A command that is accepted or refused."""
        result = self._ask(command)
        if result["type"] != "done":
            raise _unexpected(result)
        return result

    def attempt(self, command: Command) -> DoneDoc | RefusedDoc:
        """As `do`, but what the helper finds wrong with the input, or outdated in it, comes back."""
        result = self._reply(command)
        if result["type"] == "done" or (result["type"] == "refused" and result["kind"] in {"invalid", "conflict"}):
            return result
        _raise_refused(result)
        raise _unexpected(result)

    def streamed(self, deadline: float | None = None) -> StreamedDoc | None:
        """The next event or log line; None once `deadline` (`time.monotonic()`) has passed."""
        if self._early:
            return self._early.pop(0)
        message = self._read(deadline)
        if message is None or message["type"] != "reply":
            return message
        _raise_refused(message["result"])
        raise _unexpected(message["result"])

    def _ask(self, command: Command) -> ResultDoc:
        result = self._reply(command)
        _raise_refused(result)
        return result

    def _reply(self, command: Command) -> ResultDoc:
        self._last_id += 1
        text = json.dumps({"id": self._last_id, "command": command}, separators=(",", ":"), ensure_ascii=False)
        # A file's name may hold bytes that are no text; the wire takes text alone.
        payload = text.encode(errors="replace")
        if len(payload) > MAX_REQUEST:
            raise Failure(Status.USAGE, f"That is too large: the helper takes {MAX_REQUEST} bytes at a time.")
        deadline = time.monotonic() + REPLY_TIMEOUT
        try:
            self._socket.settimeout(REPLY_TIMEOUT)
            self._socket.sendall(frame(payload))
        except TimeoutError:
            raise _late() from None
        except OSError:
            pass  # the helper hung up; what it said before is still to be read
        while True:
            message = self._read(deadline)
            if message is None:
                raise _late()
            if message["type"] != "reply":
                self._early.append(message)
            elif message["id"] == self._last_id:
                return message["result"]
            else:
                _raise_refused(message["result"])
                raise _unexpected(message["result"])

    def _read(self, deadline: float | None) -> MessageDoc | None:
        while True:
            for payload in self._messages:
                return _message(payload)
            if deadline is not None and deadline <= time.monotonic():
                return None
            self._socket.settimeout(None if deadline is None else max(deadline - time.monotonic(), 0.001))
            try:
                data = self._socket.recv(_CHUNK)
            except TimeoutError:
                return None
            except OSError:
                data = b""
            if not data:
                raise _closed()
            self._messages = _frames(self._frames, data)


def not_permitted() -> Failure:
    """The socket may not be opened by this user."""
    return Failure(
        Status.NOT_PERMITTED,
        "You may not use SloPN: only root and members of the group slopn may.",
        "Join it with `sudo usermod -aG slopn YOUR_NAME`, then log out and in again.",
    )


def not_reachable(path: str, reason: str) -> Failure:
    """Nobody answers at the socket."""
    # The words are needed only when something has gone wrong, here as below.
    from slopn_app.words import unreachable

    what, meaning, remedy = unreachable()
    return Failure(Status.UNREACHABLE, f"{what} ({path}: {reason})", meaning, remedy)


def _closed() -> Failure:
    from slopn_app.words import unreachable

    _, meaning, _ = unreachable()
    return Failure(Status.UNREACHABLE, "SloPN's service has closed the connection.", meaning)


def _connect(path: str) -> socket.socket:
    # Windows has no such constant; there the endpoint is a pipe.
    connection = socket.socket(getattr(socket, "AF_UNIX", 1), socket.SOCK_STREAM)
    connection.settimeout(REPLY_TIMEOUT)
    try:
        connection.connect(path)
    except PermissionError:
        connection.close()
        raise not_permitted() from None
    except OSError as error:
        connection.close()
        raise not_reachable(path, error.strerror or str(error)) from None
    return connection


def _message(payload: bytes) -> MessageDoc:
    try:
        message = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise _nonsense(error) from None
    if not _typed(message):
        raise _nonsense("it has no type")
    if message["type"] == "reply" and not ("id" in message and _typed(message.get("result"))):
        raise _nonsense("it replies to nothing")
    known: MessageDoc = message
    return known


def _typed(message: Any) -> bool:
    return isinstance(message, dict) and "type" in message


def _nonsense(why: object) -> Failure:
    return Failure(Status.FAILED, f"The helper's answer makes no sense: {why}.")


def _frames(frames: Deframer, data: bytes) -> Iterator[bytes]:
    try:
        yield from frames.feed(data)
    except FrameTooLarge as error:
        raise _nonsense(error) from None


def _checked(result: ResultDoc) -> SnapshotDoc:
    if result["type"] != "snapshot":
        raise _unexpected(result)
    major = result["protocol"][0]
    if major != PROTOCOL_MAJOR:
        raise Failure(
            Status.FAILED,
            f"The helper speaks version {major} of the protocol, this program version {PROTOCOL_MAJOR}.",
            "Install both from the same release, then restart the helper.",
        )
    return result


def _raise_refused(result: ResultDoc) -> None:
    if result["type"] == "refused":
        raise Failure(_STATUS.get(result["kind"], Status.FAILED), *result["message"].splitlines())


def _unexpected(result: ResultDoc) -> Failure:
    return Failure(Status.FAILED, f"The helper gave an answer that doesn't fit the question: {result['type']}.")


def _late() -> Failure:
    return Failure(Status.TIMED_OUT, f"SloPN's service gave no answer within {REPLY_TIMEOUT:g} s.")
