"""From what a caller said to one redacted message: structlog processors, each a step (structlog.processors)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from structlog.processors import format_exc_info
from structlog.stdlib import ProcessorFormatter
from structlog.types import EventDict, Processor

from slopn_helper.logs.redaction import NAME, REDACTED, redact

LONGEST = 8192
"""Characters of one message; the rest is cut off."""
FAR = 4 * LONGEST
_HALF = 200
"""Characters of what a cut may have left of a secret: what is longer is recognised without its end."""
# The last ones change the direction of writing: with them a name could show itself as other words of its line.
_CONTROL = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_PLAIN = re.compile(r"[^\s\"'=\x00-\x1f]+")


def fill_in(_logger: object, _name: str, event: EventDict) -> EventDict:
    """For lines of the standard library's logging: its arguments go into the message, or a word that they don't fit."""
    arguments = event.pop("positional_args", None)
    if arguments:
        try:
            event["event"] %= arguments
        except Exception:  # noqa: BLE001 - whatever an argument's __str__ does, a log call never fails its caller
            event["event"] = f"{event['event']!r} (its arguments don't fit)"
    return event


def hide_fields(_logger: object, _name: str, event: EventDict) -> EventDict:
    """Fields whose names say that their values are secret, and all that are bytes."""
    for key, value in event.items():
        if key != "event" and NAME.search(key):
            event[key] = REDACTED
        elif isinstance(value, bytes | bytearray | memoryview):
            event[key] = f"({len(value)} bytes)"
    return event


def render(_logger: object, _name: str, event: EventDict) -> str:
    """One message: what happened, then `field=value`, then the trace of an exception on lines of its own."""
    message = str(event.pop("event", ""))
    traces = [str(trace) for name in ("stack_info", "exception") if (trace := event.pop(name, None))]
    if event:
        message = f"{message} {fields(event)}" if message else fields(event)
    return "\n".join([message, *traces])


def fields(of: Mapping[str, Any]) -> str:
    """`uid=1001 exe="/usr/bin/my program"`: quoted as JSON does it where a value could be taken for something else."""
    return " ".join(f"{key}={_value(value)}" for key, value in of.items())


def escape(_logger: object, _name: str, message: str) -> str:
    """Control characters are shown, not obeyed; lines stay."""
    # What is further away is cut off anyway, and a megabyte of such characters would take most of a second.
    return _CONTROL.sub(_shown, message[:FAR]) + message[FAR:]


def hide(message: str, cover: Callable[[str], str]) -> str:
    """Without secrets, `cover`ed, and cut last, so that no half of a secret is left that nothing recognises.

    Of a message that is far too long the rest isn't looked at: nobody may keep the helper busy by it.
    """
    text = cover(redact(message[:FAR]))
    if len(message) > FAR:
        text = text[:-_HALF]
    elif len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}… ({max(len(message) - LONGEST, 1)} characters more)"


def formatter(cover: Callable[[str], str]) -> ProcessorFormatter:
    """The whole way; `cover` is the step for addresses."""

    def hidden(_logger: object, _name: str, message: str) -> str:
        return hide(message, cover)

    steps: list[Any] = [
        ProcessorFormatter.remove_processors_meta,
        format_exc_info,
        hide_fields,
        render,
        escape,
        hidden,
    ]
    first: list[Processor] = [fill_in]
    return ProcessorFormatter(foreign_pre_chain=first, processors=steps, use_get_message=False, pass_foreign_args=True)


def _value(value: object) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _shown(match: re.Match[str]) -> str:
    return " " if match[0] == "\t" else f"\\x{ord(match[0]):02x}"
