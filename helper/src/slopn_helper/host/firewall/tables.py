"""Both our tables as this process has them: put in force, read back, compared. Used by one thread.

One table filters packets (family inet), the other the frames of packet sockets, device by device (family netdev, hook
egress: Linux 5.16). They are replaced in one transaction. Where the second can't be had, the first one holds alone.
"""

from __future__ import annotations

import logging

from slopn_helper.host.firewall import FirewallError, readback, ruleset
from slopn_helper.host.firewall.devices import Device, ways_out
from slopn_helper.host.firewall.kernel import Kernel
from slopn_helper.host.firewall.libnft import Nft
from slopn_helper.host.firewall.policy import FirewallPolicy, Open, Tunnelled
from slopn_helper.host.firewall.table import Table
from slopn_wire.events import PolicyKind

log = logging.getLogger(__name__)

_NOT_SUPPORTED = "not supported"


class Tables:
    """What is in force by our doing, and what was read back of it.

    `owned=False` makes plain tables even where the kernel could do better.
    """

    def __init__(self, fwmark: int, *, owned: bool) -> None:
        self._fwmark = fwmark
        self._packets = Table(ruleset.FAMILY, owned=owned)
        self._frames = Table(ruleset.DEVICE_FAMILY, owned=owned)
        self._context: Nft | None = None
        self._kernel: Kernel | None = None
        self._last: FirewallPolicy | None = None
        self._covered: frozenset[Device] = frozenset()
        self._generation: int | None = None
        """The kernel's number at which everything was as it was applied."""
        self.unguarded: str | None = None
        """Why packet sockets pass the closed policy in force; None: they don't, or none is in force."""
        self._redirects = True
        """The kernel can send guests' queries elsewhere, as far as we know."""

    @property
    def owned(self) -> bool:
        """Nobody else can change the table for packets."""
        return self._packets.owned

    @property
    def port(self) -> int:
        """What the kernel calls the author of our changes."""
        return self._nft().port

    def apply(self, policy: FirewallPolicy) -> None:
        """Put exactly `policy` in force and read it back. Raises `FirewallError`: then the last one is in force."""
        try:
            ruleset.chains(policy, fwmark=self._fwmark)
        except ValueError as error:
            raise FirewallError(f"this policy can't be put into rules: {error}") from error
        self._put(policy)
        if (difference := self._check()) is not None:
            # Somebody else's flush came between: possible with plain tables only.
            log.warning("firewall: %s; applied once more", difference)
            for table in self._tables:
                table.suspect()
            self._put(policy)
            if (difference := self._check()) is not None:
                self._back()
                raise FirewallError(f"the rules in force are not those that were sent: {difference}")
        self._last = policy

    def again(self) -> None:
        """Put the last policy back, as fast as that goes: somebody has changed it. Raises `FirewallError`."""
        if self._last is None or isinstance(self._last, Open):
            return
        if self.owned:
            self._put(self._last)
        else:
            try:
                self._nft().run("".join(table.whole() for table in self._tables if table.there))
            except FirewallError:
                self._put(self._last)
        self._check()

    def cover(self) -> None:
        """Guard the devices that came since the last time. Raises `FirewallError`; `unguarded` says so too."""
        if self._last is None or isinstance(self._last, Open) or _never(self.unguarded):
            return
        if self.unguarded is None and ways_out(_tunnel(self._last)) == self._covered:
            return
        try:
            self._send(self._last, with_packets=False)
        except FirewallError:
            # A device may have gone in between.
            self._send(self._last, with_packets=False)
        self._frames.read(self._nft())

    def drift(self) -> str | None:
        """See `Firewall.drift`."""
        nft = self._nft()
        if self._last is None:
            there = any(nft.is_there(table.family) for table in self._tables)
            return "a table of an earlier process is in force" if there else None
        try:
            self.cover()
        except FirewallError as error:
            self._say_unguarded(error)
        try:
            generation = self._asking().generation()
            for table in self._tables:
                if table.owned and self._asking().owner(table.family, ruleset.TABLE) != nft.port:
                    gone = not nft.is_there(table.family)
                    return f"the table {table.family} {ruleset.TABLE} {'is gone' if gone else 'has lost its owner'}"
        except OSError as error:
            raise FirewallError(f"the kernel doesn't say what is in force: {error}") from error
        if generation == self._generation:
            return None
        for table in self._tables:
            if (difference := table.difference_now(nft)) is not None:
                return difference
        self._generation = generation
        return None

    def kind(self) -> PolicyKind:
        """What the kernel has, whoever put it there."""
        nft = self._nft()
        try:
            found = nft.listing()
        except FirewallError:
            # An orphan can't be listed by libnftables 1.0; one that has an owner can.
            if not nft.claim():
                raise
            found = nft.listing()
        return PolicyKind.OPEN if found is None else readback.kind_in_force(found)

    def close(self) -> None:
        """Let go of the tables; they stay in force."""
        self._context = None
        if self._kernel is not None:
            self._kernel.close()
            self._kernel = None
        for table in self._tables:
            table.forget()

    @property
    def _tables(self) -> tuple[Table, Table]:
        return self._packets, self._frames

    def _nft(self) -> Nft:
        if self._context is None:
            self._context = Nft()
        return self._context

    def _asking(self) -> Kernel:
        if self._kernel is None:
            self._kernel = Kernel()
        return self._kernel

    def _put(self, policy: FirewallPolicy) -> None:
        if isinstance(policy, Open):
            for table in reversed(self._tables):
                table.remove(self._nft())
            self.unguarded = None
            return
        try:
            self._put_closed(policy)
        except FirewallError as error:
            if self._chains(policy) == ruleset.chains(policy, fwmark=self._fwmark, redirect=False):
                raise
            self._redirects = False
            try:
                self._put_closed(policy)
            except FirewallError:
                self._redirects = True
                raise
            log.warning("firewall: containers can't ask the tunnel's resolver in place of their own: %s", error)

    def _put_closed(self, policy: FirewallPolicy) -> None:
        if _never(self.unguarded):
            self._put_packets(policy)
            return
        try:
            try:
                self._send(policy)
            except FirewallError as error:
                if _never(str(error)):
                    raise
                # A device may have gone in between, or something may have been put in.
                self._frames.suspect()
                self._send(policy)
        except FirewallError as error:
            self._put_packets(policy)
            self._say_unguarded(error)
            # Its rules are the last policy's, and may hold back what this one lets out.
            self._frames.remove(self._nft())

    def _put_packets(self, policy: FirewallPolicy) -> None:
        try:
            self._send(policy, with_frames=False)
        except FirewallError:
            self._packets.suspect()
            self._send(policy, with_frames=False)

    def _send(self, policy: FirewallPolicy, *, with_packets: bool = True, with_frames: bool = True) -> None:
        """One transaction for one or both tables."""
        nft = self._nft()
        wanted: list[tuple[Table, tuple[ruleset.Chain, ...]]] = []
        covered = self._covered
        if with_packets:
            wanted.append((self._packets, self._chains(policy)))
        if with_frames:
            covered = ways_out(_tunnel(policy))
            names = sorted(device.name for device in covered)
            try:
                wanted.append((self._frames, ruleset.device_chains(policy, names, fwmark=self._fwmark)))
            except ValueError as error:
                raise FirewallError(str(error)) from error
        try:
            script = "".join(table.script(nft, made) for table, made in wanted)
            nft.run(script)
        except FirewallError:
            for table, _ in wanted:
                table.take_back_claim(nft)
                table.unknown()
            raise
        for table, made in wanted:
            table.holds(made)
        if with_frames:
            self._covered, self.unguarded = covered, None

    def _chains(self, policy: FirewallPolicy) -> tuple[ruleset.Chain, ...]:
        return ruleset.chains(policy, fwmark=self._fwmark, redirect=self._redirects)

    def _say_unguarded(self, error: FirewallError) -> None:
        if str(error) != self.unguarded:
            log.warning("firewall: packet sockets (programs with CAP_NET_RAW) are not guarded: %s", error)
        self.unguarded = str(error)

    def _check(self) -> str | None:
        try:
            generation = self._asking().generation()
        except OSError as error:
            raise FirewallError(f"the kernel doesn't say what is in force: {error}") from error
        for table in self._tables:
            table.read(self._nft())
            if (difference := table.difference()) is not None:
                return difference
        self._generation = generation
        return None

    def _back(self) -> None:
        """Put the last policy back, as well as that goes."""
        for table in self._tables:
            table.forget()
        if self._last is not None:
            try:
                self._put(self._last)
                for table in self._tables:
                    table.read(self._nft())
            except FirewallError as error:
                log.error("firewall: the last policy could not be put back: %s", error)  # noqa: TRY400 (no trace for users)


def _tunnel(policy: FirewallPolicy) -> str | None:
    return policy.interface if isinstance(policy, Tunnelled) else None


def _never(why: str | None) -> bool:
    """A kernel before 5.16, or made without the hook."""
    return why is not None and _NOT_SUPPORTED in why
