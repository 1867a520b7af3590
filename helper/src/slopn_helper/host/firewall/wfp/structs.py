# ruff: noqa: N801 - the names are those of the headers
"""The structures of the Windows Filtering Platform for x64 and ARM64 (fwptypes.h, fwpmtypes.h), and filters in them.

No call is made here: sizes and offsets are the same wherever this is read, and a test compares them with the headers.
"""

from __future__ import annotations

import ctypes
import uuid
from collections.abc import Callable
from ctypes import POINTER, Structure, Union, c_int32, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p
from ipaddress import IPv4Network, IPv6Network

from slopn_helper.host.firewall.wfp.filters import (
    CLEAR_ACTION_RIGHT,
    PROVIDER,
    SUBLAYER,
    SUBLAYER_WEIGHT,
    Condition,
    Field,
    Filter,
    Lifetime,
    Seen,
)

UINT8, UINT16, UINT32, UINT64, BYTE_BLOB, SECURITY_DESCRIPTOR = 1, 2, 3, 4, 12, 14
V4_ADDR_MASK, V6_ADDR_MASK = 0x100, 0x101
"""FWP_DATA_TYPE."""
PERSISTENT = 1
"""FWPM_PROVIDER_FLAG_PERSISTENT, FWPM_SUBLAYER_FLAG_PERSISTENT."""

_WIDTH = {
    Field.PROTOCOL: UINT8,
    Field.LOCAL_PORT: UINT16,
    Field.REMOTE_PORT: UINT16,
    Field.FLAGS: UINT32,
    Field.ARRIVAL_TYPE: UINT32,
    Field.LOCAL_INTERFACE: UINT64,
    Field.ARRIVAL_INTERFACE: UINT64,
}


class GUID(Structure):
    """guiddef.h."""

    _fields_ = (("Data1", c_uint32), ("Data2", c_uint16), ("Data3", c_uint16), ("Data4", c_uint8 * 8))

    @classmethod
    def of(cls, key: uuid.UUID) -> GUID:
        """The same in memory."""
        return cls.from_buffer_copy(key.bytes_le)

    @property
    def key(self) -> uuid.UUID:
        """The same as Python has it."""
        return uuid.UUID(bytes_le=bytes(self))


class FWP_BYTE_BLOB(Structure):
    """Bytes elsewhere."""

    _fields_ = (("size", c_uint32), ("data", c_void_p))


class FWP_VALUE(Union):
    """The value of FWP_VALUE0 and FWP_CONDITION_VALUE0: a small number, or where it is."""

    _fields_ = (("uint8", c_uint8), ("uint16", c_uint16), ("uint32", c_uint32), ("pointer", c_void_p))


class FWP_VALUE0(Structure):
    """A value and its FWP_DATA_TYPE; FWP_CONDITION_VALUE0 is the same in memory."""

    _fields_ = (("type", c_int32), ("value", FWP_VALUE))


class FWP_V4_ADDR_AND_MASK(Structure):
    """Both in the host's byte order."""

    _fields_ = (("addr", c_uint32), ("mask", c_uint32))


class FWP_V6_ADDR_AND_MASK(Structure):
    """The address as packets carry it."""

    _fields_ = (("addr", c_uint8 * 16), ("prefixLength", c_uint8))


class FWPM_DISPLAY_DATA0(Structure):
    """Pointers to wide strings."""

    _fields_ = (("name", c_void_p), ("description", c_void_p))


class FWPM_SESSION0(Structure):
    """How long to wait for another's transaction; the rest is Windows' to fill."""

    _fields_ = (
        ("sessionKey", GUID),
        ("displayData", FWPM_DISPLAY_DATA0),
        ("flags", c_uint32),
        ("txnWaitTimeoutInMSec", c_uint32),
        ("processId", c_uint32),
        ("sid", c_void_p),
        ("username", c_void_p),
        ("kernelMode", c_int32),
    )


class FWPM_PROVIDER0(Structure):
    """Whose filters they are."""

    _fields_ = (
        ("providerKey", GUID),
        ("displayData", FWPM_DISPLAY_DATA0),
        ("flags", c_uint32),
        ("providerData", FWP_BYTE_BLOB),
        ("serviceName", c_void_p),
    )


class FWPM_SUBLAYER0(Structure):
    """Where they stand among others'."""

    _fields_ = (
        ("subLayerKey", GUID),
        ("displayData", FWPM_DISPLAY_DATA0),
        ("flags", c_uint16),
        ("providerKey", POINTER(GUID)),
        ("providerData", FWP_BYTE_BLOB),
        ("weight", c_uint16),
    )


class FWPM_ACTION0(Structure):
    """What is done with a packet."""

    _fields_ = (("type", c_uint32), ("filterType", GUID))


class FWPM_FILTER_CONDITION0(Structure):
    """One comparison."""

    _fields_ = (("fieldKey", GUID), ("matchType", c_int32), ("conditionValue", FWP_VALUE0))


class _Context(Union):
    _fields_ = (("rawContext", c_uint64), ("providerContextKey", GUID))


class FWPM_FILTER0(Structure):
    """One filter."""

    _fields_ = (
        ("filterKey", GUID),
        ("displayData", FWPM_DISPLAY_DATA0),
        ("flags", c_uint32),
        ("providerKey", POINTER(GUID)),
        ("providerData", FWP_BYTE_BLOB),
        ("layerKey", GUID),
        ("subLayerKey", GUID),
        ("weight", FWP_VALUE0),
        ("numFilterConditions", c_uint32),
        ("filterCondition", POINTER(FWPM_FILTER_CONDITION0)),
        ("action", FWPM_ACTION0),
        ("context", _Context),
        ("reserved", POINTER(GUID)),
        ("filterId", c_uint64),
        ("effectiveWeight", FWP_VALUE0),
    )


class FWPM_FILTER_ENUM_TEMPLATE0(Structure):
    """Which filters are asked for."""

    _fields_ = (
        ("providerKey", POINTER(GUID)),
        ("layerKey", GUID),
        ("enumType", c_int32),
        ("flags", c_uint32),
        ("providerContextTemplate", c_void_p),
        ("numFilterConditions", c_uint32),
        ("filterCondition", POINTER(FWPM_FILTER_CONDITION0)),
        ("actionMask", c_uint32),
        ("calloutKey", POINTER(GUID)),
    )


class Memory:
    """Builds structures, and holds what they point to for as long as it lives itself.

    `describe` makes a self-relative security descriptor of its text.
    """

    def __init__(self, describe: Callable[[str], bytes]) -> None:
        self._describe = describe
        self._held: list[object] = []

    def provider(self) -> FWPM_PROVIDER0:
        """Ours. It names no service: Windows would drop a provider's lasting filters where that one is switched off."""
        return FWPM_PROVIDER0(GUID.of(PROVIDER), self._named("SloPN"), PERSISTENT)

    def sublayer(self) -> FWPM_SUBLAYER0:
        """Ours. It lasts whatever the filters do, since one that lasts may only stand in one that does."""
        return FWPM_SUBLAYER0(
            subLayerKey=GUID.of(SUBLAYER),
            displayData=self._named("SloPN"),
            flags=PERSISTENT,
            providerKey=self._pointer(GUID.of(PROVIDER)),
            weight=SUBLAYER_WEIGHT,
        )

    def filter(self, of: Filter) -> FWPM_FILTER0:
        """One filter as FwpmFilterAdd0 takes it."""
        conditions = (FWPM_FILTER_CONDITION0 * len(of.conditions))(*map(self._condition, of.conditions))
        self._held.append(conditions)
        made = FWPM_FILTER0(
            filterKey=GUID.of(of.key),
            displayData=self._named(f"SloPN: {of.name}"),
            flags=of.flags,
            providerKey=self._pointer(GUID.of(PROVIDER)),
            layerKey=GUID.of(of.layer.value),
            subLayerKey=GUID.of(SUBLAYER),
            weight=FWP_VALUE0(UINT8, FWP_VALUE(uint8=of.weight)),
            numFilterConditions=len(of.conditions),
            action=FWPM_ACTION0(of.action),
        )
        if of.conditions:
            made.filterCondition = ctypes.cast(conditions, POINTER(FWPM_FILTER_CONDITION0))
        return made

    def template(self, layer: uuid.UUID, flags: int) -> FWPM_FILTER_ENUM_TEMPLATE0:
        """All of ours in one layer."""
        return FWPM_FILTER_ENUM_TEMPLATE0(
            providerKey=self._pointer(GUID.of(PROVIDER)),
            layerKey=GUID.of(layer),
            enumType=1,  # FWP_FILTER_ENUM_OVERLAPPING
            flags=flags,
            actionMask=0xFFFF_FFFF,
        )

    def _condition(self, of: Condition) -> FWPM_FILTER_CONDITION0:
        return FWPM_FILTER_CONDITION0(GUID.of(of.field.value), of.match, self._value(of))

    def _value(self, of: Condition) -> FWP_VALUE0:
        match of.value:
            case int() as number:
                width = _WIDTH[of.field]
                if width == UINT64:
                    return FWP_VALUE0(width, FWP_VALUE(pointer=self._address(c_uint64(number))))
                return FWP_VALUE0(width, FWP_VALUE(**{f"uint{8 << (width - 1)}": number}))
            case str() as text:
                return FWP_VALUE0(SECURITY_DESCRIPTOR, FWP_VALUE(pointer=self._blob(self._describe(text))))
            case bytes() as raw:
                return FWP_VALUE0(BYTE_BLOB, FWP_VALUE(pointer=self._blob(raw)))
            case IPv4Network() as four:
                masked = FWP_V4_ADDR_AND_MASK(int(four.network_address), int(four.netmask))
                return FWP_VALUE0(V4_ADDR_MASK, FWP_VALUE(pointer=self._address(masked)))
            case IPv6Network() as six:
                prefix = FWP_V6_ADDR_AND_MASK((c_uint8 * 16)(*six.network_address.packed), six.prefixlen)
                return FWP_VALUE0(V6_ADDR_MASK, FWP_VALUE(pointer=self._address(prefix)))

    def _blob(self, raw: bytes) -> int:
        data = (c_uint8 * len(raw))(*raw)
        return self._address(FWP_BYTE_BLOB(len(raw), self._address(data)))

    def _named(self, name: str) -> FWPM_DISPLAY_DATA0:
        wide = name.encode("utf-16-le") + b"\0\0"
        return FWPM_DISPLAY_DATA0(self._address((c_uint8 * len(wide))(*wide)))

    def _pointer(self, guid: GUID) -> ctypes._Pointer[GUID]:
        self._held.append(guid)
        return ctypes.pointer(guid)

    def _address(self, of: Structure | ctypes.Array[c_uint8] | c_uint64) -> int:
        self._held.append(of)
        return ctypes.addressof(of)


def read(of: FWPM_FILTER0) -> Seen:
    """What is compared of a filter that Windows tells of: flags that it sets by itself say nothing."""
    flags = int(of.flags) & (Lifetime.PERSISTENT | Lifetime.BOOT | CLEAR_ACTION_RIGHT)
    return Seen(of.filterKey.key, of.layerKey.key, int(of.action.type), flags)
