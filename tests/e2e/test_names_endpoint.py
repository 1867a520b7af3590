"""A gateway's name: only the helper asks for it, only the named resolvers, while nobody else gets anything out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import impatient_helper, probe
from support.name_server import NameServer
from support.scene import Scene
from support.topology import ETH0, GATEWAY4, GATEWAY6, GATEWAY_PORT
from support.until import until

RESOLVER = "198.51.100.99"
NAME = "vpn.example.org"
DEAD = "203.0.113.99"
"""An address of the gateway's network where nobody is."""


@pytest.fixture(scope="module")
def name_server(shared_scene: Scene) -> Iterator[NameServer]:
    """On the internet, beside the one that everybody asks."""
    shared_scene.lab.web.ip(f"addr add {RESOLVER}/32 dev lo")
    with NameServer(shared_scene.lab.web, RESOLVER) as server:
        yield server


@pytest.fixture
def names(scene: Scene, name_server: NameServer) -> NameServer:
    """The only resolver that the helper is told of, and a profile whose gateway has a name."""
    name_server.silent = False
    name_server.records = {NAME: (GATEWAY4,)}
    scene.setting("resolvers", RESOLVER)
    scene.add_profile(scene.gateway.config(endpoint=f"{NAME}:{GATEWAY_PORT}"))
    name_server.asked.clear()
    return name_server


@pytest.mark.leak
def test_only_the_helper_asks_and_only_the_named_resolver(scene: Scene, names: NameServer) -> None:
    """While the name is being looked up nothing leaves but the helper's questions to that one server."""
    # To the capture the resolver is one more gateway, so that what goes there is counted apart from all other DNS.
    allowed = scene.capture.allowed
    scene.capture.allowed = type(allowed)(allowed.gateways | {(RESOLVER, 53)}, allowed.lan)
    try:
        with scene.somebody_sending() as generator:
            open_host = scene.leaks(generator)
            assert open_host.leaks["dns/udp"] > 0, "the capture must see DNS on an open host"
            assert probe.ask(scene.lab.client, (RESOLVER, 53), probe.dns(NAME)) is not None
            names.silent = True
            names.asked.clear()
            scene.slopn("connect", "lab")
            until(lambda: names.asked, 10.0, "the helper asks")
            helpers_first = len(names.asked)
            scene.capture.reset()
            while_asking = scene.leaks(generator)
            assert probe.send(scene.lab.client, (RESOLVER, 53)) != 0, "a program without the mark reached the resolver"
            assert set(while_asking.leaks) <= {"unmarked/udp"}, f"{while_asking} {while_asking.samples}"
            assert while_asking.total <= len(names.asked)
            assert helpers_first > 0
            names.silent = False
            scene.wait_state("connected")
            until(lambda: scene.visitor() == GATEWAY4, 5.0, "the tunnel carries traffic")
            whole = scene.leaks(generator)
            assert set(whole.leaks) <= {"unmarked/udp"}, f"{whole} {whole.samples}"
            assert whole.total <= len(names.asked)
    finally:
        scene.capture.allowed = allowed
    assert {(sender, name) for sender, name, _ in names.asked} == {(ETH0.client4, NAME)}
    assert {kind for _, _, kind in names.asked} == {"A", "AAAA"}


def test_a_name_that_does_not_exist_yet(scene: Scene, names: NameServer) -> None:
    """Connecting, with the reason; tried again after longer and longer pauses, until the record appears."""
    names.records = {}
    scene.add_profile(scene.gateway.config(endpoint=f"new.example.org:{GATEWAY_PORT}"))
    scene.slopn("connect", "lab")
    scene.wait_state("connecting")

    def third_try() -> bool:
        status = scene.status()
        assert status["state"] == "connecting", status
        return bool(status["attempt"] >= 2 and status["cause"] == "resolve" and status["blocking"])

    until(third_try, 15.0, "it has tried more than once")
    assert len(names.asked) >= 4
    names.records = {"new.example.org": (GATEWAY4,)}
    assert scene.wait_state("connected", 20.0)["endpoint"] == f"{GATEWAY4}:{GATEWAY_PORT}"
    assert scene.visitor() == GATEWAY4


def test_without_an_answer_it_goes_where_the_gateway_was_last(scene: Scene, names: NameServer) -> None:
    """Also after the helper has been killed and started again."""
    scene.slopn("connect", "lab", "--wait", "20")
    scene.slopn("disconnect", "--wait", "20")
    names.records = {}
    scene.helper.kill()
    scene.helper.start()
    names.asked.clear()
    scene.slopn("connect", "lab", "--wait", "20")
    assert scene.status()["endpoint"] == f"{GATEWAY4}:{GATEWAY_PORT}"
    assert names.asked


@pytest.fixture
def impatient(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The helper waits for each address only a moment. It is a new one, which begins with the first."""
    command = scene.helper.command
    script = str(Path(impatient_helper.__file__))
    monkeypatch.setattr(scene.helper, "command", lambda *words: [sys.executable, script, *command(*words)[1:]])
    scene.helper.kill()
    scene.helper.start()
    yield
    scene.helper.kill()


@pytest.mark.usefixtures("impatient")
def test_a_dead_address_among_several(scene: Scene, names: NameServer) -> None:
    """The first address doesn't answer: the next try takes the next one, of the other family here."""
    names.records = {NAME: (DEAD, GATEWAY6)}
    scene.slopn("connect", "lab")
    until(lambda: scene.status()["endpoint"] == f"{DEAD}:{GATEWAY_PORT}", 10.0, "it tries the dead one")
    status = scene.wait_state("connected", 30.0)
    assert status["endpoint"] == f"[{GATEWAY6}]:{GATEWAY_PORT}"
    assert scene.visitor() == GATEWAY4


def test_the_hosts_own_resolvers_are_asked_without_a_setting(scene: Scene, names: NameServer) -> None:
    """Those of resolv.conf, also while ours is in it: a tunnel that is up doesn't ask itself where its gateway is."""
    scene.setting("resolvers", "default")
    scene.add_profile(scene.gateway.config(endpoint=f"gateway.example.net:{GATEWAY_PORT}"))
    for verb in (("connect", "lab"), ("reconnect",)):
        asked = len(scene.lab.internet.seen().dns)
        scene.slopn(*verb, "--wait", "20")
        queries = scene.lab.internet.seen().dns[asked:]
        # What comes from the gateway was asked inside the tunnel, by the look at who answers there.
        outside = {(sender, name) for sender, name, _ in queries if sender != GATEWAY4}
        assert outside == {(ETH0.client4, "gateway.example.net")}
    assert names.asked == []


def test_the_resolver_of_now_is_asked(scene: Scene, name_server: NameServer) -> None:
    """resolv.conf is written anew without any change of the network, as by a DHCP client that is late."""
    name_server.silent = False
    name_server.records = {NAME: (GATEWAY4,)}
    scene.add_profile(scene.gateway.config(endpoint=f"{NAME}:{GATEWAY_PORT}"))
    before = scene.lab.client.run("cat /etc/resolv.conf").stdout
    try:
        scene.lab.client.run(["sh", "-c", f"echo nameserver {DEAD} >/etc/resolv.conf"])
        scene.slopn("connect", "lab")
        until(lambda: scene.status()["state"] == "connecting", 10.0, "it asks")
        scene.lab.client.run(["sh", "-c", f"echo nameserver {RESOLVER} >/etc/resolv.conf"])
        scene.wait_state("connected", 10.0)
        scene.slopn("disconnect", "--wait", "20")
    finally:
        scene.lab.client.run(["sh", "-c", "cat >/etc/resolv.conf"], input=before)
