"""Which calls are made, with which flags. That Windows then does what its manual says is seen on Windows alone."""

from __future__ import annotations

from typing import Any

import pytest

from slopn_helper.ipc.endpoints.pipe.sddl import CLIENT_ACCESS
from support.fake_pywin32 import FakePywin32, WindowsError

MODULE = "slopn_app.host.win32"
NAME = r"\\.\pipe\slopn"


class Handle:
    """PyHANDLE."""

    def Detach(self) -> int:  # noqa: N802 - pywin32's name
        """The number, no longer closed with the object."""
        return 77


class Overlapped:
    """PyOVERLAPPED."""

    hEvent: int  # noqa: N815 - pywin32's name


@pytest.fixture
def fake() -> FakePywin32:
    """Answers of a friendly Windows: `hello` is there to be read."""
    made = FakePywin32()

    def read(_handle: int, buffer: bytearray, _overlapped: Overlapped) -> tuple[int, bytearray]:
        buffer[:5] = b"hello"
        return 0, buffer

    made.answers |= {
        "CreateFile": Handle(),
        "OVERLAPPED": Overlapped,
        "CreateEvent": 900,
        "AllocateReadBuffer": bytearray,
        "ReadFile": read,
        "WriteFile": (0, 5),
        "WaitForSingleObject": 0,
        "GetOverlappedResult": 5,
        "CancelIo": None,
        "CloseHandle": None,
    }
    return made


def test_the_pipe_is_opened_without_lending_our_identity(fake: FakePywin32, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server may tell who we are and no more, and we ask for exactly what its list gives."""
    assert fake.load(monkeypatch, MODULE).Win32().open(NAME) == 77
    ((name, access, share, security, how, flags, template),) = fake.called("CreateFile")
    assert (name, access) == (NAME, CLIENT_ACCESS)
    assert (share, security, how, template) == (0, None, 3, None)
    sqos_present, identification, effective_only, overlapped = 0x10_0000, 0x1_0000, 0x8_0000, 0x4000_0000
    dynamic_tracking = 0x4_0000  # then the server couldn't tell who we are before we have written
    assert flags == sqos_present | identification | effective_only | overlapped
    assert not flags & dynamic_tracking


def test_a_busy_pipe_is_told_apart(fake: FakePywin32, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is worth another try; no other error is."""
    windows = fake.load(monkeypatch, MODULE).Win32()
    fake.answers["CreateFile"] = WindowsError(231)
    with pytest.raises(BlockingIOError):
        windows.open(NAME)
    fake.answers["CreateFile"] = WindowsError(2)
    with pytest.raises(OSError) as caught:
        windows.open(NAME)
    assert not isinstance(caught.value, BlockingIOError)


def test_the_owner_is_the_kernels_word(fake: FakePywin32, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the open handle, not of the name."""

    class Descriptor:
        def GetSecurityDescriptorOwner(self) -> str:  # noqa: N802 - pywin32's name
            return "S-1-5-18"

    fake.answers |= {"GetSecurityInfo": Descriptor(), "ConvertSidToStringSid": lambda sid: sid}
    assert fake.load(monkeypatch, MODULE).Win32().owner(77) == "S-1-5-18"
    assert fake.called("GetSecurityInfo") == [[77, 6, 1]]


def test_ones_own_sid(fake: FakePywin32, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the process's token."""
    fake.answers |= {
        "GetCurrentProcess": -1,
        "OpenProcessToken": 501,
        "GetTokenInformation": ("S-1-5-21-1-2-3-1001", 0),
        "ConvertSidToStringSid": lambda sid: sid,
    }
    assert fake.load(monkeypatch, MODULE).Win32().me() == "S-1-5-21-1-2-3-1001"
    assert fake.called("GetTokenInformation") == [[501, 1]]


def test_what_is_there_is_read(fake: FakePywin32, monkeypatch: pytest.MonkeyPatch) -> None:
    """As much as there is."""
    assert fake.load(monkeypatch, MODULE).Win32().read(77, 100, None) == b"hello"


@pytest.mark.parametrize("call", ["ReadFile", "GetOverlappedResult"])
@pytest.mark.parametrize("number", [109, 233])
def test_the_end_is_no_error(fake: FakePywin32, monkeypatch: pytest.MonkeyPatch, call: str, number: int) -> None:
    """The helper has hung up."""
    fake.answers[call] = WindowsError(number)
    assert fake.load(monkeypatch, MODULE).Win32().read(77, 100, None) == b""


def test_another_error_is_one(fake: FakePywin32, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading is not over because it failed."""
    fake.answers["ReadFile"] = WindowsError(6)
    with pytest.raises(OSError):
        fake.load(monkeypatch, MODULE).Win32().read(77, 100, None)


def test_silence_ends_in_time_and_the_buffer_is_ours_again(fake: FakePywin32, monkeypatch: pytest.MonkeyPatch) -> None:
    """The read is called off and waited for, since Windows may write into its buffer until then."""

    def result(_handle: int, _overlapped: Overlapped, wait: Any) -> int:
        assert wait is True
        raise WindowsError(995)

    fake.answers |= {"WaitForSingleObject": 258, "GetOverlappedResult": result}
    with pytest.raises(TimeoutError):
        fake.load(monkeypatch, MODULE).Win32().read(77, 100, 0.0)
    assert fake.called("CancelIo") == [[77]]


def test_what_comes_in_the_last_moment_is_kept(fake: FakePywin32, monkeypatch: pytest.MonkeyPatch) -> None:
    """Called off too late: the bytes have left the pipe, so they are the answer."""
    fake.answers["WaitForSingleObject"] = 258
    assert fake.load(monkeypatch, MODULE).Win32().read(77, 100, 0.0) == b"hello"


def test_ctrl_c_leaves_no_read_behind(fake: FakePywin32, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting is in slices, so that it is seen at all."""

    def interrupt(_event: int, milliseconds: int) -> int:
        assert 0 < milliseconds <= 100
        raise KeyboardInterrupt

    fake.answers["WaitForSingleObject"] = interrupt
    with pytest.raises(KeyboardInterrupt):
        fake.load(monkeypatch, MODULE).Win32().read(77, 100, None)
    assert fake.called("CancelIo") == [[77]]


def test_all_is_written_or_it_is_an_error(fake: FakePywin32, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part alone would be half a frame."""
    windows = fake.load(monkeypatch, MODULE).Win32()
    windows.write(77, b"hello", 1.0)
    assert [arguments[:2] for arguments in fake.called("WriteFile")] == [[77, b"hello"]]
    with pytest.raises(ConnectionResetError):
        windows.write(77, b"hello, world", 1.0)
    windows.close(77)
    assert fake.called("CloseHandle") == [[77]]
