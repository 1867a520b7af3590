"""The `slopn` command, inside the test's own process or in one of its own."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from slopn_app.bootstrap import host
from slopn_app.cli.main import main
from slopn_app.pairing import Pairing


class Outcome(NamedTuple):
    """What a user sees."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """stdout as one JSON document."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """stdout as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


class Slopn:
    """`slopn("status", "--json")` runs the verb; argparse's own exits are statuses, too."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Outcome:
        """Run it."""
        self._capsys.readouterr()
        try:
            status = main(arguments)
        except SystemExit as ended:
            status = int(ended.code or 0)
        captured = self._capsys.readouterr()
        return Outcome(status, captured.out, captured.err)


def pair(path: str) -> None:
    """Pair the command line with the helper at `path`, without a word about it."""
    Pairing("cli", host(), path, ask=None, say=lambda _: None).link(20.0).close()


@contextlib.contextmanager
def spawned(*arguments: str, code: str | None = None) -> Iterator[subprocess.Popen[str]]:
    """`slopn` (or `code`, with its arguments) as a process with both streams piped. Killed in the end, if need be."""
    start = ["-m", "slopn_app"] if code is None else ["-c", code]
    with subprocess.Popen(
        [sys.executable, *start, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()
