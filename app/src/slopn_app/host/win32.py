"""Every call to Windows that `pipe` needs."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import pywintypes
import win32api
import win32con
import win32event
import win32file
import win32security
import winerror

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

ACCESS = 0x12_0083
"""READ_CONTROL, SYNCHRONIZE, FILE_READ_DATA, FILE_WRITE_DATA, FILE_READ_ATTRIBUTES: all that the helper's list gives."""
_FLAGS = (
    win32con.FILE_FLAG_OVERLAPPED
    | win32con.SECURITY_SQOS_PRESENT
    | win32file.SECURITY_IDENTIFICATION
    | win32con.SECURITY_EFFECTIVE_ONLY
)
_SLICE = 0.1  # seconds; Ctrl-C is seen in between
_ENDED = {winerror.ERROR_BROKEN_PIPE, winerror.ERROR_PIPE_NOT_CONNECTED, winerror.ERROR_NO_DATA}


class Win32:
    """The real Windows."""

    def open(self, path: str) -> int:
        """CreateFile."""
        try:
            handle: Any = win32file.CreateFile(path, ACCESS, 0, None, win32con.OPEN_EXISTING, _FLAGS, None)
        except pywintypes.error as error:
            if error.winerror == winerror.ERROR_PIPE_BUSY:
                raise BlockingIOError("every instance of the pipe is taken") from error
            raise _os_error(error) from error
        return int(handle.Detach())

    def owner(self, handle: int) -> str:
        """GetSecurityInfo."""
        with _os_errors():
            found = win32security.GetSecurityInfo(
                handle, win32security.SE_KERNEL_OBJECT, win32security.OWNER_SECURITY_INFORMATION
            )
            return win32security.ConvertSidToStringSid(found.GetSecurityDescriptorOwner())

    def me(self) -> str:
        """The process's token."""
        with _os_errors():
            token = win32security.OpenProcessToken(win32api.GetCurrentProcess(), win32con.TOKEN_QUERY)
            user, _ = win32security.GetTokenInformation(token, win32security.TokenUser)
            return win32security.ConvertSidToStringSid(user)

    def read(self, handle: int, size: int, timeout: float | None) -> bytes:
        """ReadFile, overlapped."""
        overlapped = _overlapped()
        try:
            _, buffer = win32file.ReadFile(handle, win32file.AllocateReadBuffer(size), overlapped)
            count = _finish(handle, overlapped, timeout)
        except pywintypes.error as error:
            if error.winerror in _ENDED:
                return b""
            raise _os_error(error) from error
        return bytes(memoryview(buffer)[:count])

    def write(self, handle: int, data: bytes, timeout: float | None) -> None:
        """WriteFile, overlapped."""
        with _os_errors():
            overlapped = _overlapped()
            win32file.WriteFile(handle, data, overlapped)
            if _finish(handle, overlapped, timeout) != len(data):
                raise ConnectionResetError("the pipe took only a part")

    def close(self, handle: int) -> None:
        """CloseHandle."""
        with _os_errors():
            win32api.CloseHandle(handle)


def _overlapped() -> Any:
    made = pywintypes.OVERLAPPED()
    made.hEvent = win32event.CreateEvent(None, True, False, None)
    return made


def _finish(handle: int, overlapped: Any, timeout: float | None) -> int:
    """Wait for the end of a transfer; how many bytes it was."""
    deadline = None if timeout is None else time.monotonic() + timeout
    try:
        while True:
            left = _SLICE if deadline is None else max(0.0, min(_SLICE, deadline - time.monotonic()))
            if win32event.WaitForSingleObject(overlapped.hEvent, int(left * 1000)) == win32event.WAIT_OBJECT_0:
                return win32file.GetOverlappedResult(handle, overlapped, False)
            if deadline is not None and time.monotonic() >= deadline:
                break
    except KeyboardInterrupt:
        _cancel(handle, overlapped)
        raise
    count = _cancel(handle, overlapped)
    if count is None:
        raise TimeoutError("the helper takes too long")
    return count


def _cancel(handle: int, overlapped: Any) -> int | None:
    """Windows writes into the buffer until the transfer has ended: wait for that. None: nothing was transferred."""
    win32file.CancelIo(handle)
    try:
        return win32file.GetOverlappedResult(handle, overlapped, True)
    except pywintypes.error as error:
        if error.winerror == winerror.ERROR_OPERATION_ABORTED:
            return None
        raise


@contextlib.contextmanager
def _os_errors() -> Iterator[None]:
    try:
        yield
    except pywintypes.error as error:
        raise _os_error(error) from error


def _os_error(error: Any) -> OSError:
    """pywin32's error is none of Python's: the `OSError` that its number stands for."""
    return OSError(0, error.strerror, None, error.winerror)
