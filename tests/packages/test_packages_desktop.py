"""The installed packages at a desktop: who logs in has the icon, is connected if so set, and has it again when it is killed.

The tests are one story, in this order.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from slopn_app import preferences
from slopn_app.preferences import Geometry, Preferences, Stored
from support.boot_desktop import PACKAGES, USER, Desktop, equip, own
from support.boot_lab import BootLab
from support.desktop_tray import Tray
from support.package_files import built_now
from support.until import until

pytestmark = pytest.mark.packages
TIMEOUT = 60.0
UNIT = "slopn-tray.service"
PROGRAM = "/usr/bin/slopn-tray"
COLOURS = 200
"""More than a window has that only stands there, with nothing drawn in it."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BootLab]:
    """Installed, disconnected, nobody logged in."""
    assert "SLOPN_BUNDLES" in os.environ, "It takes frozen bundles, as `make test-packages` makes them."
    with BootLab(built_now(tmp_path_factory.mktemp("desktop"), "slopn-helper", "slopn"), there=PACKAGES) as lab:
        equip(lab.system)
        yield lab


def tray_of(desktop: Desktop, unit: str) -> int:
    """The process of the tray that this unit runs; 0: none."""
    return int(desktop.systemctl("show", unit, "--value", "-P", "MainPID") or 0)


def test_who_logs_in_has_the_icon(lab: BootLab) -> None:
    """By the package alone: nobody has set anything, and so nothing is connected."""
    with Desktop(lab.system) as desktop, Tray(desktop) as tray:
        until(lambda: tray.wait(TIMEOUT).icon == "slopn-open", TIMEOUT, "not protected")
        assert tray_of(desktop, r"app-slopn\x2dtray@autostart.service")
        assert "SloPN" not in desktop.windows()
        assert lab.status()["state"] == "disconnected"


def test_connected_at_login_seen_in_the_window_and_back_when_killed(lab: BootLab, tmp_path: Path) -> None:
    """As `Start at login` and `Connect at start` have it: systemd runs the tray, one of them."""
    chosen = Preferences(start_at_login=True, connect_at_start=True, welcomed=True, appearance="light")
    home = lab.system.root / f"home/{USER}"
    file = preferences.path({"XDG_CONFIG_HOME": str(home / ".config")})
    preferences.save(file, Stored(chosen, Geometry(940, 720, 170, 100)))
    own(lab.system)
    with Desktop(lab.system) as desktop:
        choose = "from pathlib import Path; from slopn_app.host.autostart import XdgAutostart as A; "
        choose += f"A(Path('/home/{USER}/.config'), '/usr/bin/slopn-tray').enable(on=True)"
        desktop.run([str(lab_python()), "-c", choose])
    with Desktop(lab.system) as desktop, Tray(desktop) as tray:
        until(lambda: tray.wait(TIMEOUT).icon == "slopn-tick", TIMEOUT, "protected, by nobody's hand")
        assert lab.status()["state"] == "connected"
        first = tray_of(desktop, UNIT)
        assert first
        assert desktop.run(["pgrep", "--full", "--count", f"^{PROGRAM} "]).stdout.split() == ["1"]

        tray.click("Open SloPN")
        until(lambda: "SloPN" in desktop.windows(), TIMEOUT, "the window")
        until(lambda: colours(desktop.picture(tmp_path / "screen.png")) > COLOURS, TIMEOUT, "something in the window")
        if wanted := os.environ.get("SLOPN_PICTURE"):
            until(lambda: still(desktop, tmp_path), TIMEOUT, "a window that has been drawn")
            desktop.picture(Path(wanted))

        lab.system.run(["kill", "-KILL", str(first)])
        until(lambda: tray_of(desktop, UNIT) not in {0, first}, TIMEOUT, "another tray")
        until(lambda: tray.there() and tray.icon == "slopn-tick", TIMEOUT, "the icon, and it says the same")
        assert lab.status()["state"] == "connected"


def lab_python() -> Path:
    """The checkout's Python, which is inside as well."""
    from support.boot import BIN

    return BIN / "python"


def colours(picture: Path) -> int:
    """How many a picture has."""
    said = subprocess.run(["identify", "-format", "%k", picture], capture_output=True, text=True, check=True)
    return int(said.stdout)


def still(desktop: Desktop, folder: Path) -> bool:
    """Whether two pictures of the screen, one after the other, are the same."""
    one, two = (desktop.picture(folder / name).read_bytes() for name in ("one.png", "two.png"))
    return one == two
