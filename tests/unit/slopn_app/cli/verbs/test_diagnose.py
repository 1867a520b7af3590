from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from slopn_app.cli.output import dressed
from slopn_app.cli.verbs import diagnose
from slopn_app.cli.verbs.diagnose import COLOURS, verdicts
from slopn_app.words import VERDICTS
from slopn_wire.commands import Diagnose
from slopn_wire.diagnosis import Check, Diagnosis, Verdict
from slopn_wire.events import ErrorKind, Refused
from support.fake_helper import FakeHelper
from support.slopn import Slopn

CHECKS = (
    Check("dns", Verdict.BROKEN, "DNS isn't set.", "Run `slopn reconnect`."),
    Check("clock", Verdict.NOTICE, "The clock is 3 s off."),
    Check("tun", Verdict.UNKNOWN, "No answer."),
    Check("kernel", Verdict.FINE, "The kernel has what it takes."),
)
FILES = {"rules.txt": "table inet slopn\n", "recorder.jsonl": "{}\n"}


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where bundles are saved unless told otherwise."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def ill(helper: FakeHelper) -> FakeHelper:
    """A helper that found something."""
    helper.answer(Diagnose, Diagnosis(CHECKS, FILES))
    return helper


def test_every_verdict_has_words_and_a_colour() -> None:
    """A new one can't be forgotten."""
    assert set(VERDICTS) == set(COLOURS) == {verdict.value for verdict in Verdict}


def test_verdicts_as_a_table(ill: FakeHelper, slopn: Slopn, work: Path) -> None:
    """With what to do below each; a script saves nothing by itself."""
    outcome = slopn("diagnose")
    assert outcome.status == 0
    assert outcome.out.splitlines()[:8] == [
        "broken         DNS isn't set.",
        "               Run `slopn reconnect`.",
        "worth knowing  The clock is 3 s off.",
        "not known      No answer.",
        "fine           The kernel has what it takes.",
        "",
        "1 of 4 checks found something broken.",
        "",
    ]
    assert "rules.txt" in outcome.out
    assert "Nothing was saved" in outcome.out
    assert list(work.iterdir()) == []
    assert ill.commands == [Diagnose()]


def test_colours_say_the_same() -> None:
    """The word alone is coloured."""
    shown = verdicts([{"code": "x", "verdict": "broken", "text": "No.", "remedy": ""}])
    assert dressed(shown[0], coloured=True) == "\x1b[31mbroken\x1b[0m  No."
    fine = verdicts([{"code": "x", "verdict": "fine", "text": "Yes.", "remedy": ""}])
    assert fine[-1] == "Nothing is broken."
    assert verdicts([])[-1] == "Nothing is broken."


@pytest.mark.parametrize("arguments", [["-o", "x.zip"], ["-o", "x.zip", "--yes"], ["--yes"]])
def test_it_saves_when_told(ill: FakeHelper, slopn: Slopn, work: Path, arguments: list[str]) -> None:
    """Readable for the user alone, with all files, the checks and our own version."""
    outcome = slopn("diagnose", *arguments)
    (path,) = work.iterdir()
    assert f"Saved {path.name}" in outcome.out
    assert path.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(path) as archive:
        found = {name: archive.read(name).decode() for name in archive.namelist()}
    assert FILES.items() <= found.items()
    assert "DNS isn't set." in found["checks.txt"]
    assert found["front-end.txt"].startswith("slopn ")
    assert ill.path


def test_json(ill: FakeHelper, slopn: Slopn, work: Path) -> None:
    """Checks and what the bundle holds; whether it was saved."""
    document = slopn("diagnose", "--json").json
    assert document["checks"][0] == {
        "code": "dns",
        "verdict": "broken",
        "text": "DNS isn't set.",
        "remedy": "Run `slopn reconnect`.",
    }
    assert {"name": "rules.txt", "bytes": 17} in document["files"]
    assert document["saved"] is None
    assert list(work.iterdir()) == []
    assert slopn("diagnose", "--json", "-o", "x.zip").json["saved"] == "x.zip"
    assert ill.path


def test_a_look_at_one_file(ill: FakeHelper, slopn: Slopn, work: Path) -> None:
    """As it would be in the bundle; another name is wrong usage, with those that there are."""
    assert slopn("diagnose", "--show", "rules.txt").out == "table inet slopn\n"
    assert slopn("diagnose", "--show", "rules.txt", "--json").json["text"] == "table inet slopn\n"
    outcome = slopn("diagnose", "--show", "nonsense")
    assert outcome.status == 2
    assert "recorder.jsonl, rules.txt" in outcome.err
    assert list(work.iterdir()) == []
    assert ill.path


@pytest.mark.parametrize(("typed", "saved"), [(["rules.txt", "yes"], 1), (["rules.txt", ""], 0), (["n"], 0)])
def test_a_person_looks_and_decides(
    ill: FakeHelper, slopn: Slopn, work: Path, monkeypatch: pytest.MonkeyPatch, typed: list[str], saved: int
) -> None:
    """Any file can be looked at before the answer; no answer saves nothing."""
    answers = iter(typed)
    monkeypatch.setattr(diagnose, "asks", lambda: True)
    monkeypatch.setattr(diagnose, "answer", lambda _: next(answers))
    outcome = slopn("diagnose")
    assert ("table inet slopn" in outcome.out) == ("rules.txt" in typed)
    assert len(list(work.iterdir())) == saved
    assert "sent nowhere" in outcome.err
    assert ill.path


def test_a_refusal_and_no_helper(
    helper: FakeHelper, slopn: Slopn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Statuses 4 and 3; the latter says where to look instead."""
    helper.answer(Diagnose, Refused(ErrorKind.NOT_PERMITTED, "not you"))
    assert slopn("diagnose").status == 4
    monkeypatch.setenv("SLOPN_SOCKET", str(tmp_path / "none"))
    outcome = slopn("diagnose")
    assert outcome.status == 3
    assert "journalctl" in outcome.err
