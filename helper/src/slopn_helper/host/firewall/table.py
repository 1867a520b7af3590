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
        self._known = False
        """It has these chains and nothing else, as far as we know."""
        self._suspect = False
        self._found: readback.Objects | None = None

    def script(self, nft: Nft, wanted: tuple[ruleset.Chain, ...]) -> str:
        """What puts exactly `wanted` into it. Claims it first, where that can be. Raises `FirewallError`.

        Chains that stay are never made anew: while the kernel puts one chain in another's place, a packet that has passed
        the new one before its rules hold may meet the old one after it has gone.
        """
        self.owned = self._may_own and nft.claim(self.family)
        if self._suspect and not self.owned:
            return self.whole(wanted)
        script = ruleset.filling(self.family, wanted, self._in_the_way(nft, wanted))
        return script if self.owned else ruleset.making(self.family) + script

    def whole(self, wanted: tuple[ruleset.Chain, ...] | None = None) -> str:
        """What makes a plain table anew with `wanted` in it, or else with what it shall hold, whatever it is now."""
        return ruleset.replacing(self.family, self._holds if wanted is None else wanted)

    @property
    def there(self) -> bool:
        """It shall hold something."""
        return bool(self._holds)

    def holds(self, chains: tuple[ruleset.Chain, ...]) -> None:
        """The script was carried out."""
        self._holds = chains
        self._known = True
        self._empty = self._suspect = False

    def unknown(self) -> None:
        """Somebody may have put something in: look before the next script is made."""
        self._known = False

    def suspect(self) -> None:
        """What is in it can't be replaced piece by piece: make it anew, if it isn't owned."""
        self._known = False
        self._suspect = True

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
        self.owned = self._known = False
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

    def _in_the_way(self, nft: Nft, wanted: tuple[ruleset.Chain, ...]) -> tuple[str, ...]:
        """What has to go before `wanted` can be there."""
        names = {chain.name for chain in wanted}
        gone = tuple(f"chain {chain.name}" for chain in self._holds if chain.name not in names)
        # The kernel removes a device's chain with the device.
        if self._known and not (gone and self.family == ruleset.DEVICE_FAMILY):
            return gone
        found = nft.listing(self.family) or ()
        heads = {name: chain.head for name, chain in readback.chains_of(found).items()}
        stay = {f"chain {chain.name}" for chain in wanted if heads.get(chain.name) == chain.head}
        present = readback.contents(found)
        self._empty = self.owned and not present
        return tuple(each for each in present if each not in stay)
