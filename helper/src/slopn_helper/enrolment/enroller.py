"""Enrols, renews and rotates when somebody asks: the order of steps in which a kill loses nothing.

A key is on the disk before a gateway hears of it (`pending`), a profile is stored whole or not at all, and only then is the
pending key forgotten. So whoever asks again after any accident gets the same device. A token is kept nowhere.
"""

from __future__ import annotations

import asyncio
import logging
import time
import unicodedata
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from slopn_helper.conf.names import MAX_NAME, name_problem
from slopn_helper.enrolment import exchange
from slopn_helper.enrolment.answers import make_profile
from slopn_helper.enrolment.exchange import ApiError
from slopn_helper.enrolment.https import HttpsError
from slopn_helper.enrolment.pending import Pending, of_rotation, of_token
from slopn_helper.enrolment.way import Way
from slopn_helper.secrets import ProfileSecrets, Secret
from slopn_wire.commands import CheckEnrolment, Enrol, RenewEnrolment
from slopn_wire.enrolment import EnrolmentLink, parse_link
from slopn_wire.enrolment_api import Configuration
from slopn_wire.events import ErrorKind, Refused
from slopn_wire.profile import Endpoint, EnrolledGateway, Enrolment, Profile
from slopn_wire.profile_replies import Enrolled, LinkHolds

WITHIN = 30.0
"""Seconds for all that one command does outside."""

_log = logging.getLogger(__name__)


class Shelf(Protocol):
    """Where profiles stand; `Control` is it."""

    def profile(self, name: str) -> Profile | None:
        """The profile of that name."""

    def names(self) -> Sequence[str]:
        """All names."""

    def secrets(self, name: str) -> ProfileSecrets:
        """Its keys. Raises `StoreError` or `SecretError`."""

    async def add(self, profile: Profile, secrets: ProfileSecrets, *, replace: bool) -> None:
        """Store a new one. Raises `ValueError`, `StoreError` or `SecretError`."""

    async def renewed(self, profile: Profile, secrets: ProfileSecrets | None) -> None:
        """Store what a renewal has brought, with other keys if there are any. Raises likewise, if it is gone by now."""


class EnrolError(Exception):
    """It came to nothing; the message is a sentence that says why and what to do."""

    def __init__(self, sentence: str, answer: ApiError | None = None) -> None:
        super().__init__(sentence)
        self.answer = answer
        """The gateway's own no."""


class Enroller:
    """One exchange at a time."""

    def __init__(
        self, shelf: Shelf, pending: Pending, way: Way, *, device: str, clock: Callable[[], float] = time.time
    ) -> None:
        """`device`: what this computer is called in the gateway's lists."""
        self._shelf = shelf
        self._pending = pending
        self._way = way
        self._device = device_name(device)
        self._clock = clock
        self._busy = asyncio.Lock()

    async def do(self, command: CheckEnrolment | Enrol | RenewEnrolment) -> LinkHolds | Enrolled | Refused:
        """What a front end has asked for. Raises `ValueError` for what it has got wrong, and as the store."""
        try:
            match command:
                case CheckEnrolment(link=text):
                    link = parse_link(text)
                    return LinkHolds(link.host, link.port, link.pin.hex(), self._free(link.host))
                case Enrol(link=text, name=name, replace=replace):
                    return Enrolled(await self.enrol(parse_link(text), name, replace=replace))
                case RenewEnrolment(profile=name, rotate=rotate):
                    return Enrolled(await self.renew(name, rotate=rotate))
        except EnrolError as error:
            return Refused(ErrorKind.FAILED, str(error))

    async def enrol(self, link: EnrolmentLink, name: str | None, *, replace: bool) -> Profile:
        """Redeem a link, and store the profile. Raises `EnrolError`, `ValueError`, and as the store."""
        async with self._busy:
            name = self._free(link.host, replace=replace) if name is None else name
            if (problem := name_problem(name)) is not None:
                raise ValueError(problem)
            if name in self._shelf.names() and not replace:
                raise ValueError(
                    f"There is a profile “{name}” already; give another --name, or --replace to replace it."
                )
            purpose = of_token(link.token)
            key = await asyncio.to_thread(self._pending.key, purpose)
            api = Endpoint(link.host, link.port)
            try:
                async with asyncio.timeout(WITHIN), self._way.to(api, link.pin) as post:
                    answer = await exchange.enrol(post, link.token, self._device, key)
                profile = make_profile(answer, name, self._clock(), asked=link.host)
            except ApiError as error:
                if error.final:
                    await asyncio.to_thread(self._pending.forget, purpose)
                raise EnrolError(str(error), error) from None
            except (HttpsError, TimeoutError) as error:
                raise EnrolError(_unreached(str(api), error)) from None
            except ValueError as error:
                raise EnrolError(str(error)) from None
            await self._shelf.add(profile, ProfileSecrets(key), replace=replace)
            await asyncio.to_thread(self._pending.forget, purpose)
            _log.info("%r is enrolled at %s as device %s", name, api, answer.device)
            return profile

    async def renew(self, name: str, *, rotate: bool) -> Profile:
        """Ask the gateways in turn how the profile is configured now, and let it hold. Raises as `enrol`."""
        async with self._busy:
            profile = self._shelf.profile(name)
            if profile is None:
                raise ValueError(f"There is no profile “{name}”.")
            if profile.enrolment is None:
                raise ValueError(f"The profile “{name}” came from a file, not by an enrolment link: nothing renews it.")
            failed: list[str] = []
            for gateway in profile.enrolment.gateways:
                try:
                    async with asyncio.timeout(WITHIN):
                        renewed = await self._renewed_at(gateway, profile, profile.enrolment, rotate=rotate)
                except ApiError as error:
                    if error.ended:
                        raise EnrolError(str(error), error) from None
                    failed.append(f"{gateway.api}: {error}")
                except (HttpsError, TimeoutError) as error:
                    failed.append(_unreached(str(gateway.api), error))
                except ValueError as error:
                    failed.append(f"{gateway.api}: {error}")
                else:
                    _log.info("%r is renewed by %s%s", name, gateway.api, ", with another key" if rotate else "")
                    return renewed
            raise EnrolError(" ".join(failed))

    async def _renewed_at(
        self, gateway: EnrolledGateway, profile: Profile, enrolment: Enrolment, *, rotate: bool
    ) -> Profile:
        secrets = await asyncio.to_thread(self._shelf.secrets, profile.name)
        purpose = of_rotation(enrolment.device)
        async with self._way.to(gateway.api, bytes.fromhex(gateway.pin)) as post:
            try:
                answer = await exchange.renew(post, secrets.private_key)
            except ApiError as error:
                # A rotation whose answer was lost may have put the next key in the place of one that was never used.
                following = await asyncio.to_thread(self._pending.known, purpose)
                if not error.ended or following is None or following == secrets.private_key:
                    raise
                answer = await exchange.renew(post, following)
                return await self._take(answer, gateway, profile, enrolment, secrets, following)
            renewed = make_profile(
                _same(answer, enrolment), profile.name, self._clock(), profile, asked=gateway.api.host
            )
            await self._shelf.renewed(renewed, None)
            if not rotate:
                return renewed
            following = await self._following(purpose, secrets.private_key)
            answer = await exchange.rotate(post, secrets.private_key, following)
        return await self._take(answer, gateway, renewed, enrolment, secrets, following)

    async def _take(
        self,
        answer: Configuration,
        gateway: EnrolledGateway,
        profile: Profile,
        enrolment: Enrolment,
        secrets: ProfileSecrets,
        key: Secret,
    ) -> Profile:
        """The gateway knows `key`: it is the profile's from now on."""
        taken = make_profile(_same(answer, enrolment), profile.name, self._clock(), profile, asked=gateway.api.host)
        await self._shelf.renewed(taken, msgspec.structs.replace(secrets, private_key=key))
        await asyncio.to_thread(self._pending.forget, of_rotation(enrolment.device))
        return taken

    async def _following(self, purpose: str, now: Secret) -> Secret:
        """The next key: the one that a gateway may have heard of, unless it is in use since."""
        key = await asyncio.to_thread(self._pending.key, purpose)
        if key == now:
            await asyncio.to_thread(self._pending.forget, purpose)
            key = await asyncio.to_thread(self._pending.key, purpose)
        return key

    def _free(self, host: str, *, replace: bool = False) -> str:
        """A profile's name after the gateway, with a number if there is one."""
        name = f"gateway {host.replace(':', '-')}" if ":" in host else host[:MAX_NAME].rstrip(".-")
        taken = frozenset() if replace else frozenset(self._shelf.names())
        number = 1
        free = name
        while free in taken:
            number += 1
            free = f"{name[: MAX_NAME - 5]} {number}"
        return free


def device_name(computer: str) -> str:
    """A computer's name as a gateway takes it (`gateway.devices.name_problem`)."""
    kept = "".join(letter for letter in unicodedata.normalize("NFC", computer)[:MAX_NAME] if letter.isprintable())
    return kept.strip() or "device"


def _same(answer: Configuration, enrolment: Enrolment) -> Configuration:
    if answer.device != enrolment.device:
        raise ValueError("the answer is about another device, so that it was not taken")
    return answer


def _unreached(api: str, error: Exception) -> str:
    why = str(error) or f"it took longer than {WITHIN:.0f} s"
    return f"The gateway's enrolment service at {api} gave no answer: {why}."
