"""What undoes one change of the host each, as the journal keeps it: plain data, and which of it outlives a boot."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from msgspec import Struct


class Inverse(Struct, frozen=True):
    """What undoes one change of the host; harmless when there is nothing to undo."""

    KEY: ClassVar[tuple[str, ...]] = ()
    """The fields that name what is undone; the others say what it was."""

    @property
    def key(self) -> str:
        """Two inverses with the same key undo the same thing."""
        return " ".join([str(self.__struct_config__.tag), *(str(getattr(self, name)) for name in self.KEY)])


class RemoveNftTable(Inverse, frozen=True, tag="nft-table"):
    """A table of the packet filter that is all ours."""

    family: str
    name: str

    KEY: ClassVar[tuple[str, ...]] = ("family", "name")


class RemoveWfpFilters(Inverse, frozen=True, tag="wfp"):
    """All filters of one provider of the Windows Filtering Platform, its sublayer, and itself."""

    provider: str

    KEY: ClassVar[tuple[str, ...]] = ("provider",)


class RemoveRules(Inverse, frozen=True, tag="rules"):
    """Policy rules of both families that carry our `protocol`."""

    protocol: int

    KEY: ClassVar[tuple[str, ...]] = ("protocol",)


class RemoveRoutes(Inverse, frozen=True, tag="routes"):
    """Routes of both families in `table` that carry our `protocol`."""

    table: int
    protocol: int

    KEY: ClassVar[tuple[str, ...]] = ("table", "protocol")


class RemoveAddresses(Inverse, frozen=True, tag="addresses"):
    """All addresses of our own interface, which is otherwise left as it is."""

    interface: str

    KEY: ClassVar[tuple[str, ...]] = ("interface",)


class SysctlWas(Inverse, frozen=True, tag="sysctl"):
    """What a kernel setting was, and what we made of it: one that is no longer `ours` isn't ours to put back."""

    name: str
    """Below /proc/sys, with slashes."""
    value: str
    ours: str

    KEY: ClassVar[tuple[str, ...]] = ("name",)


class FileWas(Inverse, frozen=True, tag="file"):
    """What was at `path`: nothing (neither `content` nor `link`), a file, or a symbolic link."""

    path: str
    content: bytes | None = None
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    link: str | None = None
    ours: bytes = b""
    """What our own version begins with. Another file found in its place is somebody else's doing since."""

    KEY: ClassVar[tuple[str, ...]] = ("path",)


class ResolvedRevert(Inverse, frozen=True, tag="resolved"):
    """The settings that systemd-resolved has for our interface."""

    interface: str

    KEY: ClassVar[tuple[str, ...]] = ("interface",)


class DomainDns(Struct, frozen=True):
    """Who is asked about the names below one domain, in NetworkManager's words."""

    servers: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


class NetworkManagerWas(Inverse, frozen=True, tag="networkmanager"):
    """NetworkManager's global DNS configuration before us; without `domains` there was none.

    It is NetworkManager's own state on disk, so ours would come back with every start of it.
    """

    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    domains: dict[str, DomainDns] = msgspec.field(default_factory=dict)
    """By name; `*` is all."""
    resolv_conf: bytes | None = None
    """What /etc/resolv.conf held before us, for a NetworkManager that is gone and can't write it."""


class ResolvconfRecord(Inverse, frozen=True, tag="resolvconf"):
    """Our record in resolvconf(8), made by `program` of the kind `flavour`; the file may name `servers` because of it."""

    program: str
    flavour: str
    record: str
    servers: tuple[str, ...] = ()

    KEY: ClassVar[tuple[str, ...]] = ("record",)


Entry = (
    RemoveNftTable
    | RemoveWfpFilters
    | RemoveRules
    | RemoveRoutes
    | RemoveAddresses
    | SysctlWas
    | FileWas
    | ResolvedRevert
    | NetworkManagerWas
    | ResolvconfRecord
)

OUTLIVES_BOOT = (FileWas, NetworkManagerWas, ResolvconfRecord, RemoveWfpFilters)
"""A reboot has undone all others: keeping them would one day undo what somebody else did."""
