"""From a profile and its keys to a wg-quick file."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from slopn_helper.conf.errors import ConfError
from slopn_helper.conf.parser import parse
from slopn_helper.secrets import ProfileSecrets
from slopn_wire.profile import Peer, PostQuantum, Profile


def write(profile: Profile, secrets: ProfileSecrets) -> str:
    """The wg-quick file that `parse` reads as this profile and these keys; notes and an enrolment are left out.

    It holds the private key. Raises `ValueError` for a profile that wg-quick's format can't express.
    """
    text = "\n".join(_lines(profile, secrets)) + "\n"
    try:
        parsed = parse(text, "export")
    except ConfError as error:
        raise ValueError(f"the profile can't be written as a wg-quick file: {error.message}") from None
    apart = {"notes": (), "enrolment": None, "post_quantum": PostQuantum.OFF}
    read, wanted = (msgspec.structs.replace(each, **apart) for each in (parsed.named(profile.name), profile))
    if parsed.secrets != secrets or read != wanted:
        raise ValueError("the profile holds something that a wg-quick file can't express")
    return text


def _lines(profile: Profile, secrets: ProfileSecrets) -> Iterator[str]:
    yield "[Interface]"
    yield f"PrivateKey = {secrets.private_key.reveal_base64()}"
    yield f"Address = {', '.join(map(str, profile.addresses))}"
    if profile.dns.servers or profile.dns.search:
        yield f"DNS = {', '.join([*map(str, profile.dns.servers), *profile.dns.search])}"
    if profile.mtu is not None:
        yield f"MTU = {profile.mtu}"
    if profile.table != "auto":
        yield f"Table = {profile.table}"
    if profile.listen_port is not None:
        yield f"ListenPort = {profile.listen_port}"
    if profile.fwmark is not None:
        yield f"FwMark = {profile.fwmark:#x}"
    for peer in profile.peers:
        yield ""
        yield from _peer_lines(peer, secrets)


def _peer_lines(peer: Peer, secrets: ProfileSecrets) -> Iterator[str]:
    yield "[Peer]"
    yield f"PublicKey = {peer.public_key}"
    if peer.public_key in secrets.preshared_keys:
        yield f"PresharedKey = {secrets.preshared_keys[peer.public_key].reveal_base64()}"
    if peer.allowed_ips:
        yield f"AllowedIPs = {', '.join(map(str, peer.allowed_ips))}"
    if peer.endpoint is not None:
        yield f"Endpoint = {peer.endpoint}"
    if peer.persistent_keepalive is not None:
        yield f"PersistentKeepalive = {peer.persistent_keepalive}"
