"""What the engine is told of a profile: its keys, and where its gateways are. Pure."""

from __future__ import annotations

from base64 import b64decode, b64encode
from ipaddress import ip_address

from slopn_helper.engine import EngineConfig, PeerConfig
from slopn_helper.secrets import ProfileSecrets
from slopn_wire.profile import Endpoint, Profile


def engine_config(
    profile: Profile,
    secrets: ProfileSecrets,
    found: tuple[tuple[Endpoint, ...], ...],
    interface: str,
    fwmark: int,
    mtu: int,
) -> EngineConfig:
    """`found` is as in `inputs.Resolved`."""
    addresses = iter(found)
    peers = []
    for peer in profile.peers:
        at = [_address(one) for one in next(addresses, ())] if peer.endpoint is not None else []
        preshared = secrets.preshared_keys.get(peer.public_key)
        peers.append(
            PeerConfig(
                public_key=b64decode(peer.public_key),
                allowed_ips=peer.allowed_ips,
                endpoint=at[0] if at else None,
                preshared_key=None if preshared is None else preshared.reveal(),
                persistent_keepalive=peer.persistent_keepalive,
                alternatives=tuple(at[1:]),
            )
        )
    return EngineConfig(
        interface=interface,
        private_key=secrets.private_key.reveal(),
        peers=tuple(peers),
        mtu=mtu,
        listen_port=profile.listen_port,
        fwmark=fwmark,
    )


def named(public_key: bytes) -> str:
    """As profiles write it."""
    return b64encode(public_key).decode()


def _address(endpoint: Endpoint) -> tuple[str, int]:
    return str(ip_address(endpoint.host)), endpoint.port
