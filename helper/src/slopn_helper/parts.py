"""What the wiring needs of an operating system: records of parts. `bootstrap` alone fills them, with this system's mechanisms."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from slopn_helper import daemon
from slopn_helper.engine import RekeyingEngine
from slopn_helper.gateways import Resolve
from slopn_helper.host.accounts import Accounts
from slopn_helper.host.dns import DnsConfigurator
from slopn_helper.host.facts import HostFacts
from slopn_helper.host.firewall import Firewall
from slopn_helper.host.journal import Entry, Journal
from slopn_helper.host.netmon import NetworkMonitor
from slopn_helper.host.portal import Verdict
from slopn_helper.host.routes import Router
from slopn_helper.host.seats import SeatMonitor
from slopn_helper.ipc.endpoints import Endpoint
from slopn_helper.ipc.users import AllowedUsers
from slopn_helper.store import Store
from slopn_wire.profile import IPAddress

Changes = Callable[[], AsyncIterator[str]]
"""A word each time that others may have changed something; none ends."""


class Dns(DnsConfigurator, daemon.Dns, Protocol):
    """The host's resolvers: set, kept in force, looked after."""

    def changes(self) -> AsyncIterator[str]:
        """See `Changes`."""
        ...


class Rules(Firewall, daemon.Rules, Protocol):
    """The kill switch."""

    def changes(self) -> AsyncIterator[str]:
        """See `Changes`."""
        ...


class LookForPortal(Protocol):
    """`host.portal.check`, by a socket that the kill switch lets pass."""

    async def __call__(self, url: str, addresses: Sequence[IPAddress], *, device: str | None) -> Verdict:
        """Raises nothing."""
        ...


@dataclass(frozen=True)
class Back:
    """The way back to a host that SloPN has changed nothing of; needs no running helper."""

    router: Router
    dns: Dns
    undo: Callable[[Entry], Awaitable[None]]
    """One entry of the journal, by the mechanism that wrote it. Raises that mechanism's error, and for another system's."""
    open: Callable[[], Awaitable[object]]
    """Remove all of the kill switch, whoever put it there, whether or not the journal knows."""


@dataclass(frozen=True)
class Parts:
    """This host's mechanisms, for one helper at work. Nothing has been changed by making them."""

    back: Back
    firewall: Rules
    engine: RekeyingEngine
    monitor: NetworkMonitor
    facts: HostFacts
    accounts: Accounts
    seats: SeatMonitor
    kept: tuple[type, ...]
    """Inverses that a start leaves alone: the block outlives who died, until the core knows better."""
    route_changes: Changes
    other_vpns: Changes
    """Another program's rules or routes have changed."""
    dns_choice: Callable[[], Awaitable[str]]
    """Which mechanism rules the host's DNS, and why."""
    resolve: Resolve
    portal: LookForPortal
    door: Callable[[Path, AllowedUsers], Endpoint]
    """Where front ends come in, below the runtime directory if it is a file; it follows who may."""
    beside: Sequence[Callable[[], Coroutine[None, None, None]]] = ()
    """What else runs as long as the helper."""
    close: Callable[[], None] = lambda: None
    """At the very end. What is in force stays in force."""


class Held(Protocol):
    """Something that is ours until it is closed."""

    def close(self) -> None:
        """Let others have it."""


@dataclass(frozen=True)
class System:
    """This operating system, as far as it is the same for every role."""

    boot: Callable[[], str]
    """What tells this run of the computer from others."""
    harden: Callable[[], None]
    """Keep what this process knows to itself. Raises `OSError`."""
    hold: Callable[[], Held]
    """Be the only helper of this host. Raises `OSError`."""
    end_other: Callable[[Store], None]
    """End the helper that holds the store, and hold it instead. Raises `StoreError`."""
    on_stop: Callable[[Callable[[], None]], None]
    """Call it in the running loop when this process is told to end."""
    ignore_stop: Callable[[], None]
    """Being told to end is no reason to."""
    ready: Callable[[], None]
    """Tell whoever has started this service that it is up. Raises nothing."""
    stopping: Callable[[], None]
    """The same, that it is going. Raises nothing."""
    back: Callable[[Journal], Back]
    parts: Callable[[Journal], Parts]
