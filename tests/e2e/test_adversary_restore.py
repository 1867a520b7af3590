"""`slopn-helper restore` where things stand badly: a disk that can't be written, another restore beside it."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.fingerprint import differences, fingerprint
from support.helper_process import HelperProcess
from support.scene import Scene
from support.topology import ETH0, GATEWAY4


@contextlib.contextmanager
def read_only(scene: Scene, path: str) -> Iterator[None]:
    """`path` of the client can't be written while this is entered, as after `errors=remount-ro`."""
    scene.lab.client.run(f"mount --bind {path} {path}; mount -o remount,bind,ro {path}")
    try:
        yield
    finally:
        scene.lab.client.run(f"umount {path}")


@pytest.mark.parametrize("stale", [False, True], ids=["whole journal", "journal in pieces"])
def test_a_state_directory_that_cannot_be_written(scene: Scene, *, stale: bool) -> None:
    """The host is put back all the same; what could not be stored is said, with status 1."""
    before = fingerprint(scene.lab.client)
    scene.connect()
    scene.helper.kill()
    if stale:
        with (scene.helper.state_dir / "journal").open("ab") as journal:
            journal.write(b'{"boot":')
    with read_only(scene, str(scene.helper.state_dir)):
        done = scene.helper.restore()
        assert (done.returncode, done.stdout) == (1, "")
        assert "wish.json could not be written: Read-only file system" in done.stderr
        assert "Traceback" not in done.stderr
        assert differences(before, fingerprint(scene.lab.client)) == []
        assert scene.visitor() == ETH0.client4
    assert scene.helper.restore().returncode == 0


def test_etc_that_cannot_be_written_and_never_was(scene: Scene) -> None:
    """No tunnel without DNS, closed meanwhile; afterwards nobody complains about a file that is as it was."""
    before = fingerprint(scene.lab.client, ["/etc"])
    with read_only(scene, "/etc"):
        scene.slopn("connect", "lab", "--wait", "20", status=1)
        assert scene.helper.status()["policy"] == "blocked"
        scene.slopn("disconnect", "--wait", "20")
        assert scene.helper.status()["warnings"] == []
        done = scene.helper.restore()
        assert (done.returncode, done.stderr) == (0, "")
    assert differences(before, fingerprint(scene.lab.client, ["/etc"])) == []


@pytest.mark.parametrize("alive", [True, False], ids=["alive", "dead"])
def test_several_restores_at_once(scene: Scene, *, alive: bool) -> None:
    """Each waits for the one before it, and all say that it is done."""
    before = fingerprint(scene.lab.client)
    scene.connect()
    if not alive:
        scene.helper.kill()
    command = scene.helper.command("restore")
    several = [scene.lab.client.popen(command, stdout=subprocess.DEVNULL) for _ in range(3)]
    assert [process.wait(40) for process in several] == [0, 0, 0]
    assert differences(before, fingerprint(scene.lab.client)) == []
    assert not scene.helper.alive


def test_a_helper_with_other_directories(scene: Scene, tmp_path: Path) -> None:
    """It would change the same rules, routes and interface: neither it nor its `restore` touches the first one's tunnel."""
    scene.connect()
    during = fingerprint(scene.lab.client)
    other = HelperProcess(scene.lab.client, state_dir=tmp_path / "state", runtime_dir=tmp_path / "run")
    try:
        for verb in ("client", "restore", "unlock"):
            done = scene.lab.client.run(other.command(verb), check=False)
            assert done.returncode == 1, done
            assert f"process {scene.helper.pid} is at work on this network" in done.stderr
            assert "Traceback" not in done.stderr
        assert differences(during, fingerprint(scene.lab.client)) == []
        assert scene.visitor() == GATEWAY4
        assert scene.helper.alive
    finally:
        other.__exit__()
