"""The helper ends, in order or not, and starts again: closed in between, and the wish carried out."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.fingerprint import differences, fingerprint
from support.gateway import TUNNEL4
from support.scene import Scene
from support.topology import ETH0, GATEWAY4
from support.until import until

THIRD_PARTY = b"# by a DHCP client\nnameserver 192.0.2.53\n"


def _resolv_conf(scene: Scene) -> Path:
    return scene.lab.client.root() / "etc/resolv.conf"


def _back(scene: Scene) -> None:
    scene.wait_state("connected", 20.0)
    until(lambda: scene.visitor() == GATEWAY4, 10.0, "the tunnel carries traffic again")


@pytest.mark.leak
@pytest.mark.parametrize("kills", [1, 2], ids=["once", "again while it starts"])
def test_killed_while_connected(scene: Scene, kills: int) -> None:
    """0 frames from the death to the next tunnel; after a disconnect the host is as it was before all of it."""
    before = fingerprint(scene.lab.client)
    with scene.somebody_sending() as generator:
        assert scene.leaks(generator).total > 0, "the capture must see leaks on an open host"
        scene.connect()
        scene.capture.reset()
        scene.helper.kill()
        for _ in range(kills - 1):
            starts = scene.helper.log().count("network: ") + 1
            scene.helper.spawn()
            until(lambda to=starts: scene.helper.log().count("network: ") >= to, 15.0, "it has begun")  # type: ignore[misc]
            scene.helper.kill()
        tally = scene.leaks(generator)
        assert tally.total == 0, f"{tally} {tally.samples}"
        scene.helper.start()
        _back(scene)
        tally = scene.leaks(generator)
        assert tally.total == 0, f"{tally} {tally.samples}"
    scene.slopn("disconnect", "--wait", "20")
    assert differences(before, fingerprint(scene.lab.client)) == []


@pytest.mark.leak
def test_ended_in_order_while_connected(scene: Scene) -> None:
    """SIGTERM takes tunnel, routes and DNS down but not the block; the next start connects by itself."""
    before = fingerprint(scene.lab.client)
    with scene.somebody_sending() as generator:
        assert scene.leaks(generator).total > 0, "the capture must see leaks on an open host"
        scene.connect()
        scene.capture.reset()
        assert scene.helper.terminate() == 0
        tally = scene.leaks(generator)
        assert tally.total == 0, f"{tally} {tally.samples}"
        meanwhile = fingerprint(scene.lab.client)
        assert {line.partition(":")[0] for line in differences(before, meanwhile)} == {"nft ruleset"}
        scene.slopn("status", status=3)
        scene.helper.start()
        _back(scene)
        tally = scene.leaks(generator)
        assert tally.total == 0, f"{tally} {tally.samples}"
    scene.slopn("disconnect", "--wait", "20")
    assert differences(before, fingerprint(scene.lab.client)) == []


@pytest.mark.parametrize("end", ["kill", "terminate"])
def test_the_wish_to_be_disconnected_survives(scene: Scene, end: str) -> None:
    """Nobody is connected, or closed in, who has disconnected; `connect` without a name takes the last profile."""
    scene.connect()
    scene.slopn("disconnect", "--wait", "20")
    getattr(scene.helper, end)()
    scene.helper.start()
    until(lambda: scene.status()["policy"] == "open", 10.0, "the helper has looked at the host")
    assert scene.status()["state"] == "disconnected"
    assert scene.visitor() == ETH0.client4
    scene.slopn("connect", "--wait", "20")
    assert scene.visitor() == GATEWAY4


@pytest.mark.leak
@pytest.mark.parametrize("damage", [b"rubbish\n", b""], ids=["a line", "all of it"])
def test_a_damaged_journal(scene: Scene, damage: bytes) -> None:
    """The helper connects all the same, closed meanwhile, says what it can't know, and forgets nothing else."""
    before = fingerprint(scene.lab.client)
    journal = scene.helper.state_dir / "journal"
    with scene.somebody_sending() as generator:
        assert scene.leaks(generator).total > 0, "the capture must see leaks on an open host"
        scene.connect()
        scene.capture.reset()
        scene.helper.kill()
        if damage:
            lines = journal.read_bytes().splitlines(keepends=True)
            journal.write_bytes(b"".join([damage, *lines]))
        else:
            journal.write_bytes(damage)
        scene.helper.start()
        _back(scene)
        tally = scene.leaks(generator)
        assert tally.total == 0, f"{tally} {tally.samples}"
    codes = [found["code"] for found in scene.status()["warnings"]]
    assert codes == (["journal_damaged"] if damage else ["restore_incomplete"])
    scene.slopn("disconnect", "--wait", "20")
    left = differences(before, fingerprint(scene.lab.client))
    # What files and kernel settings were is known to the journal alone. A whole one that is lost costs that, and it is said.
    assert {line.partition(":")[0] for line in left} == (set() if damage else {"resolv.conf", "sysctls"}), left
    if not damage:
        assert any(found["code"] == "restore_incomplete" for found in scene.status()["warnings"])
        _resolv_conf(scene).write_text(f"nameserver {ETH0.router4}\n", encoding="ascii")
        scene.lab.client.sysctl(
            dict.fromkeys(("net/ipv4/conf/all/src_valid_mark", "net/ipv4/conf/all/arp_ignore"), "0")
        )
        assert differences(before, fingerprint(scene.lab.client)) == []


@pytest.mark.parametrize("alive", [True, False], ids=["while connected", "while dead"])
def test_somebody_else_writes_resolv_conf(scene: Scene, *, alive: bool) -> None:
    """Ours returns for as long as the tunnel is up; then theirs is there, not the one from before."""
    path = _resolv_conf(scene)
    original = path.read_bytes()
    scene.connect()
    if alive:
        path.write_bytes(THIRD_PARTY)
    else:
        scene.helper.kill()
        path.write_bytes(THIRD_PARTY)
        scene.helper.start()
        _back(scene)
    until(lambda: f"nameserver {TUNNEL4}\n".encode() in path.read_bytes(), 10.0, "ours is back")
    scene.slopn("disconnect", "--wait", "20")
    assert path.read_bytes() == THIRD_PARTY
    path.write_bytes(original)


def test_a_second_helper_is_refused(scene: Scene) -> None:
    """It ends with a sentence, and harms neither the first nor its tunnel."""
    scene.connect()
    second = scene.lab.client.run(scene.helper.command("client"), check=False)
    assert second.returncode == 1
    assert str(scene.helper.pid) in second.stderr
    assert scene.visitor() == GATEWAY4
