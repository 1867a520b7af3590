"""Which of an enrolment's gateways are tried, and in which order; the profile as if they were its peers. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from slopn_wire.profile import EnrolledGateway, Profile

MOST = 4
"""Gateways that are tried at once: each is a packet, and up to four rules of the firewall, more."""


class Lineup:
    """Remembers which gateway of each profile was used last, and which of them would not do. Keys are base64."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}
        self._blamed: dict[str, frozenset[str]] = {}
        self._failures = 0

    def used(self, profile: str, gateway: str) -> None:
        """It has answered, and has the traffic."""
        self._last[profile] = gateway

    def blame(self, profile: str, gateway: str) -> None:
        """It answers, and agrees no key although the profile demands one: the others come first."""
        self._blamed[profile] = self._blamed.get(profile, frozenset()) | {gateway}

    def next(self, profile: Profile, *, failing: bool) -> Profile:
        """`profile` with a peer for each gateway that is tried now, the most promising first.

        All have the profile's allowed IPs; `uplink` lets one of them have these. A profile that came by a file is as it was.
        """
        self._failures = self._failures + 1 if failing else 0
        if profile.enrolment is None or len(profile.peers) != 1:
            return profile
        gateways = profile.enrolment.gateways
        blamed = self._blamed.get(profile.name, frozenset())
        if blamed >= {one.public_key for one in gateways}:
            blamed = self._blamed[profile.name] = frozenset()
        (peer,) = profile.peers
        chosen = ordered(gateways, self._last.get(profile.name), blamed, self._failures)
        return replace(
            profile, peers=tuple(replace(peer, public_key=one.public_key, endpoint=one.endpoint) for one in chosen)
        )


def ordered(
    gateways: tuple[EnrolledGateway, ...], last: str | None, blamed: frozenset[str], failures: int
) -> tuple[EnrolledGateway, ...]:
    """At most `MOST`: the one used last, the others as they stand, the blamed; each failure begins with the next one."""
    known = {one.public_key: one for one in gateways}
    order = sorted(known.values(), key=lambda one: (one.public_key in blamed, one.public_key != last))
    turn = failures % len(order)
    return tuple((order[turn:] + order[:turn])[:MOST])
