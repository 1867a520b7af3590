from __future__ import annotations

import base64
import io
import itertools
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from slopn_helper import logs
from slopn_helper.logs import LEVELS, LogStore, pipeline
from slopn_wire.logs import LogLine

KEYS = st.binary(min_size=32, max_size=32)


@pytest.fixture(autouse=True)
def quiet_root() -> Iterator[None]:
    """The root logger as it was, in the end."""
    root = logging.getLogger()
    level = root.level
    yield
    logs.close()
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def setup(level: str, stream: TextIO | None = None, **more: Any) -> LogStore:
    """The package's, with pytest's own handlers out of the way: they raise what ours must survive."""
    root = logging.getLogger()
    root.handlers[:] = [handler for handler in root.handlers if isinstance(handler, pipeline._Handler)]
    return logs.setup(level, stream, **more)


def only(store: LogStore) -> LogLine:
    """The one line that there is."""
    (line,) = store.lines().lines
    return line


def written(stream: io.StringIO) -> str:
    """What the stream has by now."""
    pipeline.flush()
    return stream.getvalue()


def test_a_record_goes_to_the_ring_the_stream_and_the_file(tmp_path: Path) -> None:
    """From the chosen level up, with its number, by the part of the helper that speaks."""
    stream, file = io.StringIO(), tmp_path / "log"
    store = setup("info", stream, file=file)
    logging.getLogger("slopn_helper.tunnel.driver").info("hello %s", "world")
    logging.getLogger("slopn_helper.tunnel.driver").debug("unheard")
    line = only(store)
    assert (line.number, line.level, line.component, line.message) == (1, "info", "tunnel.driver", "hello world")
    assert written(stream).endswith(" info    tunnel.driver: hello world\n")
    (told,) = map(json.loads, file.read_text().splitlines())
    assert told == {
        "number": 1,
        "at": line.at,
        "level": "info",
        "component": "tunnel.driver",
        "message": "hello world",
    }


def test_a_structlog_event_takes_the_same_way() -> None:
    """Its fields stand behind the sentence, its level counts, its name is the component."""
    store = setup("info", io.StringIO())
    log = structlog.get_logger("slopn_helper.ipc.server")
    log.debug("unheard", uid=1)
    log.bind(uid=1001).warning("client %s", "came", exe="/usr/bin/my program", token="abc")
    line = only(store)
    assert (line.level, line.component) == ("warning", "ipc.server")
    assert line.message == 'client came uid=1001 exe="/usr/bin/my program" token=[redacted]'


def test_setup_again_replaces_the_first() -> None:
    """No line is written twice."""
    first, second = io.StringIO(), io.StringIO()
    setup("info", first)
    setup("info", second)
    logging.getLogger("x").warning("once")
    assert written(second).count("once") == 1
    assert first.getvalue() == ""


def test_an_unknown_level_is_refused() -> None:
    """With the known ones in the sentence, and nothing is changed."""
    with pytest.raises(ValueError, match="unknown log level 'loud'; known: debug, info"):
        setup("loud")
    with pytest.raises(ValueError, match="unknown log level 'loud'"):
        logs.set_level("loud")


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    """At the start, where somebody sees it; the log before it goes on."""
    stream = io.StringIO()
    setup("info", stream)
    with pytest.raises(OSError, match="none"):
        setup("info", io.StringIO(), file=tmp_path / "none/log")
    logging.getLogger("x").warning("still here")
    assert "still here" in written(stream)


def test_the_level_changes_live() -> None:
    """Of loggers of both kinds that were made before; libraries stay quiet."""
    store = setup("info", io.StringIO())
    plain, fielded = logging.getLogger("slopn_helper.x"), structlog.get_logger("slopn_helper.y")
    logs.set_level("debug")
    plain.debug("one")
    fielded.debug("two")
    logging.getLogger("pyroute2.netlink").debug("each message")
    logs.set_level("error")
    plain.warning("three")
    fielded.warning("four")
    assert [line.message for line in store.lines().lines] == ["one", "two"]


def test_addresses_are_hidden_live_and_before_any_sink(tmp_path: Path) -> None:
    """From the next line on, everywhere; the bundle's stand-ins are the log's."""
    stream, file = io.StringIO(), tmp_path / "log"
    store = setup("info", stream, file=file)
    log = logging.getLogger("x")
    log.info("to 192.0.2.77")
    logs.set_addresses(show=False)
    log.info("to %s by vpn.hidden.example", "192.0.2.78")
    logs.set_addresses(show=True)
    log.info("to 192.0.2.79")
    told = written(stream) + file.read_text() + "".join(line.message for line in store.lines().lines)
    assert told.count("192.0.2.77") == told.count("192.0.2.79") == 3
    assert "192.0.2.78" not in told
    assert "hidden" not in told
    hidden = store.lines().lines[1].message
    assert hidden == logs.veil().cover("to 192.0.2.78 by vpn.hidden.example")


@given(KEYS)
def test_secrets_never_reach_any_sink(key: bytes) -> None:
    """Whether in the message, an argument, a field, an exception or a mistake of the caller."""
    stream = io.StringIO()
    store = setup("debug", stream)
    log, fielded = logging.getLogger("leaky"), structlog.get_logger("leaky")
    for form in (base64.b64encode(key).decode(), key.hex()):
        log.info(form)
        log.info("%s", form)
        log.info("%r", {"key": form})
        log.info("too few %s %s", form)  # noqa: PLE1206 - the mistake is what is tested
        log.error("it failed", exc_info=ValueError(form))
        fielded.info("said", what=form, secret=form[:9], nested={"a": [form]})
        fielded.info(form)
        everything = written(stream) + "".join(line.message for line in store.lines().lines)
        assert form not in everything
        assert form[:9] + "\n" not in everything


def test_an_exception_is_logged_whole() -> None:
    """With its traceback, in one line of the ring, from loggers of both kinds."""
    store = setup("debug", io.StringIO())
    try:
        _ = 1 // 0
    except ZeroDivisionError:
        logging.getLogger("x").exception("it failed")
        structlog.get_logger("x").exception("it failed")
    for line in store.lines().lines:
        assert line.level == "error"
        assert line.message.startswith("it failed\nTraceback (most recent call last):")
        assert line.message.endswith("ZeroDivisionError: integer division or modulo by zero")
    assert len(store.lines().lines) == 2


class Hostile:
    """Can't be shown."""

    def __str__(self) -> str:
        raise KeyError

    __repr__ = __str__


@pytest.mark.parametrize("what", [("%s", Hostile()), (Hostile(),)])
def test_what_cannot_be_shown_is_no_error(what: tuple[Any, ...]) -> None:
    """A log call never fails its caller, and leaves a line all the same."""
    store = setup("debug", io.StringIO())
    logging.getLogger("x").info(*what)
    structlog.get_logger("x").info("said", field=what[-1])
    assert len(store.lines().lines) == 2


def test_a_long_message_is_cut_after_redaction() -> None:
    """The cut doesn't leave half a key."""
    store = setup("debug", io.StringIO())
    key = base64.b64encode(bytes(range(32))).decode()
    logging.getLogger("x").info("%s", "." * 8170 + key + "." * 8000)
    assert key[:8] not in only(store).message
    assert only(store).message.endswith("characters more)")


def test_what_is_shown_is_on_the_stream_alone(tmp_path: Path) -> None:
    """A number that front ends mustn't read: in no ring, no file, and it takes no line's number."""
    stream, file = io.StringIO(), tmp_path / "log"
    store = setup("info", stream, file=file)
    logs.show("The pairing number is 482913.")
    logging.getLogger("x").info("next")
    assert "482913" in written(stream)
    assert "482913" not in file.read_text()
    assert only(store).number == 1


def test_a_closed_stderr_does_not_stop_the_helper() -> None:
    """The ring goes on where the stream is gone."""
    stream = io.StringIO()
    store = setup("debug", stream)
    stream.close()
    logging.getLogger("x").info("still here")
    pipeline.flush()
    assert only(store).message == "still here"


def test_stderr_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a stream lines go where a daemon's log belongs."""
    assert sys.stderr is not None
    setup("info", journal=False)
    logging.getLogger("x").info("word")
    logs.close()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.endswith(" info    x: word\n")


def test_the_journal_gets_json() -> None:
    """With its priority in front."""
    stream = io.StringIO()
    setup("info", stream, journal=True)
    logging.getLogger("slopn_helper.x").warning("word")
    told = written(stream)
    assert told.startswith('<4>{"number":1,"at":')
    assert told.endswith(',"level":"warning","component":"x","message":"word"}\n')


def test_levels_rise() -> None:
    """The order that filters rely on is logging's own, and a library's odd level has a name of ours."""
    numbers = [getattr(logging, level.upper()) for level in LEVELS]
    assert all(low < high for low, high in itertools.pairwise(numbers))
    store = setup("debug", io.StringIO())
    for number in (10, 15, 25, 35, 45, 55):
        logging.getLogger("x").log(number, "word")
    assert [line.level for line in store.lines().lines] == [*LEVELS[:1] * 2, *LEVELS[1:]]
