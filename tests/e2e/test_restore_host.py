"""`slopn-helper restore`: the host as it was before SloPN, whatever the helper and the kill switch are doing."""

from __future__ import annotations

import pytest

from support.fingerprint import differences, fingerprint
from support.scene import Scene
from support.topology import ETH0


@pytest.mark.parametrize(
    ("mode", "alive"),
    [("off", True), ("on", True), ("always", True), ("off", False), ("on", False), ("always", False)],
    ids=lambda value: value if isinstance(value, str) else ("alive" if value else "dead"),
)
def test_restore_while_connected(scene: Scene, mode: str, *, alive: bool) -> None:
    """The same fingerprint as before, traffic goes out directly, nothing is wanted any more; once more changes nothing."""
    before = fingerprint(scene.lab.client)
    scene.setting("kill_switch", mode)
    scene.connect()
    assert differences(before, fingerprint(scene.lab.client)) != []
    if not alive:
        scene.helper.kill()
    for _ in range(1 if alive else 2):
        done = scene.helper.restore()
        assert (done.returncode, done.stderr) == (0, ""), done
        assert "Your traffic goes out directly." in done.stdout
        assert not scene.helper.alive
        assert differences(before, fingerprint(scene.lab.client)) == []
        assert scene.visitor() == ETH0.client4
    scene.helper.start()
    scene.wait_state("disconnected")


@pytest.mark.parametrize("alive", [True, False], ids=["alive", "dead"])
def test_unlock_a_host_that_is_always_closed(scene: Scene, *, alive: bool) -> None:
    """Open, and open it stays: the next helper doesn't close it again, as it would after `restore`."""
    before = fingerprint(scene.lab.client)
    scene.setting("kill_switch", "always")
    assert scene.visitor(seconds=1) is None
    if not alive:
        scene.helper.kill()
    done = scene.lab.client.run(scene.helper.command("unlock"), check=False)
    assert done.returncode == 0, done
    assert "no longer closes" in done.stdout
    assert differences(before, fingerprint(scene.lab.client)) == []
    assert scene.visitor() == ETH0.client4
    scene.helper.start()
    scene.wait_state("disconnected")
    assert scene.visitor() == ETH0.client4
    assert scene.slopn("settings", "get", "kill_switch").stdout == "on\n"


def test_restore_of_an_untouched_host(scene: Scene) -> None:
    """There is nothing to undo: done, and nothing changes."""
    before = fingerprint(scene.lab.client)
    assert scene.helper.restore().returncode == 0
    assert differences(before, fingerprint(scene.lab.client)) == []


def test_restore_while_connecting(scene: Scene) -> None:
    """A gateway that never answers holds nobody in."""
    before = fingerprint(scene.lab.client)
    scene.gateway.stop()
    try:
        scene.slopn("connect", "lab")
        scene.wait_state("connecting")
        assert scene.visitor(seconds=1) is None
        assert scene.helper.restore().returncode == 0
        assert differences(before, fingerprint(scene.lab.client)) == []
        assert scene.visitor() == ETH0.client4
    finally:
        scene.gateway.start()


def test_restore_is_for_root(scene: Scene) -> None:
    """Anybody else gets a sentence and status 4."""
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    done = scene.lab.client.run([*nobody, *scene.helper.command("restore")], check=False)
    assert (done.returncode, done.stderr) == (4, "slopn-helper: must run as root\n")
