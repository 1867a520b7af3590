from __future__ import annotations

import asyncio
import base64
import io
import itertools
import logging
import os
import sys
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slopn_helper import logs
from slopn_helper.logs import LEVELS, LogStore, redact
from slopn_wire.events import LogLine

KEYS = st.binary(min_size=32, max_size=32)
AROUND = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@pytest.fixture(autouse=True)
def quiet_root() -> Iterator[None]:
    """The root logger as it was, in the end."""
    root = logging.getLogger()
    level = root.level
    yield
    root.handlers[:] = [handler for handler in root.handlers if not isinstance(handler, logs._Handler)]
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def setup(level: str, stream: TextIO | None = None, *, journal: bool | None = None) -> LogStore:
    """The module's, with pytest's own handlers out of the way: they raise what ours must survive."""
    logging.getLogger().handlers.clear()
    return logs.setup(level, stream, journal=journal)


def line(message: str, at: float = 0.0, level: str = "info") -> LogLine:
    """A line of the log."""
    return LogLine(at, level, "test", message)


def forms(key: bytes) -> list[str]:
    """A key as programs write it."""
    plain = base64.b64encode(key).decode()
    return [
        plain,
        base64.urlsafe_b64encode(key).decode(),
        key.hex(),
        key.hex().upper(),
        urllib.parse.quote(plain, safe=""),
        plain.replace("/", "\\/"),
    ]


@given(KEYS, AROUND, AROUND)
def test_no_key_passes_in_any_form(key: bytes, before: str, after: str) -> None:
    """Base64 of both alphabets, escaped or not, and hexadecimal, with anything glued in front or behind."""
    for form in forms(key):
        for text in (f"{before}{form}{after}", f"PrivateKey={form}", f"https://host/{form}?k={form}&x=1", f"b'{form}'"):
            assert form not in redact(text)
            assert form[:40] not in redact(text)


@given(KEYS, KEYS)
def test_two_keys_in_one_line_are_both_gone(one: bytes, two: bytes) -> None:
    """The second is found, too, also right behind the first."""
    for separator in ("", " ", ",", "/", "="):
        for first, second in zip(forms(one), forms(two), strict=True):
            assert second not in redact(f"{first}{separator}{second}")
            assert first not in redact(f"{first}{separator}{second}")


@pytest.mark.parametrize(
    "text",
    [
        "connected to 192.0.2.1:51820 after 3 tries",
        "/usr/lib/python3/dist-packages/slopn_helper/host/firewall/nftables.py",
        "interface=slopn0 mtu=1420",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",  # a commit: 40 digits
        "x" * 42 + "=",
        "",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    """What is no key is left readable."""
    assert redact(text) == text


def test_redaction_takes_linear_time() -> None:
    """A megabyte without any key, made of a key's characters, ends at once instead of after hours."""
    text = "G" * 1_000_000 + "!" + "%2B" * 100_000 + "\\/" * 100_000
    assert redact(text) == text


def test_lines_come_oldest_first_and_filtered() -> None:
    """By time and by level, graver ones included."""
    store = LogStore()
    for at, level in enumerate(LEVELS):
        store.add(line(level, float(at), level))
    assert [found.message for found in store.lines()] == list(LEVELS)
    assert [found.message for found in store.lines(level="warning")] == ["warning", "error", "critical"]
    assert [found.message for found in store.lines(since=3.0)] == ["error", "critical"]
    with pytest.raises(ValueError, match="chatty"):
        store.lines(level="chatty")


def test_the_ring_forgets_the_oldest() -> None:
    """Its size is bounded by what the messages hold, not by their number."""
    store = LogStore(limit=10)
    for text in ("aaaa", "bbbb", "cccc"):
        store.add(line(text))
    assert [found.message for found in store.lines()] == ["bbbb", "cccc"]
    store.add(line("x" * 11))
    assert store.lines() == ()


def test_a_follower_reads_what_comes() -> None:
    """Only lines after it began, in order, also from another thread."""

    async def go() -> list[str]:
        store = LogStore()
        store.add(line("before"))
        with store.follow() as follower:
            store.add(line("one"))
            thread = threading.Thread(target=store.add, args=(line("two"),))
            thread.start()
            async with asyncio.timeout(10):
                found = [(await follower.next()).message, (await follower.next()).message]
            thread.join()
            return found

    assert asyncio.run(go()) == ["one", "two"]


def test_a_slow_follower_is_told_what_it_missed() -> None:
    """Its queue is bounded; after the queued lines one says how many were left out, then it goes on."""

    async def go() -> list[str]:
        store = LogStore()
        with store.follow(limit=2) as follower:
            for number in range(5):
                store.add(line(str(number)))
            found = [(await follower.next()).message for _ in range(3)]
            store.add(line("again"))
            return [*found, (await follower.next()).message]

    assert asyncio.run(go()) == ["0", "1", "3 lines were left out: too slow a reader", "again"]


def test_a_follower_that_left_is_forgotten() -> None:
    """After its context nothing is queued for it, and a closed loop is no error for the next log call."""
    store = LogStore()

    async def go() -> None:
        with store.follow() as follower:
            kept.append(follower)

    kept: list[object] = []
    asyncio.run(go())
    store.add(line("after"))
    assert store._followers == set()


def test_a_follower_of_a_closed_loop_does_no_harm() -> None:
    """A loop that ended without leaving the context doesn't break logging."""
    store = LogStore()

    async def go() -> None:
        store.follow().__enter__()

    asyncio.run(go())
    store.add(line("after"))
    assert [found.message for found in store.lines()] == ["after"]


def test_setup_sends_records_to_ring_and_stream() -> None:
    """One record, two places, from the chosen level up."""
    stream = io.StringIO()
    store = setup("info", stream)
    logging.getLogger("slopn_helper.x").info("hello %s", "world")
    logging.getLogger("slopn_helper.x").debug("unheard")
    (found,) = store.lines()
    assert (found.level, found.logger, found.message) == ("info", "slopn_helper.x", "hello world")
    assert stream.getvalue().endswith(" info    slopn_helper.x: hello world\n")


def test_setup_again_replaces_the_first() -> None:
    """No line is written twice."""
    first, second = io.StringIO(), io.StringIO()
    setup("info", first)
    setup("info", second)
    logging.getLogger("x").warning("once")
    assert first.getvalue() == ""
    assert second.getvalue().count("once") == 1


def test_an_unknown_level_is_refused() -> None:
    """With the known ones in the sentence."""
    with pytest.raises(ValueError, match="unknown log level 'loud'; known: debug, info"):
        setup("loud")


@given(KEYS)
def test_secrets_never_reach_ring_or_stream(key: bytes) -> None:
    """Whether in the message, an argument, an exception or a warning."""
    stream = io.StringIO()
    store = setup("debug", stream)
    log = logging.getLogger("leaky")
    for form in forms(key):
        log.info(form)
        log.info("%s", form)
        log.info("%r", {"key": form})
        log.info("too few %s %s", form)  # noqa: PLE1206 - the mistake is what is tested
        log.error("it failed", exc_info=ValueError(form))
        everything = stream.getvalue() + "".join(found.message for found in store.lines())
        assert form not in everything


def test_an_exception_is_logged_whole() -> None:
    """With its traceback, in one line of the ring."""
    store = setup("debug", io.StringIO())
    try:
        _ = 1 // 0
    except ZeroDivisionError:
        logging.getLogger("x").exception("it failed")
    (found,) = store.lines()
    assert found.message.startswith("it failed\nTraceback (most recent call last):")
    assert found.message.endswith("ZeroDivisionError: integer division or modulo by zero")


def test_arguments_that_do_not_fit_are_no_error() -> None:
    """A mistake in a log call is in the log, and the caller goes on."""
    store = setup("debug", io.StringIO())
    logging.getLogger("x").info("%d", "one")
    (found,) = store.lines()
    assert found.message == "'%d' (its arguments don't fit)"


@pytest.mark.parametrize("journal", [True, False])
def test_a_message_cannot_forge_a_line(journal: bool) -> None:
    """New lines are indented, and with systemd's prefix; other control characters are shown, not obeyed."""
    stream = io.StringIO()
    store = setup("debug", stream, journal=journal)
    logging.getLogger("x").info("name: %s", "a\n<0>00:00:00 error   x: forged\r\x1b[2J\u2028end")
    first, second = stream.getvalue().splitlines()
    assert second == ("<6>" if journal else "") + "    <0>00:00:00 error   x: forged\\x0d\\x1b[2J\\x2028end"
    assert first.endswith("x: name: a")
    assert "\x1b" not in store.lines()[0].message


@pytest.mark.parametrize(
    ("level", "prefix"), [("debug", "<7>"), ("info", "<6>"), ("warning", "<4>"), ("error", "<3>"), ("critical", "<2>")]
)
def test_the_journal_gets_priorities(level: str, prefix: str) -> None:
    """sd-daemon(3): the syslog level in angle brackets; no clock, since the journal has its own."""
    stream = io.StringIO()
    setup("debug", stream, journal=True)
    logging.getLogger("x").log(getattr(logging, level.upper()), "word")
    assert stream.getvalue() == f"{prefix}x: word\n"


@pytest.mark.parametrize("same", [True, False])
def test_the_journal_is_recognised_by_device_and_inode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, same: bool
) -> None:
    """systemd.exec(5): $JOURNAL_STREAM counts only if it names this very stream."""
    with (tmp_path / "stderr").open("w+") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino + (not same)}")
        setup("info", stream)
        logging.getLogger("x").info("word")
        stream.seek(0)
        assert stream.read().startswith("<6>") == same


def test_a_long_message_is_cut_after_redaction() -> None:
    """The cut doesn't leave half a key, and says how much is missing."""
    store = setup("debug", io.StringIO())
    key = base64.b64encode(bytes(range(32))).decode()
    logging.getLogger("x").info("%s", "." * 8170 + key + "." * 8000)
    (found,) = store.lines()
    assert key[:8] not in found.message
    assert found.message.endswith("characters more)")
    assert len(found.message) < 8300


def test_a_closed_stderr_does_not_stop_the_helper() -> None:
    """The ring goes on where the stream is gone."""
    stream = io.StringIO()
    store = setup("debug", stream)
    stream.close()
    logging.getLogger("x").info("still here")
    assert [found.message for found in store.lines()] == ["still here"]


def test_stderr_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a stream lines go where a daemon's log belongs."""
    assert sys.stderr is not None
    setup("info", journal=False)
    logging.getLogger("x").info("word")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.endswith(" info    x: word\n")


def test_levels_rise() -> None:
    """The order that `lines` relies on is logging's own."""
    numbers = [getattr(logging, level.upper()) for level in LEVELS]
    assert all(low < high for low, high in itertools.pairwise(numbers))
