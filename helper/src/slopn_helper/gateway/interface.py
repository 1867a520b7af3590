"""The tunnel's interface at the gateway: its addresses inside, each with its pool behind it, its MTU; over rtnetlink(7)."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Sequence
from ipaddress import ip_interface
from pathlib import Path

from slopn_helper.gateway import pools
from slopn_helper.gateway.types import Pool
from slopn_helper.host import rtnl
from slopn_helper.host.journal import Journal, RemoveAddresses
from slopn_helper.host.routes import RouteError
from slopn_helper.host.routes.kernel import change_address, connected, step
from slopn_wire.profile import IPInterface

MTU = 1420
"""What every way takes that carries 1,500 bytes, over IPv6 too."""

_CONF6 = Path("/proc/sys/net/ipv6/conf")

_log = logging.getLogger(__name__)


def addresses(lent: Iterable[Pool]) -> tuple[IPInterface, ...]:
    """The gateway's own: the first address of each pool, with the pool as its network."""
    return tuple(ip_interface((pools.gateway_address(pool.network), pool.network.prefixlen)) for pool in lent)


class Interface:
    """One interface, made by the engine. What belongs to it goes with it, so that only a crash leaves anything to undo."""

    def __init__(self, name: str, journal: Journal) -> None:
        self.name = name
        self._journal = journal
        self._wanted: tuple[IPInterface, ...] = ()

    async def apply(self, wanted: Sequence[IPInterface]) -> None:
        """Give it exactly these addresses, and bring it up. Idempotent. Raises `RouteError`."""
        index = rtnl.link_index(self.name)
        if index is None:
            raise RouteError(f"there is no interface {self.name}")
        kept = tuple(address for address in wanted if address.version == 4 or self._has_ipv6())
        if len(kept) < len(wanted):
            _log.warning("this host has no IPv6, so %s has no IPv6 address", self.name)
        try:
            self._journal.record(RemoveAddresses(self.name))
        except OSError as error:
            raise RouteError(f"the journal can't be written, so nothing is changed: {error}") from error
        async with connected() as ipr:
            # Neighbours there are none: a link-local address would only send solicitations to nobody.
            with contextlib.suppress(OSError):
                (_CONF6 / self.name / "addr_gen_mode").write_text("1", encoding="ascii")
            with step(f"bringing {self.name} up with MTU {MTU}"):
                await ipr.link("set", index=index, mtu=MTU, state="up")
            present = await rtnl.addresses(ipr, index)
            for address in present:
                if address not in kept:
                    await change_address(ipr, "del", index, address)
            for address in kept:
                if address not in present:
                    await change_address(ipr, "add", index, address, prefix_route=True)
        self._wanted = kept

    @property
    def addresses(self) -> tuple[IPInterface, ...]:
        """What it has: of what was wanted, what this host can have."""
        return self._wanted

    async def drift(self) -> str | None:
        """None when it is as it was left; else what differs. Raises `RouteError`."""
        if not self._wanted:
            return None
        index = rtnl.link_index(self.name)
        if index is None:
            return f"the interface {self.name} is gone"
        async with connected() as ipr:
            present = await rtnl.addresses(ipr, index)
            link = next((link for link in await rtnl.links(ipr) if link.number == index), None)
        if set(present) != set(self._wanted):
            return f"the addresses of {self.name} are others"
        if link is None or not link.usable or link.mtu != MTU:
            return f"{self.name} is down, or has another MTU"
        return None

    def gone(self) -> None:
        """The interface went, with all that was its own."""
        self._wanted = ()
        self._journal.forget(RemoveAddresses(self.name).key)

    def _has_ipv6(self) -> bool:
        switch = _CONF6 / self.name / "disable_ipv6"
        return switch.exists() and switch.read_text(encoding="ascii").strip() == "0"


def forget_others(journal: Journal) -> None:
    """What an earlier run left: its interface went with its process, so that one of that name is somebody else's."""
    journal.forget(*(entry.key for entry in journal.entries() if isinstance(entry, RemoveAddresses)))


async def uplinks(own: str) -> tuple[str, ...]:
    """The interfaces by which this host reaches the internet: those of the default routes, without ours. Raises `RouteError`."""
    async with connected() as ipr:
        names = {link.number: link.name for link in await rtnl.links(ipr)}
        rows = [row for row in await rtnl.routes(ipr, _MAIN) if row.kind == _UNICAST]
    defaults = sorted((row for row in rows if row.destination.prefixlen == 0), key=lambda row: row.metric)
    found = (names.get(row.device or 0) for row in defaults)
    return tuple(dict.fromkeys(name for name in found if name not in {None, own, "lo"} and name))


async def own_addresses() -> tuple[IPInterface, ...]:
    """All of this host's. Raises `RouteError`."""
    async with connected() as ipr:
        return tuple([address for link in await rtnl.links(ipr) for address in await rtnl.addresses(ipr, link.number)])


_MAIN = 254
_UNICAST = 1
