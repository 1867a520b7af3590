"""The kernel tells of what is taken away from us."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from slopn_helper.host.journal import Journal
from slopn_helper.host.routes import watch
from slopn_helper.host.routes.linux import LinuxRouter
from support.netns import Namespace
from support.route_host import FULL, TUN, apply, uplinked


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Namespace]:
    """A host with a tunnel's routes and rules."""
    with uplinked() as host:
        apply(host, LinuxRouter(Journal(tmp_path / "journal")), FULL)
        yield host


@pytest.mark.parametrize(
    "command",
    ["rule flush", "-6 rule flush", "route flush table 51820", "-6 route flush table 51820", f"addr flush dev {TUN}"],
)
def test_a_word_comes_at_once(client: Namespace, command: str) -> None:
    """As systemd-networkd and careless scripts do it."""

    async def heard() -> str:
        words = watch.changes()
        waiting = asyncio.ensure_future(anext(words))
        await asyncio.sleep(0)  # it listens now
        client.ip(command)
        async with asyncio.timeout(10):
            word = await waiting
        await words.aclose()
        return word

    with client.entered():
        assert asyncio.run(heard())
