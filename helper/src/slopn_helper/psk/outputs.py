"""What an end asks for, and what it tells of itself."""

from __future__ import annotations

from msgspec import Struct

from slopn_helper.psk import ALGORITHM

Label = int
"""Names a key to the engine. 0: the one of the configuration."""


class Send(Struct, frozen=True):
    """Send this datagram to the other end, through the tunnel and no other way."""

    datagram: bytes


class SetKeys(Struct, frozen=True):
    """Give the engine these keys for the other end, the first in force (`slopn_helper.engine.Rekeying`)."""

    keys: tuple[tuple[Label, bytes | None], ...]
    initiate: bool = False
    """Ask for a handshake at once."""

    def __repr__(self) -> str:
        return f"SetKeys({[label for label, _ in self.keys]}, initiate={self.initiate})"


class Gate(Struct, frozen=True):
    """Where a key of the protocol is demanded: let traffic through the tunnel, or nothing but this protocol.

    Comes before a `SetKeys` that may bring a session without such a key.
    """

    open: bool


Output = Send | SetKeys | Gate


class Status(Struct, frozen=True):
    """For `status`."""

    protected: bool
    """The session that was agreed last has a key of the protocol."""
    agreed_at: float | None = None
    """When that key was first used, by the clock that the end is given; None: not protected."""
    agreed: int = 0
    """Keys agreed and used so far."""
    failed: int = 0
    """Exchanges given up since the last that succeeded."""
    lost: int = 0
    """How often the other end came without the key: it had been started anew, or somebody kept it from us."""
    demanded: bool = False

    @property
    def algorithm(self) -> str | None:
        """None: no post-quantum key is in force."""
        return ALGORITHM if self.protected else None
