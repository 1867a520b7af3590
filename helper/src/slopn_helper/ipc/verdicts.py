"""Why somebody is turned away though a certificate was shown, or for want of the user's permission."""

from __future__ import annotations

from enum import StrEnum

from slopn_wire.events import ErrorKind, Refused


class Problem(StrEnum):
    """The value is the word that stands in the log's line."""

    NOT_ALLOWED = "user_not_allowed"
    """This user may not use SloPN."""
    UNKNOWN = "unknown_certificate"
    """Signed by us, but not in the registry."""
    REVOKED = "revoked_certificate"
    REPLACED = "replaced_certificate"
    """Renewed since, and the newer one was used."""
    OTHER_USER = "certificate_of_another_user"
    EXPIRED = "expired_certificate"

    @property
    def sentence(self) -> str:
        """For the user: what is wrong and what to do."""
        return _SENTENCES[self]

    def refused(self) -> Refused:
        """The answer to any command."""
        return Refused(ErrorKind.NOT_PERMITTED if self is Problem.NOT_ALLOWED else ErrorKind.NOT_PAIRED, self.sentence)


_SENTENCES = {
    Problem.NOT_ALLOWED: (
        "You may not use SloPN on this computer: only root, members of the group slopn, added users and, unless it is "
        "turned off, who sits at its screen may. Root can let you with `sudo slopn users add YOUR_NAME`."
    ),
    Problem.UNKNOWN: "This front end's pairing is no longer known, so it must be paired again.",
    Problem.REVOKED: "This front end's pairing was ended, so it must be paired again.",
    Problem.REPLACED: "This front end's certificate was replaced by a newer one: use that, or pair again.",
    Problem.OTHER_USER: "This front end's certificate belongs to another user, so it must be paired for you.",
    Problem.EXPIRED: "This front end's certificate has expired, so it must be paired again.",
}
