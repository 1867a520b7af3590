"""Following the tunnel after a command, until it is where the user wanted it."""

from __future__ import annotations

import sys
import time

from slopn_app.cli.failure import Failure, Status
from slopn_app.cli.output import warn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from slopn_app.cli.channel import Channel, Command
    from slopn_app.cli.documents import EventDoc, SnapshotDoc

DEFAULT = 60.0
"""Seconds that `--wait` waits when no number follows it."""


class Tunnel:
    """The snapshot, kept up to date over one connection. `view` holds state, policy and their kin alone up to date."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.view = channel.watch()

    def changed(self, deadline: float) -> bool:
        """Wait for the next change; False once `deadline` (`time.monotonic()`) has passed."""
        while (message := self._channel.streamed(deadline)) is not None:
            if message["type"] == "log":
                continue
            if message["type"] == "lagged" or message["seq"] != self.view["seq"] + 1:
                self.view = self._channel.watch()
                return True
            self.view = _folded(self.view, message)
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
        if new and state["type"] == "disconnected" and view["target"] == "unsecured":
            from slopn_app import words

            _, line = words.disconnected(view["policy"])
            raise Failure(Status.FAILED, "The tunnel was disconnected meanwhile.", line)
        return False

    return _follow(channel, command, seconds, done, "Not connected")


def disconnected(channel: Channel, command: Command, seconds: float) -> tuple[SnapshotDoc, list[str]]:
    """Send `command` and wait until the tunnel is down. Raises `Failure`: FAILED, TIMED_OUT."""

    def done(view: SnapshotDoc, before: SnapshotDoc) -> bool:
        state = view["state"]
        if state["type"] == "error" and view["since"] != before["since"]:
            raise _impossible(state["cause"], view["policy"])
        return state["type"] == "disconnected"

    return _follow(channel, command, seconds, done, "Not disconnected")


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
            raise Failure(Status.TIMED_OUT, f"{failure} after {seconds:g} s: {title}", line, "SloPN goes on trying.")
        shown = _show(tunnel.view, shown)
    return tunnel.view, notes


def _impossible(cause: str, policy: str) -> Failure:
    from slopn_wire.words import sentences

    return Failure(Status.FAILED, *sentences(cause, policy))


def _show(view: SnapshotDoc, shown: str) -> str:
    """Tell a person at a terminal what is going on, each thing once."""
    from slopn_app.cli.report import headline

    title, line = headline(view, time.time())
    text = f"{title} {line}"
    if text != shown and view["state"]["type"] in {"connecting", "disconnecting"} and sys.stderr.isatty():
        warn(text)
    return text


def _folded(view: SnapshotDoc, event: EventDoc) -> SnapshotDoc:
    folded = view.copy()
    folded["seq"] = event["seq"]
    body = event["body"]
    if body["type"] == "state":
        folded["state"] = body["state"]
        folded["since"] = body["since"]
        folded["target"] = body["target"]
        folded["target_profile"] = body["target_profile"]
        folded["policy"] = body["policy"]
        folded["live"] = body["live"]
        # Where the last tunnel's gateway had moved to says nothing of this one's.
        folded["stats"] = {**view["stats"], "endpoint": None}
    return folded
