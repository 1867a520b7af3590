"""Which of a gateway's addresses are tried, in which order; and where it answered last, kept for when no resolver does."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from ipaddress import ip_address
from itertools import chain, zip_longest
from pathlib import Path

from slopn_helper.files import write_file
from slopn_wire.profile import IPAddress

MOST = 4
"""Addresses of one gateway that are tried at once: each is a rule of the firewall and a packet more."""
NAMES = 64
"""Names whose addresses are kept."""
KEPT = 2
"""Addresses kept of each name: one of each family."""

LARGEST = 1 << 16
"""Bytes of the file; what we write is never half of that."""

_log = logging.getLogger(__name__)


def candidates(
    found: Sequence[IPAddress], good: Sequence[IPAddress], reachable: frozenset[int], turn: int
) -> tuple[IPAddress, ...]:
    """At most `MOST` of `found`, the most promising first, families in turn (RFC 8305, section 4). Pure.

    `good` answered before and lead if they are still found; `reachable` are the IP versions that this host has a way out
    for. Those of the other version come last: the host may move to where they work. `turn` counts failures: each begins
    with another address.
    """
    known = dict.fromkeys([*(address for address in good if address in found), *found])
    ahead = [address for address in known if address.version in reachable]
    behind = [address for address in known if address.version not in reachable]
    if not ahead:
        ahead, behind = behind, []
    order = _alternate(ahead)
    start = turn % len(order) if order else 0
    order = order[start:] + order[:start]
    return tuple(order[: MOST - 1 if behind else MOST] + behind[:1])


def _alternate(addresses: Sequence[IPAddress]) -> list[IPAddress]:
    """Both families in turn, beginning with the first address's."""
    if not addresses:
        return []
    first = [address for address in addresses if address.version == addresses[0].version]
    second = [address for address in addresses if address.version != addresses[0].version]
    return [address for address in chain.from_iterable(zip_longest(first, second)) if address is not None]


class LastGood:
    """The addresses at which gateways have answered, by their name; on disk, so that a restart has them too.

    A file that can't be read is as none; one that can't be written is told of once: only speed is lost by it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._told = False
        self._known = _read(path)

    def of(self, host: str) -> tuple[IPAddress, ...]:
        """Where the gateway of that name answered last, and its address of the other family."""
        return self._known.get(host.lower(), ())

    def answered(self, host: str, address: IPAddress, found: Sequence[IPAddress] = ()) -> None:
        """The gateway of that name has answered at `address`, which the resolver gave among `found`.

        Its address of the other family is kept with it: the next network may have that family alone, and a resolver out of
        reach. What the resolver says now holds; without its word, what answered before.
        """
        host = host.lower()
        before = self.of(host)
        known = [other for other in before if other.version != address.version]
        new = [other for other in found if other.version != address.version]
        other = known if not new or (known and known[0] in new) else new
        kept = (address, *other)[:KEPT]
        if before == kept:
            return
        self._known = {host: kept, **{name: a for name, a in self._known.items() if name != host}}
        self._known = dict(list(self._known.items())[:NAMES])
        try:
            write_file(self._path, json.dumps({name: list(map(str, a)) for name, a in self._known.items()}).encode())
        except OSError as error:
            if not self._told:
                _log.warning("the gateways' last addresses can't be kept: %s", error)
            self._told = True


def _read(path: Path) -> dict[str, tuple[IPAddress, ...]]:
    try:
        with path.open("rb") as file:
            stored = json.loads(file.read(LARGEST))
        return {
            str(name): tuple(ip_address(address) for address in addresses)[:KEPT]
            for name, addresses in list(stored.items())[:NAMES]
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
        _log.warning("the gateways' last addresses can't be read and are forgotten: %s", error)
        return {}
