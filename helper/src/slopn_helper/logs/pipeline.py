"""Wires the log up: logging and structlog into one handler, that one into the ring and the sinks."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from typing import TextIO

import structlog

from slopn_helper.logs import sinks
from slopn_helper.logs.addresses import Veil
from slopn_helper.logs.file import RotatedFile
from slopn_helper.logs.processors import formatter
from slopn_helper.logs.store import LogStore
from slopn_wire.logs import LogLevel, LogLine

_PRODUCT = "slopn_helper."
# Their debug lines are many (each netlink message, each query), and nobody read them for secrets.
_LIBRARIES = ("aiosqlite", "alembic", "asyncio", "dbus_fast", "dns", "psycopg", "pyroute2", "sqlalchemy", "uvicorn")
_veil = Veil()

# As soon as this package is imported, so that a line logged before `setup` doesn't go to structlog's own stdout.
structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    wrapper_class=structlog.stdlib.BoundLogger,
    logger_factory=structlog.stdlib.LoggerFactory(),
)


def setup(
    level: str, stream: TextIO | None = None, *, file: Path | None = None, journal: bool | None = None
) -> LogStore:
    """Send what is logged from `level` up, by libraries from a warning up, to a new `LogStore`, to `stream` (stderr),
    and to `file` as JSON lines.

    `journal`: JSON lines with a priority for systemd; None: found out from JOURNAL_STREAM. A second call replaces the
    first. Raises `ValueError` for an unknown level, `OSError` when the file can't be opened.
    """
    number = _number(level)
    log_file = None if file is None else RotatedFile(file)
    stream = stream or sys.stderr
    store = LogStore()
    render = sinks.coloured if sinks.wants_colour(stream) else sinks.text
    if sinks.is_journal(stream) if journal is None else journal:
        render = sinks.journal
    console = sinks.Sink(render, sinks.to_stream(stream), "stderr")
    others = [] if log_file is None else [sinks.Sink(sinks.as_json, log_file.write, "file")]
    close()
    logging.captureWarnings(capture=True)
    root = logging.getLogger()
    root.addHandler(_Handler(store, console, others))
    root.setLevel(number)
    for library in _LIBRARIES:
        logging.getLogger(library).setLevel(logging.WARNING)
    return store


def set_level(level: str) -> None:
    """Log from `level` up, from now on. Raises `ValueError` for an unknown one."""
    logging.getLogger().setLevel(_number(level))


def set_addresses(*, show: bool) -> None:
    """Whether lines from now on have addresses and host names in them, or stand-ins."""
    for handler in _handlers():
        handler.show_addresses(show=show)


def veil() -> Veil:
    """What remembers the stand-ins of the log's addresses, so that a bundle beside it has the same."""
    return _veil


def show(message: str) -> None:
    """Say something on stderr or in the journal alone, in clear: what front ends mustn't read. Before `setup`: nowhere."""
    for handler in _handlers():
        handler.show(message)


def flush() -> None:
    """Return once the sinks have written everything, or after two seconds."""
    for handler in _handlers():
        handler.flush()


def close() -> None:
    """Write what is left, and log nowhere any more."""
    for handler in _handlers():
        logging.getLogger().removeHandler(handler)
        handler.close()


class _Handler(logging.Handler):
    """Its lock makes the order of numbers that of the sinks."""

    def __init__(self, store: LogStore, console: sinks.Sink, others: list[sinks.Sink]) -> None:
        super().__init__()
        self._store = store
        self._console = console
        self._sinks = [console, *others]
        self._show_addresses = True
        self.setFormatter(formatter(self._cover))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = self.format(record)
        except Exception as error:  # noqa: BLE001 - whatever was logged, a log call never fails its caller
            message = f"a line of {record.module}:{record.lineno} can't be shown: {type(error).__name__}"
        component = record.name.removeprefix(_PRODUCT)
        line = self._store.add(record.created, _level(record.levelno), component, message)
        for sink in self._sinks:
            sink.put(line)

    def show(self, message: str) -> None:
        self._console.put(LogLine(0, time.time(), LogLevel.WARNING.value, "shown", message))

    def show_addresses(self, *, show: bool) -> None:
        self._show_addresses = show

    def flush(self) -> None:
        for sink in self._sinks:
            sink.flush()

    def close(self) -> None:
        for sink in self._sinks:
            sink.close()
        super().close()

    def _cover(self, message: str) -> str:
        return message if self._show_addresses else _veil.cover(message)


def _handlers() -> list[_Handler]:
    return [handler for handler in logging.getLogger().handlers if isinstance(handler, _Handler)]


def _number(level: str) -> int:
    if level not in set(LogLevel):
        raise ValueError(f"unknown log level {level!r}; known: {', '.join(LogLevel)}")
    number: int = getattr(logging, level.upper())
    return number


def _level(number: int) -> str:
    """Libraries have numbers of their own between those of the levels."""
    if number < logging.INFO:
        return LogLevel.DEBUG.value
    if number < logging.WARNING:
        return LogLevel.INFO.value
    if number < logging.ERROR:
        return LogLevel.WARNING.value
    return LogLevel.ERROR.value if number < logging.CRITICAL else LogLevel.CRITICAL.value
