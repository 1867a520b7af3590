"""Which calls are made, with which flags. That Windows then does what its manual says is seen on Windows alone."""

from __future__ import annotations

import ctypes
import os
from typing import Any

import pytest

from slopn_helper.ipc.endpoints.pipe.caller import Program, Token
from slopn_helper.ipc.endpoints.pipe.endpoint import NAME
from slopn_helper.ipc.endpoints.pipe.sddl import ADMINISTRATORS, Sid, descriptor
from support.fake_pywin32 import FakePywin32, WindowsError

MODULE = "slopn_helper.ipc.endpoints.pipe.win32"
ANN = "S-1-5-21-1-2-3-1001"


class Handle:
    """PyHANDLE."""

    def __init__(self, number: int) -> None:
        self.number = number

    def Detach(self) -> int:  # noqa: N802 - pywin32's name
        """The number, no longer closed with the object."""
        return self.number

    def __int__(self) -> int:
        return self.number


@pytest.fixture
def fake() -> FakePywin32:
    """Answers of a friendly Windows."""
    made = FakePywin32()
    information: dict[int, Any] = {1: (ANN, 0), 2: [(ANN, 7)], 9: 1, 12: 2, 20: 0, 25: ("S-1-16-8192", 0x60)}
    made.answers |= {
        "SECURITY_ATTRIBUTES": type("SECURITY_ATTRIBUTES", (), {}),
        "ConvertStringSecurityDescriptorToSecurityDescriptor": lambda text, _: text,
        "CreateNamedPipe": Handle(77),
        "ImpersonateNamedPipeClient": None,
        "RevertToSelf": None,
        "GetCurrentThread": -2,
        "OpenThreadToken": 500,
        "OpenProcess": Handle(600),
        "OpenProcessToken": 501,
        "ConvertSidToStringSid": lambda sid: sid,
        "GetTokenInformation": lambda _, what: information[what],
        "GetExitCodeProcess": 259,
        "QueryFullProcessImageNameW": _image,
    }
    made.answers["information"] = information
    return made


def _image(_process: int, _flags: int, buffer: Any, _size: Any) -> int:
    buffer.value = r"C:\slopn.exe"
    return 1


@pytest.mark.parametrize(("first", "extra"), [(True, 0x8_0000), (False, 0)])
def test_an_instance_is_local_overlapped_and_protected(
    fake: FakePywin32, monkeypatch: pytest.MonkeyPatch, first: bool, extra: int
) -> None:
    """CreateNamedPipe: duplex, WRITE_DAC, first instance where asked; bytes, no remote clients; our descriptor."""
    windows = fake.load(monkeypatch, MODULE).Win32()
    assert windows.create(NAME, descriptor([]), first=first) == 77
    ((name, open_mode, pipe_mode, instances, out, into, timeout, attributes),) = fake.called("CreateNamedPipe")
    assert (name, open_mode, pipe_mode) == (NAME, 0x4004_0003 | extra, 8)
    assert (instances, out, into, timeout) == (255, 65536, 65536, 0)
    assert descriptor([]) == attributes.SECURITY_DESCRIPTOR
    assert attributes.bInheritHandle is False


def test_an_error_is_the_one_that_python_knows(fake: FakePywin32, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number is handed on, so that on Windows 5 becomes `PermissionError`."""
    made: list[tuple[object, ...]] = []

    class Noted(OSError):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)
            made.append(arguments)

    module = fake.load(monkeypatch, MODULE)
    monkeypatch.setattr(module, "OSError", Noted, raising=False)
    fake.answers["CreateNamedPipe"] = WindowsError(5, "CreateNamedPipe", "Access is denied.")
    with pytest.raises(Noted):
        module.Win32().create(NAME, descriptor([]), first=True)
    assert made == [(0, "Access is denied.", None, 5)]


def test_only_the_list_is_replaced(fake: FakePywin32, monkeypatch: pytest.MonkeyPatch) -> None:
    """SetSecurityInfo: the DACL, protected; neither owner nor group nor label."""

    class Descriptor(str):
        __slots__ = ()

        def GetSecurityDescriptorDacl(self) -> str:  # noqa: N802 - pywin32's name
            return f"list of {self}"

    fake.answers |= {
        "ConvertStringSecurityDescriptorToSecurityDescriptor": lambda text, _: Descriptor(text),
        "SetSecurityInfo": None,
    }
    fake.load(monkeypatch, MODULE).Win32().protect(77, descriptor([]))
    assert fake.called("SetSecurityInfo") == [[77, 6, 0x8000_0004, None, None, f"list of {descriptor([])}", None]]


def test_the_token_is_read_as_ourselves(fake: FakePywin32, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's identity is put on, its token opened, and ours is back before anything is read."""
    information = fake.answers["information"]
    information[2] = [(ANN, 7), ("S-1-5-32-544", 0x10), ("S-1-5-32-545", 0), ("S-1-5-4", 4), ("S-1-1-0", 0x14)]
    found = fake.load(monkeypatch, MODULE).Win32().client_token(77)
    assert found == Token(
        user=Sid.parse(ANN),
        groups=(Sid.parse(ANN), Sid.parse("S-1-5-4")),
        integrity=0x2000,
        elevated=False,
        session=2,
        level=1,
    )
    assert [name for name, *_ in fake.calls[:5]] == [
        "ImpersonateNamedPipeClient",
        "GetCurrentThread",
        "OpenThreadToken",
        "RevertToSelf",
        "GetTokenInformation",
    ]
    assert fake.called("OpenThreadToken") == [[-2, 8, True]]


def test_an_elevated_administrator_is_seen(fake: FakePywin32, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elevation, and the group that counts only then."""
    fake.answers["information"] |= {2: [("S-1-5-32-544", 0xF)], 20: 1, 25: ("S-1-16-12288", 0x60)}
    found = fake.load(monkeypatch, MODULE).Win32().client_token(77)
    assert (found.groups, found.elevated, found.integrity) == ((ADMINISTRATORS,), True, 0x3000)


def test_a_token_that_cannot_be_opened_leaves_us_ourselves(fake: FakePywin32, monkeypatch: pytest.MonkeyPatch) -> None:
    """An anonymous client (ERROR_CANT_OPEN_ANONYMOUS): an error, and no foreign identity is kept."""
    fake.answers["OpenThreadToken"] = WindowsError(1347)
    with pytest.raises(OSError):
        fake.load(monkeypatch, MODULE).Win32().client_token(77)
    assert fake.called("RevertToSelf") == [[]]


def test_no_impersonation_is_not_taken_back(fake: FakePywin32, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that can't be told yet (ERROR_CANNOT_IMPERSONATE) is refused; nothing was put on."""
    fake.answers["ImpersonateNamedPipeClient"] = WindowsError(1368)
    with pytest.raises(OSError):
        fake.load(monkeypatch, MODULE).Win32().client_token(77)
    assert fake.called("OpenThreadToken") == fake.called("RevertToSelf") == []


def test_a_foreign_identity_that_stays_ends_the_helper(fake: FakePywin32, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing more is done in a client's name."""

    class Aborted(BaseException):
        pass

    def abort() -> None:
        raise Aborted

    fake.answers["RevertToSelf"] = WindowsError(1)
    monkeypatch.setattr(os, "abort", abort)
    with pytest.raises(Aborted):
        fake.load(monkeypatch, MODULE).Win32().client_token(77)
    assert fake.called("GetTokenInformation") == []


def test_a_process_is_looked_at_by_one_handle(fake: FakePywin32, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no more right than needed; the image is the kernel's word."""
    assert fake.load(monkeypatch, MODULE).Win32().program(42) == Program(Sid.parse(ANN), 2, r"C:\slopn.exe")
    assert fake.called("OpenProcess") == [[0x1000, False, 42]]
    ((process, flags, _, _),) = fake.called("QueryFullProcessImageNameW")
    assert (process, flags) == (600, 0)


@pytest.mark.parametrize("answers", [{"GetExitCodeProcess": 0}, {"QueryFullProcessImageNameW": 0}])
def test_an_ended_process_is_an_error(
    fake: FakePywin32, monkeypatch: pytest.MonkeyPatch, answers: dict[str, int]
) -> None:
    """Its number says nothing any more."""
    fake.answers |= answers
    with pytest.raises(OSError):
        fake.load(monkeypatch, MODULE).Win32().program(42)


def test_a_sid_that_makes_no_sense_is_an_error(fake: FakePywin32, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a defect that ends the helper."""
    fake.answers["information"][1] = ("nobody", 0)
    with pytest.raises(OSError, match="no security identifier"):
        fake.load(monkeypatch, MODULE).Win32().client_token(77)


def test_who_is_there_still(fake: FakePywin32, monkeypatch: pytest.MonkeyPatch) -> None:
    """PeekNamedPipe fails when the client has hung up."""
    windows = fake.load(monkeypatch, MODULE).Win32()
    fake.answers |= {"PeekNamedPipe": (b"", 0, 0), "GetNamedPipeClientProcessId": 42, "CloseHandle": None}
    assert windows.connected(77)
    assert windows.client_pid(77) == 42
    windows.close(77)
    assert fake.called("CloseHandle") == [[77]]
    fake.answers["PeekNamedPipe"] = WindowsError(109)
    assert not windows.connected(77)


def test_the_one_function_without_pywin32_is_typed(fake: FakePywin32, monkeypatch: pytest.MonkeyPatch) -> None:
    """BOOL QueryFullProcessImageNameW(HANDLE, DWORD, LPWSTR, PDWORD): a handle is as wide as a pointer."""
    function = fake.load(monkeypatch, MODULE)._kernel32.QueryFullProcessImageNameW
    sizes = [ctypes.sizeof(each) for each in (function.restype, *function.argtypes)]
    pointer = ctypes.sizeof(ctypes.c_void_p)
    assert sizes == [4, pointer, 4, pointer, pointer]
