from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

CRATE = Path(__file__).resolve().parents[2] / "helper/engine"
UNSAFE = re.compile(r"\bunsafe\b\s*(\{|impl\b|$)")
ENDS = re.compile(r"^\s*//|[;}]$")
"""A line that isn't of the same statement as the next."""
ABOVE = 4
"""Lines of a statement before the word, at most."""


def unexplained(text: str) -> list[int]:
    """Numbers of lines with `unsafe` that no sentence stands above."""
    lines = text.splitlines()
    found = []
    for number, line in enumerate(lines):
        if line.lstrip().startswith("//") or not UNSAFE.search(line.split(" // ")[0]):
            continue
        above = number
        while above and number - above < ABOVE and not ENDS.search(lines[above - 1]):
            above -= 1
        comment = above
        while comment and lines[comment - 1].lstrip().startswith("//"):
            comment -= 1
        if not re.search(r"// SAFETY:", "\n".join(lines[comment:above])):
            found.append(number + 1)
    return found


def test_every_unsafe_says_why_it_is_sound() -> None:
    """In what is vendored too, which clippy doesn't look at; for our own code it is clippy that refuses."""
    paths = [path for folder in ("src", "vendor", "fuzz/fuzz_targets") for path in (CRATE / folder).rglob("*.rs")]
    assert sum(bool(UNSAFE.search(path.read_text("utf-8"))) for path in paths) > 10
    assert {str(path): lines for path in paths if (lines := unexplained(path.read_text("utf-8")))} == {}
    lints = tomllib.loads((CRATE / "Cargo.toml").read_text("utf-8"))["lints"]["clippy"]
    assert lints["undocumented_unsafe_blocks"] == "deny"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("// SAFETY: it is.\nunsafe { f() }", []),
        ("// SAFETY: it is,\n// always.\nlet a =\n    b(unsafe { f() });", []),
        ("unsafe { f() }", [1]),
        ("// Fast.\nlet a = unsafe { f() };", [2]),
        ("// SAFETY: it is.\na();\nb();\nc();\nd();\nunsafe impl Send for A {}", [6]),
        ("#![forbid(unsafe_code)]\n// unsafe { f() }", []),
    ],
)
def test_what_is_missing_is_found(text: str, found: list[int]) -> None:
    """A sentence right above the statement, and no other comment."""
    assert unexplained(text) == found
