"""Chooses the parts that stand on the operating system; the only module of the front ends that asks which one it is.

Imports as little as it can: it is on the way of every `slopn status`.
"""

from __future__ import annotations

import os
import sys

from slopn_app.locale import t

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from slopn_app.desktop.parts import Desktop
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

    def desktop() -> Desktop:
        """The parts of this user's desktop."""
        from slopn_app.desktop.parts import Desktop
        from slopn_app.host.autostart_windows import RunKey
        from slopn_app.host.launch_windows import WindowsLauncher
        from slopn_app.host.notifications import DesktopNotifications
        from slopn_app.host.single_windows import WindowsSingle
        from slopn_app.host.status_icon import StatusIcon
        from slopn_app.host.win32 import Win32

        def surface(name: str, icons: Path, icon: str) -> StatusIcon:
            return StatusIcon(name, icons, icon, ending=".ico", animated=True)

        single = WindowsSingle(Win32().me())
        autostart = RunKey(str(_programs() / "slopn-tray.exe"))
        launch = WindowsLauncher(_programs()).launch
        return Desktop(surface, DesktopNotifications, autostart, single.claim, single.call, launch)

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

    def desktop() -> Desktop:
        """The parts of this user's desktop."""
        from pathlib import Path

        from slopn_app.desktop.parts import Desktop
        from slopn_app.host import single
        from slopn_app.host.autostart_macos import LaunchAgent
        from slopn_app.host.launch_macos import MacLauncher
        from slopn_app.host.notifications import DesktopNotifications
        from slopn_app.host.status_icon import StatusIcon

        def surface(name: str, icons: Path, icon: str) -> StatusIcon:
            return StatusIcon(name, icons / "template", icon, ending="@2x.png", animated=True)

        one = single.Single(single.folder({}, host().files.state_directory()))
        autostart = LaunchAgent(Path.home() / "Library", str(_programs() / "slopn-tray"))
        launch = MacLauncher(_programs()).launch
        return Desktop(surface, DesktopNotifications, autostart, one.claim, one.call, launch)

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

    def desktop() -> Desktop:
        """The parts of this user's desktop."""
        from pathlib import Path

        from slopn_app.desktop.parts import Desktop
        from slopn_app.host import single
        from slopn_app.host.appindicator import AppIndicator
        from slopn_app.host.autostart import XdgAutostart
        from slopn_app.host.launch import Launcher
        from slopn_app.host.notifications import DesktopNotifications

        config = Path(os.environ.get("XDG_CONFIG_HOME", ""))
        one = single.Single(single.folder(os.environ, host().files.state_directory()))
        launcher = Launcher(_programs())
        autostart = XdgAutostart(
            config if config.is_absolute() else Path.home() / ".config", str(launcher.path("slopn-tray"))
        )
        return Desktop(AppIndicator, DesktopNotifications, autostart, one.claim, one.call, launcher.launch)

    def _vault() -> Vault:
        _allow(uid=os.geteuid())
        from slopn_app.host.secret_service import SecretService, session_bus

        return SecretService(session_bus(os.environ, os.geteuid()))


def _programs() -> Path:
    """Where our programs are: beside this one."""
    from pathlib import Path

    return Path(sys.argv[0]).resolve().parent


def _allow(uid: int | None = None) -> None:
    """Raises `Unavailable` for who must not ask the keyring; before anything of it is imported."""
    from slopn_app.credentials.vault import Unavailable

    if os.environ.get(NO_KEYRING) == "no":
        raise Unavailable(f"{NO_KEYRING}=no")
    if uid == 0:
        raise Unavailable(t("root has no keyring"))
