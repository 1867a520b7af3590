from __future__ import annotations

import os
import pwd
import threading
from pathlib import Path

import pytest

from slopn_app.host.posix import PosixFiles

TIMEOUT = 20.0


def files(**environ: str) -> PosixFiles:
    """With that environment."""
    return PosixFiles(environ, ".local/state/slopn")


def test_the_state_directory_is_the_stated_one_if_it_is_ours(tmp_path: Path) -> None:
    """Also one that has yet to be made."""
    assert files(XDG_STATE_HOME=str(tmp_path)).state_directory() == f"{tmp_path}/slopn"
    assert files(XDG_STATE_HOME=f"{tmp_path}/a/b").state_directory() == f"{tmp_path}/a/b/slopn"


def test_somebody_elses_is_not_taken(tmp_path: Path) -> None:
    """After `sudo -E` the environment is another user's: root would leave files there that they can't remove."""
    home = pwd.getpwuid(os.geteuid()).pw_dir
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    os.chown(theirs, 65534, 65534)
    for stated in (str(theirs), f"{theirs}/a", "relative", "", "/dev/null/x"):
        assert files(XDG_STATE_HOME=stated).state_directory() == f"{home}/.local/state/slopn"
    assert files(HOME=str(theirs)).state_directory() == f"{home}/.local/state/slopn"


def test_a_user_without_a_home_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that says so."""
    monkeypatch.setattr("slopn_app.host.posix.os.geteuid", lambda: 987654)
    with pytest.raises(FileNotFoundError, match="no home directory"):
        files().state_directory()


def test_a_directory_is_made_private_all_the_way(tmp_path: Path) -> None:
    """Each level that was missing, whatever the umask; one that is too open is closed."""
    before = os.umask(0)
    try:
        files().make_private(f"{tmp_path}/a/b/c")
        (tmp_path / "open").mkdir(0o777)
        files().make_private(f"{tmp_path}/open")
    finally:
        os.umask(before)
    assert [(tmp_path / part).stat().st_mode & 0o777 for part in ("a", "a/b", "a/b/c", "open")] == [0o700] * 4
    files().make_private(f"{tmp_path}/a/b/c")


def test_somebody_elses_directory_is_refused(tmp_path: Path) -> None:
    """So are a link and a file in its place."""
    theirs, link, file = (tmp_path / name for name in ("theirs", "link", "file"))
    theirs.mkdir()
    os.chown(theirs, 65534, 65534)
    link.symlink_to(tmp_path)
    file.write_text("")
    for path in (theirs, link, file):
        with pytest.raises(OSError, match=r"directory|exists"):
            files().make_private(str(path))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Whole, over what was there, for us alone, and nothing is left beside it."""
    path = tmp_path / "x"
    path.write_text("before")
    before = os.umask(0)
    try:
        files().write(str(path), b"secret")
    finally:
        os.umask(before)
    assert files().read(str(path)) == b"secret"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each for each in tmp_path.iterdir() if each.name != "home"] == [path]


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk costs nothing but the new contents."""
    path = tmp_path / "x"
    files().write(str(path), b"before")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("slopn_app.host.posix.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        files().write(str(path), b"after")
    assert files().read(str(path)) == b"before"
    assert [each for each in tmp_path.iterdir() if each.name != "home"] == [path]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_file_that_others_may_read_is_not_ours(tmp_path: Path, mode: int) -> None:
    """A key in it isn't one's own any more."""
    path = tmp_path / "x"
    path.write_text("x")
    path.chmod(mode)
    with pytest.raises(PermissionError, match="not a file for you alone"):
        files().read(str(path))


def test_what_is_no_file_of_ours_is_refused(tmp_path: Path) -> None:
    """A link, a pipe that would hang, somebody else's, a directory."""
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "theirs").write_text("x")
    (tmp_path / "theirs").chmod(0o600)
    os.chown(tmp_path / "theirs", 65534, 65534)
    (tmp_path / "folder").mkdir(0o700)
    for name in ("link", "pipe", "theirs", "folder", "none"):
        with pytest.raises(OSError, match=r"."):
            files().read(str(tmp_path / name))


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    """Others wait, with an end; it is free again afterwards, also after a failure."""
    path = str(tmp_path / "lock")
    with files().lock(path, 0):
        with pytest.raises(TimeoutError), files().lock(path, 0.05):
            pass
        got = threading.Event()

        def wait() -> None:
            with files().lock(path, TIMEOUT):
                got.set()

        waiting = threading.Thread(target=wait)
        waiting.start()
        assert not got.is_set()
    assert got.wait(TIMEOUT)
    waiting.join(TIMEOUT)
    with pytest.raises(KeyError), files().lock(path, 0):
        raise KeyError
    with files().lock(path, 0):
        pass
