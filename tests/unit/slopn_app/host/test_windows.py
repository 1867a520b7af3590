"""Which calls are made. That Windows then does what its manual says is seen on Windows alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.fake_pywin32 import FakePywin32, WindowsError

MODULE = "slopn_app.host.windows"


class Handle:
    """PyHANDLE."""

    def __init__(self) -> None:
        self.closed = False

    def Close(self) -> None:  # noqa: N802 - pywin32's name
        """CloseHandle."""
        self.closed = True


@pytest.fixture
def fake() -> FakePywin32:
    """A friendly Windows."""
    made = FakePywin32()
    made.answers["CreateFile"] = Handle()
    return made


@pytest.fixture
def files(fake: FakePywin32, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The files of a user whose local data are in the test's folder."""
    module = fake.load(monkeypatch, MODULE)
    module.winerror.ERROR_SHARING_VIOLATION = 32
    module.win32con.OPEN_ALWAYS = 4
    module.win32con.GENERIC_READ, module.win32con.GENERIC_WRITE = 0x8000_0000, 0x4000_0000
    return module.WindowsFiles({"LOCALAPPDATA": str(tmp_path)})


def test_the_state_is_below_the_users_local_data(files: Any, tmp_path: Path) -> None:
    """Where there is none, an error says so."""
    assert files.state_directory() == f"{tmp_path}/SloPN"
    with pytest.raises(FileNotFoundError, match="LOCALAPPDATA"):
        type(files)({}).state_directory()


def test_what_is_written_is_read(files: Any, tmp_path: Path) -> None:
    """Whole, and nothing is left beside it, also after a failure."""
    folder = tmp_path / "a/b"
    files.make_private(str(folder))
    files.make_private(str(folder))
    files.write(str(folder / "x"), b"one")
    files.write(str(folder / "x"), b"two")
    assert files.read(str(folder / "x")) == b"two"
    with pytest.raises(TypeError):
        files.write(str(folder / "x"), None)
    assert [path.name for path in folder.iterdir()] == ["x"]


def test_a_lock_is_a_file_that_nobody_else_may_open(files: Any, fake: FakePywin32) -> None:
    """Share mode 0: the system lets go of it with the process."""
    with files.lock("C:\\lock", 0):
        ((path, access, share, _, disposition, _, _),) = fake.called("CreateFile")
        assert (path, access, share, disposition) == ("C:\\lock", 0xC000_0000, 0, 4)
        assert not fake.answers["CreateFile"].closed
    assert fake.answers["CreateFile"].closed


def test_a_lock_that_is_taken_is_waited_for(files: Any, fake: FakePywin32) -> None:
    """With an end; any other error comes out at once."""
    handle = Handle()
    answers: list[WindowsError | Handle] = [WindowsError(32), WindowsError(32), handle]

    def create(*_: Any) -> Handle:
        answer = answers.pop(0)
        if isinstance(answer, WindowsError):
            raise answer
        return answer

    fake.answers["CreateFile"] = create
    with files.lock("x", 20):
        assert answers == []
    assert handle.closed
    fake.answers["CreateFile"] = WindowsError(32)
    with pytest.raises(TimeoutError), files.lock("x", 0.05):
        pass
    fake.answers["CreateFile"] = WindowsError(5)
    with pytest.raises(OSError, match="it failed"), files.lock("x", 20):
        pass
