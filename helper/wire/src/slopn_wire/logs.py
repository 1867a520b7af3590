"""The helper's log as front ends see it: numbered, redacted lines."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class LogLevel(StrEnum):
    """From talkative to grave."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class LogLine(Struct, frozen=True):
    """One redacted line."""

    number: int
    """From 1 at each start of the helper, rising by 1; a line that isn't there was filtered out or is in `missed`."""
    at: float
    """Unix time."""
    level: str
    component: str
    """The part of the helper that speaks: `tunnel.driver`, `engine`, `ipc.server`."""
    message: str


class LogFilter(Struct, frozen=True, forbid_unknown_fields=True):
    """Which lines are wanted; the helper leaves out the others."""

    level: LogLevel = LogLevel.DEBUG
    """And graver."""
    component: str = ""
    """`tunnel` takes `tunnel.driver` too."""
    text: str = ""
    """Somewhere in the message, in any case."""


class Logs(Struct, frozen=True, tag="logs"):
    """Lines of the log, oldest first: the reply to `GetLogs`, and what `FollowLogs` sends."""

    lines: tuple[LogLine, ...] = ()
    missed: int = 0
    """Lines before these that the helper no longer had when this reader was ready for them."""
    epoch: str = ""
    """The helper's run that the numbers belong to, as in `Snapshot.epoch`."""
