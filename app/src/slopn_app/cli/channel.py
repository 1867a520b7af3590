"""The command line's conversation with the helper, blocking: paired if need be, and begun again when it breaks off."""

from __future__ import annotations

import os
import sys
import time

from slopn_app import trouble
from slopn_app.bootstrap import host
from slopn_app.cli.failure import Failure, Status
from slopn_app.cli.output import warn
from slopn_app.endpoint import socket_path
from slopn_app.locale import t
from slopn_app.pairing import Pairing
from slopn_app.trouble import Trouble

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Self

    from slopn_app.applicant import NumberWanted
    from slopn_app.cli.documents import (
        DoneDoc,
        ExportedDoc,
        LogsDoc,
        RefusedDoc,
        ResultDoc,
        SnapshotDoc,
        StreamedDoc,
    )
    from slopn_app.link import Link

    Command = dict[str, Any]
    """A command of the wire as JSON: its tag in `type`, then its fields."""

REPLY_TIMEOUT = 15.0
"""Seconds the helper has for one reply, a restart on the way included."""
MOST_RESENDS = 3
"""Times that a request is sent again; whatever breaks off more often shall not be broken any further."""
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 0.5
# These change nothing and may be repeated as they are; all others carry a key, by which a retry is told from a repetition.
_HARMLESS = frozenset(
    {
        "get_snapshot",
        "watch",
        "get_logs",
        "follow_logs",
        "get_pairings",
        "get_users",
        "export_profile",
        "check_enrolment",
        "diagnose",
        "replay",
    }
)
_ENROLMENT = 75.0
_PATIENCE = {"enrol": _ENROLMENT, "renew_enrolment": _ENROLMENT}
"""Seconds for the reply to what asks somebody outside."""
_STATUS = {
    "invalid": Status.USAGE,
    "not_permitted": Status.NOT_PERMITTED,
    "not_paired": Status.NOT_PERMITTED,
    "limited": Status.FAILED,
    "conflict": Status.FAILED,
    "failed": Status.FAILED,
}
_TROUBLE = {
    trouble.UNREACHABLE: Status.UNREACHABLE,
    trouble.TIMED_OUT: Status.TIMED_OUT,
    trouble.NOT_PERMITTED: Status.NOT_PERMITTED,
    trouble.NOT_PAIRED: Status.NOT_PERMITTED,
    trouble.KEYRING_LOCKED: Status.NOT_PERMITTED,
    trouble.INVALID: Status.USAGE,
}


class Channel:
    """A conversation with the helper; a context. Everything here raises `Failure` and nothing else."""

    def __init__(self, path: str | None = None) -> None:
        self._pairing = Pairing("cli", host(), path or socket_path(os.environ), ask=ask_number, say=tell)
        self._accepted = False
        self._watching = False
        try:
            self._link: Link | None = self._pairing.link(REPLY_TIMEOUT)
        except Trouble as problem:
            raise failure(problem) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._link is None:
            return
        if kind is None and self._accepted and self._pairing.due():
            self._pairing.renew(self._link, REPLY_TIMEOUT)
        self._link.close()

    def snapshot(self) -> SnapshotDoc:
        """The helper's whole state."""
        return self.ask({"type": "get_snapshot"}, "snapshot")  # type: ignore[return-value]

    def watch(self) -> SnapshotDoc:
        """The helper's whole state; its changes come from `streamed` after this."""
        return self.ask({"type": "watch"}, "snapshot")  # type: ignore[return-value]

    def logs(self, since: float, level: str) -> LogsDoc:
        """The lines that the helper still has."""
        return self.ask({"type": "get_logs", "since": since, "filter": {"level": level}}, "logs")  # type: ignore[return-value]

    def export(self, name: str) -> ExportedDoc:
        """The profile as a file, with its keys."""
        return self.ask({"type": "export_profile", "name": name}, "exported")  # type: ignore[return-value]

    def do(self, command: Command) -> DoneDoc:
        """A command that is accepted or refused."""
        return self.ask(command, "done")  # type: ignore[return-value]

    def attempt(self, command: Command) -> DoneDoc | RefusedDoc:
        """As `do`, but what the helper finds wrong with the input, or outdated in it, comes back."""
        result = self._reply(command)
        if result["type"] == "done" or (result["type"] == "refused" and result["kind"] in {"invalid", "conflict"}):
            return result
        _raise_refused(result)
        raise _unexpected(result)

    def ask(self, command: Command, *expected: str) -> ResultDoc:
        """The result of any command; `expected`: the tags that it may have, any if left out. A refusal is a `Failure`."""
        result = self._reply(command)
        _raise_refused(result)
        if expected and result["type"] not in expected:
            raise _unexpected(result)
        return result

    def streamed(self, deadline: float | None = None) -> StreamedDoc | None:
        """The next event or batch of log lines; None once `deadline` (`time.monotonic()`) has passed."""
        if self._link is None:
            raise failure(trouble.HungUp())
        if self._link.early:
            return self._link.early.pop(0)  # type: ignore[return-value]
        try:
            message: Any = self._link.receive(deadline)
        except Trouble as problem:
            self._drop()
            raise failure(problem) from None
        if message is not None and message["type"] == "reply":
            # A helper that ends the conversation says why.
            _raise_refused(message["result"])
            raise _unexpected(message["result"])
        streamed: StreamedDoc | None = message
        return streamed

    def _reply(self, command: Command) -> ResultDoc:
        key = "" if command["type"] in _HARMLESS else os.urandom(12).hex()
        patience = _PATIENCE.get(command["type"], REPLY_TIMEOUT)
        deadline = time.monotonic() + patience
        for tries_left in range(MOST_RESENDS, -1, -1):
            link = self._linked(deadline)
            try:
                result = link.ask(command, _left(deadline), key)
            except Trouble as problem:
                self._drop()
                again = problem.kind == trouble.NOT_PAIRED or (problem.kind == trouble.UNREACHABLE and _left(deadline))
                if not again or not tries_left:
                    raise failure(problem) from None
                if problem.kind == trouble.UNREACHABLE:
                    continue
                reason = str(problem)
            else:
                if result["type"] != "refused" or result["kind"] != "not_paired" or not tries_left:
                    return self._taken(link, command, result)
                self._drop()
                reason = result["message"]
            self._pair_again(reason)
            deadline = time.monotonic() + patience
        raise AssertionError("the last try returns or raises")

    def _linked(self, deadline: float) -> Link:
        """The connection; a new one if the helper has gone away, which waits for it to come back."""
        pause = _FIRST_PAUSE
        while self._link is None:
            try:
                self._link = self._pairing.link(max(_left(deadline), _FIRST_PAUSE))
            except Trouble as problem:
                if problem.kind != trouble.UNREACHABLE or not _left(deadline):
                    raise failure(problem) from None
                time.sleep(min(pause, _left(deadline)))
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                if self._watching:
                    # Its events went to the connection that is gone: whoever waits for them must ask again.
                    self._link.early.append({"type": "lagged"})
        return self._link

    def _taken(self, link: Link, command: Command, result: Any) -> ResultDoc:
        if not self._accepted:
            self._accepted = True
            self._pairing.accepted()
        if command["type"] == "watch":
            self._watching = True
            # An earlier watch's messages are in the snapshot already. Log lines are not.
            link.early = [message for message in link.early if message["type"] == "logs"]
        known: ResultDoc = result
        return known

    def _pair_again(self, reason: str) -> None:
        try:
            self._pairing.refused(reason, REPLY_TIMEOUT)
        except Trouble as problem:
            raise failure(problem) from None

    def _drop(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None


def ask_number(wanted: NumberWanted) -> str | None:
    """Have the user at the terminal repeat the helper's number; None without a terminal, or when told nothing."""
    if not sys.stdin.isatty() or not sys.stderr.isatty():
        return None
    if wanted.wrong:
        warn(wanted.wrong)
    else:
        warn(
            t("SloPN's service doesn't know this program yet. It shows a number of six digits:"),
            t("`sudo slopn devices` says it, and `journalctl -u slopn-helper` does."),
        )
    while time.time() < wanted.expires:
        sys.stderr.write(t("Number: "))
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            return None
        if line.strip():
            return line.strip()
    return None


def tell(sentence: str) -> None:
    """Say on stderr what has been done about the pairing."""
    warn(f"slopn: {sentence}")


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0.0)


def failure(problem: Trouble) -> Failure:
    """What a verb ends with."""
    return Failure(_TROUBLE.get(problem.kind, Status.FAILED), *problem.lines)


def _raise_refused(result: ResultDoc) -> None:
    if result["type"] == "refused":
        raise Failure(_STATUS.get(result["kind"], Status.FAILED), *result["message"].splitlines())


def _unexpected(result: ResultDoc) -> Failure:
    return Failure(
        Status.FAILED, t("The helper gave an answer that doesn't fit the question: {type}.", type=result["type"])
    )
