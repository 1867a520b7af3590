"""A screen that nobody sees: Xvfb, a session bus and a window manager, with a home of its own for whoever is on it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self

from jeepney.io.blocking import open_dbus_connection  # type: ignore[import-untyped]

from support.desktop_screen import _PANEL, WATCHER
from support.until import until

_TIMEOUT = 20.0
SIZE = "1280x900x24"


class Screen:
    """A context. `environ` is for the programs on it, which `start` starts; all end with it.

    `panel`: there is a place for icons. Unlike `desktop_screen.Screen` it needs no namespaces, into which bubblewrap, which is
    round the window's page, couldn't look.
    """

    def __init__(self, size: str = SIZE, *, panel: bool = False) -> None:
        self._size = size
        self._panel = panel
        self._running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="slopn-screen-"))
        self._log = (self.folder / "log").open("ab")
        self.environ = {
            "GDK_BACKEND": "x11",
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "NO_AT_BRIDGE": "1",
            "PATH": os.environ["PATH"],
            "WEBKIT_DISABLE_DMABUF_RENDERER": "1",
            "XDG_CURRENT_DESKTOP": "XFCE",
            "XDG_SESSION_TYPE": "x11",
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
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def config(self) -> Path:
        """$XDG_CONFIG_HOME."""
        return Path(self.environ["XDG_CONFIG_HOME"])

    def start(self, *command: str | Path, environ: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a program on this screen; it ends with the screen at the latest."""
        process = subprocess.Popen(
            [*map(str, command)],
            env={**self.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        self._running.append(process)
        return process

    def run(self, *command: str | Path) -> str:
        """What a program prints, which must end well."""
        return subprocess.run(
            [*map(str, command)], env=self.environ, stdout=subprocess.PIPE, text=True, timeout=_TIMEOUT, check=True
        ).stdout

    def picture(self, path: Path) -> None:
        """Everything that is on the screen, as a PNG."""
        self.run("import", "-window", "root", path)

    def bus(self) -> Any:
        """A connection of jeepney's to the session's bus; a context."""
        return open_dbus_connection(self.environ["DBUS_SESSION_BUS_ADDRESS"])

    def said(self) -> str:
        """What the programs have printed."""
        return (self.folder / "log").read_text(errors="replace")

    def _start(self) -> None:
        reading, writing = os.pipe()
        try:
            command = ("Xvfb", "-displayfd", str(writing), "-screen", "0", self._size, "-nolisten", "tcp", "-noreset")
            server = subprocess.Popen(
                command, pass_fds=[writing], stdout=self._log, stderr=self._log, start_new_session=True
            )
            self._running.append(server)
        finally:
            os.close(writing)
        with os.fdopen(reading) as answer:
            number = answer.readline().strip()
        assert number, f"Xvfb hasn't started:\n{self.said()}"
        self.environ["DISPLAY"] = f":{number}"
        bus = f"unix:path={self.environ['XDG_RUNTIME_DIR']}/bus"
        self.start("dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address={bus}")
        self.environ["DBUS_SESSION_BUS_ADDRESS"] = bus
        until(Path(self.environ["XDG_RUNTIME_DIR"], "bus").exists, _TIMEOUT, "the session bus")
        self.start("openbox")
        until(lambda: "window id" in self.run("xprop", "-root", "_NET_SUPPORTING_WM_CHECK"), _TIMEOUT, "openbox")
        if self._panel:
            self._start_panel()

    def _start_panel(self) -> None:
        folder = self.config / "xfce4/xfconf/xfce-perchannel-xml"
        folder.mkdir(parents=True)
        (folder / "xfce4-panel.xml").write_text(_PANEL)
        self.start("xfce4-panel", "--disable-wm-check")
        owned = ("gdbus", "call", "--session", "-d", "org.freedesktop.DBus", "-o", "/", "-m")
        asked = (*owned, "org.freedesktop.DBus.NameHasOwner", WATCHER)
        until(lambda: "true" in self.run(*asked), _TIMEOUT, "the panel")


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
