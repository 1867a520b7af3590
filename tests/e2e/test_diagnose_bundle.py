"""A connection that fails, told to a stranger: the bundle replays to the same states, and has no secret in it."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.gateway import CLIENT4, TUNNEL4
from support.scene import PROFILE, Scene
from support.topology import ETH0, GATEWAY4

PRESHARED = base64.b64encode(bytes(range(1, 33))).decode()
"""A key that the gateway doesn't have: handshakes are never answered with success."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where front ends keep their keys."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def shared_scene(home: Path) -> Iterator[Scene]:
    """The module's lab, with a home of its own for the front ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(home))
        with Scene() as scene:
            yield scene


def failed(scene: Scene, seconds: int = 12) -> None:
    """A profile with a wrong preshared key, tried for a while, and given up."""
    right = scene.gateway.config()
    scene.add_profile(right.replace(str(scene.gateway.preshared), PRESHARED), "wrong")
    done = scene.helper.cli("connect", "wrong", "--wait", str(seconds))
    assert done.returncode in {1, 5}, done.stdout + done.stderr
    # Changed while it is tried, and once more when it is over: the recording has all kinds of inputs.
    scene.slopn("settings", "set", "allow_lan", "yes")
    scene.slopn("settings", "set", "allow_lan", "no")


def bundle(scene: Scene, folder: Path) -> Path:
    """What `slopn diagnose` saves."""
    path = folder / "bundle.zip"
    scene.slopn("diagnose", "-o", str(path), "--yes")
    return path


def unpacked(path: Path) -> dict[str, bytes]:
    """The files in it."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def forms(secret: bytes) -> list[bytes]:
    """A secret as it is, in both alphabets of base64 with and without padding, and in hexadecimal."""
    plain, url = base64.b64encode(secret), base64.urlsafe_b64encode(secret)
    found = [secret, plain, url, secret.hex().encode(), secret.hex().upper().encode()]
    return [*found, plain.rstrip(b"="), url.rstrip(b"="), plain.replace(b"/", b"\\/")]


def secrets_of(scene: Scene, home: Path) -> dict[str, bytes]:
    """Every secret of this test, raw: WireGuard's keys, the helper's authority's, the front ends'."""
    keys = {
        "the client's key": scene.gateway.client_keys.private,
        "the preshared key": str(scene.gateway.preshared),
        "the wrong preshared key": PRESHARED,
        "the gateway's key": scene.gateway.keys.private,
    }
    found = {name: base64.b64decode(key) for name, key in keys.items()}
    for folder in (scene.helper.state_dir, home):
        for path in folder.rglob("*"):
            if path.is_file():
                found |= _keys_in(path)
    return found


def _keys_in(path: Path) -> dict[str, bytes]:
    """The scalars of all private keys in a file, by openssl's reading of them."""
    text = path.read_bytes().replace(b"\\n", b"\n")
    blocks = re.findall(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", text, re.DOTALL)
    found = {}
    for number, block in enumerate(blocks):
        shown = subprocess.run(
            ["openssl", "pkey", "-noout", "-text"], input=block + b"\n", capture_output=True, check=True
        )
        scalar = re.search(rb"priv:\s*([0-9a-f:\s]+)", shown.stdout)
        assert scalar, f"no private key in {path}"
        found[f"{path.name} {number}"] = bytes.fromhex(re.sub(rb"[:\s]", b"", scalar[1]).decode())[-32:]
        found[f"{path.name} {number}, encoded"] = base64.b64decode(b"".join(block.splitlines()[1:-1]))
    return found


def test_a_failed_connection_replays_to_the_same_states(scene: Scene, tmp_path: Path) -> None:
    """The bundle alone is enough: each state is the recorded one, and the last one is where the tunnel stands."""
    failed(scene)
    path = bundle(scene, tmp_path)
    replayed: dict[str, Any] = json.loads(scene.slopn("replay", str(path), "--json").stdout)
    assert replayed["problem"] == ""
    steps = replayed["steps"]
    assert [step for step in steps if step["state"] != step["recorded"]] == []
    told = [json.loads(step["input"])["type"] for step in steps]
    assert {"started", "connect", "resolved", "engine_started", "settings_applied", "timer_fired"} <= set(told)
    assert steps[-1]["state"]["type"] == "connecting"
    assert steps[-1]["state"]["attempt"] >= 1
    recorded = unpacked(path)["recorder.jsonl"]
    assert len(recorded.splitlines()) == len(steps)
    # A replay that compared nothing would find no difference either.
    changed = tmp_path / "changed.jsonl"
    changed.write_bytes(recorded.replace(b'"step":"handshake"', b'"step":"resolving"', 1))
    other = json.loads(scene.helper.cli("replay", str(changed), "--json").stdout)
    assert [step for step in other["steps"] if step["state"] != step["recorded"]]


def test_the_checks_say_why(scene: Scene, tmp_path: Path) -> None:
    """In words, with what to do; the engine's own lines are in the log."""
    failed(scene)
    checks = json.loads(scene.slopn("diagnose", "--json", "-o", str(tmp_path / "b.zip"), "--yes").stdout)["checks"]
    by_code = {check["code"]: check for check in checks}
    assert by_code["state"]["verdict"] == "broken"
    assert "doesn't answer" in by_code["state"]["text"]
    assert "both keys are right" in by_code["state"]["remedy"]
    assert by_code["kill_switch"]["verdict"] == by_code["tun"]["verdict"] == by_code["disk"]["verdict"] == "fine"
    lines = [json.loads(line) for line in unpacked(tmp_path / "b.zip")["log.jsonl"].splitlines()]
    engine = [line["message"] for line in lines if line["component"] == "engine"]
    assert [text for text in engine if f"handshake sent to {GATEWAY4}:" in text]


def test_a_connected_computer_is_fine(scene: Scene, tmp_path: Path) -> None:
    """No check finds anything broken, and the files say what is there."""
    scene.connect()
    done = json.loads(scene.slopn("diagnose", "--json", "-o", str(tmp_path / "b.zip"), "--yes").stdout)
    assert [check for check in done["checks"] if check["verdict"] != "fine"] == []
    files = {name: data.decode() for name, data in unpacked(tmp_path / "b.zip").items()}
    assert "table 51820 0.0.0.0/0 dev slopn0 proto 151 (SloPN)" in files["routes.txt"]
    assert "(SloPN)" in files["policy-rules.txt"]
    assert f"slopn0: up, MTU 1420 {CLIENT4}/32" in files["addresses.txt"]
    assert files["rules.txt"].startswith("table inet slopn {")
    assert TUNNEL4 in files["dns.txt"]
    assert "rules 151" in files["undo.txt"]
    assert json.loads(files["settings.json"])["kill_switch"] == "on"
    assert json.loads(files["snapshot.json"])["state"]["type"] == "connected"


@pytest.mark.parametrize("connected", [False, True], ids=["failed", "connected"])
def test_no_secret_is_in_the_bundle(scene: Scene, home: Path, tmp_path: Path, connected: bool) -> None:
    """Each key of the test is looked for, raw, in base64 and in hexadecimal, in the archive and in all its files."""
    failed(scene, 3)
    if connected:
        scene.connect()
    path = bundle(scene, tmp_path)
    secrets = secrets_of(scene, home)
    # Two WireGuard keys, two preshared ones, the authority's and at least one front end's, scalar and encoded.
    assert len(secrets) >= 4 + 2 * 2, sorted(secrets)
    held = {"(the archive)": path.read_bytes(), **unpacked(path)}
    found = [
        (name, file)
        for name, secret in secrets.items()
        for form in forms(secret)
        for file, data in held.items()
        if form in data or form[:30] in data
    ]
    assert found == []
    # The search would see one: the helper's own secret store has them.
    stored = b"".join(one.read_bytes() for one in (scene.helper.state_dir / "secrets").iterdir())
    assert any(form in stored for form in forms(secrets["the client's key"]))


def test_addresses_are_left_out_by_choice(scene: Scene, tmp_path: Path) -> None:
    """In the log from then on, in all of the bundle at once, also of what was logged before; and it still replays."""
    real = (GATEWAY4, CLIENT4, TUNNEL4, ETH0.client4, ETH0.client6, ETH0.router4)
    scene.connect()
    before = b"".join(unpacked(bundle(scene, tmp_path)).values()).decode()
    assert [address for address in real if address not in before] == []
    scene.slopn("settings", "set", "log_addresses", "no")
    try:
        begun = len(scene.helper.log())
        scene.slopn("reconnect", "--wait", "20")
        logged = scene.helper.log()[begun:]
        assert "handshake with [address " in logged
        assert [address for address in real if address in logged] == []
        (tmp_path / "bundle.zip").unlink()
        path = bundle(scene, tmp_path)
        after = b"".join(unpacked(path).values()).decode()
        assert [address for address in real if address in after] == []
        replayed = json.loads(scene.slopn("replay", str(path), "--json").stdout)
        assert replayed["problem"] == ""
        assert [step for step in replayed["steps"] if step["state"] != step["recorded"]] == []
        assert replayed["steps"][-1]["state"]["endpoints"][0]["host"].startswith("198.18.")
    finally:
        scene.slopn("settings", "set", "log_addresses", "yes")


def test_a_recording_survives_the_helper(scene: Scene, tmp_path: Path) -> None:
    """SIGKILL while connected: after the next start the bundle has both runs, and both replay."""
    scene.connect()
    scene.helper.kill()
    scene.helper.start()
    scene.wait_state("connected", 20)
    replayed = json.loads(scene.slopn("replay", str(bundle(scene, tmp_path)), "--json").stdout)
    assert replayed["problem"] == ""
    assert [step for step in replayed["steps"] if step["state"] != step["recorded"]] == []
    assert sum(json.loads(step["input"])["type"] == "started" for step in replayed["steps"]) >= 2
    assert PROFILE in {step["state"].get("profile") for step in replayed["steps"]}
