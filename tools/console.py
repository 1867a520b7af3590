"""Talk to the person at the terminal, and run programs for them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

Word = str | Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
CACHE = ROOT / ".cache"


def say(text: str) -> None:
    """Print one line at once, also into a pipe."""
    print(text, flush=True)


def give_up(sentence: str) -> NoReturn:
    """End with exit status 1 and a sentence that says what to do."""
    print(f"\n{sentence}", file=sys.stderr, flush=True)
    raise SystemExit(1)


@contextmanager
def timed(title: str) -> Iterator[None]:
    """Announce a piece of work, and say how long it took once it went well."""
    say(f"── {title}")
    start = time.monotonic()
    yield
    say(f"   done in {time.monotonic() - start:.1f} s")


def run(argv: Sequence[Word], *, cwd: Path = ROOT, env: Mapping[str, str] | None = None, quiet: bool = False) -> None:
    """Run a program with its output on the terminal; a failure ends this one with the command line in the sentence.

    `quiet` keeps the output back and shows it only after a failure.
    """
    words = [str(word) for word in argv]
    done = subprocess.run(
        words,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
        check=False,
    )
    if done.returncode != 0:
        if quiet:
            say(done.stdout.decode(errors="replace"))
        give_up(f"`{' '.join(words)}` ended with status {done.returncode}.")


def output(argv: Sequence[Word], *, cwd: Path = ROOT) -> str | None:
    """What a program prints on standard output, or None if it is missing or fails."""
    try:
        done = subprocess.run([str(word) for word in argv], cwd=cwd, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def as_root(argv: Sequence[str]) -> list[str]:
    """The same command line through sudo, unless this is root already."""
    return list(argv) if os.geteuid() == 0 else ["sudo", *argv]
