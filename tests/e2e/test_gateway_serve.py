"""`slopn-gateway serve` with the real engine, nftables and registry: who is let in, who is cut off, and what survives."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bench.engines import wireguard_go
from bench.wg_quick import WgQuick
from slopn_helper.gateway.registry import Registry
from support.gateway import Keys
from support.gateway_device import Device, in_registry, public_of
from support.gateway_process import INSIDE4, INSIDE6, GatewayProcess
from support.psk_tunnel import Worker
from support.topology import GATEWAY4, GATEWAY_PORT, WEB4, WEB6, Lab
from support.until import until, until_async

WITHIN = 30.0


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A client with a cable, a gateway, and an internet that has no way to devices' addresses."""
    with Lab(uplinks=("eth0",)) as made:
        made.client.sysctl({"net/ipv4/conf/all/rp_filter": "2"})
        yield made


@pytest.fixture(scope="module")
def gateway(lab: Lab) -> Iterator[GatewayProcess]:
    """The gateway at work."""
    with GatewayProcess(lab.gateway) as made:
        yield made


def test_a_device_browses_by_the_gateways_address(lab: Lab, gateway: GatewayProcess) -> None:
    """Added to the registry by another program, it has a session at once, in both families, and is in the status."""
    with closing(Device.enrol(gateway, lab.client)) as device:
        device.connect()
        for address in (INSIDE4, INSIDE6, WEB4, WEB6):
            assert device.reaches(address), address
        status = gateway.status()
        (peer,) = [each for each in status["peers"] if each["device"] == device.id]
        assert peer["addresses"] == [device.inner4, device.inner6]
        assert peer["rx_bytes"] > 0
        assert status["serving"]
        assert status["enrolling"]
        assert status["trouble"] == []
        assert "somebody has changed" not in gateway.log()


def test_who_is_revoked_is_cut_off_and_nobody_else(lab: Lab, gateway: GatewayProcess) -> None:
    """At once, in the middle of a session; disabled ones come back, revoked ones don't."""
    with closing(Device.enrol(gateway, lab.client)) as one, closing(Device.enrol(gateway, lab.client)) as other:
        one.connect()
        other.connect()
        in_registry(gateway, lambda registry: registry.set_disabled(one.id, disabled=True, now=time.time()))
        until(lambda: not one.is_peer(), WITHIN, "the disabled device is cut off")
        assert not one.reaches(INSIDE4)
        in_registry(gateway, lambda registry: registry.set_disabled(one.id, disabled=False, now=time.time()))
        one.connect()
        in_registry(gateway, lambda registry: registry.revoke(one.id, now=time.time()))
        until(lambda: not one.is_peer(), WITHIN, "the revoked device is cut off")
        one.dial()
        assert not one.reaches(WEB4)
        assert other.reaches(WEB4)


def test_who_expires_is_cut_off_by_the_clock(lab: Lab, gateway: GatewayProcess) -> None:
    """Nobody changes the registry: the gateway knows the time."""
    with closing(Device.enrol(gateway, lab.client, lifetime=3600.0)) as device:
        device.connect()
        soon = time.time() + 2.0
        in_registry(gateway, lambda registry: registry.set_expiry(device.id, now=time.time(), expires=soon))
        until(lambda: not device.is_peer(), WITHIN, "the expired device is cut off")
        assert time.time() >= soon
        assert not device.reaches(INSIDE4)


def test_a_key_is_changed_while_packets_flow(lab: Lab, gateway: GatewayProcess) -> None:
    """Both keys are let in until the next one has been used; then the old one is out, here and in the registry."""
    with closing(Device.enrol(gateway, lab.client)) as device:
        device.connect()
        old, following = device.keys, Keys.new()
        key = base64.b64decode(following.public)
        in_registry(gateway, lambda registry: registry.rotate(device.id, key, now=time.time()))
        until(lambda: following.public in _peers(gateway), WITHIN, "the next key is let in")
        assert device.reaches(WEB4, "-c3 -i0.05 -W1")
        device.keys = following
        device.connect()
        until(lambda: old.public not in _peers(gateway), WITHIN, "the old key is out")
        assert device.reaches(WEB4, "-c3 -i0.05 -W1")

        async def settled(registry: Registry) -> bool:
            found = (await registry.device(device.id)).device
            return (found.public_key, found.next_key) == (key, None)

        assert in_registry(gateway, settled)


def test_a_plain_wireguard_program_browses(lab: Lab, gateway: GatewayProcess, tmp_path: Path) -> None:
    """wg-quick with wireguard-go takes the `.conf` as `device add --wireguard` prints it; revoked, it is out."""
    made = json.loads(gateway.cli("device", "add", "phone", "--wireguard", "--json").stdout)
    quick, engine = WgQuick(tmp_path), wireguard_go()
    # It looks beside itself first: a resolvconf of ours, since the machine may have none.
    (tmp_path / "resolvconf").write_text(f"#!/bin/sh\ncat >>{tmp_path}/resolvers\n", encoding="ascii")
    (tmp_path / "resolvconf").chmod(0o755)
    quick.configure(lab.client, "phone0", made["conf"])
    quick.run(lab.client, engine, "up", "phone0")
    try:
        for address in (INSIDE4, INSIDE6, WEB4, WEB6):
            lab.client.run(["ping", "-c1", "-w20", address])
        assert f"nameserver {INSIDE4}" in (tmp_path / "resolvers").read_text(encoding="ascii")
        (peer,) = [each for each in gateway.status()["peers"] if each["device"] == made["id"]]
        assert not peer["post_quantum"]
        gateway.cli("device", "revoke", made["id"])
        until(lambda: all(each["device"] != made["id"] for each in gateway.status()["peers"]), WITHIN, "it is out")
        assert lab.client.run(["ping", "-c1", "-W1", WEB4], check=False).returncode != 0
    finally:
        quick.run(lab.client, engine, "down", "phone0")


def test_a_preshared_key_is_agreed(lab: Lab, gateway: GatewayProcess) -> None:
    """By ML-KEM inside the tunnel: `wg` shows it and the status says so, of this device alone."""
    with closing(Device.enrol(gateway, lab.client)) as device, closing(Device.enrol(gateway, lab.client)) as other:

        async def run() -> None:
            async with Worker(device.engine.interface, device, device.far) as worker:
                device.dial()
                await until_async(lambda: worker.status.protected, 60.0, "a key of the protocol")

        asyncio.run(run())
        other.connect()
        shown = dict(line.split() for line in _wg(gateway, "preshared-keys").splitlines())
        assert shown[device.keys.public] != "(none)"
        assert shown[other.keys.public] == "(none)"
        protected = {each["device"]: each["post_quantum"] for each in gateway.status()["peers"]}
        assert protected[device.id]
        assert not protected[other.id]


def test_a_killed_gateway_is_followed_by_another(lab: Lab, gateway: GatewayProcess) -> None:
    """SIGKILL: the rules stay, nothing passes; the next start takes over what was left, and devices come back."""
    with closing(Device.enrol(gateway, lab.client)) as device:
        device.connect()
        before = (gateway.state / "journal").read_bytes()
        gateway.kill()
        assert "slopn_gateway" in gateway.namespace.run("nft list tables").stdout
        assert not device.reaches(WEB4)
        gateway.start()
        device.connect()
        assert device.reaches(WEB4)
        assert sorted((gateway.state / "journal").read_bytes().splitlines()) == sorted(before.splitlines())


def test_a_flood_of_handshakes_is_told_and_nobody_blamed_for_a_forged_one(lab: Lab, gateway: GatewayProcess) -> None:
    """Its sender has returned no cookie, so that the address may be anybody's: a line, no ban."""
    label = hashlib.blake2s(b"mac1----" + public_of(gateway)).digest()
    with lab.client.entered():
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sender:

        def told() -> bool:
            for _ in range(300):
                message = b"\x01\0\0\0" + secrets.token_bytes(112)
                mac = hashlib.blake2s(message, digest_size=16, key=label).digest()
                sender.sendto(message + mac + bytes(16), (GATEWAY4, GATEWAY_PORT))
            return "why=handshake_flood" in gateway.log()

        until(told, 60.0, "the flood is in the log")
    (line,) = [line for line in gateway.log().splitlines() if "why=handshake_flood" in line][:1]
    assert "refused unproven=" in line
    assert gateway.status()["bans"] == 0


def test_one_gateway_at_a_time(gateway: GatewayProcess) -> None:
    """Another one with the same state directory says whose it is, and does nothing."""
    done = gateway.cli("serve", check=False)
    assert done.returncode == 1
    assert f"process {gateway.pid}" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_database_tunnels_go_on(lab: Lab, gateway: GatewayProcess) -> None:
    """The status says so; when it is back, what was changed meanwhile is in force."""
    registry, aside = gateway.state / "registry.db", gateway.state / "aside.db"
    with closing(Device.enrol(gateway, lab.client)) as device, closing(Device.enrol(gateway, lab.client)) as other:
        device.connect()
        other.connect()
        registry.rename(aside)
        until(lambda: "database" in _troubles(gateway), 60.0, "the gateway says that the database is gone")
        assert device.reaches(WEB4)
        assert not gateway.status()["enrolling"]
        aside.rename(registry)
        until(lambda: "database" not in _troubles(gateway), 60.0, "the gateway has its database again")
        in_registry(gateway, lambda there: there.revoke(device.id, now=time.time()))
        until(lambda: not device.is_peer(), 60.0, "the revoked device is cut off")
        assert other.reaches(WEB4)


def test_told_to_end_it_leaves_rules_and_no_interface(gateway: GatewayProcess) -> None:
    """SIGTERM: status 0, the interface is gone, nothing of it is left to undo, and the rules stay."""
    assert gateway.terminate() == 0
    assert "slopngw0" not in gateway.namespace.run("ip link").stdout
    assert "slopngw0" not in (gateway.state / "journal").read_text(encoding="utf-8").replace("conf/slopngw0", "")
    assert "slopn_gateway" in gateway.namespace.run("nft list tables").stdout


@pytest.mark.long
def test_what_cannot_be_is_a_sentence(gateway: GatewayProcess) -> None:
    """Without its key, with another pool than the registry's: status 1, and nothing of the network is changed."""
    gateway.kill()
    try:
        gateway.configure({"pools": {"ipv4": ["100.80.16.0/20"]}})
        done = gateway.cli("serve", check=False)
        assert (done.returncode, "The pool v4 is 100.80.0.0/20" in done.stderr) == (1, True), done.stderr
        assert "Traceback" not in done.stderr
        gateway.configure({})
        key = gateway.state / "wireguard.key"
        hidden = key.rename(gateway.state / "hidden.key")
        done = gateway.cli("serve", check=False)
        hidden.rename(key)
        assert (done.returncode, "wireguard.key is missing" in done.stderr) == (1, True), done.stderr
        assert "Traceback" not in done.stderr
    finally:
        gateway.start()


def _peers(gateway: GatewayProcess) -> list[str]:
    return _wg(gateway, "peers").split()


def _wg(gateway: GatewayProcess, what: str) -> str:
    return gateway.namespace.run(["wg", "show", "slopngw0", what], check=False).stdout


def _troubles(gateway: GatewayProcess) -> set[str]:
    return {each["code"] for each in gateway.status()["trouble"]}
