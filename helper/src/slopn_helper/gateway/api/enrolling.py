"""What the API does, without HTTP: challenge, enrol, renew, rotate. Raises `Refused` for all that isn't done.

A challenge is spent before anything is computed with it, and a proof is checked before the database is asked: strangers
cost neither.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING

from slopn_helper.gateway.api.problems import Refused, refusal, unknown
from slopn_helper.gateway.bans import Why
from slopn_helper.gateway.challenge import LIFETIME, Challenges, Flaw
from slopn_helper.gateway.devices import key_problem, name_problem
from slopn_helper.gateway.registry import Registry
from slopn_helper.gateway.registry.errors import RegistryError
from slopn_helper.gateway.status import Meter
from slopn_helper.gateway.types import DeviceKind, Enrolled
from slopn_helper.possession import proves
from slopn_wire.enrolment_api import ENROL, RENEW, ROTATE, Challenge, Configuration, Enrol, Renew, Rotate

if TYPE_CHECKING:
    from collections.abc import Iterator

Describe = Callable[[Enrolled], Awaitable[Configuration]]


class Enrolling:
    """The four requests. `clock`: Unix time; `ticks`: a clock that never jumps; `lifetime`: seconds of an enrolment."""

    def __init__(
        self,
        registry: Registry,
        challenges: Challenges,
        describe: Describe,
        meter: Meter,
        *,
        clock: Callable[[], float],
        ticks: Callable[[], float],
        lifetime: float,
    ) -> None:
        self._registry = registry
        self._challenges = challenges
        self._describe = describe
        self._meter = meter
        self._clock = clock
        self._ticks = ticks
        self._lifetime = lifetime

    def challenge(self) -> Challenge:
        """For anybody."""
        return self._challenges.give(self._ticks())

    async def enrol(self, asked: Enrol) -> Configuration:
        """A place for a token. Again with the same key: the same place, since an answer may get lost."""
        self._spend(asked.challenge, asked.name)
        about = hashlib.sha256(asked.token).digest() + asked.name.encode()
        self._prove(asked.public_key, ENROL, asked.challenge, about, asked.proof, asked.name)
        _check("name", name_problem(asked.name))
        _check("public_key", key_problem(asked.public_key))
        now = self._clock()
        with _refusing(asked.name):
            enrolled = await self._registry.redeem(
                asked.token, asked.name, asked.public_key, now=now, expires=now + self._lifetime
            )
            # The registry keeps whole microseconds. Of two requests for the same place one made it.
            if enrolled.device.created == round(now, 6):
                self._meter.enrolled()
            return await self._describe(enrolled)

    async def renew(self, asked: Renew) -> Configuration:
        """More time for an enrolment that hasn't ended, never less than it had."""
        self._spend(asked.challenge)
        self._prove(asked.public_key, RENEW, asked.challenge, b"", asked.proof)
        with _refusing():
            device = (await self._owner(asked.public_key)).device
            now = self._clock()
            expires = None if device.expires is None else max(device.expires, now + self._lifetime)
            await self._registry.renew(device.id, now=now, expires=expires)
            return await self._describe(await self._registry.device(device.id))

    async def rotate(self, asked: Rotate) -> Configuration:
        """Another key for a device. Both are valid until the new one was used."""
        self._spend(asked.challenge)
        self._prove(asked.public_key, ROTATE, asked.challenge, asked.next_key, asked.proof)
        self._prove(asked.next_key, ROTATE, asked.challenge, asked.public_key, asked.next_proof, field="next_proof")
        _check("next_key", key_problem(asked.next_key))
        if asked.next_key == asked.public_key:
            _check("next_key", "The next key must be another one.")
        with _refusing():
            device = (await self._owner(asked.public_key)).device
            await self._registry.rotate(device.id, asked.next_key, now=self._clock())
            return await self._describe(await self._registry.device(device.id))

    async def _owner(self, key: bytes) -> Enrolled:
        found = await self._registry.by_key(key)
        # A device that is no SloPN client was made by an administrator, who alone says how long it lives.
        if found is None or found.device.kind is not DeviceKind.SLOPN:
            raise unknown()
        return found

    def _spend(self, challenge: bytes, said: str = "") -> None:
        match self._challenges.spend(challenge, self._ticks()):
            case None:
                return
            case Flaw.OLD:
                sentence = f"The challenge is older than {LIFETIME:g} s: ask for another one."
                raise Refused("bad_proof", sentence, field="challenge")
            case Flaw.FULL:
                sentence = "The gateway has too much to do: try again in a moment."
                raise Refused("unavailable", sentence, retry_after=5.0)
            case Flaw.SPENT:
                sentence = "The challenge was answered before, and each is good for once: ask for another one."
            case _:
                sentence = "The challenge isn't this gateway's, or from before its restart: ask for another one."
        raise Refused("bad_proof", sentence, field="challenge", why=Why.ENROLMENT, said=said)

    def _prove(
        self,
        key: bytes,
        purpose: str,
        challenge: bytes,
        about: bytes,
        proof: bytes,
        said: str = "",
        field: str = "proof",
    ) -> None:
        if not proves(self._challenges.key, key, purpose, challenge, about, proof):
            sentence = "The request doesn't prove that the device has the private key."
            raise Refused("bad_proof", sentence, field=field, why=Why.ENROLMENT, said=said)


@contextmanager
def _refusing(name: str = "") -> Iterator[None]:
    try:
        yield
    except RegistryError as error:
        raise refusal(error, name) from error


def _check(field: str, problem: str | None) -> None:
    if problem is not None:
        raise Refused("bad_request", problem, field=field, why=Why.ENROLMENT)
