from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.fingerprint import differences, fingerprint
from support.netns import Namespace
from support.until import until

OURS = "nameserver 10.9.0.1\n"
THEIRS, NEWER = "nameserver 192.0.2.1\n", "nameserver 192.0.2.99\n"

# The mechanism in a process of its own inside the private mount namespace, guarding until it is killed or told to stop.
GUARDED = """
import asyncio, sys
from ipaddress import ip_address
from pathlib import Path
from slopn_helper.host.dns.manager import DnsManager
from slopn_helper.host.journal import Journal
from slopn_wire.profile import DnsConfig

async def main():
    dns = DnsManager(Journal(Path(sys.argv[1])))
    async with asyncio.TaskGroup() as group:
        guard = group.create_task(dns.guard())
        await dns.apply("lo", DnsConfig((ip_address("10.9.0.1"),)))
        print(dns.name, flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await dns.reset()
        guard.cancel()
asyncio.run(main())
"""
RESTORE = """
import asyncio, sys
from pathlib import Path
from slopn_helper.host.journal import Journal
from slopn_helper.host.restore import restore
sys.exit("".join(asyncio.run(restore(Journal(Path(sys.argv[1]))))) or None)
"""
ENV = {"PYTHONPATH": os.pathsep.join(sys.path), "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/run/nobody"}


@pytest.fixture
def host() -> Iterator[Namespace]:
    """A host with its own /etc, a plain resolv.conf and nobody on a bus."""
    with Namespace("host", private=True) as namespace:
        namespace.run(f"rm -f /etc/resolv.conf; printf '{THEIRS}' > /etc/resolv.conf; chmod 640 /etc/resolv.conf")
        yield namespace


class Guarded:
    """The process that has applied and guards."""

    def __init__(self, host: Namespace, journal: Path) -> None:
        self.host = host
        self.process = host.popen(
            [sys.executable, "-c", GUARDED, str(journal)], env=ENV, stdin=-1, stdout=-1, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "resolv_conf\n"

    def wait_for_ours(self) -> None:
        """Return once the file is ours."""
        until(lambda: OURS in resolv_conf(self.host), 10.0, "ours is in place")

    def stop(self) -> None:
        """Disconnect, in order."""
        self.process.communicate("stop\n", timeout=20.0)
        assert self.process.returncode == 0


def resolv_conf(host: Namespace) -> str:
    """The file as the host's programs see it."""
    path = host.root() / "etc/resolv.conf"
    return path.read_text(encoding="ascii") if path.exists() else ""


def bind_mount(host: Namespace) -> None:
    """As container engines do it: the file can't be renamed over, and its folder hears nothing of a write."""
    host.run("cp -p /etc/resolv.conf /run/resolv.conf; mount --bind /run/resolv.conf /etc/resolv.conf")


@pytest.mark.parametrize("mounted", [False, True], ids=["file", "bind mount"])
def test_rewritten_by_another_program_ours_returns(host: Namespace, tmp_path: Path, *, mounted: bool) -> None:
    """In a real /etc, a bind-mounted file too, the guard puts ours back, and the newest foreign version comes back."""
    if mounted:
        bind_mount(host)
    guarded = Guarded(host, tmp_path / "journal")
    # The first answer may be that of the guard's start; the second is one to an event.
    for text in (THEIRS, NEWER):
        guarded.wait_for_ours()
        host.run(f"printf '{text}' > {'/run' if mounted else '/etc'}/resolv.conf")
    guarded.wait_for_ours()
    guarded.stop()
    assert resolv_conf(host) == NEWER


@pytest.mark.parametrize("mounted", [False, True], ids=["file", "bind mount"])
def test_killed_the_file_is_put_back_exactly(host: Namespace, tmp_path: Path, *, mounted: bool) -> None:
    """After SIGKILL `restore` in a new process gives back content, mode and owner."""
    if mounted:
        bind_mount(host)
    before = fingerprint(host, ["/etc"])
    guarded = Guarded(host, tmp_path / "journal")
    guarded.wait_for_ours()
    guarded.process.kill()
    guarded.process.wait()
    assert differences(before, fingerprint(host, ["/etc"]))
    host.run([sys.executable, "-c", RESTORE, str(tmp_path / "journal")], env=ENV)
    assert differences(before, fingerprint(host, ["/etc"])) == []


def test_a_link_into_run_is_replaced_and_comes_back(host: Namespace, tmp_path: Path) -> None:
    """What the link leads to belongs to resolved and is never written; the link itself returns."""
    host.run(f"""
        mkdir -p /run/systemd/resolve
        printf '{THEIRS}' > /run/systemd/resolve/stub-resolv.conf
        ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
    """)
    before = fingerprint(host, ["/etc", "/run/systemd"])
    guarded = Guarded(host, tmp_path / "journal")
    guarded.wait_for_ours()
    during = differences(before, fingerprint(host, ["/etc", "/run/systemd"]))
    assert during
    assert not [line for line in during if "stub-resolv.conf " in line and line.startswith("files below /run")]
    guarded.stop()
    assert differences(before, fingerprint(host, ["/etc", "/run/systemd"])) == []


def test_a_read_only_file_is_an_error_and_nothing_is_left(host: Namespace, tmp_path: Path) -> None:
    """Where the file can't be written the caller is told, and a later restore has nothing to undo."""
    bind_mount(host)
    host.run("mount -o remount,bind,ro /etc/resolv.conf")
    before = fingerprint(host, ["/etc"])
    done = host.run([sys.executable, "-c", GUARDED, str(tmp_path / "journal")], env=ENV, check=False)
    assert "resolv_conf: the file can't be changed" in done.stderr
    host.run([sys.executable, "-c", RESTORE, str(tmp_path / "journal")], env=ENV)
    assert differences(before, fingerprint(host, ["/etc"])) == []
