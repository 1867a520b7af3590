"""Our table in the kernel: put in force, read back, compared. Used by one thread, in its network namespace."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any

from slopn_helper.gateway.net import GatewayNetError, readback, script
from slopn_helper.gateway.net.policy import Refusal
from slopn_helper.gateway.net.readback import Count
from slopn_helper.gateway.net.script import FAMILY, TABLE
from slopn_helper.host.firewall import FirewallError, owner
from slopn_helper.host.firewall.kernel import Kernel
from slopn_helper.host.firewall.libnft import Nft
from slopn_helper.host.firewall.readback import Objects
from slopn_helper.host.firewall.ruleset import Chain

log = logging.getLogger(__name__)

NAME = f"{FAMILY} {TABLE}"
_OURS = "slopn"
"""What the names of all our tables begin with."""


class Table:
    """The chains last put in. `owned=False` makes a plain table even where the kernel (6.9) lets nobody else change ours.

    An owned table outlives its owner. All methods raise `GatewayNetError`.
    """

    def __init__(self, *, owned: bool = True) -> None:
        self._may_own = owned
        self._context: _Context | None = None
        self._kernel: Kernel | None = None
        self._wanted: tuple[Chain, ...] = ()
        self._generation: int | None = None
        """The kernel's number at which everything was as it was put in."""
        self.owned = False

    def put(self, wanted: tuple[Chain, ...]) -> None:
        """Make these chains all that the table holds, in one transaction, and read it back.

        When it raises, what was in force is in force.
        """
        before = self._wanted
        self._send(wanted)
        if (difference := self._difference(wanted)) is not None:
            # Somebody else's change came between: possible with a plain table only.
            log.warning("gateway: %s; applied once more", difference)
            self._send(wanted)
            if (difference := self._difference(wanted)) is not None:
                if before:
                    self._send(before)
                raise GatewayNetError(f"the rules in force are not those that were sent: {difference}")
        self._wanted = wanted

    def remove(self) -> None:
        """Have none."""
        try:
            self._nft().remove(FAMILY, TABLE)
        except FirewallError as error:
            raise GatewayNetError(str(error)) from error
        self._wanted = ()
        self.owned = False

    def drift(self) -> str | None:
        """None when the kernel has what was put in; else a short description of the difference.

        As long as nobody has changed any table, and ours is still ours, that is known without looking at the rules.
        """
        try:
            generation = self._asking().generation()
            if self.owned and self._asking().owner(FAMILY, TABLE) != self._nft().port:
                return f"the table {NAME} has lost its owner"
        except OSError as error:
            raise GatewayNetError(f"the kernel doesn't say what is in force: {error}") from error
        if generation == self._generation:
            return None
        return self._difference(self._wanted)

    def counts(self) -> dict[Refusal, Count]:
        """What was refused since the table was made, by whichever process; empty: there is no such table."""
        try:
            return readback.counts(self._nft().counters())
        except FirewallError as error:
            raise GatewayNetError(str(error)) from error

    def compared(self, wanted: tuple[Chain, ...]) -> str | None:
        """How another process's table differs from `wanted`; None: it doesn't. Changes nothing, owns nothing."""
        nft = self._nft()
        try:
            if not nft.is_there(FAMILY, TABLE):
                return f"there is no table {NAME}"
            if nft.is_orphan():
                # Nor could it be read: see `Nft.listing`.
                return f"the table {NAME} is left over from a gateway that has ended"
        except FirewallError as error:
            raise GatewayNetError(f"the rules can't be read: {error}") from error
        return self._difference(wanted)

    def foreign(self, hooks: Container[str]) -> Iterator[tuple[Mapping[str, Any], Objects]]:
        """Others' base chains at these hooks, each with its table's listing; what can't be listed is left out."""
        try:
            for chain in self._nft().base_chains():
                if chain["hook"] in hooks and not chain["table"].startswith(_OURS):
                    with contextlib.suppress(FirewallError):
                        yield chain, self._nft().listing(chain["family"], chain["table"]) or ()
        except FirewallError as error:
            raise GatewayNetError(str(error)) from error

    def close(self) -> None:
        """Let go of the table; it stays in force."""
        self._context = None
        if self._kernel is not None:
            self._kernel.close()
            self._kernel = None
        self.owned = False

    def _send(self, wanted: tuple[Chain, ...]) -> None:
        nft = self._nft()
        try:
            self.owned = self._may_own and nft.own()
            found = nft.listing(FAMILY, TABLE) or ()
            counting = [why.value for why in readback.counts(found)]
            stale = readback.stale(wanted, found)
            nft.run(script.filling(wanted, stale=stale, counting=counting, owned=self.owned))
        except FirewallError as error:
            raise GatewayNetError(str(error)) from error

    def _difference(self, wanted: tuple[Chain, ...]) -> str | None:
        try:
            generation = self._asking().generation()
            found = self._nft().listing(FAMILY, TABLE)
        except (FirewallError, OSError) as error:
            raise GatewayNetError(f"the rules can't be read back: {error}") from error
        if found is None:
            return f"the table {NAME} is gone" if wanted else None
        if not wanted:
            return f"the table {NAME} is still there"
        difference = readback.difference(wanted, found)
        self._generation = generation if difference is None else None
        return difference

    def _nft(self) -> _Context:
        if self._context is None:
            try:
                # It finds its own socket by counting, and those of others, bans' for instance, may come and go meanwhile.
                self._context = _tried(_Context, times=3)
            except FirewallError as error:
                raise GatewayNetError(str(error)) from error
        return self._context

    def _asking(self) -> Kernel:
        if self._kernel is None:
            self._kernel = Kernel()
        return self._kernel


def _tried(make: Callable[[], _Context], times: int) -> _Context:
    for _ in range(times - 1):
        with contextlib.suppress(FirewallError):
            return make()
    return make()


class _Context(Nft):
    """libnftables, with words for our own table."""

    def own(self) -> bool:
        """Own it from now on; False where that is impossible. Raises `FirewallError`: another living process does."""
        try:
            return owner.claim(self._socket, FAMILY, TABLE)
        except PermissionError as error:
            raise FirewallError(
                f"the table {NAME} belongs to another running process, or CAP_NET_ADMIN is missing"
            ) from error
        except OSError as error:
            raise FirewallError(f"the table {NAME} could not be claimed: {error}") from error

    def counters(self) -> Objects:
        """The table's counters alone: safe whoever owns it."""
        if not self.is_there(FAMILY, TABLE):
            return ()
        status, objects, errors = self._list(f"list counters table {NAME}")
        if status:
            raise FirewallError(f"nftables could not list its counters: {errors.strip()}")
        return objects

    def is_orphan(self) -> bool:
        """Whether our table, which is there, has outlived its owner. Raises `FirewallError`."""
        self._nft.set_json_output(False)
        status, output, errors = self._nft.cmd(f"list table {NAME}")
        if status:
            raise FirewallError(f"nftables could not list its rules: {errors.strip()}")
        # nft 1.0 knows no name for `persist`, and leaves the place empty.
        return any(line.strip().startswith("flags") and "owner" not in line for line in output.splitlines()[:2])

    def base_chains(self) -> list[Mapping[str, Any]]:
        """Those at hooks, of all tables."""
        status, objects, errors = self._list("list chains")
        if status:
            raise FirewallError(f"nftables could not list its chains: {errors.strip()}")
        return [item["chain"] for item in objects if "hook" in item.get("chain", {})]
