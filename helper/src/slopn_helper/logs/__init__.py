"""The helper's log: numbered and redacted before it goes anywhere, kept in a ring, followed live, written to stderr.

Modules speak through `logging.getLogger(__name__)`, or `structlog.get_logger(__name__)` where a line has fields. Both
take one way: arguments and fields become a message, what is secret is blotted out of it, then it gets its number in
the ring, and from there it goes to stderr (or the journal) and to a file, if there is one.
"""

from __future__ import annotations

from slopn_helper.logs.pipeline import close, set_addresses, set_level, setup, show, veil
from slopn_helper.logs.redaction import redact
from slopn_helper.logs.store import LogReader, LogStore
from slopn_wire.logs import LogLevel

LEVELS = tuple(str(level) for level in LogLevel)
"""From talkative to grave."""

__all__ = [
    "LEVELS",
    "LogReader",
    "LogStore",
    "close",
    "redact",
    "set_addresses",
    "set_level",
    "setup",
    "show",
    "veil",
]
