"""Chooses the parts that stand on the operating system; the only module of the front ends that asks which one it is."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from slopn_app.host.interfaces import Vault
    from slopn_app.host.parts import Host

NO_KEYRING = "SLOPN_KEYRING"
"""Set to `no`: keep keys in files, whatever keyring there is."""


def host() -> Host:
    """The parts for this system and this user. Imports as little as it can: this is on the way of every `slopn status`."""
    from slopn_app.host import unix
    from slopn_app.host.parts import Host
    from slopn_app.host.posix import PosixFiles

    if sys.platform == "darwin":
        from slopn_app.host import sealed

        files = PosixFiles({}, "Library/Application Support/SloPN")
        return Host(unix.UnixTransport(unix.macos_peer_uid), files, _keychain, sealed.load_key, graphical=True)
    from slopn_app.host import memfd

    files = PosixFiles(os.environ, ".local/state/slopn")
    graphical = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return Host(unix.UnixTransport(unix.linux_peer_uid), files, _secret_service, memfd.load_key, graphical=graphical)


def _secret_service() -> Vault:
    _allowed()
    from slopn_app.host.secret_service import SecretService, session_bus

    return SecretService(session_bus(os.environ, os.geteuid()))


def _keychain() -> Vault:
    _allowed()
    from slopn_app.host.keyring import PinnedKeyring

    return PinnedKeyring("keyring.backends.macOS", "Keyring")


def _allowed() -> None:
    from slopn_app.credentials.vault import Unavailable

    if os.environ.get(NO_KEYRING) == "no":
        raise Unavailable(f"{NO_KEYRING}=no")
    if os.geteuid() == 0:
        raise Unavailable("root has no keyring")
