"""Who the two ends are, and every key that is derived. Nothing here shows a secret.

All secrets hang on what WireGuard's own keys give (X25519 of the static keys), on the key before, and on ML-KEM: the new key is
unknown to whoever lacks one of the three.
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from slopn_helper.psk.messages import OFFER_MAC, TAG, Accept, Offer, body, encode

_NAME = b"SloPN preshared key 1"
_NO_KEY = bytes(32)


class Pair:
    """The two ends, as one of them knows them: its own private key, the other's public one."""

    def __init__(self, private: bytes, peer: bytes, *, client: bool) -> None:
        """`private`, `peer`: WireGuard's, 32 raw bytes each. Raises `ValueError` for keys that can't be anybody's."""
        own = X25519PrivateKey.from_private_bytes(private)
        self._shared = own.exchange(X25519PublicKey.from_public_bytes(peer))
        public = own.public_key().public_bytes_raw()
        self._names = public + peer if client else peer + public

    def __repr__(self) -> str:
        return "Pair()"

    def chain(self, parent: bytes | None) -> Chain:
        """What an exchange that follows `parent` starts from; None: WireGuard's "no preshared key"."""
        root = hmac.digest(_NAME, self._shared + (parent or _NO_KEY), "sha256")
        return Chain(root, self._names)


class Chain:
    """The place of an exchange in the row of keys."""

    def __init__(self, root: bytes, names: bytes) -> None:
        self._root = root
        self._names = names
        self.tag = _expand(root, b"tag" + names, TAG)
        """Names the key before, and tells nothing else of it."""

    def __repr__(self) -> str:
        return "Chain()"

    def offer_mac(self, offer: Offer) -> bytes:
        """Proves that the offer is from one of the two ends, and that it has the key before."""
        return hmac.digest(_expand(self._root, b"offer" + self._names, 32), body(offer), "sha256")[:OFFER_MAC]

    def agree(self, offer: Offer, accept: Accept, secret: bytes) -> Agreement:
        """What follows from both messages, the accept's MAC aside, and ML-KEM's secret."""
        return Agreement(self._root, self._names, encode(offer), body(accept), secret)


class Agreement:
    """The new key, and the proofs that both have it."""

    def __init__(self, root: bytes, names: bytes, offer: bytes, accept: bytes, secret: bytes) -> None:
        # All parts have fixed lengths, so that none can be taken for a piece of its neighbour.
        transcript = hashlib.sha256(_NAME + names + offer + accept).digest()
        key = hmac.digest(transcript, secret + root, "sha256")
        self.key = _expand(key, b"preshared key", 32)
        """For WireGuard."""
        self.accept_mac = _expand(key, b"accept", 32)
        self.confirm_mac = _expand(key, b"confirm", 32)
        self.done_mac = _expand(key, b"done", 32)

    def __repr__(self) -> str:
        return "Agreement()"


def same(mac: bytes, expected: bytes) -> bool:
    """Compare without telling by time where they differ."""
    return hmac.compare_digest(mac, expected)


def _expand(key: bytes, info: bytes, length: int) -> bytes:
    return HKDFExpand(SHA256(), length, info).derive(key)
