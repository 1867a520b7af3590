"""A user's session that nobody sees: bus and, if wanted, screen, window manager, panel, notifications and a keyring.

Whoever looks at it does so as a program would: icon and menu over D-Bus (`desktop_tray.Tray`), notifications by dunstctl(1).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self
from unittest import mock

from jeepney import message_bus  # type: ignore[import-untyped]
from jeepney.io.blocking import open_dbus_connection  # type: ignore[import-untyped]

from support import desktop_keeper, desktop_parts
from support.until import until

Keyring = Literal["gnome", "silent", "hanging", "none"]
WATCHER = "org.kde.StatusNotifierWatcher"
_SIZE = "1280x900x24"
_TIMEOUT = 20.0
_UID = 1000
_XFCONF = "/usr/share/dbus-1/services/org.xfce.Xfconf.service"


class DesktopSession:
    """A context with a folder and a home of its own. `environ` is for its programs; all end with it, also if the test is killed.

    `screen`: an X server and a window manager. `panel`: with a place for icons. `notifications`: somebody shows them.

    `keyring`: what answers for org.freedesktop.secrets. `gnome`: GNOME's, unlocked, as after a login at the screen.
    `silent`: something that never answers. `hanging`: something that the bus can start, and that never comes up. `none`:
    nothing. With any of them the programs have uid 1000 inside user namespaces, where root's files are theirs, so that they
    aren't root, who has no keyring, and still reach what the test has made. Without, they are whoever the test is.
    """

    def __init__(
        self,
        *,
        screen: bool = True,
        panel: bool = False,
        notifications: bool = False,
        keyring: Keyring | None = None,
    ) -> None:
        self._screen = screen
        self._panel = panel
        self._notifications = notifications
        self._keyring = keyring
        self._running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="slopn-desktop-"))
        keeper = (sys.executable, "-I", desktop_keeper.__file__, self.folder)
        # In a session of its own: what is sent to the test's whole group isn't for it.
        self._keeper = subprocess.Popen(
            keeper, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
        )
        self._log = (self.folder / "log").open("ab")
        self.environ = {
            desktop_keeper.TAG: str(self.folder),
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "PATH": os.environ["PATH"],
        }
        for name in ("CACHE", "CONFIG", "DATA", "RUNTIME", "STATE"):
            place = self.folder / name.lower()
            place.mkdir(mode=0o700)
            self.environ[f"XDG_{name}_{'DIR' if name == 'RUNTIME' else 'HOME'}"] = str(place)
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._running):
            stop(process)
        self._log.close()
        self._keeper.communicate()
        assert self._keeper.returncode == 0, f"programs or files of the session in {self.folder} are left"

    def start(self, *command: str | Path, environ: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a program; it ends with the session at the latest. What it writes is `said`."""
        return self._spawn(command, environ=environ)

    def attempt(
        self, *command: str | Path, environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, whatever that is, with nothing at its stdin."""
        return subprocess.run(
            self._inside(command),
            env={**self.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=3 * _TIMEOUT,
            check=False,
        )

    def run(self, *command: str | Path) -> str:
        """What a program prints, which must end well."""
        done = self.attempt(*command)
        assert done.returncode == 0, f"{command} has ended with {done.returncode}: {done.stderr}"
        return done.stdout

    def said(self) -> str:
        """What the programs have printed that were started."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def bus(self) -> Any:
        """A connection of jeepney's to the session's bus; a context."""
        # The session's programs may have another number for the user who runs the tests.
        number = os.geteuid() if self._keyring is None else _UID
        with mock.patch("os.geteuid", return_value=number):
            return open_dbus_connection(self.environ["DBUS_SESSION_BUS_ADDRESS"])

    def has_owner(self, name: str) -> bool:
        """Whether somebody on the session's bus has this name."""
        with self.bus() as bus:
            reply = bus.send_and_get_reply(message_bus.NameHasOwner(name), timeout=_TIMEOUT)
            return bool(reply.body[0])

    def start_panel(self) -> None:
        """The panel comes up."""
        folder = Path(self.environ["XDG_CONFIG_HOME"]) / "xfce4/xfconf/xfce-perchannel-xml"
        folder.mkdir(parents=True)
        (folder / "xfce4-panel.xml").write_text(desktop_parts.PANEL)
        self.start("xfce4-panel", "--disable-wm-check")
        until(lambda: self.has_owner(WATCHER), _TIMEOUT, "the panel")

    def shown(self) -> int:
        """How many notifications stand on the screen."""
        return int(self.run("dunstctl", "count", "displayed"))

    def told(self) -> list[dict[str, Any]]:
        """Notifications that are no longer shown, the last one first, as dunst has them."""
        found = json.loads(self.run("dunstctl", "history"))["data"][0]
        return [{name: value["data"] for name, value in each.items()} for each in found]

    def press(self, button: str) -> None:
        """Press the button of this name on what is shown; nothing of the name: click on the notification itself."""
        if not button:
            self.run("dunstctl", "action", "0")
            return
        (self.folder / "wanted").write_text(f"{button}\n")
        self.run("dunstctl", "context")

    def lock(self) -> None:
        """Lock the keyring, as when the screen is locked."""
        self.run(sys.executable, "-c", desktop_parts.LOCK)

    def secrets(self) -> str:
        """What a person sees in the keyring of ours, without the secrets."""
        done = self.attempt("secret-tool", "search", "--all", "application", "slopn")
        return "\n".join(
            line for line in (done.stdout + done.stderr).splitlines() if line.startswith(("label", "attribute"))
        )

    def _start(self) -> None:
        self._start_bus()
        if self._keyring is not None:
            self._start_keyring(self._keyring)
        if self._screen:
            self._start_screen()
        if self._panel:
            self.start_panel()
        if self._notifications:
            self._start_notifications()

    def _start_bus(self) -> None:
        services = self.folder / "services"
        services.mkdir()
        shutil.copy(_XFCONF, services)
        if self._keyring == "hanging":
            (services / "secrets.service").write_text(desktop_parts.HANGING.format(python=sys.executable))
        path = Path(self.environ["XDG_RUNTIME_DIR"], "bus")
        address = f"unix:path={path}"
        configuration = self.folder / "bus.conf"
        configuration.write_text(desktop_parts.BUS.format(address=address, services=services))
        self.start("dbus-daemon", f"--config-file={configuration}", "--nofork", "--nopidfile")
        until(lambda: _listens(path), _TIMEOUT, "the session bus")
        self.environ["DBUS_SESSION_BUS_ADDRESS"] = address

    def _start_keyring(self, kind: Keyring) -> None:
        if kind == "gnome":
            command = ("gnome-keyring-daemon", "--foreground", "--components=secrets", "--unlock")
            keyring = self._spawn(command, stdin=subprocess.PIPE)
            assert keyring.stdin is not None
            with keyring.stdin as password:
                password.write(desktop_parts.PASSWORD)
        elif kind == "silent":
            self.start(sys.executable, "-c", desktop_parts.SILENT)
        if kind in {"gnome", "silent"}:
            until(lambda: self.has_owner("org.freedesktop.secrets"), _TIMEOUT, "the keyring")

    def _start_screen(self) -> None:
        self.environ |= desktop_parts.SCREEN
        reading, writing = os.pipe()
        with os.fdopen(reading) as answer:
            command = ("Xvfb", "-displayfd", str(writing), "-screen", "0", _SIZE, "-nolisten", "tcp", "-noreset")
            try:
                self._spawn(command, pass_fds=[writing])
            finally:
                os.close(writing)
            number = answer.readline().strip()
        assert number, f"Xvfb hasn't started:\n{self.said()}"
        self.environ["DISPLAY"] = f":{number}"
        self.start("openbox")
        until(lambda: "window id" in self.run("xprop", "-root", "_NET_SUPPORTING_WM_CHECK"), _TIMEOUT, "openbox")

    def _start_notifications(self) -> None:
        choose = self.folder / "choose"
        choose.write_text(desktop_parts.CHOOSE)
        choose.chmod(0o755)
        configuration = self.folder / "dunstrc"
        configuration.write_text(desktop_parts.DUNST.format(choose=choose))
        self.start("dunst", "-conf", configuration)
        until(lambda: self.has_owner("org.freedesktop.Notifications"), _TIMEOUT, "notifications")

    def _spawn(
        self,
        command: tuple[str | Path, ...],
        *,
        environ: Mapping[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
        pass_fds: list[int] | None = None,
    ) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            self._inside(command),
            env={**self.environ, **(environ or {})},
            stdin=stdin,
            stdout=self._log,
            stderr=self._log,
            pass_fds=pass_fds or [],
            start_new_session=True,
        )
        self._running.append(process)
        return process

    def _inside(self, command: tuple[str | Path, ...]) -> list[str]:
        # One namespace for each: they are the same user to each other, as they are to the kernel.
        user = ("unshare", "--user", f"--map-user={_UID}", f"--map-group={_UID}", "--")
        return [*(() if self._keyring is None else user), *map(str, command)]


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a program and all that it has started, in order if it can."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
            break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _listens(path: Path) -> bool:
    """Whether somebody takes connections there: a socket has its name a moment before."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(path))
        return True
    return False
