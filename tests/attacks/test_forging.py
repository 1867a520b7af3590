"""Names that the helper repeats: in its log, in file names, before people's eyes."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from attacks.answers import kind
from attacks.field import Field, Refusal
from attacks.hostility import wg
from attacks.people import PYTHON
from slopn_wire.commands import Connect, Diagnose, ExportProfile, GetLogs, ImportProfile, RemoveProfile
from slopn_wire.diagnosis import Diagnosis
from slopn_wire.events import Done, ErrorKind
from slopn_wire.logs import Logs
from support.until import until

FORGED = '\n12:00:00 warning ipc.visitor: refused uid=0 why=right pid=1 session=- user="root" exe="/sbin/init"\n'
_BEGINNING = re.compile(r"\d\d:\d\d:\d\d (debug|info|warning|error|critical) +[a-z._]+: |    |^$")


def is_well_formed(field: Field) -> None:
    """Each line of the log begins as one, or is a further line of the one above, and nobody was refused as root."""
    for line in field.said().splitlines():
        assert _BEGINNING.match(line), line
    assert field.refusals(0) == []


def test_log_by_profile(field: Field) -> None:
    """A profile's name that has a line of the log in it, which says that root was refused (so that it is banned).

    A message's further lines are indented: none begins as one of the log's, and Fail2Ban's filter is anchored there.
    """
    mallory = field.user()
    name = f"x{FORGED}\r{FORGED}\u2028{FORGED}\x85{FORGED}\x1b[1A\u202e"
    with mallory.secured(field.pair(mallory).shown) as line:
        assert kind(line.ask(Connect(name))) is ErrorKind.INVALID
        assert kind(line.ask(ImportProfile(name, "", "x.conf"))) is ErrorKind.INVALID
        assert kind(line.ask(RemoveProfile(name))) is ErrorKind.INVALID
        logs = line.ask(GetLogs())
    assert isinstance(logs, Logs)
    assert not [each for each in logs.lines if re.search("[\x00-\x09\x0b-\x1f\x85\u2028\u202e]", each.message)]
    until(lambda: "RemoveProfile" in field.said(), 20.0, "the log is written")
    is_well_formed(field)


def test_log_by_exe(field: Field) -> None:
    """A program under a path with quotes, lines and fields of the log in it is refused.

    What a stranger may choose comes last, escaped as in JSON.
    """
    folder = field.folder / f'" exe="{FORGED.replace("/", "-")}'
    folder.mkdir()
    program = folder / "\u202eslopn\x1b"
    shutil.copy(PYTHON, program)
    mallory = field.stranger()
    mallory.run(program)
    assert kind(getattr(mallory.turned_away(), "refused", None)) is ErrorKind.NOT_PERMITTED
    until(lambda: field.refusals(mallory), 20.0, "the refusal is written")
    assert field.refusals(mallory) == [
        Refusal(mallory.uid, "user_not_allowed", mallory.actor.pid, mallory.name, str(program))
    ]
    is_well_formed(field)


def test_log_by_long_exe(field: Field) -> None:
    """A program under the longest path that there may be.

    Cut after 256 characters: the line stays one, and short.
    """
    folder = field.folder / "/".join(["\N{GRINNING FACE}" * 60] * 12)
    folder.mkdir(parents=True)
    shutil.copy(PYTHON, folder / "x")
    mallory = field.stranger()
    mallory.run(folder / "x")
    assert mallory.turned_away() is not None
    until(lambda: field.refusals(mallory), 20.0, "the refusal is written")
    (refusal,) = field.refusals(mallory)
    assert refusal.exe == str(folder / "x")[:256] + "…"


def files(field: Field) -> set[str]:
    """All in the helper's state and runtime directories, and what a path may lead to from there."""
    roots = (field.state, field.folder / "run", field.state.parent)
    return {str(path) for root in roots for path in root.rglob("*") if not path.name.startswith(".tmp-")}


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "../../etc/cron.d/evil",
        "/etc/evil",
        "a/../../b",
        "..",
        ".",
        "a\\b",
        "~root",
        "-rf",
        "a\x00b",
        "x" * 65,
    ],
)
def test_paths_in_names(field: Field, name: str) -> None:
    """A profile's name that leads out of the helper's directory, or is a command's option.

    Refused; and files are named after a digest of the name anyway.
    """
    mallory = field.user()
    before = files(field)
    with mallory.secured(field.pair(mallory).shown) as line:
        assert kind(line.ask(ImportProfile(name, wg("0.0.0.0/0"), "x.conf", replace=True))) is ErrorKind.INVALID
        assert kind(line.ask(ExportProfile(name))) is ErrorKind.INVALID
        assert kind(line.ask(RemoveProfile(name))) is ErrorKind.INVALID
    assert files(field) == before


def test_names_that_files_have(field: Field) -> None:
    """Profiles called as the helper's own files, or alike but for letters' case.

    Each has a file of its own, named after a digest; none meets another's.
    """
    mallory = field.user()
    names = ("settings", "wish.json", "authority.pem", "Settings", "con", "nul", "a b", "a-b")
    before = files(field)
    with mallory.secured(field.pair(mallory).shown) as line:
        for name in names:
            assert line.ask(ImportProfile(name, wg("0.0.0.0/0"), "x.conf")) == Done()
        new = files(field) - before
        assert {Path(path).parent.name for path in new} == {"profiles", "secrets"}
        assert len(new) == 2 * len(names)
        for name in names:
            assert line.ask(RemoveProfile(name)) == Done()
    assert files(field) == before


def test_paths_in_file_names(field: Field) -> None:
    """A file's name with a path, escapes and lines, in an import that fails.

    It is text in a message alone, escaped and cut; nothing is opened by it.
    """
    mallory = field.user()
    with mallory.secured(field.pair(mallory).shown) as line:
        answer = line.ask(ImportProfile("x", "", f"/etc/shadow\x1b[2J{FORGED}"))
    assert kind(answer) is ErrorKind.INVALID
    assert str(getattr(answer, "message", "")).isprintable()
    is_well_formed(field)


def test_names_in_a_bundle(field: Field) -> None:
    """A diagnosis, whose files the front end will write, after profiles with hostile names were asked for.

    The names of its files are the helper's own words.
    """
    mallory = field.user()
    with mallory.secured(field.pair(mallory).shown) as line:
        line.ask(Connect("../../evil\n.txt"))
        bundle = line.ask(Diagnose())
    assert isinstance(bundle, Diagnosis)
    assert bundle.files
    assert [name for name in bundle.files if not re.fullmatch(r"[a-z0-9_-]+\.(txt|json|jsonl)", name)] == []


def test_hooks(field: Field) -> None:
    """A profile with PostUp and its kin, which wg-quick would run as root.

    Never run; a note says so.
    """
    mallory, marker = field.user(), field.folder / "owned"
    text = wg("0.0.0.0/0").replace("[Peer]", f"PreUp=touch {marker}\nPostUp=touch {marker}\nSaveConfig=true\n[Peer]")
    with mallory.secured(field.pair(mallory).shown) as line:
        answer = line.ask(ImportProfile("hooks", text, "x.conf"))
        assert isinstance(answer, Done)
        assert len(answer.notes) == 3
        assert line.ask(RemoveProfile("hooks")) == Done()
    assert not os.path.lexists(marker)
