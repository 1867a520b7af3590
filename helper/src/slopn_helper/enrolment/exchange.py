"""The conversation with an enrolment API: a challenge, the proof of a key, and what is wanted. Sans-IO but for `Post`.

`slopn_wire.enrolment_api` has the messages.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Protocol, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from slopn_helper.enrolment.https import Answer
from slopn_helper.possession import prove
from slopn_helper.secrets import Secret
from slopn_wire import codec
from slopn_wire.enrolment_api import (
    CHALLENGE,
    ENROL,
    RENEW,
    ROTATE,
    ApiProblem,
    Challenge,
    Configuration,
    Enrol,
    Renew,
    Rotate,
)

_T = TypeVar("_T")
_LONGEST = 200
"""Characters of a gateway's own sentence."""

_SENTENCES = {
    "bad_token": "The gateway doesn't take this link: it was used up, has expired or was taken back. Ask for a new one.",
    "key_taken": "The gateway knows this key already, for another device. Try the link again: another key is made.",
    "pool_exhausted": "The gateway has no address left for another device. Tell whoever runs it.",
    "unknown_device": "The gateway doesn't know this device any more: it was removed there. Ask for a new link.",
    "ended": "The gateway has ended this device's enrolment: it was revoked, disabled or has expired. Ask for a new link.",
    "too_many": "The gateway has had too many requests; try again later.",
    "unavailable": "The gateway can't enrol or renew right now; try again later.",
    "bad_proof": "The gateway doesn't accept the proof of this device's key; try again.",
}
ENDED = frozenset({"unknown_device", "ended"})
FINAL = frozenset({"bad_token", "key_taken"})


class ApiError(Exception):
    """The gateway has answered, and it is a no; the message is a sentence."""

    def __init__(self, code: str, sentence: str, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.code = code
        self.retry_after = retry_after
        """Seconds."""

    @property
    def ended(self) -> bool:
        """The gateway knows no such device, or none that may connect."""
        return self.code in ENDED

    @property
    def final(self) -> bool:
        """The same with the same key can't come to anything."""
        return self.code in FINAL


class Post(Protocol):
    """One request to the API of one gateway, always at the same address."""

    async def __call__(self, path: str, body: bytes) -> Answer:
        """Raises `HttpsError`."""
        ...


def public_key(key: Secret) -> bytes:
    """WireGuard's, 32 bytes."""
    return X25519PrivateKey.from_private_bytes(key.reveal()).public_key().public_bytes_raw()


async def enrol(post: Post, token: bytes, name: str, key: Secret) -> Configuration:
    """Redeem `token` for a device called `name`. Raises `HttpsError`, `ApiError`, as the others."""
    given = await _challenge(post)
    proof = _prove(key, given, ENROL, sha256(token).digest() + name.encode())
    request = Enrol(token, name, public_key(key), given.challenge, proof)
    return await _asked(post, ENROL, request, Configuration)


async def renew(post: Post, key: Secret) -> Configuration:
    """Prolong the device with that key."""
    given = await _challenge(post)
    request = Renew(public_key(key), given.challenge, _prove(key, given, RENEW, b""))
    return await _asked(post, RENEW, request, Configuration)


async def rotate(post: Post, key: Secret, next_key: Secret) -> Configuration:
    """Change the device's key. Asked again with the same two it comes to the same."""
    given = await _challenge(post)
    own, following = public_key(key), public_key(next_key)
    proofs = _prove(key, given, ROTATE, following), _prove(next_key, given, ROTATE, own)
    return await _asked(post, ROTATE, Rotate(own, following, given.challenge, *proofs), Configuration)


async def _challenge(post: Post) -> Challenge:
    return await _asked(post, CHALLENGE, None, Challenge)


def _prove(key: Secret, given: Challenge, purpose: str, about: bytes) -> bytes:
    try:
        return prove(key.reveal(), given.public_key, purpose, given.challenge, about)
    except ValueError:
        raise ApiError("", "The gateway's challenge can't be answered: its key isn't one.") from None


async def _asked(post: Post, path: str, request: msgspec.Struct | None, kind: type[_T]) -> _T:
    answer = await post(path, b"{}" if request is None else codec.encode(request))
    if answer.status != 200:
        raise _problem(answer)
    try:
        return codec.decode(answer.body, kind)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise ApiError("", "The gateway's answer makes no sense: is SloPN up to date, here and there?") from None


def _problem(answer: Answer) -> ApiError:
    try:
        said = codec.decode(answer.body, ApiProblem)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ApiError("", f"The gateway's answer is an HTTP status of {answer.status}.", answer.retry_after)
    sentence = _SENTENCES.get(said.code)
    if sentence is None:
        shown = "".join(letter for letter in said.message[:_LONGEST] if letter.isprintable())
        sentence = f"The gateway says no: {shown or answer.status}"
    return ApiError(said.code, sentence, answer.retry_after)
