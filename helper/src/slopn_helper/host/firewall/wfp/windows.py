"""Every call to Windows that the kill switch needs (fwpuclnt.dll). Thin: what is decided stands in `plan` and `firewall`."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator, Sequence
from ctypes import POINTER, byref, c_int32, c_uint32, c_uint64, c_void_p, c_wchar_p

from slopn_helper.host.firewall import FirewallError
from slopn_helper.host.firewall.wfp.filters import PROVIDER, SUBLAYER, Filter, Layer, Seen
from slopn_helper.host.firewall.wfp.structs import (
    FWP_BYTE_BLOB,
    FWPM_FILTER0,
    FWPM_FILTER_ENUM_TEMPLATE0,
    FWPM_PROVIDER0,
    FWPM_SESSION0,
    FWPM_SUBLAYER0,
    GUID,
    Memory,
    read,
)

WAIT = 5000
"""Milliseconds that another program's transaction is waited for."""
_AUTHN_DEFAULT = 0xFFFF_FFFF
_NOT_FOUND = frozenset({0x80320003, 0x80320005, 0x80320007, 0x80320008})
_ALREADY_EXISTS = 0x80320009
_INCLUDE_BOOT, _INCLUDE_DISABLED = 8, 16
"""FWP_FILTER_ENUM_FLAG_*."""
_AT_ONCE = 256
_SDDL_REVISION_1 = 1

_fwp = ctypes.WinDLL("fwpuclnt")
_advapi32 = ctypes.WinDLL("advapi32", use_last_error=True)
_kernel32 = ctypes.WinDLL("kernel32")
_iphlpapi = ctypes.WinDLL("iphlpapi")

_SIGNATURES: dict[str, tuple[object, ...]] = {
    "FwpmEngineOpen0": (c_wchar_p, c_uint32, c_void_p, POINTER(FWPM_SESSION0), POINTER(c_void_p)),
    "FwpmEngineClose0": (c_void_p,),
    "FwpmTransactionBegin0": (c_void_p, c_uint32),
    "FwpmTransactionCommit0": (c_void_p,),
    "FwpmTransactionAbort0": (c_void_p,),
    "FwpmProviderAdd0": (c_void_p, POINTER(FWPM_PROVIDER0), c_void_p),
    "FwpmProviderDeleteByKey0": (c_void_p, POINTER(GUID)),
    "FwpmSubLayerAdd0": (c_void_p, POINTER(FWPM_SUBLAYER0), c_void_p),
    "FwpmSubLayerDeleteByKey0": (c_void_p, POINTER(GUID)),
    "FwpmFilterAdd0": (c_void_p, POINTER(FWPM_FILTER0), c_void_p, POINTER(c_uint64)),
    "FwpmFilterDeleteByKey0": (c_void_p, POINTER(GUID)),
    "FwpmFilterCreateEnumHandle0": (c_void_p, POINTER(FWPM_FILTER_ENUM_TEMPLATE0), POINTER(c_void_p)),
    "FwpmFilterEnum0": (
        *(c_void_p, c_void_p, c_uint32),
        *(POINTER(POINTER(POINTER(FWPM_FILTER0))), POINTER(c_uint32)),
    ),
    "FwpmFilterDestroyEnumHandle0": (c_void_p, c_void_p),
    "FwpmGetAppIdFromFileName0": (c_wchar_p, POINTER(POINTER(FWP_BYTE_BLOB))),
}
for _name, _types in _SIGNATURES.items():
    _function = getattr(_fwp, _name)
    _function.restype, _function.argtypes = c_uint32, _types
_fwp.FwpmFreeMemory0.restype, _fwp.FwpmFreeMemory0.argtypes = None, (POINTER(c_void_p),)
_iphlpapi.ConvertInterfaceAliasToLuid.restype = c_uint32
_iphlpapi.ConvertInterfaceAliasToLuid.argtypes = (c_wchar_p, POINTER(c_uint64))
_descriptor = _advapi32.ConvertStringSecurityDescriptorToSecurityDescriptorW
_descriptor.restype, _descriptor.argtypes = c_int32, (c_wchar_p, c_uint32, POINTER(c_void_p), POINTER(c_uint32))
_kernel32.LocalFree.restype, _kernel32.LocalFree.argtypes = c_void_p, (c_void_p,)


class Windows:
    """`Platform` by the Base Filtering Engine. Each call opens a session of its own, and closes it whatever happens."""

    def replace(self, filters: Sequence[Filter]) -> None:
        """See `Platform.replace`."""
        memory = Memory(describe)
        with _session() as engine, _transaction(engine):
            for seen in _present(engine, memory):
                _gone("removing a filter", _fwp.FwpmFilterDeleteByKey0(engine, byref(GUID.of(seen.key))))
            if filters:
                _there("adding the provider", _fwp.FwpmProviderAdd0(engine, byref(memory.provider()), None))
                _there("adding the sublayer", _fwp.FwpmSubLayerAdd0(engine, byref(memory.sublayer()), None))
                for each in filters:
                    _add(engine, memory, each)
            else:
                _gone("removing the sublayer", _fwp.FwpmSubLayerDeleteByKey0(engine, byref(GUID.of(SUBLAYER))))
                _gone("removing the provider", _fwp.FwpmProviderDeleteByKey0(engine, byref(GUID.of(PROVIDER))))

    def present(self) -> frozenset[Seen]:
        """See `Platform.present`."""
        with _session() as engine:
            return frozenset(_present(engine, Memory(describe)))

    def identity(self, program: str) -> bytes:
        """See `Platform.identity`."""
        blob = POINTER(FWP_BYTE_BLOB)()
        _done(f"naming {program}", _fwp.FwpmGetAppIdFromFileName0(program, byref(blob)))
        try:
            return ctypes.string_at(blob.contents.data, blob.contents.size)
        finally:
            _free(blob)

    def luid(self, interface: str) -> int:
        """See `Platform.luid`."""
        found = c_uint64()
        _done(f"looking for the interface {interface}", _iphlpapi.ConvertInterfaceAliasToLuid(interface, byref(found)))
        return int(found.value)


def describe(sddl: str) -> bytes:
    """The self-relative security descriptor of a text. Raises `FirewallError`."""
    made, size = c_void_p(), c_uint32()
    if not _descriptor(sddl, _SDDL_REVISION_1, byref(made), byref(size)):
        raise FirewallError(f"the access list {sddl} can't be read: error {ctypes.get_last_error()}")
    try:
        return ctypes.string_at(made.value or 0, size.value)
    finally:
        _kernel32.LocalFree(made)


@contextlib.contextmanager
def _session() -> Iterator[c_void_p]:
    engine = c_void_p()
    # Not a dynamic one: what is added outlives it.
    session = FWPM_SESSION0(txnWaitTimeoutInMSec=WAIT)
    _done(
        "opening the filtering engine", _fwp.FwpmEngineOpen0(None, _AUTHN_DEFAULT, None, byref(session), byref(engine))
    )
    try:
        yield engine
    finally:
        _fwp.FwpmEngineClose0(engine)


@contextlib.contextmanager
def _transaction(engine: c_void_p) -> Iterator[None]:
    _done("beginning a transaction", _fwp.FwpmTransactionBegin0(engine, 0))
    try:
        yield
    except BaseException:
        _fwp.FwpmTransactionAbort0(engine)
        raise
    _done("committing the transaction", _fwp.FwpmTransactionCommit0(engine))


def _present(engine: c_void_p, memory: Memory) -> list[Seen]:
    return [seen for layer in Layer for seen in _in_layer(engine, memory, layer)]


def _in_layer(engine: c_void_p, memory: Memory, layer: Layer) -> list[Seen]:
    template = memory.template(layer.value, _INCLUDE_BOOT | _INCLUDE_DISABLED)
    handle = c_void_p()
    found: list[Seen] = []
    _done("listing filters", _fwp.FwpmFilterCreateEnumHandle0(engine, byref(template), byref(handle)))
    try:
        while True:
            rows, number = POINTER(POINTER(FWPM_FILTER0))(), c_uint32()
            _done("listing filters", _fwp.FwpmFilterEnum0(engine, handle, _AT_ONCE, byref(rows), byref(number)))
            try:
                found += [read(rows[at].contents) for at in range(number.value)]
            finally:
                _free(rows)
            if number.value < _AT_ONCE:
                return found
    finally:
        _fwp.FwpmFilterDestroyEnumHandle0(engine, handle)


def _add(engine: c_void_p, memory: Memory, each: Filter) -> None:
    made = memory.filter(each)
    code = _fwp.FwpmFilterAdd0(engine, byref(made), None, None)
    if code == _ALREADY_EXISTS:
        # Kept for the next boot, of which Windows need not tell.
        _done(f"removing {each}", _fwp.FwpmFilterDeleteByKey0(engine, byref(made.filterKey)))
        code = _fwp.FwpmFilterAdd0(engine, byref(made), None, None)
    _done(f"adding {each}", code)


def _free(pointer: ctypes._Pointer[FWP_BYTE_BLOB] | ctypes._Pointer[ctypes._Pointer[FWPM_FILTER0]]) -> None:
    if ctypes.cast(pointer, c_void_p).value:
        _fwp.FwpmFreeMemory0(ctypes.cast(byref(pointer), POINTER(c_void_p)))


def _there(doing: str, code: int) -> None:
    """Somebody may have added it before: an older version, or we."""
    if code != _ALREADY_EXISTS:
        _done(doing, code)


def _gone(doing: str, code: int) -> None:
    if code not in _NOT_FOUND:
        _done(doing, code)


def _done(doing: str, code: int) -> None:
    if code:
        raise FirewallError(f"{doing}: {ctypes.FormatError(code).strip()} ({code:#x})")
