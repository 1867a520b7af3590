"""What the registry refuses, and that it can't be reached. Each is a sentence that may be shown to whoever asked."""

from __future__ import annotations

from slopn_helper.gateway.tokens import Refusal


class RegistryError(Exception):
    """Any of the errors below."""


class Unavailable(RegistryError):
    """The database can't be reached or doesn't answer in time: try again in `retry_after` seconds.

    A change that was under way is whole or not there at all, and each may be tried again.
    """

    def __init__(self, why: str, retry_after: float = 5.0) -> None:
        super().__init__(f"The registry can't be reached now ({why}). Try again in {retry_after:g} seconds.")
        self.retry_after = retry_after


class TokenRefused(RegistryError):
    """A token isn't taken."""

    def __init__(self, why: Refusal) -> None:
        super().__init__(
            {
                Refusal.UNKNOWN: "There is no such token.",
                Refusal.EXPIRED: "The token has expired: ask for another one.",
                Refusal.REVOKED: "The token was revoked: ask for another one.",
                Refusal.SPENT: "The token was used as often as it may: ask for another one.",
            }[why]
        )
        self.why = why


class PoolExhausted(RegistryError):
    """No address of a family is left."""

    def __init__(self, family: str) -> None:
        super().__init__(f"There is no {family} address left: add a pool, or revoke devices.")
        self.family = family


class KeyTaken(RegistryError):
    """A public key is another device's, or was."""

    def __init__(self) -> None:
        super().__init__("This public key is in use already, or was revoked: make another one.")


class UnknownDevice(RegistryError):
    """There is no such device."""

    def __init__(self, device: str) -> None:
        super().__init__(f"There is no device {device}.")


class Ended(RegistryError):
    """The device is revoked or expired, and that is for good."""

    def __init__(self, device: str) -> None:
        super().__init__(f"The device {device} is revoked or expired: it must be enrolled anew.")


class PoolConflict(RegistryError):
    """A pool that is wanted overlaps another, or one of that name has another network."""


class WrongSchema(RegistryError):
    """The database was made by another version."""


class BadBackup(RegistryError):
    """A backup can't be restored; the registry is as it was."""
