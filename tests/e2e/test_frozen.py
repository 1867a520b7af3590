from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from tools import freeze

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """All three, made and looked through."""
    return freeze.freeze(tmp_path_factory.mktemp("frozen"))


def prints(folder: Path) -> dict[str, str]:
    """File → SHA-256 of what it holds."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("name", ["slopn", "slopn-helper", "slopn-gateway"])
def test_nothing_of_the_users_is_imported(bundles: dict[str, Path], name: str, tmp_path: Path) -> None:
    """Whatever the environment and the working directory offer; and nothing is written into the bundle."""
    for stranger in ("json", "sitecustomize", "usercustomize", "argparse", "slopn_wire"):
        (tmp_path / f"{stranger}.py").write_text("print('a stranger')\n", encoding="utf-8")
    before = prints(bundles[name])
    places = ("PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "HOME", "_PYI_APPLICATION_HOME_DIR")
    environment = {**dict.fromkeys(places, str(tmp_path)), "PYTHONSTARTUP": str(tmp_path / "json.py")}
    argv = [str(bundles[name] / name), "--version"]
    done = subprocess.run(argv, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout.split()[0], done.stderr) == (name, "")
    assert "stranger" not in done.stdout
    assert prints(bundles[name]) == before


def test_made_twice_a_bundle_is_the_same(bundles: dict[str, Path], tmp_path: Path) -> None:
    """Bit by bit, in another folder."""
    again = freeze.freeze(tmp_path)
    assert {name: prints(folder) for name, folder in again.items()} == {
        name: prints(folder) for name, folder in bundles.items()
    }
