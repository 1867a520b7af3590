from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import slopn_app
from slopn_app.cli.main import BROKEN_PIPE, FIRST_STEPS, INTERRUPTED, VERBS, load
from slopn_wire.commands import FollowLogs, ImportProfile
from support.fake_helper import FakeHelper
from support.samples import CONNECTED
from support.slopn import Slopn, spawned
from support.until import until

HEAVY = {"asyncio", "msgspec", "cryptography", "keyring", "ipaddress", "datetime", "pathlib", "importlib.metadata"}
HEAVY |= {"shutil", "dataclasses", "typing", "locale", "zipfile", "slopn_app.cli.documents"}
LOADED = "import sys; bare = {*sys.modules}; from slopn_app.cli.main import main; main(sys.argv[1:]); print(*{*sys.modules} - bare, file=sys.stderr)"
"""What the interpreter itself brings, and what a machine adds to its start, isn't ours."""


def test_there_is_a_module_a_verb() -> None:
    """No module is left out of the list, and each has what main needs."""
    folder = Path(slopn_app.__file__).parent / "cli" / "verbs"
    assert {path.stem.strip("_") for path in folder.glob("*.py") if path.stem != "__init__"} == set(VERBS)
    for name in VERBS:
        assert callable(load(name).run)
        assert load(name).VERB.summary


def test_help_lists_every_verb(slopn: Slopn) -> None:
    """With a line each, and status 0."""
    for asked in ("--help", "-h", "help"):
        outcome = slopn(asked)
        assert outcome.status == 0
        assert all(f"  {verb} " in outcome.out and load(verb).VERB.summary in outcome.out for verb in VERBS)


def test_help_shows_the_way(slopn: Slopn) -> None:
    """The first steps are commands that there are, and every verb stands in one group."""
    out = slopn("--help").out
    assert len(VERBS) == len(set(VERBS))
    for command, what in FIRST_STEPS:
        assert f"  {command} " in out
        assert what in out
        assert command.split()[1] in VERBS


def test_nothing_is_wrong_usage(slopn: Slopn) -> None:
    """Status 2, and the help on stderr."""
    outcome = slopn()
    assert (outcome.status, outcome.out) == (2, "")
    assert "usage: slopn VERB" in outcome.err


@pytest.mark.parametrize(("typed", "meant"), [("stauts", "status"), ("conect", "connect"), ("profile", "profiles")])
def test_a_misspelt_verb_is_guessed(slopn: Slopn, typed: str, meant: str) -> None:
    """Status 2, and what may have been meant."""
    outcome = slopn(typed)
    assert outcome.status == 2
    assert f"Did you mean `slopn {meant}`?" in outcome.err


def test_an_unknown_verb(slopn: Slopn) -> None:
    """Status 2, without a guess where nothing is near."""
    outcome = slopn("xyzzy")
    assert (outcome.status, outcome.err.splitlines()[0]) == (2, "slopn: there is no verb 'xyzzy'.")


def test_the_version(slopn: Slopn) -> None:
    """That of the distribution."""
    assert slopn("--version").out.startswith("slopn 0.")


def test_json_may_stand_before_the_verb(helper: FakeHelper, slopn: Slopn) -> None:
    """As well as behind it."""
    assert slopn("--json", "status").json == slopn("status", "--json").json
    assert helper.path


def test_a_failure_is_lines_and_a_status(slopn: Slopn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On stderr; with --json a document on stdout as well."""
    monkeypatch.setenv("SLOPN_SOCKET", str(tmp_path / "none"))
    plain = slopn("status")
    assert (plain.status, plain.out) == (3, "")
    assert plain.err.splitlines()[0].startswith("slopn: SloPN's service isn't running.")
    assert plain.err.splitlines()[1] == "  Rules that were in force stay in force."
    error = slopn("status", "--json").json["error"]
    assert error["status"] == 3
    assert error["message"].splitlines()[1] == "Rules that were in force stay in force."


@pytest.mark.parametrize("arguments", [["status"], ["status", "--json"], ["connect"], ["disconnect"], ["profiles"]])
def test_nothing_heavy_is_imported(helper: FakeHelper, arguments: list[str]) -> None:
    """The verbs that people and scripts call often get by without what takes long to import."""
    with spawned(*arguments, code=LOADED) as running:
        out, err = running.communicate(timeout=20)
    loaded = set(err.split())
    assert out
    assert "slopn_app.cli.channel" in loaded
    assert loaded & HEAVY == set()
    assert helper.path


def test_a_closed_pipe_ends_quietly(helper: FakeHelper) -> None:
    """`slopn logs | head`: no traceback, the status that a shell gives to a broken pipe."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "slopn_app", "status"], stdout=writing, stderr=subprocess.PIPE, check=False, timeout=20
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (BROKEN_PIPE, b"")
    assert helper.path


@pytest.mark.parametrize("arguments", [["watch"], ["status", "--watch"], ["connect", "--wait"], ["logs", "-f"]])
def test_control_c_ends_quietly(helper: FakeHelper, arguments: list[str]) -> None:
    """No traceback, the status that a shell gives to an interrupt."""
    with spawned(*arguments) as running:
        if arguments[0] == "logs":
            until(lambda: any(isinstance(command, FollowLogs) for command in helper.commands), 20, "it follows")
        else:
            until(lambda: helper.run(lambda: bool(helper.hub.subscribers)), 20, "it watches")
        if arguments[0] == "connect":
            until(lambda: helper.commands, 20, "the command is out")
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=20)
    assert (running.returncode, err) == (INTERRUPTED, "")


def test_a_terminal_without_the_characters(helper: FakeHelper) -> None:
    """An ASCII terminal shows question marks; nothing fails."""
    helper.show(CONNECTED)
    done = subprocess.run(
        [sys.executable, "-m", "slopn_app", "status"],
        capture_output=True,
        check=False,
        timeout=20,
        env={**os.environ, "PYTHONIOENCODING": "ascii:strict"},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b" ? since " in done.stdout


def test_python_m_is_the_same() -> None:
    """`python -m slopn_app` runs main."""
    with spawned("--help") as running:
        out, _ = running.communicate(timeout=20)
    assert running.returncode == 0
    assert "usage: slopn VERB" in out


def test_main_takes_the_programs_arguments() -> None:
    """Without arguments of its own it reads the program's, and ends it: nothing that was said is lost."""
    code = "from slopn_app.cli.main import main; main(); print('never')"
    with spawned("completion", "bash", "--json", code=code) as running:
        out, err = running.communicate(timeout=20)
    assert (running.returncode, err) == (0, "")
    assert json.loads(out)["shell"] == "bash"


@pytest.mark.parametrize(
    ("shell", "status", "said"),
    [
        ("status >&-", 1, "the output could not be written: Bad file descriptor"),
        ("status >/dev/full", 1, "the output could not be written: No space left on device"),
        ("status --json >/dev/full", 1, "the output could not be written: No space left on device"),
        ("status >/dev/null 2>&-", 0, ""),
        ("settings set 2>/dev/full", 2, ""),
        ("settings set >&- 2>&-", 2, ""),
    ],
)
def test_streams_that_are_closed_or_full(helper: FakeHelper, shell: str, status: int, said: str) -> None:
    """A sentence where one can be said, never a traceback, and no other status than the verb's because of stderr."""
    done = subprocess.run(
        ["sh", "-c", f'"$0" -m slopn_app {shell}', sys.executable], capture_output=True, check=False, timeout=20
    )
    assert done.returncode == status, done.stderr
    assert done.stderr.decode() == (f"slopn: {said}\n" if said else "")
    assert done.stdout == b""
    assert helper.path


def test_a_closed_stdin_is_empty(helper: FakeHelper) -> None:
    """What is read from it has no bytes; the verb goes on."""
    command = '"$0" -m slopn_app import - --name home <&-'
    done = subprocess.run(["sh", "-c", command, sys.executable], capture_output=True, check=False, timeout=20)
    assert (done.returncode, done.stderr) == (0, b"")
    assert helper.commands == [ImportProfile("home", "", "stdin")]
