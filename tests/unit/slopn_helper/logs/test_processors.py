from __future__ import annotations

import base64
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.logs.processors import FAR, LONGEST, escape, fields, fill_in, formatter, hide, hide_fields, render


def test_arguments_are_filled_in() -> None:
    """As logging does it."""
    assert fill_in(None, "", {"event": "%s and %d", "positional_args": ("a", 1)}) == {"event": "a and 1"}


class Hostile:
    """Can't be shown."""

    def __str__(self) -> str:
        raise KeyError


@pytest.mark.parametrize("argument", ["one", Hostile()])
def test_arguments_that_do_not_fit_are_no_error(argument: object) -> None:
    """A mistake in a log call is in the log, and the caller goes on."""
    told = fill_in(None, "", {"event": "%d", "positional_args": (argument,)})
    assert told == {"event": "'%d' (its arguments don't fit)"}


def test_secret_fields_are_hidden_by_name_and_type() -> None:
    """A value that nobody would recognise is gone, and bytes are never text for a log."""
    told = hide_fields(None, "", {"event": "token", "token": "abc", "uid": 1, "raw": bytes(32), "private_key": 5})
    assert told == {"event": "token", "token": "[redacted]", "uid": 1, "raw": "(32 bytes)", "private_key": "[redacted]"}


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({"event": "said"}, "said"),
        ({"event": "said", "uid": 1, "exe": "/bin/a b", "empty": ""}, 'said uid=1 exe="/bin/a b" empty=""'),
        ({"uid": 1}, "uid=1"),
        ({"event": "said", "a": 1, "exception": "Traceback"}, "said a=1\nTraceback"),
        ({"event": "said", "stack_info": "Stack", "exception": "Traceback"}, "said\nStack\nTraceback"),
        ({"event": 5}, "5"),
    ],
)
def test_an_event_becomes_one_message(event: dict[str, Any], message: str) -> None:
    """The sentence, its fields, its traces."""
    assert render(None, "", event) == message


@given(st.text(max_size=30))
def test_a_value_cannot_pose_as_another_field(value: str) -> None:
    """What has spaces, quotes or an equals sign stands in quotes, with inner ones escaped."""
    told = fields({"user": value, "uid": 1000})
    assert told.endswith(" uid=1000")
    shown = told.removeprefix("user=").removesuffix(" uid=1000")
    assert shown == value or (
        shown[0] == '"' == shown[-1] and '"' not in shown[1:-1].replace("\\\\", "").replace('\\"', "")
    )


def test_control_characters_are_shown() -> None:
    """Terminals don't obey them, and lines stay lines."""
    assert escape(None, "", "a\tb\nc\x1b[2Jd\r\u2028\x85") == "a b\nc\\x1b[2Jd\\x0d\\x2028\\x85"


def test_the_direction_of_writing_stays() -> None:
    """A name can't turn the rest of its line around."""
    assert escape(None, "", "Connect \u202e0 diu ,toor\u2069") == "Connect \\x202e0 diu ,toor\\x2069"


def test_only_what_may_be_shown_is_escaped() -> None:
    """A megabyte of control characters costs no more than the few kilobytes that are left of it."""
    assert escape(None, "", "\x01" * FAR + "\x02" * 1000) == "\\x01" * FAR + "\x02" * 1000
    shown = hide(escape(None, "", "\x01" * 1_000_000), str)
    assert shown.startswith("\\x01" * (LONGEST // 4) + "…")
    assert "\x01" not in shown


def test_a_lone_surrogate_does_not_reach_a_sink() -> None:
    """It can't be written as UTF-8; file names of others have them."""
    escape(None, "", "a\udcffb").encode()


def test_a_long_message_is_cut() -> None:
    """And says how much is missing."""
    assert hide("x " * (LONGEST // 2), str) == "x " * (LONGEST // 2)
    assert hide("x " * LONGEST, str) == "x " * (LONGEST // 2) + f"… ({LONGEST} characters more)"


@pytest.mark.parametrize("before", range(FAR - 60, FAR, 7))
def test_no_half_of_a_secret_is_left_by_the_cut(before: int) -> None:
    """Not even where nearly all before it was blotted out: of what isn't looked at nothing is told."""
    key = base64.b64encode(bytes(range(32))).decode()
    pem = "words " * 50 + "-----BEGIN X-----\n"
    told = hide(pem + "A" * (before - len(pem) - 20) + "\n-----END X-----. " + key + " more" * 9000, str)
    assert key[:5] not in told
    assert told.startswith("words words")
    assert told.endswith("characters more)")


def test_a_huge_message_costs_no_more_than_a_long_one() -> None:
    """Only its beginning goes through the searches."""
    seen: list[int] = []

    def cover(text: str) -> str:
        seen.append(len(text))
        return text

    hide("::" * (4 << 20), cover)
    assert seen == [FAR]


def test_addresses_are_covered_before_the_cut() -> None:
    """The cut comes last: it leaves no half of anything that was to be hidden."""
    told = formatter(lambda text: text.replace("192.0.2.1", "[a]")).format(
        logging.LogRecord("x", 20, "", 1, "%s", ("." * (LONGEST - 5) + "192.0.2.1 and more",), None)
    )
    assert "192" not in told
