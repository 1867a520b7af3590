"""The host's resolvers: one interface, one module a mechanism, one explained choice."""

from __future__ import annotations

from typing import Protocol

from slopn_wire.profile import DnsConfig


class DnsError(Exception):
    """The mechanism refused; its name and the cause are in the message."""


class DnsConfigurator(Protocol):
    """One way of setting the host's resolvers. Writes go through the journal."""

    name: str

    @property
    def supports_split(self) -> bool:
        """Whether it can send only some names to the tunnel; where it can't, all go there and the log says so."""
        ...

    async def apply(self, interface: str, config: DnsConfig) -> None:
        """Make `config` the host's DNS. An empty config removes all of ours. Idempotent. Raises `DnsError`."""

    async def reset(self) -> None:
        """Remove all of ours without knowing what was applied (fresh process after a crash). Raises `DnsError`."""

    async def drift(self) -> str | None:
        """None when the host's DNS is what was last applied; else a short description of the difference."""
