"""The few functions of Security, CoreFoundation and libproc that tell what a process runs, by ctypes."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable, Iterator
from ctypes import POINTER, c_char_p, c_int, c_int32, c_long, c_uint32, c_void_p
from typing import Any, NamedTuple

from slopn_helper.ipc.endpoints.macos.peer import AuditToken

SECURITY = "/System/Library/Frameworks/Security.framework/Security"
CORE_FOUNDATION = "/System/Library/Frameworks/CoreFoundation.framework/CoreFoundation"
SYSTEM = "/usr/lib/libSystem.B.dylib"

PATH_SIZE = 4096
"""PROC_PIDPATHINFO_MAXSIZE of libproc.h."""
_UTF8 = 0x0800_0100
_DEFAULT_FLAGS = 0


class AuditTokenStruct(ctypes.Structure):
    """audit_token_t of mach/message.h."""

    _fields_ = (("val", c_uint32 * 8),)


class Function(NamedTuple):
    """What a C function returns and takes."""

    result: Any
    arguments: tuple[Any, ...]


# CFIndex is a long, OSStatus an int32_t, SecCSFlags a uint32_t; every CF and Sec object is a pointer.
FUNCTIONS: dict[str, dict[str, Function]] = {
    CORE_FOUNDATION: {
        "CFDataCreate": Function(c_void_p, (c_void_p, c_char_p, c_long)),
        "CFDictionaryCreate": Function(
            c_void_p, (c_void_p, POINTER(c_void_p), POINTER(c_void_p), c_long, c_void_p, c_void_p)
        ),
        "CFStringCreateWithCString": Function(c_void_p, (c_void_p, c_char_p, c_uint32)),
        "CFRelease": Function(None, (c_void_p,)),
    },
    SECURITY: {
        "SecCodeCopyGuestWithAttributes": Function(c_int32, (c_void_p, c_void_p, c_uint32, POINTER(c_void_p))),
        "SecRequirementCreateWithString": Function(c_int32, (c_void_p, c_uint32, POINTER(c_void_p))),
        "SecCodeCheckValidity": Function(c_int32, (c_void_p, c_uint32, c_void_p)),
    },
    SYSTEM: {
        "proc_pidpath_audittoken": Function(c_int, (POINTER(AuditTokenStruct), c_void_p, c_uint32)),
    },
}


class Frameworks:
    """macOS 11 or newer. Raises `OSError` where a library is missing, `AttributeError` where a function is."""

    def __init__(self, load: Callable[[str], Any] = ctypes.CDLL) -> None:
        libraries = {path: _typed(load(path), functions) for path, functions in FUNCTIONS.items()}
        self._cf = libraries[CORE_FOUNDATION]
        self._security = libraries[SECURITY]
        self._system = libraries[SYSTEM]

    def image(self, token: AuditToken) -> str | None:
        """The path of the program; None when that very process is gone or runs another program by now."""
        buffer = ctypes.create_string_buffer(PATH_SIZE)
        size = self._system.proc_pidpath_audittoken(ctypes.byref(_struct(token)), buffer, PATH_SIZE)
        return buffer.raw[:size].decode(errors="surrogateescape") if size > 0 else None

    def meets(self, token: AuditToken, requirement: str) -> bool:
        """Is the process's code valid, as it runs, and signed as `requirement` says? Slow: some milliseconds."""
        with contextlib.ExitStack() as owned:
            try:
                code = owned.enter_context(self._guest(token))
                wanted = owned.enter_context(self._requirement(requirement))
            except OSError:
                return False
            return bool(self._security.SecCodeCheckValidity(code, _DEFAULT_FLAGS, wanted) == 0)

    @contextlib.contextmanager
    def _guest(self, token: AuditToken) -> Iterator[c_void_p]:
        with (
            self._owned(self._cf.CFDataCreate(None, token.raw, len(token.raw))) as data,
            self._attributes(data) as attributes,
            self._made(
                lambda made: self._security.SecCodeCopyGuestWithAttributes(None, attributes, _DEFAULT_FLAGS, made)
            ) as code,
        ):
            yield code

    @contextlib.contextmanager
    def _requirement(self, text: str) -> Iterator[c_void_p]:
        with (
            self._owned(self._cf.CFStringCreateWithCString(None, text.encode(), _UTF8)) as string,
            self._made(
                lambda made: self._security.SecRequirementCreateWithString(string, _DEFAULT_FLAGS, made)
            ) as requirement,
        ):
            yield requirement

    @contextlib.contextmanager
    def _attributes(self, token: c_void_p) -> Iterator[c_void_p]:
        """A dictionary that holds the token for SecCodeCopyGuestWithAttributes."""
        key = _symbol(self._security, "kSecGuestAttributeAudit")
        callbacks = [
            ctypes.addressof(_symbol(self._cf, f"kCFTypeDictionary{side}CallBacks")) for side in ("Key", "Value")
        ]
        made = self._cf.CFDictionaryCreate(None, (c_void_p * 1)(key.value), (c_void_p * 1)(token.value), 1, *callbacks)
        with self._owned(made) as dictionary:
            yield dictionary

    @contextlib.contextmanager
    def _made(self, make: Callable[[Any], int]) -> Iterator[c_void_p]:
        """What a Sec function hands back through its last argument."""
        made = c_void_p()
        status = make(ctypes.byref(made))
        if status != 0:
            raise OSError(f"Security.framework: OSStatus {status}")
        with self._owned(made.value) as pointer:
            yield pointer

    @contextlib.contextmanager
    def _owned(self, pointer: int | None) -> Iterator[c_void_p]:
        """Released in the end."""
        if not pointer:
            raise OSError("CoreFoundation: out of memory")
        owned = c_void_p(pointer)
        try:
            yield owned
        finally:
            self._cf.CFRelease(owned)


def _typed(library: Any, functions: dict[str, Function]) -> Any:
    for name, function in functions.items():
        found = getattr(library, name)
        found.restype, found.argtypes = function.result, function.arguments
    return library


def _symbol(library: Any, name: str) -> c_void_p:
    """A global variable: a pointer, or the beginning of a struct of pointers."""
    return c_void_p.in_dll(library, name)


def _struct(token: AuditToken) -> AuditTokenStruct:
    return AuditTokenStruct.from_buffer_copy(token.raw)
