"""What this host looks like, for a problem report: one interface, one module a platform. Nothing here changes anything."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from slopn_wire.profile import IPAddress, IPInterface


class Link(Struct, frozen=True):
    """A network interface."""

    name: str
    mtu: int
    usable: bool
    """It is up and has a carrier."""
    addresses: tuple[IPInterface, ...] = ()


class Route(Struct, frozen=True):
    """A route, of any program."""

    table: int
    destination: str
    """In CIDR notation."""
    via: str | None = None
    device: str | None = None
    metric: int = 0
    protocol: int = 0
    unreachable: bool = False
    """Packets end here: any kind of route that leads nowhere."""
    ours: bool = False


class Rule(Struct, frozen=True):
    """A policy rule, of any program."""

    version: int
    """4 or 6."""
    priority: int
    table: int
    fwmark: int = 0
    inverted: bool = False
    protocol: int = 0
    ours: bool = False
    partial: bool = False
    """Not every packet is led by it: it selects by more than a mark, or leaves default routes out."""


class Filters(Struct, frozen=True):
    """The packet filter's tables."""

    ours: str
    """Our table, as the platform's own tool writes it; empty: there is none."""
    others: tuple[str, ...] = ()
    """The names of the others, with their families: what is in them is none of our business."""
    closing: tuple[str, ...] = ()
    """Those of the others that drop what leaves this host unless a rule of theirs lets it through."""


class System(Struct, frozen=True):
    """The host itself."""

    name: str
    """`Debian GNU/Linux 12 (bookworm)`."""
    kernel: str
    """`6.1.0-13-amd64`."""
    kernel_keeps_tables: bool
    """A table of the packet filter can have an owner, and outlive it."""
    tun: str | None = None
    """Why a tunnel's device can't be made; None: it can."""


class HostFacts(Protocol):
    """Each may raise anything: what can't be found out is said so in the report."""

    async def links(self) -> tuple[Link, ...]:
        """All interfaces."""

    async def routes(self) -> tuple[Route, ...]:
        """Of the main table and of all that policy rules lead to, without what the kernel makes for its own addresses."""

    async def rules(self) -> tuple[Rule, ...]:
        """All policy rules but the kernel's own."""

    async def filters(self) -> Filters:
        """The packet filter."""

    async def system(self) -> System:
        """The host."""

    async def resolvers(self) -> str:
        """The files and services that say who is asked for names, as text for people."""

    async def answers(self, server: IPAddress, interface: str) -> float | None:
        """Seconds until the resolver answered a question that says nothing of anybody, through `interface` alone.

        None: it gave no answer.
        """
