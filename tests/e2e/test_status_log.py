"""The helper's log of a whole session, at its most talkative: the story, no alarm without a reason, and never a key."""

from __future__ import annotations

from support.scene import Scene

STORY = (
    "connecting to lab: resolving",
    "connecting to lab: handshake with 203.0.113.10:51820",
    "connecting to lab: configuring",
    "connected to lab by slopn0, 203.0.113.10:51820",
    "disconnecting, then reconnect lab",
    "connecting to lab: resolving",
    "connecting to lab: handshake with 203.0.113.10:51820",
    "connecting to lab: configuring",
    "connected to lab by slopn0, 203.0.113.10:51820",
    "disconnecting, then nothing",
    "disconnected",
)


def test_a_session(scene: Scene) -> None:
    """Import, connect, reconnect, change settings, export, disconnect, end."""
    begun = len(scene.helper.log())
    scene.add_profile(scene.gateway.config())
    scene.connect()
    scene.slopn("reconnect", "--wait", "20")
    scene.setting("allow_lan", "yes")
    assert scene.gateway.client_keys.private in scene.slopn("export", "lab").stdout
    scene.slopn("disconnect", "--wait", "20")
    assert scene.helper.terminate() == 0
    lines = scene.helper.log()[begun:].splitlines()
    told = [line.partition("tunnel.driver: ")[2] for line in lines if " info " in line and "tunnel.driver" in line]
    assert tuple(told) == STORY
    assert [line for line in lines if line.split()[1] in {"warning", "error", "critical"}] == []


def test_no_key_stands_in_it(scene: Scene) -> None:
    """Neither of a good file nor of a broken one, whose error the client is told, nor in what clients read of the log."""
    good = scene.gateway.config()
    scene.add_profile(good)
    scene.connect()
    secrets = [scene.gateway.client_keys.private, scene.gateway.preshared or ""]
    broken = [
        good.replace("PrivateKey = ", "PrivateKey = ="),
        good.replace("PrivateKey", "PrivatKey"),
        good.replace("PresharedKey = ", "PresharedKey = \\"),
        good.replace("Endpoint", "Endpiont"),
    ]
    for text in broken:
        done = scene.slopn("import", "-", "--name", "broken", text=text, status=2)
        assert not any(secret[:20] in done.stdout + done.stderr for secret in secrets)
    written = scene.helper.log() + scene.slopn("logs", "--level", "debug").stdout
    assert all(len(secret) == 44 and secret[:20] not in written for secret in secrets)
