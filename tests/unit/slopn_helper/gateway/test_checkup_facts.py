from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import msgspec
import pytest

from slopn_helper.gateway import certificate, checkup_facts, config, keys
from slopn_helper.gateway.checkup import Seen
from slopn_helper.gateway.config import Config, DatabaseSection, DnsSection, WireGuardSection
from slopn_helper.gateway.machine import Machine
from slopn_helper.gateway.paths import Paths
from slopn_helper.gateway.registry import Registry
from slopn_helper.gateway.setup import SERVICE
from slopn_helper.gateway.status import Trouble
from support.gateway_status import status
from support.machine import Systemd, machine


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Where nothing is yet."""
    return Paths(tmp_path / "state", tmp_path / "run", tmp_path / "gateway.toml")


@pytest.fixture
def settings(paths: Paths) -> Config:
    """A gateway at loopback, whose devices have resolvers elsewhere."""
    made = config.defaults("localhost", bytes(7))
    return msgspec.structs.replace(
        made,
        wireguard=WireGuardSection("127.0.0.1"),
        dns=DnsSection(("9.9.9.9",)),  # type: ignore[arg-type]
        database=DatabaseSection(f"sqlite:///{paths.state}/registry.db"),
    )


def seen(settings: Config, paths: Paths, on: Machine | None = None) -> Seen:
    """What is found while the gateway runs."""
    running = status(trouble=(Trouble("engine", "It died."),))
    return asyncio.run(checkup_facts.gather(settings, paths, running, on or Machine(Path("/none"))))


def test_before_init_everything_is_missing(settings: Config, paths: Paths) -> None:
    """Sentences, no error; nothing is made by looking."""
    found = seen(settings, paths)
    assert all((found.key, found.database, found.certificate))
    assert found.enabled is None
    assert found.trouble == ("It died.",)
    assert not paths.state.exists()


def test_after_init_all_of_it_is_there(settings: Config, paths: Paths, tmp_path: Path) -> None:
    """Key, certificate, registry; the endpoint is this host's own."""
    keys.create(paths.wireguard_key, owner=os.getuid())
    certificate.ensure(paths.certificate, "127.0.0.1")

    async def create() -> None:
        registry = Registry(settings.database.url, os.urandom)
        await registry.create(config.lent(settings.pools))
        await registry.close()

    asyncio.run(create())
    systemd = Systemd()
    systemd.enabled.add(SERVICE)
    found = seen(settings, paths, machine(tmp_path / "machine", systemd))
    assert (found.key, found.database, found.certificate, found.names) == (None, None, None, None)
    assert found.readable == ()
    assert found.enabled
    assert set(found.endpoint) <= found.own


def test_what_others_may_read_is_found(tmp_path: Path) -> None:
    """A link is judged itself, a missing file isn't."""
    closed, opened = tmp_path / "closed", tmp_path / "opened"
    closed.touch(0o600)
    opened.touch()
    opened.chmod(0o640)
    assert list(checkup_facts.readable([closed, opened, tmp_path / "none"])) == [str(opened)]


def test_a_port_is_seen_while_somebody_listens(settings: Config, paths: Paths) -> None:
    """TCP and UDP apart."""
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        udp.bind(("127.0.0.1", 0))
        found = seen(settings, paths)
        assert tcp.getsockname()[1] in found.tcp
        assert udp.getsockname()[1] in found.udp


def test_the_clock_is_judged_or_not() -> None:
    """By the kernel's word."""
    assert checkup_facts.synchronised() in {True, False, None}


def test_a_gateway_that_does_not_run_says_why(settings: Config, paths: Paths) -> None:
    """In the words it was given."""
    found = asyncio.run(checkup_facts.gather(settings, paths, "It isn't running.", Machine(Path("/none"))))
    assert found.running == "It isn't running."
