"""pywin32 where there is none: the modules as empty shells with winnt.h's constants, and calls that are noted.

For tests of the few modules that speak to Windows: which call they make, with which flags, and in which order.
"""

from __future__ import annotations

import ctypes
import importlib
import sys
from types import ModuleType
from typing import Any

import pytest

CONSTANTS: dict[str, dict[str, int]] = {
    "win32con": {
        "FILE_FLAG_OVERLAPPED": 0x4000_0000,
        "SECURITY_SQOS_PRESENT": 0x10_0000,
        "SECURITY_EFFECTIVE_ONLY": 0x8_0000,
        "OPEN_EXISTING": 3,
        "WRITE_DAC": 0x4_0000,
        "TOKEN_QUERY": 8,
        "PROCESS_QUERY_LIMITED_INFORMATION": 0x1000,
    },
    "win32file": {"SECURITY_IDENTIFICATION": 0x1_0000},
    "win32pipe": {
        "PIPE_ACCESS_DUPLEX": 3,
        "FILE_FLAG_FIRST_PIPE_INSTANCE": 0x8_0000,
        "PIPE_TYPE_BYTE": 0,
        "PIPE_READMODE_BYTE": 0,
        "PIPE_WAIT": 0,
        "PIPE_REJECT_REMOTE_CLIENTS": 8,
        "PIPE_UNLIMITED_INSTANCES": 255,
    },
    "win32security": {
        "SE_KERNEL_OBJECT": 6,
        "OWNER_SECURITY_INFORMATION": 1,
        "DACL_SECURITY_INFORMATION": 4,
        "PROTECTED_DACL_SECURITY_INFORMATION": 0x8000_0000,
        "SE_GROUP_ENABLED": 4,
        "SE_GROUP_USE_FOR_DENY_ONLY": 0x10,
        "TokenUser": 1,
        "TokenGroups": 2,
        "TokenImpersonationLevel": 9,
        "TokenSessionId": 12,
        "TokenElevation": 20,
        "TokenIntegrityLevel": 25,
    },
    "winerror": {
        "ERROR_BROKEN_PIPE": 109,
        "ERROR_PIPE_BUSY": 231,
        "ERROR_NO_DATA": 232,
        "ERROR_PIPE_NOT_CONNECTED": 233,
        "ERROR_OPERATION_ABORTED": 995,
    },
    "win32event": {"WAIT_OBJECT_0": 0, "WAIT_TIMEOUT": 258},
    "win32api": {},
    "win32process": {},
    "pywintypes": {},
}


class WindowsError(Exception):
    """pywintypes.error."""

    def __init__(self, winerror: int, function: str = "", strerror: str = "it failed") -> None:
        super().__init__(winerror, function, strerror)
        self.winerror = winerror
        self.strerror = strerror


class FakePywin32:
    """Give each function of pywin32 that will be called in `answers`: a value, an error, or a function of its arguments."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.calls: list[tuple[Any, ...]] = []

    def call(self, name: str, *arguments: Any) -> Any:
        """Note it, then answer."""
        self.calls.append((name, *arguments))
        answer = self.answers[name]
        if isinstance(answer, BaseException):
            raise answer
        return answer(*arguments) if callable(answer) else answer

    def called(self, name: str) -> list[list[Any]]:
        """The arguments of each call."""
        return [arguments for called, *arguments in self.calls if called == name]

    def load(self, monkeypatch: pytest.MonkeyPatch, module: str) -> Any:
        """The module under test, imported among the fakes and forgotten afterwards."""
        for name, constants in CONSTANTS.items():
            monkeypatch.setitem(sys.modules, name, _Shell(name, constants, self))
        monkeypatch.setattr(ctypes, "CDLL", lambda _: _Library(self))
        monkeypatch.delitem(sys.modules, module, raising=False)
        loaded = importlib.import_module(module)
        monkeypatch.delitem(sys.modules, module)
        return loaded


class _Shell(ModuleType):
    def __init__(self, name: str, constants: dict[str, int], fake: FakePywin32) -> None:
        super().__init__(name)
        self.__dict__.update(constants)
        self.error = WindowsError
        self._fake = fake

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: self._fake.call(name, *arguments)


class _Library:
    """A DLL: functions that remember what they are said to take."""

    def __init__(self, fake: FakePywin32) -> None:
        self._fake = fake

    def __getattr__(self, name: str) -> Any:
        fake = self._fake

        class Function:
            restype: Any = None
            argtypes: Any = None

            def __call__(self, *arguments: Any) -> Any:
                return fake.call(name, *arguments)

        made = Function()
        self.__dict__[name] = made
        return made
