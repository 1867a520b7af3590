"""Filters of the Windows Filtering Platform as data (fwpmu.h). Pure; what they are for stands in `plan`."""

from __future__ import annotations

import enum
import uuid
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

PROVIDER = uuid.UUID("d8e0534a-677e-43d4-af1e-38c27981ae55")
SUBLAYER = uuid.UUID("93b579aa-d030-4d43-821c-ce0fc9c57d56")
"""Ours, fixed for ever: they are how what an older version left is found."""
SUBLAYER_WEIGHT = 0xFFFF
"""Asked first. A block of ours is final then, and a permit is only ours: other firewalls may still block."""

LOOPBACK = 0x1
"""FWP_CONDITION_FLAG_IS_LOOPBACK."""


class Layer(enum.Enum):
    """Where a filter is asked: its key, which also says for which IP version."""

    CONNECT_4 = uuid.UUID("c38d57d1-05a7-4c33-904f-7fbceee60e82")
    CONNECT_6 = uuid.UUID("4a72393b-319f-44bc-84c3-ba54dcb3b6b4")
    """FWPM_LAYER_ALE_AUTH_CONNECT: a connection that begins here, a socket's first datagram to somebody."""
    ACCEPT_4 = uuid.UUID("e1cd9fe7-f4b5-4273-96c0-592e487b8650")
    ACCEPT_6 = uuid.UUID("a3b42c97-9f04-4672-b87e-cee9c483257f")
    """FWPM_LAYER_ALE_AUTH_RECV_ACCEPT: one that begins elsewhere. Answers to what began here never come by."""
    TRANSPORT_4 = uuid.UUID("09e61aea-d214-46e2-9b21-b26b0b2f28c8")
    TRANSPORT_6 = uuid.UUID("e1735bde-013f-4655-b351-a49e15762df0")
    """FWPM_LAYER_OUTBOUND_TRANSPORT: each packet that leaves, whoever made it; the program isn't known here."""
    FORWARD_4 = uuid.UUID("a82acc24-4ee1-4ee1-b465-fd1d25cb10a4")
    FORWARD_6 = uuid.UUID("7b964818-19c7-493a-b71f-832c3684d28c")
    """FWPM_LAYER_IPFORWARD: what this host passes on for others. There are no ports here."""

    @property
    def version(self) -> int:
        """Of IP."""
        return int(self.name[-1])


class Field(enum.Enum):
    """What a condition looks at: its key."""

    FLAGS = uuid.UUID("632ce23b-5167-435c-86d7-e903684aa80c")
    PROTOCOL = uuid.UUID("3971ef2b-623e-4f9a-8cb1-6e79b806b9a7")
    LOCAL_ADDRESS = uuid.UUID("d9ee00de-c1ef-4617-bfe3-ffd8f5a08957")
    REMOTE_ADDRESS = uuid.UUID("b235ae9a-1d64-49b8-a44c-5ff3d9095045")
    LOCAL_PORT = uuid.UUID("0c1ba1af-5765-453f-af22-a8f791ac775b")
    """Of ICMP the type: FWPM_CONDITION_ICMP_TYPE is the same key."""
    REMOTE_PORT = uuid.UUID("c35a604d-d22b-4e1a-91b4-68f674ee674b")
    LOCAL_INTERFACE = uuid.UUID("4cd62a49-59c3-4969-b7f3-bda5d32890a4")
    ARRIVAL_INTERFACE = uuid.UUID("618a9b6d-386b-4136-ad6e-b51587cfb1cd")
    ARRIVAL_TYPE = uuid.UUID("89f990de-e798-4e6d-ab76-7c9558292e6f")
    """The kind of device, an ifType of IANA's."""
    PROGRAM = uuid.UUID("d78e1e87-8644-4ea5-9437-d809ecefc971")
    USER = uuid.UUID("af043a0a-b34d-4f86-979c-c90371af6e66")
    SOURCE_ADDRESS = uuid.UUID("ae96897e-2e94-4bc9-b313-b27ee80e574d")
    DESTINATION_ADDRESS = uuid.UUID("2d79133b-b390-45c6-8699-acaceaafed33")


class Match(enum.IntEnum):
    """FWP_MATCH_TYPE, as far as it is used here."""

    EQUAL = 0
    FLAGS_ALL_SET = 6
    NOT_EQUAL = 10


class Action(enum.IntEnum):
    """FWP_ACTION_TYPE: both end the evaluation of the sublayer."""

    BLOCK = 0x1001
    PERMIT = 0x1002


class Lifetime(enum.IntEnum):
    """How long a filter lasts; the value is its flag."""

    STATIC = 0
    """Until the Base Filtering Engine ends, which is the computer's end: it outlives whoever made it."""
    PERSISTENT = 1
    """FWPM_FILTER_FLAG_PERSISTENT: comes back with the Base Filtering Engine."""
    BOOT = 2
    """FWPM_FILTER_FLAG_BOOTTIME: from the network's first moment until the Base Filtering Engine takes over."""


CLEAR_ACTION_RIGHT = 8
"""FWPM_FILTER_FLAG_CLEAR_ACTION_RIGHT: what a lower sublayer says can't undo it."""

Value = int | str | bytes | IPv4Network | IPv6Network
"""A number (its width is the field's), a security descriptor's text, a program's identity, or a network."""


class Condition(NamedTuple):
    """One comparison. Those of the same field stand together, and one of them is enough; of the others all must hold."""

    field: Field
    value: Value
    match: Match = Match.EQUAL


class Filter(NamedTuple):
    """One filter of ours."""

    layer: Layer
    weight: int
    """0 to 15; the heaviest that holds decides. Two of the same weight never contradict each other."""
    action: Action
    name: str
    conditions: tuple[Condition, ...] = ()
    lifetime: Lifetime = Lifetime.STATIC

    @property
    def key(self) -> uuid.UUID:
        """Made of what the filter says: nobody can change one that is there, so the keys tell whether they are ours."""
        return uuid.uuid5(PROVIDER, str(self))

    @property
    def flags(self) -> int:
        """FWPM_FILTER_FLAG_*."""
        return self.lifetime | (CLEAR_ACTION_RIGHT if self.action is Action.BLOCK else 0)

    def __str__(self) -> str:
        """One line that says it all."""
        lifetime = "" if self.lifetime is Lifetime.STATIC else f" {self.lifetime.name.lower()}"
        conditions = "".join(f" {_said(condition)}" for condition in self.conditions)
        layer = self.layer.name.lower()
        return f"{layer} {self.weight:2} {self.action.name.lower()} ({self.name}){lifetime}{conditions}"


class Seen(NamedTuple):
    """What Windows tells of a filter of ours."""

    key: uuid.UUID
    layer: uuid.UUID
    action: int
    flags: int


def seen(filter_: Filter) -> Seen:
    """What Windows must tell of it."""
    return Seen(filter_.key, filter_.layer.value, filter_.action, filter_.flags)


def _said(condition: Condition) -> str:
    field = condition.field.name.lower()
    sign = "!=" if condition.match is Match.NOT_EQUAL else "="
    value = condition.value
    if isinstance(value, bytes):
        value = value.decode("utf-16-le").rstrip("\0")
    return f"{field}{sign}{value}"
