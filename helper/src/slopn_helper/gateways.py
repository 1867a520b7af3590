"""Finds a profile's gateways: names resolved anew for each attempt, the addresses to race, and those that answered last."""

from __future__ import annotations

import asyncio
import logging
from base64 import b64decode
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv6Address
from typing import Protocol
from urllib.parse import urlsplit

from slopn_helper import overlap
from slopn_helper.addresses import MOST, LastGood, candidates
from slopn_helper.tunnel.driver import ProfileError
from slopn_wire.profile import Endpoint, IPAddress, Profile

WITHIN = 12.0
"""Seconds for all endpoints' names; less than the core waits."""

PORTAL_WITHIN = 3.0
"""Seconds for the name of the page by which a captive portal is found."""

Found = tuple[Endpoint, ...]

_log = logging.getLogger(__name__)


class Resolve(Protocol):
    """Asks `resolvers` alone, over sockets that carry `fwmark`."""

    async def __call__(
        self,
        host: str,
        resolvers: Sequence[IPAddress],
        fwmark: int | None,
        *,
        timeout: float,  # noqa: ASYNC109 - it is shared out among the resolvers
    ) -> tuple[IPAddress, ...]:
        """The addresses of `host`, at least one. Raises when there is none."""
        ...


class Gateways:
    """Where the gateways of profiles are, as far as resolvers and the past tell."""

    def __init__(self, resolve: Resolve, last_good: LastGood, fwmark: int) -> None:
        self._portal: tuple[str, tuple[IPAddress, ...]] = ("", ())
        self._resolve = resolve
        self._last_good = last_good
        self._fwmark = fwmark
        self._failures = 0
        self._names: dict[bytes, str] = {}
        self._found: dict[str, Sequence[IPAddress]] = {}
        """What a resolver said of each name last."""

    def portal(self, url: str) -> tuple[IPAddress, ...]:
        """Where to look for a captive portal by the page at `url`, since connecting failed; none after it succeeded."""
        known, addresses = self._portal
        return addresses if known == url else ()

    async def find(
        self,
        profile: Profile,
        resolvers: Sequence[IPAddress],
        reachable: frozenset[int],
        *,
        failing: bool,
        portal_url: str,
        any_of: bool = False,
    ) -> tuple[tuple[Endpoint, ...], ...]:
        """See `inputs.Resolved.peers`. `reachable`: IP versions with a way out. Each failure begins with another address.

        `any_of`: one that is found is enough; those that aren't have no address then. Raises `ProfileError`, and what the resolver raises if it knows no address and none is remembered.
        """
        wanted = [peer.endpoint for peer in profile.peers if peer.endpoint is not None]
        if not wanted:
            raise ProfileError("no peer of the profile has an Endpoint, so there is nobody to connect to")
        self._failures = self._failures + 1 if failing else 0
        self._found = {}
        self._names = {
            b64decode(peer.public_key): peer.endpoint.host
            for peer in profile.peers
            if peer.endpoint is not None and overlap.literal(peer.endpoint) is None
        }

        async def ask(host: str) -> tuple[IPAddress, ...]:
            return await self._resolve(host, resolvers, self._fwmark, timeout=WITHIN)

        async def one(endpoint: Endpoint) -> Found:
            found = await self._addresses(endpoint.host, ask)
            self._found[endpoint.host] = found
            good = self._last_good.of(endpoint.host)
            # Whoever answers for names may lie: where the gateway was last is tried as well, once his word has failed.
            usable = _usable(profile, endpoint, (*found, *good) if failing else found)
            chosen = candidates(usable, good if not failing else (), reachable, self._failures)
            if failing and (last := good[:1]) and last[0] in usable and last[0] not in chosen:
                chosen = (*chosen[: MOST - 1], *last)
            return tuple(Endpoint(str(address), endpoint.port) for address in chosen)

        async with asyncio.TaskGroup() as group:
            portal = group.create_task(self._find_portal(portal_url if failing else "", ask))
            found = [group.create_task(_outcome(one(endpoint))) for endpoint in wanted]
        self._portal = (portal_url, portal.result())
        outcomes = [task.result() for task in found]
        if any_of and any(not isinstance(outcome, Exception) for outcome in outcomes):
            return tuple(() if isinstance(outcome, Exception) else outcome for outcome in outcomes)
        return tuple(map(_value, outcomes))

    def answered(self, public_key: bytes, at: IPAddress) -> None:
        """The gateway with that key has answered."""
        self._portal = ("", ())
        if (name := self._names.get(public_key)) is not None:
            self._last_good.answered(name, at, self._found.get(name, ()))

    async def _addresses(
        self, host: str, ask: Callable[[str], Awaitable[tuple[IPAddress, ...]]]
    ) -> Sequence[IPAddress]:
        try:
            return await ask(host)
        except Exception as error:
            if not (good := self._last_good.of(host)):
                raise
            _log.warning("%s; trying where it last answered", error)
            return good

    async def _find_portal(
        self, url: str, ask: Callable[[str], Awaitable[tuple[IPAddress, ...]]]
    ) -> tuple[IPAddress, ...]:
        host = urlsplit(url).hostname
        if host is None:
            return ()
        try:
            async with asyncio.timeout(PORTAL_WITHIN):
                return (await ask(host))[:MOST]
        except Exception as error:  # noqa: BLE001 - it isn't what the user wants to reach
            _log.debug("portal: %s", error)
            return ()


async def _outcome(task: Awaitable[Found]) -> Found | Exception:
    """What `task` returns or raises: a gateway that isn't found doesn't end the search for a portal."""
    try:
        return await task
    except Exception as error:  # noqa: BLE001 - it is raised later
        return error


def _value(outcome: Found | Exception) -> Found:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _usable(profile: Profile, endpoint: Endpoint, found: Sequence[IPAddress]) -> Sequence[IPAddress]:
    """Those that aren't inside the tunnel itself.

    Raises `ProfileError` when the only one stands in the profile, `LookupError` when that is a resolver's word.
    """
    found = tuple(dict.fromkeys(map(_plain, found)))
    refused = [overlap.own_endpoint(profile.addresses, address) for address in found]
    usable = [address for address, why in zip(found, refused, strict=True) if why is None]
    if not usable:
        if overlap.literal(endpoint) is not None:
            raise ProfileError(str(refused[0]))
        raise LookupError(f"what the resolver says of {endpoint.host} can't be: {refused[0]}")
    return usable


def _plain(address: IPAddress) -> IPAddress:
    """As packets carry it: IPv4 where IPv6 only wraps it."""
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
