"""The command line's exit statuses, each against the real helper, plain and with --json."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator

import pytest

from support.helper_process import BIN
from support.scene import Scene
from support.topology import GATEWAY_PORT

GROUP = 64242
"""The gid of a group `slopn` that is known in the lab alone."""


@pytest.mark.parametrize("more", [(), ("--json",)], ids=["plain", "json"])
def test_done(scene: Scene, more: tuple[str, ...]) -> None:
    """0: connected, told, disconnected."""
    for verb in (("connect", "lab", "--wait"), ("reconnect", "--wait"), ("status",), ("disconnect", "--wait")):
        done = scene.slopn(*verb, *more, status=0)
        assert done.stderr == ""
        assert not more or json.loads(done.stdout)["state"] in {"connected", "disconnected"}


def test_failed(scene: Scene) -> None:
    """1: no tunnel is possible. The cause is told in words, on stderr."""
    text = scene.gateway.config().replace("Endpoint = ", "# ")
    scene.slopn("import", "-", "--name", "nowhere", text=text)
    try:
        done = scene.slopn("connect", "nowhere", "--wait", "20", status=1)
        assert "The profile can't be used" in done.stderr
        assert "nobody to connect to" in scene.slopn("logs").stdout
        scene.slopn("disconnect", "--wait", "20")
    finally:
        scene.slopn("profiles", "--remove", "nowhere")


@pytest.mark.parametrize(
    "arguments",
    [
        ("connect", "nobody"),
        ("connect", "lab", "--wait", "soon"),
        ("export", "nobody"),
        ("settings", "set", "kill_switch", "maybe"),
        ("import", "/nonexistent/file.conf"),
        ("reconnect",),
        ("frobnicate",),
    ],
    ids=" ".join,
)
def test_bad_input(scene: Scene, arguments: tuple[str, ...]) -> None:
    """2, a sentence on stderr, nothing on stdout, and nothing has changed."""
    before = scene.status()
    done = scene.slopn(*arguments, status=2)
    assert done.stdout == ""
    assert done.stderr
    assert {**scene.status(), "seq": 0} == {**before, "seq": 0}


def test_not_reachable(scene: Scene) -> None:
    """3: the helper is dead."""
    scene.helper.kill()
    for verb in (("status",), ("connect", "lab"), ("disconnect", "--wait", "1"), ("watch",), ("logs",)):
        assert "doesn't answer" in scene.slopn(*verb, status=3).stderr or verb


@pytest.fixture
def with_group(scene: Scene) -> Iterator[Scene]:
    """The helper is told of a group `slopn`; its socket lies where users can get at it."""
    groups = scene.lab.client.root() / "etc/group"
    original = groups.read_text(encoding="utf-8")
    groups.write_text(f"{original}slopn:x:{GROUP}:nobody\n", encoding="utf-8")
    scene.helper.dir.chmod(0o755)
    scene.helper.kill()
    try:
        scene.helper.start()
        yield scene
    finally:
        groups.write_text(original, encoding="utf-8")
        scene.helper.kill()


def test_not_permitted(with_group: Scene) -> None:
    """4 for a user who may not use SloPN, and for one who may but whose program isn't paired; each hears what to do."""
    helper = with_group.helper
    assert helper.socket.stat().st_gid == GROUP
    for uid, says in ((65533, "slopn users add"), (65534, "slopn pair")):
        user = ["setpriv", f"--reuid={uid}", "--regid=65534", "--clear-groups"]
        home = helper.dir / f"home-{uid}"
        home.mkdir()
        os.chown(home, uid, 65534)
        for verb in (
            ("status",),
            ("connect", "lab", "--wait", "20"),
            ("export", "lab"),
            ("disconnect", "--wait", "20"),
        ):
            done = with_group.lab.client.run(
                [*user, sys.executable, str(BIN / "slopn"), *verb],
                check=False,
                env={**helper.front_end, "XDG_STATE_HOME": str(home)},
            )
            assert done.returncode == 4, f"{verb} as {uid}: {done}"
            assert says in done.stderr


def test_timed_out(scene: Scene) -> None:
    """5: the gateway doesn't answer in time; the helper goes on trying."""
    scene.add_profile(scene.gateway.config(endpoint=f"203.0.113.99:{GATEWAY_PORT}"), "silent")
    done = scene.slopn("connect", "silent", "--wait", "1", status=5)
    assert "SloPN goes on trying." in done.stderr
    assert scene.status()["state"] == "connecting"
    scene.slopn("disconnect", "--wait", "20")
    scene.slopn("profiles", "--remove", "silent")
