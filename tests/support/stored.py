"""Profiles and keys for tests of what keeps them."""

from __future__ import annotations

import base64
from ipaddress import ip_interface

from slopn_helper.secrets import ProfileSecrets, Secret
from slopn_wire.profile import Peer, Profile


def stored_profile(name: str, number: int = 1) -> Profile:
    """A profile that can be told from those of other numbers by its address and its peer."""
    key = base64.b64encode(bytes([number] * 32)).decode()
    return Profile(name=name, addresses=(ip_interface(f"10.0.0.{number}/32"),), peers=(Peer(public_key=key),))


def stored_secrets(number: int = 1) -> ProfileSecrets:
    """The keys of the profile with this number."""
    return ProfileSecrets(Secret(bytes([number + 100] * 32)))
