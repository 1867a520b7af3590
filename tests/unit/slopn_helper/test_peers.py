"""What the engine is told of a profile."""

from __future__ import annotations

from base64 import b64decode

from slopn_helper.peers import engine_config, named
from slopn_wire.profile import Endpoint
from support.fakes import PROFILE, SECRETS


def test_a_gateway_with_several_addresses() -> None:
    """The first is its endpoint, the others are tried beside it."""
    found = ((Endpoint("192.0.2.1", 51820), Endpoint("2001:db8::1", 51820)),)
    (peer,) = engine_config(PROFILE, SECRETS, found, "slopn0", 7, 1420).peers
    assert peer.public_key == b64decode(PROFILE.peers[0].public_key)
    assert peer.endpoint == ("192.0.2.1", 51820)
    assert peer.alternatives == (("2001:db8::1", 51820),)


def test_a_gateway_that_is_nowhere() -> None:
    """It may still come to us."""
    config = engine_config(PROFILE, SECRETS, (), "slopn0", 7, 1420)
    assert (config.interface, config.fwmark, config.mtu) == ("slopn0", 7, 1420)
    assert (config.peers[0].endpoint, config.peers[0].alternatives) == (None, ())


def test_a_key_is_named_as_profiles_do() -> None:
    """In base64."""
    key = PROFILE.peers[0].public_key
    assert named(b64decode(key)) == key
