"""Every call to Windows that the pipe needs. Thin: what is decided stands in `caller` and `endpoint`."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from typing import Any

import pywintypes
import win32api
import win32con
import win32pipe
import win32process
import win32security

from slopn_helper.ipc.endpoints.pipe.caller import Program, Token
from slopn_helper.ipc.endpoints.pipe.sddl import Sid

BUFFER = 1 << 16
"""What each direction of the pipe holds."""
_SDDL_REVISION_1 = 1
_STILL_ACTIVE = 259
_LONGEST_PATH = 1 << 15
_OPEN_MODE = win32pipe.PIPE_ACCESS_DUPLEX | win32con.FILE_FLAG_OVERLAPPED | win32con.WRITE_DAC
_PIPE_MODE = (
    win32pipe.PIPE_TYPE_BYTE | win32pipe.PIPE_READMODE_BYTE | win32pipe.PIPE_WAIT | win32pipe.PIPE_REJECT_REMOTE_CLIENTS
)

_kernel32 = ctypes.CDLL("kernel32")
_kernel32.QueryFullProcessImageNameW.restype = ctypes.c_int
_kernel32.QueryFullProcessImageNameW.argtypes = (
    ctypes.c_void_p,
    ctypes.c_uint32,
    ctypes.c_wchar_p,
    ctypes.POINTER(ctypes.c_uint32),
)


class Win32:
    """The real Windows."""

    def create(self, name: str, security: str, *, first: bool) -> int:
        """CreateNamedPipe, with WRITE_DAC so that the list of users can change."""
        with _os_errors():
            attributes = win32security.SECURITY_ATTRIBUTES()
            attributes.bInheritHandle = False
            attributes.SECURITY_DESCRIPTOR = _parsed(security)
            # The stubs know neither PyHANDLE here nor that SetSecurityInfo takes None.
            handle: Any = win32pipe.CreateNamedPipe(
                name,
                _OPEN_MODE | (win32pipe.FILE_FLAG_FIRST_PIPE_INSTANCE if first else 0),
                _PIPE_MODE,
                win32pipe.PIPE_UNLIMITED_INSTANCES,
                BUFFER,
                BUFFER,
                0,
                attributes,
            )
            return int(handle.Detach())

    def protect(self, pipe: int, security: str) -> None:
        """SetSecurityInfo: the access list; owner and label never change."""
        with _os_errors():
            set_security: Any = win32security.SetSecurityInfo
            set_security(
                pipe,
                win32security.SE_KERNEL_OBJECT,
                win32security.DACL_SECURITY_INFORMATION | win32security.PROTECTED_DACL_SECURITY_INFORMATION,
                None,
                None,
                _parsed(security).GetSecurityDescriptorDacl(),
                None,
            )

    def close(self, handle: int) -> None:
        """CloseHandle, and no DisconnectNamedPipe: that would throw away what the client hasn't read."""
        with _os_errors():
            win32api.CloseHandle(handle)

    def client_pid(self, pipe: int) -> int:
        """GetNamedPipeClientProcessId."""
        with _os_errors():
            return int(win32pipe.GetNamedPipeClientProcessId(pipe))

    def connected(self, pipe: int) -> bool:
        """PeekNamedPipe fails once the last handle of the other end is closed."""
        try:
            win32pipe.PeekNamedPipe(pipe, 0)
        except pywintypes.error:
            return False
        return True

    def client_token(self, pipe: int) -> Token:
        """The token that the pipe was opened with.

        A client that wants its identity followed (SECURITY_CONTEXT_TRACKING) can't be told before it has written, and
        is refused by that: ours don't.
        """
        with _os_errors():
            win32security.ImpersonateNamedPipeClient(pipe)
            try:
                # As ourselves: what the client lets us do as itself may not be enough to look.
                opened = win32security.OpenThreadToken(win32api.GetCurrentThread(), win32con.TOKEN_QUERY, True)
            finally:
                _be_ourselves()
            return _token(opened)

    def program(self, pid: int) -> Program:
        """The process, its token and its image by one handle; ended processes are an error."""
        with _os_errors():
            process = win32api.OpenProcess(win32con.PROCESS_QUERY_LIMITED_INFORMATION, False, pid)
            token = win32security.OpenProcessToken(process, win32con.TOKEN_QUERY)
            user, _ = win32security.GetTokenInformation(token, win32security.TokenUser)
            session = win32security.GetTokenInformation(token, win32security.TokenSessionId)
            found = Program(_sid(user), int(session), _image(int(process)))
            if win32process.GetExitCodeProcess(int(process)) != _STILL_ACTIVE:
                raise ProcessLookupError("the process has ended")
            return found


def _be_ourselves() -> None:
    """RevertToSelf. A helper that could not would go on with a client's identity: better none at all."""
    try:
        win32security.RevertToSelf()
    except pywintypes.error:
        os.abort()


def _token(token: int) -> Token:
    user, _ = win32security.GetTokenInformation(token, win32security.TokenUser)
    groups = win32security.GetTokenInformation(token, win32security.TokenGroups)
    integrity, _ = win32security.GetTokenInformation(token, win32security.TokenIntegrityLevel)
    return Token(
        user=_sid(user),
        groups=tuple(_sid(sid) for sid, attributes in groups if _in_force(attributes)),
        integrity=_sid(integrity).rid,
        elevated=bool(win32security.GetTokenInformation(token, win32security.TokenElevation)),
        session=int(win32security.GetTokenInformation(token, win32security.TokenSessionId)),
        level=int(win32security.GetTokenInformation(token, win32security.TokenImpersonationLevel)),
    )


def _in_force(attributes: int) -> bool:
    return (
        bool(attributes & win32security.SE_GROUP_ENABLED) and not attributes & win32security.SE_GROUP_USE_FOR_DENY_ONLY
    )


def _sid(sid: Any) -> Sid:
    return Sid.parse(win32security.ConvertSidToStringSid(sid))


def _image(process: int) -> str:
    """QueryFullProcessImageName: the kernel's word. GetModuleFileNameEx reads the client's own memory instead."""
    buffer = ctypes.create_unicode_buffer(_LONGEST_PATH)
    size = ctypes.c_uint32(_LONGEST_PATH)
    if not _kernel32.QueryFullProcessImageNameW(process, 0, buffer, ctypes.byref(size)):
        raise OSError("the process's image can't be told")
    return buffer.value


def _parsed(security: str) -> Any:
    return win32security.ConvertStringSecurityDescriptorToSecurityDescriptor(security, _SDDL_REVISION_1)


@contextlib.contextmanager
def _os_errors() -> Iterator[None]:
    """pywin32's error is none of Python's: make it the `OSError` that its number stands for."""
    try:
        yield
    except pywintypes.error as error:
        raise OSError(0, error.strerror, None, error.winerror) from error
    except ValueError as error:
        raise OSError(str(error)) from error
