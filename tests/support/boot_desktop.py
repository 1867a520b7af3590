"""Somebody who logs in at the screen of a booted system, to a desktop that systemd runs, as GNOME's and KDE's are.

The screen is Xvfb's, so that a picture of it can be taken; window manager and panel are units of the user's, below
graphical-session.target, and what is to start at login is started by systemd's own reading of /etc/xdg/autostart.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, Self

from jeepney.io.blocking import open_dbus_connection  # type: ignore[import-untyped]

from support import desktop_parts
from support.boot import BootedSystem
from support.boot_login import Login
from support.desktop import WATCHER
from support.until import until

PACKAGES = (
    "bubblewrap",
    "dbus-user-session",
    "fonts-dejavu-core",
    "gir1.2-ayatanaappindicator3-0.1",
    "gir1.2-gtk-3.0",
    "gir1.2-notify-0.7",
    "gir1.2-webkit2-4.1",
    "openbox",
    "x11-utils",
    "xdg-dbus-proxy",
    "xfce4-panel",
    "xvfb",
)
"""What the package `slopn` recommends for a desktop, and a desktop."""
USER = "ada"
_DISPLAY = ":7"
_PICTURE = "/var/tmp/screen"
_PROC = "/run/lab-proc"
_TIMEOUT = 40.0
_SCREEN = f"""
[Unit]
Description=The screen, as a display manager has it
[Service]
ExecStartPre=/bin/mkdir -p {_PICTURE}
ExecStart=/usr/bin/Xvfb {_DISPLAY} -ac -screen 0 1280x900x24 -nolisten tcp -noreset -fbdir {_PICTURE}
"""
_SESSION = """
[Unit]
Description=A desktop: what gnome-session.target is to GNOME
BindsTo=graphical-session.target
Before=graphical-session.target xdg-desktop-autostart.target
Wants=lab-windows.service lab-panel.service xdg-desktop-autostart.target
After=lab-windows.service lab-panel.service
"""
_PART = """
[Unit]
Description={what}
PartOf=graphical-session.target
[Service]
ExecStart={command}
"""
_BUS = '<busconfig><policy context="mandatory"><allow user="root"/></policy></busconfig>\n'
"""The user's bus lets the test in, too, which is root."""
_ENVIRONMENT = {"DISPLAY": _DISPLAY, **desktop_parts.SCREEN}


def equip(system: BootedSystem) -> None:
    """Make `USER`, and the units of screen and desktop; the screen comes up."""
    system.add_user(USER)
    system.add_unit("lab-screen.service", _SCREEN)
    units = {
        "lab-desktop.target": _SESSION,
        "lab-windows.service": _PART.format(what="A window manager", command="/usr/bin/openbox"),
        "lab-panel.service": _PART.format(what="A panel", command="/usr/bin/xfce4-panel --disable-wm-check"),
    }
    for name, text in units.items():
        system.write(f"/etc/systemd/user/{name}", text)
    system.write("/etc/dbus-1/session-local.conf", _BUS)
    # The window's sandbox mounts /proc, which the kernel allows where one is to be seen whole; the lab's own is covered in part.
    system.run(f"mkdir {_PROC}; mount -t proc -o nosuid,nodev,noexec proc {_PROC}")
    panel = f"/home/{USER}/.config/xfce4/xfconf/xfce-perchannel-xml/xfce4-panel.xml"
    system.write(panel, desktop_parts.PANEL)
    own(system)
    system.run("systemctl start lab-screen")
    socket = f"/tmp/.X11-unix/X{_DISPLAY.lstrip(':')}"
    until(lambda: system.run(["test", "-S", socket], check=False).returncode == 0, _TIMEOUT, "the screen")


def own(system: BootedSystem) -> None:
    """What was written into the user's home is the user's."""
    system.run(["chown", "-R", f"{USER}:", f"/home/{USER}"])


class Desktop:
    """`USER` at the screen while entered, the panel up."""

    def __init__(self, system: BootedSystem) -> None:
        self._system = system
        self._login = Login(system, USER, seat="seat0")
        self._runtime = f"/run/user/{system.run(['id', '-u', USER]).stdout.strip()}"
        self._inside = {**_ENVIRONMENT, "XDG_RUNTIME_DIR": self._runtime}
        self._inside["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={self._runtime}/bus"

    def __enter__(self) -> Self:
        self._login.__enter__()
        try:
            self.run(["dbus-update-activation-environment", "--systemd", *_ENVIRONMENT])
            self.systemctl("start", "lab-desktop.target")
            until(self._has_panel, _TIMEOUT, "the panel")
        except BaseException as error:
            error.add_note(self._system.journal()[-8000:])
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """The desktop ends, then the login, then all that runs for this user."""
        self.systemctl("stop", "graphical-session.target", check=False)
        self._login.__exit__()
        self._system.run(["systemctl", "stop", f"user@{Path(self._runtime).name}.service"])

    def bus(self) -> Any:
        """A connection of jeepney's to the session's bus; a context."""
        address = self._system.bus_address.replace("/run/dbus/system_bus_socket", f"{self._runtime}/bus")
        return open_dbus_connection(address)

    def run(self, command: str | list[str], *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, as the user at the screen."""
        return self._login.run(command, check=check, env=self._inside)

    def systemctl(self, *words: str, check: bool = True) -> str:
        """What the user's systemd answers."""
        return self.run(["systemctl", "--user", *words], check=check).stdout.strip()

    def windows(self) -> list[str]:
        """The names of the windows that the window manager has."""
        found = self.run(["xprop", "-root", "-notype", "_NET_CLIENT_LIST"]).stdout.partition("#")[2]
        numbers = [number.strip() for number in found.split(",") if number.strip()]
        names = (self.run(["xprop", "-id", each, "-notype", "WM_NAME"], check=False).stdout for each in numbers)
        return [name.partition('"')[2].rpartition('"')[0] for name in names]

    def picture(self, into: Path) -> Path:
        """What the screen shows now, as PNG without anything but its pixels."""
        screen = self._system.root / f"{_PICTURE.lstrip('/')}/Xvfb_screen0"
        subprocess.run(["convert", f"xwd:{screen}", "+set", "date:create", "-strip", into], check=True)
        return into

    def _has_panel(self) -> bool:
        said = self.run(["busctl", "--user", "status", WATCHER], check=False)
        return said.returncode == 0
