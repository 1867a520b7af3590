"""What the settings mean for devices' packets: the policy, and keeping it in force while the network around it changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_network

from slopn_helper.gateway import pools as pool_rules
from slopn_helper.gateway.config import Config, Nat
from slopn_helper.gateway.net import GatewayNetError
from slopn_helper.gateway.net.network import GatewayNet
from slopn_helper.gateway.net.policy import GatewayNetPolicy, Protocol, Service
from slopn_helper.gateway.types import Pool
from slopn_helper.host.routes import RouteError
from slopn_helper.psk import PORT
from slopn_wire.profile import IPNetwork

LOOK_EVERY = 5.0
"""Seconds between two looks at what others may have changed."""

_EVERYWHERE = {4: ip_network("0.0.0.0/0"), 6: ip_network("::/0")}

_log = logging.getLogger(__name__)


class NoUplink(GatewayNetError):
    """This host has no way to the internet yet."""


def policy(config: Config, lent: Sequence[Pool], uplinks: Sequence[str]) -> GatewayNetPolicy:
    """What devices may do. `lent`: all pools, of other gateways too; `uplinks`: not empty."""
    own = tuple(pool_rules.gateway_address(pool.network) for pool in lent)
    nat = {4: config.network.nat4, 6: config.network.nat6}
    shut: list[IPNetwork] = [_EVERYWHERE[version] for version, how in nat.items() if how is Nat.OFF]
    return GatewayNetPolicy(
        interfaces=(config.wireguard.interface,),
        pools=tuple(pool.network for pool in lent),
        addresses=own,
        uplinks=tuple(uplinks),
        # A family that is off counts as translated: from outside nobody begins anything to its addresses.
        nat44=nat[4] is not Nat.ROUTED,
        nat66=nat[6] is not Nat.ROUTED,
        isolated=config.network.isolate,
        refused=tuple(shut),
        dns=config.dns.servers or own,
        services=(Service(Protocol.UDP, PORT),),
        # A connected device has no other way to the API than through the tunnel, and must renew.
        api_inside=True,
        wireguard_port=config.wireguard.port,
        https_port=config.enrolment.port,
    )


class Forwarding:
    """The policy in force. `uplinks` finds out by which interfaces this host reaches the internet."""

    def __init__(
        self, net: GatewayNet, config: Config, lent: Sequence[Pool], uplinks: Callable[[], Awaitable[tuple[str, ...]]]
    ) -> None:
        self.trouble: str | None = None
        """Why the rules aren't as they should be; None: they are."""
        self._net = net
        self._config = config
        self._lent = tuple(lent)
        self._uplinks = uplinks
        self._policy: GatewayNetPolicy | None = None

    async def apply(self) -> None:
        """Put in force what the settings say and the network is like. Raises `GatewayNetError`."""
        try:
            found = await self._uplinks()
        except RouteError as error:
            raise GatewayNetError(str(error)) from error
        if not found and self._policy is not None:
            # The cable is out for a while: what held, holds.
            found = self._policy.uplinks
        if not found:
            raise NoUplink("this server has no default route, so devices would have no way to the internet")
        wanted = policy(self._config, self._lent, found)
        if wanted != self._policy:
            await self._net.apply(wanted)
            _log.info("the rules for devices are in force; they leave by %s", ", ".join(found))
            self._policy = wanted
        self.trouble = None

    async def lend(self, lent: Sequence[Pool]) -> None:
        """These are the pools from now on. Raises `GatewayNetError`."""
        self._lent = tuple(lent)
        await self.apply()

    async def interface_made(self) -> None:
        """The tunnel's interface is a new one: its own settings are to be made. Raises nothing of ours."""
        try:
            if self._policy is not None:
                await self._net.apply(self._policy)
        except GatewayNetError as error:
            self.complain(error)

    async def keep(self) -> None:
        """Put back what others change, and follow the uplinks, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await self.heal()

    async def heal(self) -> None:
        """Look once, and put right what isn't. Raises nothing of ours."""
        try:
            await self.apply()
            if self._policy is not None and (difference := await self._net.drift()) is not None:
                _log.warning("somebody has changed the rules for devices (%s): they are put back", difference)
                await self._net.apply(self._policy)
        except GatewayNetError as error:
            self.complain(error)
        else:
            self.trouble = None

    def complain(self, error: GatewayNetError) -> None:
        """The rules aren't as they should be; said once."""
        if str(error) != self.trouble:
            _log.error("%s", error)
        self.trouble = str(error)
