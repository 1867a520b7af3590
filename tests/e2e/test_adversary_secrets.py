"""Keys don't leave the helper by ways that nobody thinks of."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.scene import Scene

# Stops where the helper would begin to work, and asks prctl(2) whether its memory may be dumped (PR_GET_DUMPABLE).
DUMPABLE = """
import asyncio, ctypes, sys
from slopn_helper.__main__ import main
libc = ctypes.CDLL(None)
asyncio.run = lambda work: (work.close(), print(libc.prctl(3, 0, 0, 0, 0)))
print(libc.prctl(3, 0, 0, 0, 0))
main(["client", "--state-dir", sys.argv[1]])
"""


def test_a_crash_leaves_no_keys(tmp_path: Path) -> None:
    """The helper's memory is never dumped, where that of any other program is."""
    done = subprocess.run(
        [sys.executable, "-c", DUMPABLE, str(tmp_path / "state")], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1", "0"]


def test_keys_are_in_no_argument_environment_or_stray_file(scene: Scene) -> None:
    """Neither while connected nor after a crash; in the state directory only below `secrets`."""
    keys = [scene.gateway.client_keys.private.encode(), str(scene.gateway.preshared).encode()]
    scene.connect()
    proc = Path(f"/proc/{scene.helper.pid}")
    public = [(proc / name).read_bytes() for name in ("cmdline", "environ", "comm", "status")]
    public.append((scene.helper.log() + str(scene.helper.status())).encode())
    scene.helper.kill()
    folders = [scene.helper.dir, scene.lab.client.root() / "etc", scene.lab.client.root() / "run"]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    holders = {path.parent.name for path in files if any(key in path.read_bytes() for key in keys)}
    assert holders == {"secrets"}
    assert [key for key in keys if any(key in found for found in public)] == []
