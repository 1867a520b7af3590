from __future__ import annotations

import ctypes
from ipaddress import ip_network
from pathlib import Path

from slopn_helper.host.firewall.wfp import structs
from slopn_helper.host.firewall.wfp.filters import (
    PROVIDER,
    SUBLAYER,
    Action,
    Condition,
    Field,
    Filter,
    Layer,
    Lifetime,
    Match,
    seen,
)
from slopn_helper.host.firewall.wfp.structs import (
    FWP_BYTE_BLOB,
    FWP_V4_ADDR_AND_MASK,
    FWP_V6_ADDR_AND_MASK,
    FWP_VALUE0,
    GUID,
    Memory,
    read,
)
from support.windows_headers import compare

KINDS = {
    name: getattr(structs, name)
    for name in (
        *("GUID", "FWP_BYTE_BLOB", "FWP_VALUE0", "FWP_V4_ADDR_AND_MASK", "FWP_V6_ADDR_AND_MASK", "FWPM_DISPLAY_DATA0"),
        *(
            "FWPM_SESSION0",
            "FWPM_PROVIDER0",
            "FWPM_SUBLAYER0",
            "FWPM_ACTION0",
            "FWPM_FILTER_CONDITION0",
            "FWPM_FILTER0",
        ),
        "FWPM_FILTER_ENUM_TEMPLATE0",
    )
}
NAMES = {"FWP_VALUE0.value": "uint8", "FWPM_FILTER0.context": "rawContext"}
DOCUMENTED = {
    "FWPM_SESSION0": 72,
    "FWPM_PROVIDER0": 64,
    "FWPM_SUBLAYER0": 72,
    "FWPM_FILTER_CONDITION0": 40,
    "FWPM_FILTER0": 200,
}

NETWORKS = (ip_network("10.0.0.0/8"), ip_network("192.0.2.7/32"))
FILTER = Filter(
    Layer.CONNECT_4,
    11,
    Action.BLOCK,
    "trial",
    (
        Condition(Field.PROTOCOL, 17),
        Condition(Field.REMOTE_PORT, 51820),
        Condition(Field.FLAGS, 1, Match.FLAGS_ALL_SET),
        Condition(Field.LOCAL_INTERFACE, 1 << 55, Match.NOT_EQUAL),
        *(Condition(Field.REMOTE_ADDRESS, network) for network in NETWORKS),
        Condition(Field.PROGRAM, b"p\0\0\0"),
        Condition(Field.USER, "O:SY"),
    ),
    Lifetime.PERSISTENT,
)


def test_structures_are_those_of_the_headers(tmp_path: Path) -> None:
    """Every size and every offset, by the compiler for Windows."""
    assert compare(tmp_path, ("windows.h", "fwpmu.h"), KINDS, NAMES) == ""
    assert compare(tmp_path, ("windows.h", "fwpmu.h"), {"FWPM_FILTER0": KINDS["FWPM_SUBLAYER0"]}, NAMES) != ""


def test_sizes_are_the_documented_ones() -> None:
    """Those of x64, which other programs that do without headers know too."""
    assert {name: ctypes.sizeof(KINDS[name]) for name in DOCUMENTED} == DOCUMENTED


def test_a_filter_is_what_it_says() -> None:
    """Each condition, read back out of memory as Windows would."""
    memory = Memory(lambda text: text.encode() + b"!")
    made = memory.filter(FILTER)
    assert read(made) == seen(FILTER)
    assert made.subLayerKey.key == SUBLAYER
    assert made.providerKey.contents.key == PROVIDER
    assert (made.weight.type, made.weight.value.uint8) == (structs.UINT8, 11)
    assert made.numFilterConditions == len(FILTER.conditions)
    for number, condition in enumerate(FILTER.conditions):
        there = made.filterCondition[number]
        assert (there.fieldKey.key, there.matchType) == (condition.field.value, condition.match)
    values = [value_of(made.filterCondition[n].conditionValue) for n in range(len(FILTER.conditions))]
    assert values == [17, 51820, 1, 1 << 55, *NETWORKS, b"p\0\0\0", b"O:SY!"]


def test_an_ipv6_network_is_its_address_and_prefix() -> None:
    """The address stands as packets carry it, not in the host's byte order."""
    network = ip_network("2001:db8:77::/48")
    memory = Memory(str.encode)
    made = memory.filter(FILTER._replace(conditions=(Condition(Field.REMOTE_ADDRESS, network),)))
    assert value_of(made.filterCondition[0].conditionValue) == network


def test_a_filter_without_conditions_points_nowhere() -> None:
    """It holds for everything."""
    made = Memory(str.encode).filter(FILTER._replace(conditions=()))
    assert made.numFilterConditions == 0
    assert not made.filterCondition


def test_what_windows_sets_by_itself_is_no_difference() -> None:
    """FWPM_FILTER_FLAG_INDEXED."""
    made = Memory(str.encode).filter(FILTER)
    made.flags |= 0x40
    assert read(made) == seen(FILTER)


def test_the_provider_names_no_service() -> None:
    """And both it and the sublayer last, so that filters in them may; the sublayer is the heaviest."""
    memory = Memory(str.encode)
    provider, sublayer = memory.provider(), memory.sublayer()
    assert (provider.providerKey.key, provider.flags, provider.serviceName) == (PROVIDER, 1, None)
    assert (sublayer.subLayerKey.key, sublayer.flags, sublayer.weight) == (SUBLAYER, 1, 0xFFFF)
    assert sublayer.providerKey.contents.key == PROVIDER


def test_a_guid_is_the_same_both_ways() -> None:
    """Windows keeps its first three parts in its own byte order."""
    assert GUID.of(PROVIDER).Data1 == 0xD8E0534A
    assert GUID.of(PROVIDER).key == PROVIDER


def value_of(value: FWP_VALUE0) -> object:
    """A value in Python's words."""
    where = value.value.pointer
    match value.type:
        case structs.UINT8:
            return value.value.uint8
        case structs.UINT16:
            return value.value.uint16
        case structs.UINT32:
            return value.value.uint32
        case structs.UINT64:
            return ctypes.c_uint64.from_address(where).value
        case structs.V4_ADDR_MASK:
            four = FWP_V4_ADDR_AND_MASK.from_address(where)
            return ip_network((four.addr, four.mask.bit_count()))
        case structs.V6_ADDR_MASK:
            six = FWP_V6_ADDR_AND_MASK.from_address(where)
            return ip_network((bytes(six.addr), six.prefixLength))
    blob = FWP_BYTE_BLOB.from_address(where)
    return ctypes.string_at(blob.data, blob.size)
