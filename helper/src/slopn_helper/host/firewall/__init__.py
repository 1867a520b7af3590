"""The kill switch's hands: one interface, one module a mechanism."""

from __future__ import annotations

from typing import Protocol

from slopn_helper.host.firewall.policy import Blocked, FirewallPolicy, Open, Tunnelled

__all__ = ["Blocked", "Firewall", "FirewallError", "FirewallPolicy", "Open", "Tunnelled"]


class FirewallError(Exception):
    """The policy could not be put in force; the host's rules are what they were before."""


class Firewall(Protocol):
    """Puts exactly one policy in force."""

    async def apply(self, policy: FirewallPolicy, *, persist: bool) -> None:
        """Put exactly `policy` in force, in one transaction, and read it back. Idempotent; `Open` removes all of ours.

        `persist`: the block must also outlive this process's death by any means (mode `always`); a plain table does so
        until the next boot already, so a mechanism may treat both alike where the boot part has its own unit.
        Raises `FirewallError` and leaves the previous policy in force.
        """

    async def drift(self) -> str | None:
        """None when the host's rules are those last applied; else a short description of the difference."""
