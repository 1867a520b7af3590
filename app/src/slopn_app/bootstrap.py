"""Chooses the parts that stand on the operating system; the only module of the front ends that asks which one it is.

Imports as little as it can: it is on the way of every `slopn status`.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from slopn_app.host.interfaces import Vault
    from slopn_app.host.parts import Host

NO_KEYRING = "SLOPN_KEYRING"
"""Set to `no`: keep keys in files, whatever keyring there is."""

if sys.platform == "win32":
    ENDPOINT = r"\\.\pipe\slopn"

    def host() -> Host:
        """The parts for this system and this user."""
        from slopn_app.host import sealed
        from slopn_app.host.parts import Host
        from slopn_app.host.pipe import PipeTransport
        from slopn_app.host.win32 import Win32
        from slopn_app.host.windows import WindowsFiles

        return Host(PipeTransport(Win32()), WindowsFiles(os.environ), _vault, sealed.load_key, graphical=True)

    def _vault() -> Vault:
        from slopn_app.host.keyring import PinnedKeyring

        _allow()
        return PinnedKeyring("keyring.backends.Windows", "WinVaultKeyring")

elif sys.platform == "darwin":
    ENDPOINT = "/var/run/slopn/helper.sock"

    def host() -> Host:
        """The parts for this system and this user."""
        from slopn_app.host import sealed, unix
        from slopn_app.host.parts import Host
        from slopn_app.host.posix import PosixFiles

        files = PosixFiles({}, "Library/Application Support/SloPN")
        return Host(unix.UnixTransport(unix.macos_peer_uid), files, _vault, sealed.load_key, graphical=True)

    def _vault() -> Vault:
        from slopn_app.host.keyring import PinnedKeyring

        _allow(uid=os.geteuid())
        return PinnedKeyring("keyring.backends.macOS", "Keyring")

else:
    ENDPOINT = "/run/slopn/helper.sock"

    def host() -> Host:
        """The parts for this system and this user."""
        from slopn_app.host import memfd, unix
        from slopn_app.host.parts import Host
        from slopn_app.host.posix import PosixFiles

        files = PosixFiles(os.environ, ".local/state/slopn")
        graphical = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
        return Host(unix.UnixTransport(unix.linux_peer_uid), files, _vault, memfd.load_key, graphical=graphical)

    def _vault() -> Vault:
        _allow(uid=os.geteuid())
        from slopn_app.host.secret_service import SecretService, session_bus

        return SecretService(session_bus(os.environ, os.geteuid()))


def _allow(uid: int | None = None) -> None:
    """Raises `Unavailable` for who must not ask the keyring; before anything of it is imported."""
    from slopn_app.credentials.vault import Unavailable

    if os.environ.get(NO_KEYRING) == "no":
        raise Unavailable(f"{NO_KEYRING}=no")
    if uid == 0:
        raise Unavailable("root has no keyring")
