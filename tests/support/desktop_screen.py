"""A user's session with a screen: X server, window manager, a panel with a place for icons, and who shows notifications.

Whoever looks at it does so as a program would: the icon and its menu over D-Bus (`Tray`), notifications by dunstctl(1).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any
from unittest import mock

from jeepney import message_bus  # type: ignore[import-untyped]
from jeepney.io.blocking import open_dbus_connection  # type: ignore[import-untyped]

from support.desktop import _TIMEOUT, UID, Desktop
from support.until import until

WATCHER = "org.kde.StatusNotifierWatcher"
_PANEL = """<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array"><value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="length" type="uint" value="100"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="size" type="uint" value="32"/>
      <property name="dark-mode" type="bool" value="true"/>
      <property name="plugin-ids" type="array"><value type="int" value="1"/></property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="systray"><property name="square-icons" type="bool" value="true"/></property>
  </property>
</channel>
"""
_DUNST = """[global]
monitor = 0
width = 360
origin = top-right
offset = 10x50
dmenu = {folder}/choose
[urgency_normal]
timeout = 600
"""
# dunst gives it what can be chosen, a line each.
_CHOOSE = '#!/bin/sh\ngrep -F -m 1 -f "$HOME/wanted"\n'


class Screen(Desktop):
    """A context. `panel`: whether there is a place for icons. `notifications`: whether somebody shows them."""

    def __init__(self, folder: Path, keyring: str = "none", *, panel: bool = True, notifications: bool = True) -> None:
        super().__init__(folder, keyring)
        self._panel = panel
        self._notifications = notifications

    def popen(self, *command: str | Path, **environ: str) -> subprocess.Popen[bytes]:
        """Start a program of the user's; it ends with the session. What it writes stands in `log`."""
        process = subprocess.Popen(
            self._inside(*command),
            env={**self.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        self._running.append(process)
        return process

    def log(self) -> str:
        """What the session's programs have written."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def shot(self, path: Path) -> None:
        """A picture of the whole screen, PNG."""
        self.run("import", "-window", "root", path).check_returncode()

    def told(self) -> list[dict[str, Any]]:
        """Notifications that are shown or were, the last one first, as dunst has them."""
        shown = self.run("dunstctl", "history")
        shown.check_returncode()
        found = json.loads(shown.stdout)["data"][0]
        return [{name: value["data"] for name, value in each.items()} for each in found]

    def press(self, button: str) -> None:
        """Press the button of this name on what is shown; nothing of the name: click on the notification itself."""
        if not button:
            self.run("dunstctl", "action", "0").check_returncode()
            return
        (self.folder / "wanted").write_text(f"{button}\n")
        self.run("dunstctl", "context").check_returncode()

    def has_owner(self, name: str) -> bool:
        """Whether somebody on the session's bus has this name."""
        with self.bus() as bus:
            reply = bus.send_and_get_reply(message_bus.NameHasOwner(name), timeout=_TIMEOUT)
            return bool(reply.body[0])

    def bus(self) -> Any:
        """A connection of jeepney's to the session's bus; a context."""
        # The session's programs have another number for the user who runs the tests.
        with mock.patch("os.geteuid", return_value=UID):
            return open_dbus_connection(self.environ["DBUS_SESSION_BUS_ADDRESS"])

    def _start(self) -> None:
        shutil.copy("/usr/share/dbus-1/services/org.xfce.Xfconf.service", self.folder / "services")
        super()._start()
        (self.folder / "cache").mkdir(mode=0o700)
        self.environ |= {
            "DISPLAY": self._display(),
            "GDK_BACKEND": "x11",
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "NO_AT_BRIDGE": "1",
            "XDG_CACHE_HOME": f"{self.folder}/cache",
            "XDG_CURRENT_DESKTOP": "XFCE",
            "XDG_SESSION_TYPE": "x11",
        }
        self.popen("openbox")
        until(self._managed, _TIMEOUT, "a window manager")
        if self._panel:
            self.start_panel()
        if self._notifications:
            configuration = self.folder / "dunstrc"
            configuration.write_text(_DUNST.format(folder=self.folder))
            (self.folder / "choose").write_text(_CHOOSE)
            (self.folder / "choose").chmod(0o755)
            self.popen("dunst", "-conf", configuration)
            until(lambda: self.has_owner("org.freedesktop.Notifications"), _TIMEOUT, "notifications")

    def start_panel(self) -> subprocess.Popen[bytes]:
        """The panel comes up."""
        folder = self.folder / "config/xfce4/xfconf/xfce-perchannel-xml"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "xfce4-panel.xml").write_text(_PANEL)
        panel = self.popen("xfce4-panel", "--disable-wm-check")
        until(lambda: self.has_owner(WATCHER), _TIMEOUT, "the panel")
        return panel

    def _display(self) -> str:
        reader, writer = os.pipe()
        with os.fdopen(reader) as number:
            command = ("Xvfb", "-displayfd", str(writer), "-screen", "0", "1280x800x24", "-nolisten", "tcp", "-noreset")
            try:
                server = subprocess.Popen(
                    self._inside(*command),
                    env=self.environ,
                    pass_fds=[writer],
                    stdin=subprocess.DEVNULL,
                    stdout=self._log,
                    stderr=self._log,
                )
            finally:
                os.close(writer)
            self._running.append(server)
            display = number.readline().strip()
        assert display, "the X server didn't start"
        return f":{display}"

    def _managed(self) -> bool:
        return "window id" in self.run("xprop", "-root", "_NET_SUPPORTING_WM_CHECK").stdout
