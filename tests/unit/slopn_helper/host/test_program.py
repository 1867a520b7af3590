from __future__ import annotations

import asyncio
import fcntl
import os
from pathlib import Path

import pytest

from slopn_helper.host import program
from slopn_helper.host.program import Ended, ProgramError, run, trusted
from support.until import until

SH = Path("/bin/sh")


def sh(script: str, *, stdin: bytes = b"", timeout: float = 20.0, keep: int | None = None) -> Ended:
    """Run a script by the real shell."""
    return asyncio.run(run(SH, "-c", script, stdin=stdin, timeout=timeout, keep=keep))


def test_what_it_says_and_how_it_ends_are_told() -> None:
    """Both streams and the exit status come back."""
    assert sh("cat; echo err >&2; exit 3", stdin=b"in\n") == Ended(3, "in\nerr")


def test_nothing_of_our_environment_or_place_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that a program would obey (LD_PRELOAD, IFS, BASH_ENV) can't be slipped in through us."""
    monkeypatch.setenv("SLOPN_SECRET", "1")
    said = sh("pwd; umask; env").output.splitlines()
    assert said[:2] == ["/", "0022"]
    assert sorted(set(said[2:]) - {"PWD=/", "_=/usr/bin/env", "OLDPWD=/", "SHLVL=0"}) == [
        "LC_ALL=C",
        "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
    ]


def test_a_chatterbox_is_read_to_its_end_and_kept_short() -> None:
    """A program that says more than we keep neither blocks nor fills our memory."""
    done = sh("i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done; exit 5")
    assert done.status == 5
    assert len(done.output) <= program.OUTPUT_LIMIT
    assert done.output.startswith("0123456789\n0123456789")


def test_who_never_ends_is_killed_with_its_children(tmp_path: Path) -> None:
    """When the time is up nothing goes on behind our back."""
    with pytest.raises(ProgramError, match=r"didn't end within 0.5 s: began"):
        sh(f"echo began; sleep 300 & echo $! > {tmp_path}/child; wait", timeout=0.5)
    child = Path(f"/proc/{(tmp_path / 'child').read_text().strip()}")

    def gone() -> bool:
        return not child.exists() or ") Z " in (child / "stat").read_text()

    until(gone, 10.0, "the child is gone")


def test_a_service_left_behind_is_not_waited_for(tmp_path: Path) -> None:
    """resolvconf's hooks restart daemons, which keep the pipe: the program's own end counts."""
    done = sh(f"sleep 300 & echo $! > {tmp_path}/child; echo done", timeout=200.0)
    assert done == Ended(0, "done")
    os.kill(int((tmp_path / "child").read_text()), 9)


def test_a_lock_lasts_as_long_as_the_program(tmp_path: Path) -> None:
    """The descriptor is inherited; after its end the lock is free again."""
    fd = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(fd, fcntl.LOCK_EX)
    assert sh(f"readlink /proc/self/fd/{fd}", keep=fd).output == str(tmp_path / "lock")
    os.close(fd)
    other = os.open(tmp_path / "lock", os.O_RDWR)
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)


def test_too_much_to_read_is_refused() -> None:
    """More than a pipe holds would block before the program has begun."""
    with pytest.raises(ProgramError, match="too many"):
        sh("cat", stdin=b"x" * (program.INPUT_LIMIT + 1))


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("bin/sh", "not an absolute path"),
        ("/no/such/program", "No such file"),
        ("/etc/passwd", "is not a program"),
        ("/usr/bin", "is not a program"),
    ],
)
def test_what_is_no_program_is_refused(path: str, why: str) -> None:
    """The reason is in the message."""
    with pytest.raises(ProgramError, match=why):
        trusted(Path(path))


def test_a_path_that_others_can_change_is_refused(tmp_path: Path) -> None:
    """A temporary folder's parents are anybody's, though the program itself may be root's; a link to it is as bad."""
    mine = tmp_path / "program"
    mine.write_text("#!/bin/sh\n")
    mine.chmod(0o755)
    with pytest.raises(ProgramError, match="not root's alone"):
        trusted(mine)
    (tmp_path / "link").symlink_to("/bin/sh")
    with pytest.raises(ProgramError, match="not root's alone"):
        trusted(tmp_path / "link")


def test_links_are_followed_one_at_a_time() -> None:
    """The merged /bin of today's distributions leads to /usr/bin; `..` counts too."""
    assert trusted(SH).parent == Path("/usr/bin")
    assert trusted(Path("/usr/lib/../bin/cat")) == Path("/usr/bin/cat")


def test_a_circle_of_links_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The walk gives up, as the kernel does."""
    monkeypatch.setattr(program, "_must_be_roots", lambda *_: None)
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(ProgramError, match="too many links"):
        trusted(tmp_path / "a")
