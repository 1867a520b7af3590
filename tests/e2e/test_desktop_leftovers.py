"""A desktop session of a test's that fails, or is killed, leaves no program, no file and no display."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.desktop import DesktopSession
from support.desktop_keeper import members
from support.until import until

TESTS = Path(__file__).parents[1]
TIMEOUT = 20.0
DETACHED = ("setsid", "--fork", "sleep", "600")
"""Belongs to nobody's group and has nobody for a parent."""
ALL = 'panel=True, notifications=True, keyring="gnome"'
WINDOW = 'Window(session, {"SLOPN_SOCKET": str(session.folder / "none")})'
_HELD = """
import contextlib, sys
from support.desktop import DesktopSession
from support.window import Window
with DesktopSession({options}) as session:
    session.start({detached})
    with {inside}:
        print(session.folder, session.environ["DISPLAY"], flush=True)
        sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("options", "inside", "programs"),
    [
        (ALL, "contextlib.nullcontext()", {"dbus-daemon", "openbox", "xfce4-panel", "dunst", "gnome-keyring-d"}),
        ("", WINDOW, {"dbus-daemon", "openbox", "WebKitWebDriver", "bwrap"}),
    ],
    ids=["all of it", "a window in bubblewrap"],
)
def test_a_killed_test_leaves_nothing(options: str, inside: str, programs: set[str]) -> None:
    """With SIGKILL, and its whole process group with it; the display's socket goes too."""
    code = _HELD.format(options=options, detached=", ".join(map(repr, DETACHED)), inside=inside)
    environ = {**os.environ, "PYTHONPATH": str(TESTS)}
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as test:
        assert test.stdout is not None
        folder, display = test.stdout.readline().split()
        socket = Path(f"/tmp/.X11-unix/X{display[1:]}")
        until(lambda: programs | {"sleep", "Xvfb"} <= _programs(Path(folder)), TIMEOUT, "they run")
        made = _made(socket)
        assert made is not None
        os.killpg(test.pid, signal.SIGKILL)
        until(lambda: not Path(folder).exists(), TIMEOUT, "the folder is gone")
    assert members(Path(folder)) == []
    assert _made(socket) != made


def test_a_failed_test_leaves_nothing() -> None:
    """Its own error comes through."""
    folders = []

    def fail() -> None:
        with DesktopSession(screen=False) as session:
            folders.append(session.folder)
            session.start(*DETACHED)
            until(lambda: "sleep" in _programs(session.folder), TIMEOUT, "it runs")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert members(folders[0]) == []
    assert not folders[0].exists()


def _programs(folder: Path) -> set[str]:
    """The names of those that belong to the session, as far as the kernel keeps them."""
    found = set()
    for pid in members(folder):
        with contextlib.suppress(OSError):  # it has ended
            found.add(Path(f"/proc/{pid}/comm").read_text().strip())
    return found


def _made(socket: Path) -> int | None:
    """When, as another session may be given the same number at once; nothing if it isn't there."""
    try:
        return socket.stat().st_ctime_ns
    except OSError:
        return None
