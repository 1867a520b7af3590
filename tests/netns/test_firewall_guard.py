"""Plain tables, as kernels before 6.9 have them: others can change them, and the guard puts them back."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from slopn_helper.host.firewall import Open
from slopn_helper.host.firewall.nftables import NftablesFirewall
from slopn_helper.host.journal import Journal
from support.capture import Capture
from support.firewall import FirewallProcess, HostFirewall, blocked, listing, tunnelled
from support.generator import Generator
from support.netns import Namespace
from support.topology import Lab
from support.toy_tunnel import MARK
from support.until import until, until_async

CHANGES = {
    "flush": "nft flush ruleset",
    "delete": "nft delete table inet slopn",
    "insert": "nft insert rule inet slopn output accept",
    "empty": "nft flush chain inet slopn output; nft chain inet slopn output '{ policy accept; }'",
    "devices": "nft delete table netdev slopn",
}
FLUSHES = 10


@pytest.fixture
def host() -> Iterator[Namespace]:
    """A namespace without anything in it."""
    with Namespace("host") as made:
        yield made


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_others_changes_are_put_back(host: Namespace, tmp_path: Path, change: str) -> None:
    """Whatever was done, the same rules are in force again; the next look tells of it once. Without a guard they aren't."""
    with HostFirewall(host, tmp_path / "without", owned=False) as firewall:
        firewall.apply(tunnelled())
        wanted = tables(host)
        host.run(change)
        assert tables(host) != wanted
        firewall.apply(Open())
    with HostFirewall(host, tmp_path / "with", owned=False, guard=True) as firewall:
        firewall.apply(tunnelled())
        host.run(change)
        until(lambda: tables(host) == wanted, 5.0, "the guard has put the rules back")
        until(lambda: "put them back" in str(firewall.drift()), 5.0, "it was told")
        assert firewall.drift() is None
        firewall.apply(Open())


@pytest.mark.parametrize("owned", [True, False], ids=["owned", "plain"])
def test_our_own_changes_and_those_of_other_tables_are_no_alarm(host: Namespace, tmp_path: Path, owned: bool) -> None:
    """Or the guard would trigger itself for ever; and another firewall may do what it wants with its own tables."""
    with HostFirewall(host, tmp_path, owned=owned, guard=True) as firewall:
        for policy in (blocked(), tunnelled(), blocked()):
            firewall.apply(policy)
            host.run("nft add table inet other; nft flush table inet other; nft delete table inet other")
            assert firewall.drift() is None
        # What was heard before is known by the time that a real change is.
        if not owned:
            host.run("nft insert rule inet slopn input accept")
            until(lambda: "put them back" in str(firewall.drift()), 5.0, "it was told")
        assert firewall.drift() is None
        firewall.apply(Open())
        host.run("nft add table inet slopn; nft delete table inet slopn")
        assert firewall.drift() is None


def test_without_an_owner_there_is_a_guard_by_itself(host: Namespace, tmp_path: Path) -> None:
    """Nobody has to choose: a table that others can change is guarded."""
    with HostFirewall(host, tmp_path, owned=False, guard=None) as firewall:
        firewall.apply(blocked())
        wanted = tables(host)
        host.run("nft flush ruleset")
        until(lambda: tables(host) == wanted, 5.0, "the guard has put the rules back")
        firewall.apply(Open())


def test_the_guard_works_in_any_namespace_of_processes(host: Namespace, tmp_path: Path) -> None:
    """In a container the kernel's numbers of threads aren't those that the helper sees: they aren't what it goes by."""
    script = f"""
import asyncio, subprocess, sys
sys.path[:0] = {[entry for entry in sys.path if entry]!r}
from pathlib import Path
from support.firewall import blocked
from slopn_helper.host.firewall.nftables import NftablesFirewall
from slopn_helper.host.journal import Journal

async def main():
    firewall = NftablesFirewall(Journal(Path({str(tmp_path / "journal")!r})), fwmark={MARK}, owned=False, guard=True)
    heard = []
    async def listen():
        async for what in firewall.changes():
            heard.append(what)
    listening = asyncio.create_task(listen())
    for _ in range(3):
        await firewall.apply(blocked(), persist=False)
    subprocess.run(["nft", "flush", "ruleset"], check=True)
    async with asyncio.timeout(10):
        while not heard:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0)
    print(len(heard), await firewall.drift(), await firewall.drift())
    firewall.close()

asyncio.run(main())
"""
    done = host.run(["unshare", "--pid", "--fork", sys.executable, "-c", script])
    assert done.stdout.strip() == "1 somebody has changed the rules; the guard has put them back None"


def test_changes_are_told_as_they_happen(host: Namespace, tmp_path: Path) -> None:
    """For whoever wants to say so at once: one sentence a change, after the rules are in force again."""
    heard: list[bool] = []

    async def listen(firewall: NftablesFirewall) -> None:
        async for _ in firewall.changes():
            there = listing(host) is not None
            heard.append(there)

    async def story() -> None:
        firewall = NftablesFirewall(Journal(tmp_path / "journal"), fwmark=MARK, owned=False)
        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(listen(firewall))
            await asyncio.sleep(0)
            for number in range(1, 4):
                await firewall.apply(blocked(), persist=False)
                host.run("nft flush ruleset")
                await until_async(partial(told, number), 5.0, "the change was told")
            await firewall.apply(Open(), persist=False)
            listening.cancel()
        firewall.close()

    def told(times: int) -> bool:
        return len(heard) == times

    with host.entered():
        asyncio.run(story())
    assert heard == [True] * 3


@pytest.mark.leak
def test_the_gap_is_short(tmp_path: Path) -> None:
    """Under full fire, ten flushes: the guard lets through far less than what leaks until somebody looks."""
    with Lab(uplinks=("eth0",)) as lab, Capture(lab.router, ["r-eth0"]) as capture:
        leaked = {}
        for guarded in (False, True):
            # A process of its own, as the helper is: the capture keeps this one busy.
            firewall = FirewallProcess(lab.client, tmp_path / str(guarded), owned=False, guard=guarded)
            with Generator(lab.client, lab.uplinks, rounds_per_second=200) as generator:
                assert firewall.apply(blocked()) is None
                wanted = tables(lab.client)
                capture.reset()
                for _ in range(FLUSHES):
                    lab.client.run("nft flush ruleset")
                    until(partial(goes_on, generator, generator.tried_so_far()), 10.0, "it goes on sending")
                    assert guarded or firewall.apply(blocked()) is None
                    until(lambda wanted=wanted: tables(lab.client) == wanted, 10.0, "the rules are back")  # type: ignore[misc]
                leaked[guarded] = capture.reset().total
                firewall.apply(Open())
            firewall.kill()
    assert leaked[False] > 0, "the positive control"
    assert leaked[True] < leaked[False] / 2, leaked


def goes_on(generator: Generator, since: int) -> bool:
    """Whether some hundred packets more were tried."""
    return generator.tried_so_far() > since + 500


def tables(namespace: Namespace) -> list[str]:
    """Both our tables as nft(8) writes them."""
    return [
        subprocess.run(
            namespace.command(["nft", "-s", "list", "table", family, "slopn"]),
            check=False,
            capture_output=True,
            text=True,
        ).stdout
        for family in ("inet", "netdev")
    ]
