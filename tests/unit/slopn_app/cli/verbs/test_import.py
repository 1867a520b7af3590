from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from slopn_wire.commands import ImportProfile
from slopn_wire.events import Done, ErrorKind, Refused
from support.fake_helper import FakeHelper
from support.slopn import Slopn

TEXT = "[Interface]\nPrivateKey = x\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file to import."""
    path = tmp_path / "berlin.conf"
    path.write_text(TEXT)
    return path


def stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    """What comes in on stdin."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_the_text_is_sent_as_it_is(helper: FakeHelper, slopn: Slopn, file: Path) -> None:
    """Named after the file; CRLF and BOM are the helper's business."""
    file.write_bytes(b"\xef\xbb\xbf[Interface]\r\n# \xc3\xbc\r\n")
    outcome = slopn("import", str(file))
    assert (outcome.status, outcome.out) == (0, f"Imported berlin from {file}.\n")
    assert helper.commands == [ImportProfile("berlin", "\ufeff[Interface]\r\n# ü\r\n", str(file))]


@pytest.mark.parametrize(
    ("name", "profile"),
    [("berlin.conf", "berlin"), ("berlin.CONF", "berlin"), ("a.b.conf", "a.b"), ("wg0", "wg0"), ("wg0.txt", "wg0.txt")],
)
def test_a_profile_is_named_after_its_file(
    helper: FakeHelper, slopn: Slopn, tmp_path: Path, name: str, profile: str
) -> None:
    """Without .conf in any case, and without anything else taken off."""
    (tmp_path / name).write_text(TEXT)
    slopn("import", str(tmp_path / name))
    (command,) = helper.commands
    assert isinstance(command, ImportProfile)
    assert command.name == profile


def test_name_and_replace(helper: FakeHelper, slopn: Slopn, file: Path) -> None:
    """Both reach the helper, wherever they stand."""
    assert slopn("import", "--replace", str(file), "--name", "home").status == 0
    assert helper.commands == [ImportProfile("home", TEXT, str(file), replace=True)]


def test_stdin(helper: FakeHelper, slopn: Slopn, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` with a name; errors will say stdin."""
    stdin(monkeypatch, TEXT.encode())
    assert slopn("import", "-", "--name", "home").status == 0
    assert helper.commands == [ImportProfile("home", TEXT, "stdin")]


@pytest.mark.parametrize("arguments", [["-"], ["a", "b", "--name", "x"], ["-", "a"], []])
def test_wrong_usage(helper: FakeHelper, slopn: Slopn, arguments: list[str]) -> None:
    """Stdin without a name, one name for several files, no file: status 2, nothing was sent."""
    assert slopn("import", *arguments).status == 2
    assert helper.commands == []


def test_notes_are_shown(helper: FakeHelper, slopn: Slopn, file: Path) -> None:
    """What is kept but never run is said at once."""
    helper.answer(ImportProfile, Done(("berlin.conf:3:1: PostUp is never run.",)))
    outcome = slopn("import", str(file))
    assert (outcome.status, outcome.err) == (0, "berlin.conf:3:1: PostUp is never run.\n")


def test_a_refused_file_is_an_error_with_its_place(helper: FakeHelper, slopn: Slopn, file: Path) -> None:
    """Status 2; the helper's message begins with file:line:column and stands alone on its line."""
    message = f"{file}:2:14: found 'x', a key has 44 characters"
    helper.answer(ImportProfile, Refused(ErrorKind.INVALID, message))
    outcome = slopn("import", str(file))
    assert (outcome.status, outcome.out, outcome.err) == (2, "", f"{message}\n")


def test_several_files_are_all_checked(helper: FakeHelper, slopn: Slopn, tmp_path: Path) -> None:
    """The good ones are stored and named, each bad one has its error, and the status is 2."""
    for name in ("a", "bad", "c"):
        (tmp_path / f"{name}.conf").write_text(TEXT)

    def answer(command: object) -> Done | Refused:
        assert isinstance(command, ImportProfile)
        return Refused(ErrorKind.INVALID, "bad.conf:1:1: no") if command.name == "bad" else Done()

    helper.answer(ImportProfile, answer)
    files = [str(tmp_path / f"{name}.conf") for name in ("a", "bad", "none", "c")]
    outcome = slopn("import", *files)
    assert outcome.status == 2
    assert outcome.out.splitlines() == [f"Imported a from {files[0]}.", f"Imported c from {files[3]}."]
    assert outcome.err.splitlines() == [
        "bad.conf:1:1: no",
        f"{files[2]}: No such file or directory",
        "slopn: 2 of 4 files were refused; nothing of theirs was stored.",
    ]
    document = slopn("import", *files, "--json").json
    assert [found["name"] for found in document["imported"]] == ["a", "c"]
    assert [found["file"] for found in document["errors"]] == [files[1], files[2]]


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b"\xff", "1:1: found byte 0xff"),
        (b"[Interface]\nAddress = 10.0.0.\xe9", "2:18: found byte 0xe9"),
        ("[Interface]\n# grüße\n#ü".encode() + b"\xc3", "3:3: found byte 0xc3"),
        (b"\xff\xfe[\x00", "1:1: found UTF-16 text; save the file as UTF-8"),
        (b"\xfe\xff\x00[", "1:1: found UTF-16 text; save the file as UTF-8"),
    ],
)
def test_what_is_no_utf8_has_its_place(helper: FakeHelper, slopn: Slopn, file: Path, raw: bytes, place: str) -> None:
    """Line and column in characters, and nothing was sent."""
    file.write_bytes(raw)
    outcome = slopn("import", str(file))
    assert outcome.status == 2
    assert outcome.err.startswith(f"{file}:{place}")
    assert helper.commands == []


@pytest.mark.parametrize("path", ["none.conf", "."])
def test_what_cannot_be_read(helper: FakeHelper, slopn: Slopn, tmp_path: Path, path: str) -> None:
    """A missing file or a folder: status 2 and the system's reason."""
    outcome = slopn("import", str(tmp_path / path))
    assert outcome.status == 2
    assert outcome.err.split(": ")[1].strip() in {"No such file or directory", "Is a directory"}
    assert helper.commands == []


def test_who_may_not_gets_status_four(helper: FakeHelper, slopn: Slopn, file: Path) -> None:
    """It isn't the file's fault."""
    helper.answer(ImportProfile, Refused(ErrorKind.NOT_PERMITTED, "You may not."))
    assert slopn("import", str(file)).status == 4


def test_a_file_without_end_is_refused_like_others(helper: FakeHelper, slopn: Slopn, file: Path) -> None:
    """It is read to a limit, its error has a place, and the files after it are imported."""
    outcome = slopn("import", "/dev/zero", str(file))
    assert (outcome.status, outcome.out) == (2, f"Imported berlin from {file}.\n")
    assert outcome.err.startswith("/dev/zero:1:1: found more than 1048576 bytes;")
    assert [type(command) for command in helper.commands] == [ImportProfile]


def test_a_file_too_large_for_the_wire_is_refused_like_others(helper: FakeHelper, slopn: Slopn, file: Path) -> None:
    """What is just small enough to be read, but not to be sent."""
    large = file.with_name("large.conf")
    large.write_text("#" * (1 << 20))
    outcome = slopn("import", str(large), str(file))
    assert (outcome.status, outcome.out) == (2, f"Imported berlin from {file}.\n")
    assert "too large" in outcome.err
    assert len(helper.commands) == 1


def test_a_file_whose_name_is_no_text(helper: FakeHelper, slopn: Slopn, tmp_path: Path) -> None:
    """Bytes that aren't UTF-8 arrive as question marks."""
    path = os.fsdecode(os.fsencode(tmp_path / "caf") + b"\xe9.conf")
    Path(path).write_text(TEXT)
    assert slopn("import", path).status == 0
    assert helper.commands == [ImportProfile("caf?", TEXT, f"{tmp_path}/caf?.conf")]


def test_an_empty_name_is_a_name(helper: FakeHelper, slopn: Slopn, file: Path) -> None:
    """`--name "$UNSET"` doesn't quietly take the file's: the helper refuses it."""
    slopn("import", str(file), "--name", "")
    assert helper.commands == [ImportProfile("", TEXT, str(file))]
