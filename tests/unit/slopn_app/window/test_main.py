"""The program: what it is started with, and what it says when there can't be a window."""

from __future__ import annotations

from pathlib import Path

import pytest

from slopn_app.window import bootstrap, main


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What windows were to show, none of which has come up."""
    shown: list[tuple[str, ...]] = []

    def window(words: tuple[str, ...]) -> int:
        shown.append(words)
        return 0

    monkeypatch.setattr(bootstrap, "window", window)
    return shown


def test_files_are_told_by_where_they_are(
    shown: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The window that runs was started elsewhere; links are left as they are."""
    monkeypatch.chdir(tmp_path)
    assert main.run(["a.conf", "../b.conf", "/c.conf", "slopn://show/logs", "file:///d%20e.conf"]) == 0
    assert shown == [
        (
            str(tmp_path / "a.conf"),
            str(tmp_path.parent / "b.conf"),
            "/c.conf",
            "slopn://show/logs",
            "/d e.conf",
        )
    ]


def test_no_window(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The status says so, and stderr why."""

    def window(_: tuple[str, ...]) -> int:
        raise bootstrap.Impossible("There is no screen.")

    monkeypatch.setattr(bootstrap, "window", window)
    assert main.run([]) == 1
    assert capsys.readouterr().err == "slopn-window: There is no screen.\n"


def test_words_that_mean_nothing(shown: list[tuple[str, ...]]) -> None:
    """Status 2, as every program's."""
    with pytest.raises(SystemExit) as ended:
        main.run(["--debug"])
    assert ended.value.code == 2
    assert shown == []
