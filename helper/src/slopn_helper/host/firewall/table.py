"""One table of ours: what puts chains into it, and what it holds."""

from __future__ import annotations

from slopn_helper.host.firewall import readback, ruleset
from slopn_helper.host.firewall.libnft import Nft


class Table:
    """The table of `family`. Used by one thread.

    `owned=False` makes a plain table even where the kernel could do better.
    """

    def __init__(self, family: str, *, owned: bool) -> None:
        self.family = family
        self.owned = False
        self._may_own = owned
        self._empty = False
        """Claimed just now, and not yet filled."""
        self._holds: tuple[ruleset.Chain, ...] = ()
        """The chains that it has by our doing."""
        self._found: readback.Objects | None = None

    def script(self, nft: Nft, wanted: tuple[ruleset.Chain, ...]) -> str:
        """What puts exactly `wanted` into it. Claims it first, where that can be. Raises `FirewallError`."""
        self.owned = self._may_own and nft.claim(self.family)
        if not self.owned:
            return ruleset.replacing(self.family, wanted)
        stay = {f"chain {chain.name}" for chain in self._holds}
        present: tuple[str, ...] = ()
        if stay != {f"chain {chain.name}" for chain in wanted}:
            present = readback.contents(nft.listing(self.family) or ())
            self._empty = not present
            stay &= {f"chain {chain.name}" for chain in wanted}
        return ruleset.filling(self.family, wanted, [each for each in present if each not in stay])

    def holds(self, chains: tuple[ruleset.Chain, ...]) -> None:
        """The script was carried out."""
        self._holds = chains
        self._empty = False

    def take_back_claim(self, nft: Nft) -> None:
        """Leave no empty table behind."""
        if self._empty:
            nft.remove(self.family)
            self._empty = self.owned = False

    def remove(self, nft: Nft) -> None:
        """Have none."""
        nft.remove(self.family)
        self.forget()
        self._found = None

    def forget(self) -> None:
        """It may be anybody's from now on."""
        self.owned = False
        self._holds = ()

    def read(self, nft: Nft) -> None:
        """Keep what the kernel has, to compare with later."""
        self._found = nft.listing(self.family)

    def difference(self) -> str | None:
        """Between what was read and what shall be."""
        if self._found is None:
            return f"the table {self.family} {ruleset.TABLE} is gone" if self._holds else None
        if not self._holds:
            return f"the table {self.family} {ruleset.TABLE} is still there"
        return readback.difference(self._holds, self._found)

    def difference_now(self, nft: Nft) -> str | None:
        """Between what the kernel has and what was read last."""
        before, self._found = self._found, nft.listing(self.family)
        now = self._found
        try:
            if now == before:
                return None
            return self.difference() or "the rules are equal but not those that were applied"
        finally:
            self._found = before
