"""What the helper's log says of those whom it refused."""

from __future__ import annotations

import re

import pytest

_LINE = re.compile(r'refused uid=(\d+) why=([a-z_]+) pid=\d+ session=\S+(?: more=\d+)? user=".*" exe=".*"')


def refusals(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    """User and reason of each refusal, in order."""
    found = [_LINE.fullmatch(record.getMessage()) for record in caplog.records]
    return [(int(match[1]), match[2]) for match in found if match is not None]


def reasons(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The reason of each refusal, in order."""
    return [why for _, why in refusals(caplog)]
