"""Following the tunnel after a command, until it is where the user wanted it."""

from __future__ import annotations

import sys
import time

from slopn_app.cli.failure import Failure, Status
from slopn_app.cli.fold import folded
from slopn_app.cli.output import warn
from slopn_app.locale import t

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from slopn_app.cli.channel import Channel, Command
    from slopn_app.cli.documents import SnapshotDoc

DEFAULT = 60.0
"""Seconds that `--wait` waits when no number follows it."""


class Tunnel:
    """The snapshot, kept up to date over one connection."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.view = channel.watch()

    def changed(self, deadline: float) -> bool:
        """Wait for the next change; False once `deadline` (`time.monotonic()`) has passed."""
        while (message := self._channel.streamed(deadline)) is not None:
            if message["type"] == "logs" or (message["type"] == "event" and message["seq"] <= self.view["seq"]):
                continue
            if message["type"] == "lagged" or message["seq"] != self.view["seq"] + 1:
                self.view = self._channel.watch()
                return True
            self.view = folded(self.view, message)
            if message["body"]["type"] == "state":
                return True
        return False


def connected(
    channel: Channel, command: Command, seconds: float, *, fresh: bool = False
) -> tuple[SnapshotDoc, list[str]]:
    """Send `command` and wait until the tunnel is up; the snapshot then, and the helper's notes.

    `fresh`: a tunnel that is up already doesn't count. Raises `Failure`: FAILED when there can be no tunnel, TIMED_OUT.
    """
    profile = command.get("profile")

    def done(view: SnapshotDoc, before: SnapshotDoc) -> bool:
        state, new = view["state"], view["since"] != before["since"]
        if state["type"] == "connected":
            return (new or not fresh) and profile in {None, state["profile"]}
        if new and state["type"] == "error":
            raise _impossible(state["cause"], view["policy"])
        if new and state["type"] == "disconnected" and view["target"] != "secured":
            from slopn_app.words import meaning

            was = {"paused": t("The tunnel was paused meanwhile.")}
            what = was.get(view["target"], t("The tunnel was disconnected meanwhile."))
            raise Failure(Status.FAILED, what, meaning(view["policy"]))
        return False

    return _follow(channel, command, seconds, done, t("Not connected"))


def disconnected(channel: Channel, command: Command, seconds: float) -> tuple[SnapshotDoc, list[str]]:
    """Send `command` and wait until the tunnel is down. Raises `Failure`: FAILED, TIMED_OUT."""

    def done(view: SnapshotDoc, before: SnapshotDoc) -> bool:
        _stopped(view, before)
        return view["state"]["type"] == "disconnected"

    return _follow(channel, command, seconds, done, t("Not disconnected"))


def unlocked(channel: Channel, seconds: float) -> tuple[SnapshotDoc, list[str]]:
    """Unlock and wait until traffic goes out directly. Raises `Failure`: FAILED, TIMED_OUT."""

    def done(view: SnapshotDoc, before: SnapshotDoc) -> bool:
        _stopped(view, before)
        return view["state"]["type"] == "disconnected" and view["policy"] == "open" and view["target"] == "unsecured"

    return _follow(channel, {"type": "unlock"}, seconds, done, t("Not unlocked"))


def _follow(
    channel: Channel,
    command: Command,
    seconds: float,
    done: Callable[[SnapshotDoc, SnapshotDoc], bool],
    failure: str,
) -> tuple[SnapshotDoc, list[str]]:
    deadline = time.monotonic() + seconds
    tunnel = Tunnel(channel)
    before = tunnel.view
    notes = channel.do(command)["notes"]
    # Words are needed only now, and importing them takes no time while the helper works.
    from slopn_app.cli.report import headline

    shown = ""
    while not done(tunnel.view, before):
        if not tunnel.changed(deadline):
            title, line = headline(tunnel.view, time.time())
            late = t("{failure} after {seconds} s: {title}", failure=failure, seconds=f"{seconds:g}", title=title)
            raise Failure(Status.TIMED_OUT, late, line, t("SloPN goes on trying."))
        shown = _show(tunnel.view, shown)
    return tunnel.view, notes


def _stopped(view: SnapshotDoc, before: SnapshotDoc) -> None:
    """Raise what ends a teardown. Any other error is that of an attempt before it, told after the command was accepted."""
    state = view["state"]
    if state["type"] == "error" and state["cause"] in {"restore", "stopped"} and view["since"] != before["since"]:
        raise _impossible(state["cause"], view["policy"])


def _impossible(cause: str, policy: str) -> Failure:
    from slopn_app.words import sentences

    return Failure(Status.FAILED, *sentences(cause, policy))


def _show(view: SnapshotDoc, shown: str) -> str:
    """Tell a person at a terminal what is going on, each thing once."""
    from slopn_app.cli.report import headline

    title, line = headline(view, time.time())
    text = f"{title} {line}"
    if text != shown and view["state"]["type"] in {"connecting", "disconnecting"} and sys.stderr.isatty():
        warn(text)
    return text
