from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from slopn_helper.logs import sinks
from slopn_helper.logs.sinks import Sink
from slopn_wire.logs import LogLine
from support.until import until


def line(message: str = "word", level: str = "info", number: int = 7) -> LogLine:
    """A line of the log."""
    return LogLine(number, 1_700_000_000.5, level, "ipc.server", message)


def test_text_for_people() -> None:
    """Clock, level, component, message; further lines are indented, so that none can be forged."""
    told = sinks.text(line("a\n00:00:00 error   x: forged"))
    assert told[2] == told[5] == ":"
    assert told[8:] == " info    ipc.server: a\n    00:00:00 error   x: forged\n"


def test_a_terminal_gets_colours() -> None:
    """Of the levels that matter; the text is the same."""
    assert sinks.coloured(line()) == sinks.text(line())
    told = sinks.coloured(line(level="error"))
    assert "\x1b[31merror" in told
    assert told.endswith("\x1b[0m\n")


@pytest.mark.parametrize(
    ("level", "prefix"), [("debug", "<7>"), ("info", "<6>"), ("warning", "<4>"), ("error", "<3>"), ("critical", "<2>")]
)
def test_the_journal_gets_priorities_and_json(level: str, prefix: str) -> None:
    """sd-daemon(3): the syslog level in angle brackets; then one line of JSON whatever the message says."""
    told = sinks.journal(line('a\n<0>"forged"', level))
    assert told.startswith(prefix)
    assert told.count("\n") == 1
    assert json.loads(told[3:]) == {
        "number": 7,
        "at": 1_700_000_000.5,
        "level": level,
        "component": "ipc.server",
        "message": 'a\n<0>"forged"',
    }


@pytest.mark.parametrize("same", [True, False])
def test_the_journal_is_recognised_by_device_and_inode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, same: bool
) -> None:
    """systemd.exec(5): $JOURNAL_STREAM counts only if it names this very stream."""
    with (tmp_path / "stderr").open("w+") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino + (not same)}")
        assert sinks.is_journal(stream) == same


def test_colours_are_for_terminals_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not for who has set NO_COLOR."""
    assert not sinks.wants_colour(io.StringIO())
    monkeypatch.delenv("NO_COLOR", raising=False)
    ours, theirs = os.openpty()
    with os.fdopen(ours, "wb"), os.fdopen(theirs, "w") as terminal:
        assert sinks.wants_colour(terminal)
        monkeypatch.setenv("NO_COLOR", "1")
        assert not sinks.wants_colour(terminal)


def test_a_stream_without_a_descriptor_is_no_journal() -> None:
    """Nor one that is closed, and it has no colours."""
    stream = io.StringIO()
    assert not sinks.is_journal(stream)
    stream.close()
    assert not sinks.wants_colour(stream)


def test_lines_are_written_in_order_and_flushed() -> None:
    """When `flush` returns, everything that was put is there."""
    stream = io.StringIO()
    sink = Sink(sinks.text, sinks.to_stream(stream), "test")
    for number in range(100):
        sink.put(line(str(number)))
    sink.flush()
    assert [told.rsplit(" ", 1)[1] for told in stream.getvalue().splitlines()] == [str(number) for number in range(100)]
    sink.close()


def test_a_stream_that_is_not_read_holds_up_nobody() -> None:
    """Putting returns at once; what doesn't fit is counted, and told where it is missing."""
    held, go, written = threading.Event(), threading.Event(), list[str]()

    def write(texts: Sequence[str]) -> None:
        held.set()
        assert go.wait(60)
        written.extend(texts)

    sink = Sink(lambda one: one.message, write, "test")
    for number in range(1000):
        sink.put(line(f"{number:04}" + "x" * 8000))
        # The first is on its way to the stream before the next: no room comes free from then on.
        assert held.wait(30)
    go.set()
    sink.flush(60)
    numbers = [int(text[:4]) for text in written if not text.endswith("written")]
    assert numbers == list(range(len(numbers)))
    missing = next(text for text in written if text.endswith("written"))
    assert int(missing.split()[0]) + len(numbers) == 1000
    assert written[-1] == missing
    sink.put(line("again"))
    sink.close()
    assert written[-1] == "again"


@pytest.mark.parametrize("error", [OSError("full"), ValueError("closed")])
def test_a_stream_that_is_gone_does_no_harm(error: Exception) -> None:
    """It is tried again with the next lines."""
    written: list[str] = []
    failing = True

    def write(texts: Sequence[str]) -> None:
        if failing:
            raise error
        written.extend(texts)

    sink = Sink(lambda one: one.message, write, "test")
    sink.put(line("lost"))
    sink.flush()
    failing = False
    sink.put(line("there"))
    sink.close()
    assert written == ["there"]


def test_a_closed_sink_takes_nothing_more() -> None:
    """Its thread has ended."""
    written: list[str] = []
    sink = Sink(lambda one: one.message, written.extend, "gone")
    sink.close()
    until(lambda: all(thread.name != "log-gone" for thread in threading.enumerate()), 5, "the thread ends")
    sink.put(line())
    assert written == []
