"""A tunnel through which a preshared key is agreed and nothing else passes: the profile demands one that isn't there. Pure."""

from __future__ import annotations

from slopn_helper.host.firewall.fixed import REFUSALS
from slopn_helper.host.firewall.policy import Inside
from slopn_helper.host.firewall.words import Rule, family_of, interface, plain, unique
from slopn_helper.psk import PORT

_PORTS = (f"udp sport {PORT}", f"udp dport {PORT}", "accept")


class Sealed:
    """Rules that go before whatever lets packets out by any device. Without `inside` there are none."""

    def __init__(self, inside: Inside | None) -> None:
        """Raises `ValueError` for what is no name of an interface."""
        self.interface = interface(inside.interface) if inside is not None else None
        self._addresses = unique(map(plain, inside.addresses)) if inside is not None else ()

    def output(self) -> tuple[Rule, ...]:
        """What this host sends into the tunnel."""
        out = f'oifname "{self.interface}"'
        return (*((out, f"{family_of(a)} daddr {a}", *_PORTS) for a in self._addresses), *self.forward())

    def input(self) -> tuple[Rule, ...]:
        """What it gets out of it."""
        if self.interface is None:
            return ()
        come = f'iifname "{self.interface}"'
        return (*((come, f"{family_of(a)} saddr {a}", *_PORTS) for a in self._addresses), (come, "drop"))

    def forward(self) -> tuple[Rule, ...]:
        """Of others: nothing, not even to private addresses or beside the tunnel."""
        return () if self.interface is None else tuple((f'oifname "{self.interface}"', *how) for how in REFUSALS)
