"""Why a front end and the helper don't talk: one exception, in words for a person, that every front end understands."""

from __future__ import annotations

from slopn_app.locale import t

UNREACHABLE = "unreachable"
"""Nobody answers at the endpoint, or the helper hung up."""
TIMED_OUT = "timed_out"
NOT_PERMITTED = "not_permitted"
"""Not for this user."""
LIMITED = "limited"
"""Too much at once; later it will do."""
INCOMPATIBLE = "incompatible"
"""What answers is no helper, or one of another major version."""
NOT_PAIRED = "not_paired"
"""The helper doesn't know this front end, or no longer, and it couldn't be paired."""
KEYRING_LOCKED = "keyring_locked"
"""The front end's key can't be reached before its user unlocks the keyring."""
FAILED = "failed"
INVALID = "invalid"
"""What was asked makes no sense."""


class Trouble(Exception):
    """`kind` is one of this module's words; `lines` say what happened, what it means, what to do."""

    def __init__(self, kind: str, *lines: str) -> None:
        super().__init__(*lines)
        self.kind = kind
        self.lines = lines or (t("SloPN's service refuses this, and doesn't say why."),)

    def __str__(self) -> str:
        return " ".join(self.lines)


class Late(Trouble):
    """The helper gave no answer in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(TIMED_OUT, t("SloPN's service gave no answer within {seconds} s.", seconds=f"{seconds:g}"))


class HungUp(Trouble):
    """The helper was there, and has closed the connection."""

    def __init__(self) -> None:
        super().__init__(
            UNREACHABLE, t("SloPN's service has closed the connection."), t("Rules that were in force stay in force.")
        )


class Nonsense(Trouble):
    """What was said is no answer of a helper's; `why` goes on after a colon."""

    def __init__(self, why: object) -> None:
        super().__init__(INCOMPATIBLE, t("The helper's answer makes no sense: {why}.", why=why))


class Impostor(Exception):
    """Whoever listens at the helper's endpoint may not: neither root nor this user. `uid` is who it is."""

    def __init__(self, uid: int) -> None:
        super().__init__(f"user {uid} listens where SloPN's service should")
        self.uid = uid


def not_permitted() -> Trouble:
    """The endpoint isn't for this user."""
    return Trouble(
        NOT_PERMITTED,
        t("You may not use SloPN on this computer."),
        t("Root may allow it with `sudo slopn users add YOUR_NAME`."),
    )


def not_reachable(path: str, reason: str) -> Trouble:
    """Nobody answers at the endpoint."""
    # The words are needed only when something has gone wrong.
    from slopn_app.words import unreachable

    what, meaning, remedy = unreachable()
    return Trouble(UNREACHABLE, f"{what} ({path}: {reason})", meaning, remedy)


def other_version(major: object, ours: int) -> Trouble:
    """The helper speaks another major version of the protocol."""
    return Trouble(
        INCOMPATIBLE,
        t("The helper speaks version {major} of the protocol, this program version {ours}.", major=major, ours=ours),
        t("Install both from the same release, then restart the helper."),
    )


def no_helper(path: str) -> Trouble:
    """Something else listens at the endpoint."""
    return Trouble(INCOMPATIBLE, t("What answers at {path} isn't SloPN's service.", path=path))


def keyring_locked() -> Trouble:
    """The front end's key is to be in it, or is in it."""
    return Trouble(
        KEYRING_LOCKED,
        t("Your keyring is locked, and this program's key belongs into it."),
        t("Unlock it (logging in at the screen does, or the program Passwords and Keys), then try again."),
        t("To keep the key in a file instead that only you can read: SLOPN_KEYRING=no slopn pair."),
    )
