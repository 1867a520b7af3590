from __future__ import annotations

import os
from pathlib import Path

import pytest

from slopn_app.host.launch_windows import WindowsLauncher, quoted


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("slopn://show/logs", '"slopn://show/logs"'),
        ("C:\\a b\\", '"C:\\a b\\\\"'),
        ('say "hi"', '"say \\"hi\\""'),
        ('\\"', '"\\\\\\""'),
        ("", '""'),
    ],
)
def test_words_are_quoted_as_windows_reads_them(word: str, line: str) -> None:
    """CommandLineToArgvW: backslashes count only before a quotation mark."""
    assert quoted(word) == line


def test_the_shell_starts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """With all words in one line."""
    started: list[tuple[str, ...]] = []
    monkeypatch.setattr(os, "startfile", lambda *words: started.append(tuple(map(str, words))), raising=False)
    WindowsLauncher(Path("programs")).launch("slopn-window", ("a", "b c"))
    assert started == [("programs/slopn-window.exe", "open", '"a" "b c"')]
