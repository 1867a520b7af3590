from __future__ import annotations

import json
import os
import socket
import stat
from pathlib import Path

import pytest

from slopn_helper.gateway import audit
from slopn_helper.gateway.audit import Act, Audit, AuditError, Who

WHO = Who(0, "alice", 1000)
AT = 1_800_000_000.25


def log_at(path: Path) -> Audit:
    """One whose clock stands still, and that has no journal."""
    return Audit(path, lambda: AT, WHO, path.with_name("no-journal"))


def test_an_act_is_one_line_that_says_who_and_on_whom(tmp_path: Path) -> None:
    """What becomes known during the act is in it."""
    path = tmp_path / "state/audit.jsonl"
    with log_at(path).act("device.add") as act:
        act.on = "abc"
        act.tell(name="laptop")
    assert json.loads(path.read_text()) == {
        "at": "2027-01-15T08:00:00.250+00:00",
        "what": "device.add",
        "on": "abc",
        "outcome": "done",
        "uid": 0,
        "sudo_user": "alice",
        "loginuid": 1000,
        "name": "laptop",
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_fails_is_recorded_too(tmp_path: Path) -> None:
    """With the kind of error, whose text may hold anything."""
    path = tmp_path / "audit.jsonl"
    with pytest.raises(KeyError), log_at(path).act("ban.add", "203.0.113.7"):
        raise KeyError("secret")
    found = json.loads(path.read_text())
    assert (found["outcome"], found["error"]) == ("failed", "KeyError")
    assert "secret" not in path.read_text()


@pytest.mark.parametrize(
    "name", ['x"}\n{"what":"forged"', "a\u2028b", "\x1b[2J", "\x7f", "\u202eevil", "\r\n", '","uid":12,"x":"']
)
def test_a_name_forges_neither_a_line_nor_a_field(tmp_path: Path, name: str) -> None:
    """Each act stays one line of ASCII, and its fields what they are."""
    path = tmp_path / "audit.jsonl"
    with log_at(path).act("device.rename", name) as act:
        act.tell(name=name, what="forged", uid=12, outcome="forged")
    text = path.read_text()
    assert text.count("\n") == 1
    assert text.strip().isascii()
    assert text.strip().isprintable()
    found = json.loads(text)
    assert (found["what"], found["uid"], found["outcome"]) == ("device.rename", 0, "done")
    assert found["on"] == found["name"] == name


def test_what_cannot_be_recorded_is_not_done(tmp_path: Path) -> None:
    """The file is opened first; a link in its place isn't followed."""
    path = tmp_path / "audit.jsonl"
    path.symlink_to(tmp_path / "elsewhere")
    done = []
    with pytest.raises(AuditError, match="nothing was done"), log_at(path).act("device.revoke", "abc"):
        done.append("revoked")
    assert done == []
    assert not (tmp_path / "elsewhere").exists()


def test_lines_are_added(tmp_path: Path) -> None:
    """Nothing of before is changed."""
    path = tmp_path / "audit.jsonl"
    for name in ("one", "two"):
        with log_at(path).act("device.disable", name):
            pass
    assert [json.loads(line)["on"] for line in path.read_text().splitlines()] == ["one", "two"]


def test_the_journal_has_the_line_as_well(tmp_path: Path) -> None:
    """As one field: a name makes no other."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(tmp_path / "journal"))
        log = Audit(tmp_path / "audit.jsonl", lambda: AT, WHO, tmp_path / "journal")
        with log.act("device.rename", "a\nPRIORITY=0"):
            pass
        sent = journal.recv(65536).decode()
    assert [field.split("=", 1)[0] for field in sent.splitlines()] == ["MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER"]
    assert (tmp_path / "audit.jsonl").read_text().strip() in sent


@pytest.mark.parametrize(("text", "number"), [("1000", 1000), ("4294967295", None), ("", None)])
def test_who_is_found(tmp_path: Path, text: str, number: int | None) -> None:
    """By the kernel's word and sudo's; nobody has logged in where a service runs it."""
    loginuid = tmp_path / "loginuid"
    loginuid.write_text(text)
    assert audit.whoever_runs({"SUDO_USER": "bob"}, loginuid) == Who(os.getuid(), "bob", number)
    assert audit.whoever_runs({}, tmp_path / "none") == Who(os.getuid())


def test_an_act_that_ends_well_has_no_error() -> None:
    """The field is there only when there is one."""
    assert "error" not in json.loads(audit.line(AT, WHO, Act("backup", "f"), None))
