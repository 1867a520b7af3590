"""The desktop's own programs on the files that we install for it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

LINUX = Path(__file__).resolve().parents[2] / "installers/linux"
PROFILE = "# berlin\n[Interface]\nPrivateKey = AAAA\nAddress = 10.0.0.2/32\n\n[Peer]\nPublicKey = BBBB\n"


def test_the_entry_is_valid() -> None:
    """Without a complaint or a hint."""
    judged = subprocess.run(
        ["desktop-file-validate", LINUX / "slopn.desktop"], capture_output=True, text=True, check=False
    )
    assert (judged.returncode, judged.stdout + judged.stderr) == (0, "")


def test_links_and_profiles_open_in_the_window(tmp_path: Path) -> None:
    """As xdg-mime(1) finds it: `slopn://` links by their scheme, profiles by what is in them, other .conf files not."""
    share = tmp_path / "share"
    (share / "applications").mkdir(parents=True)
    (share / "mime/packages").mkdir(parents=True)
    shutil.copy(LINUX / "slopn.desktop", share / "applications")
    shutil.copy(LINUX / "slopn-mime.xml", share / "mime/packages/slopn.xml")
    subprocess.run(["update-mime-database", share / "mime"], check=True, capture_output=True)
    subprocess.run(["update-desktop-database", share / "applications"], check=True, capture_output=True)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("slopn-window", "slopn-tray"):  # an entry whose program isn't there is none
        (programs / name).symlink_to("/bin/true")
    environ = {
        "PATH": f"{programs}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "XDG_DATA_DIRS": f"{share}:/usr/share",
    }

    def kind(name: str, text: str) -> str:
        file = tmp_path / name
        file.write_text(text)
        info = ["gio", "info", "--attributes=standard::content-type", str(file)]
        done = subprocess.run(info, env=environ, capture_output=True, text=True, check=True)
        return str(done.stdout).rsplit(":", 1)[1].strip()

    assert kind("berlin.conf", PROFILE) == "application/x-wg-quick"
    assert kind("other.conf", "[Interface]\ncolour = red\n") == "text/plain"
    for mime in ("x-scheme-handler/slopn", "application/x-wg-quick"):
        default = subprocess.run(["gio", "mime", mime], env=environ, capture_output=True, text=True, check=True)
        assert "slopn.desktop" in default.stdout


def test_the_unit_is_valid(tmp_path: Path) -> None:
    """By systemd's judgement, with a program that is there."""
    text = (LINUX / "slopn-tray.service").read_text().replace("/usr/bin/slopn-tray", "/bin/true")
    unit = tmp_path / "slopn-tray.service"
    unit.write_text(text)
    command = ["systemd-analyze", "verify", "--user", "--man=no", "--recursive-errors=no", str(unit)]
    judged = subprocess.run(
        command, capture_output=True, text=True, check=False, env={"XDG_RUNTIME_DIR": str(tmp_path)}
    )
    assert (judged.returncode, judged.stdout + judged.stderr) == (0, "")
