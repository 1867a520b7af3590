from __future__ import annotations

import pytest
from msgspec.structs import replace

from model.psk_world import private, public
from slopn_helper.psk.kem import CIPHERTEXT, ENCAPSULATION_KEY
from slopn_helper.psk.messages import Accept, Exchange, Offer
from slopn_helper.psk.schedule import Agreement, Pair

_OFFER = Offer(Exchange(b"run-of-8", 1), b"p" * 8, b"k" * ENCAPSULATION_KEY, b"m" * 16)
_ACCEPT = Accept(_OFFER.exchange, b"n" * 16, b"c" * CIPHERTEXT, b"")
_SECRET = b"s" * 32


def client(name: str = "client", other: str = "gateway") -> Pair:
    """The client's view."""
    return Pair(private(name), public(other), client=True)


def gateway(name: str = "gateway", other: str = "client") -> Pair:
    """The gateway's view."""
    return Pair(private(name), public(other), client=False)


def keys(agreement: Agreement) -> tuple[bytes, ...]:
    """All that comes of it."""
    return (agreement.key, agreement.accept_mac, agreement.confirm_mac, agreement.done_mac)


def test_both_ends_come_to_the_same() -> None:
    """Tag, MAC and all four keys; and no two of them are alike."""
    one, other = client().chain(b"k" * 32), gateway().chain(b"k" * 32)
    assert one.tag == other.tag
    assert one.offer_mac(_OFFER) == other.offer_mac(_OFFER)
    agreed = keys(one.agree(_OFFER, _ACCEPT, _SECRET))
    assert agreed == keys(other.agree(_OFFER, _ACCEPT, _SECRET))
    assert len(set(agreed)) == 4


def test_the_key_hangs_on_everything() -> None:
    """Another secret, parent, identity, role, or any field of the two messages: another key."""
    agreements = [
        client().chain(None).agree(_OFFER, _ACCEPT, _SECRET),
        client().chain(None).agree(_OFFER, _ACCEPT, b"t" * 32),
        client().chain(b"k" * 32).agree(_OFFER, _ACCEPT, _SECRET),
        client("mallory").chain(None).agree(_OFFER, _ACCEPT, _SECRET),
        client(other="mallory").chain(None).agree(_OFFER, _ACCEPT, _SECRET),
        Pair(private("client"), public("gateway"), client=False).chain(None).agree(_OFFER, _ACCEPT, _SECRET),
        *(
            client().chain(None).agree(offer, _ACCEPT, _SECRET)
            for offer in (
                replace(_OFFER, exchange=Exchange(b"run-of-9", 1)),
                replace(_OFFER, exchange=Exchange(b"run-of-8", 2)),
                replace(_OFFER, parent=b"q" * 8),
                replace(_OFFER, public=b"l" * ENCAPSULATION_KEY),
                replace(_OFFER, mac=b"n" * 16),
            )
        ),
        client().chain(None).agree(_OFFER, replace(_ACCEPT, nonce=b"o" * 16), _SECRET),
        client().chain(None).agree(_OFFER, replace(_ACCEPT, ciphertext=b"d" * CIPHERTEXT), _SECRET),
    ]
    assert len({agreement.key for agreement in agreements}) == len(agreements)


def test_a_key_that_everybody_shares_is_refused() -> None:
    """A public key of low order would make the secret everybody's."""
    with pytest.raises(ValueError, match="shared key"):
        Pair(private("client"), bytes(32), client=True)


def test_nothing_is_shown() -> None:
    """No representation has a secret."""
    chain = client().chain(b"k" * 32)
    shown = repr((client(), chain, chain.agree(_OFFER, _ACCEPT, _SECRET)))
    assert shown == "(Pair(), Chain(), Agreement())"
