from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any, NoReturn

import pytest

from slopn_helper.host import rtnl
from slopn_helper.host.dns.resolv_conf import ResolvConfDns
from slopn_helper.host.journal import Journal
from slopn_helper.host.restore import restore
from slopn_helper.host.routes import RouteConfig
from slopn_helper.host.routes.linux import LinuxRouter
from slopn_wire.profile import DnsConfig
from support.fingerprint import differences, fingerprint
from support.netns import Namespace, veth

TUN = "slopn0"
FULL = RouteConfig(
    TUN,
    (ip_interface("10.9.0.2/32"), ip_interface("fd09::2/128")),
    (ip_network("0.0.0.0/0"), ip_network("::/0")),
    1500,
    51820,
)
SPLIT = RouteConfig(TUN, FULL.addresses, (ip_network("172.16.0.0/12"),), 1500, 51820)
DNS = DnsConfig((ip_address("10.9.0.1"),))
STRIDE = 5
"""Of the moments in a short run one in five is tried; all of them in a long one."""


class Death:
    """Ends this process by SIGKILL at the n-th moment; a moment is before and after each change of the host or the disk."""

    def __init__(self, at: int) -> None:
        self.left = at

    def moment(self) -> None:
        """Die, if it is time."""
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with a moment before and one after it."""

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.moment()
            result = function(*args, **kwargs)
            self.moment()
            return result

        return wrapped

    def install(self) -> None:
        """Put moments around everything that changes the disk, /proc/sys or the kernel's routing."""
        for owner, name in (
            (os, "write"), (os, "fsync"), (os, "ftruncate"), (os, "chown"), (os, "fchmod"),
            (Path, "replace"), (Path, "unlink"), (Path, "symlink_to"), (Path, "write_text"),
        ):  # fmt: skip
            setattr(owner, name, self.around(getattr(owner, name)))
        death, real = self, rtnl.rtnetlink

        class Kernel:
            """The netlink socket, with moments around each change."""

            def __init__(self, ipr: Any) -> None:
                self._ipr = ipr

            def __getattr__(self, name: str) -> Any:
                call = getattr(self._ipr, name)
                if name not in {"link", "addr", "route", "rule"}:
                    return call

                async def changed(*args: Any, **kwargs: Any) -> Any:
                    death.moment()
                    result = await call(*args, **kwargs)
                    death.moment()
                    return result

                return changed

        @contextlib.asynccontextmanager
        async def rtnetlink() -> AsyncIterator[Any]:
            async with real() as ipr:
                yield Kernel(ipr)

        rtnl.rtnetlink = rtnetlink


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Namespace]:
    """A host with an uplink, a TUN that outlives the process, and a folder that plays /etc."""
    with Namespace("client") as client, Namespace("router") as router:
        veth(client, "eth0", router, "r0")
        client.ip(f"""
            addr add 10.1.0.2/24 dev eth0
            route add default via 10.1.0.1
            tuntap add dev {TUN} mode tun
        """)
        client.sysctl({f"net/ipv6/conf/{TUN}/addr_gen_mode": "1"})
        client.ip(f"link set {TUN} up")
        (tmp_path / "etc").mkdir()
        (tmp_path / "stub").write_text("nameserver 192.0.2.1\n")
        (tmp_path / "etc/resolv.conf").symlink_to("../stub")
        yield client


async def connect_and_disconnect(folder: Path) -> None:
    """All of a connection's life: up, up again, down."""
    journal = Journal(folder / "journal")
    router, dns = LinuxRouter(journal), ResolvConfDns(journal, folder / "etc/resolv.conf")
    for _ in range(2):
        await router.apply(FULL)
        await dns.apply(TUN, DNS)
    await dns.reset()
    await router.apply(None)


async def change_profile(folder: Path) -> None:
    """From one profile to another while connected, with a split tunnel last."""
    journal = Journal(folder / "journal")
    router, dns = LinuxRouter(journal), ResolvConfDns(journal, folder / "etc/resolv.conf")
    await router.apply(FULL)
    await dns.apply(TUN, DNS)
    await router.apply(SPLIT)
    await dns.apply(TUN, DnsConfig())


def killed_at(host: Namespace, folder: Path, scenario: Callable[[Path], Any], moment: int) -> bool:
    """Run the scenario in a process of its own that dies at that moment; whether it did."""
    with host.entered(), warnings.catch_warnings():
        # Python 3.12 warns of forks beside threads; the child starts none and never comes back.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
        if pid == 0:
            _child(scenario, folder, moment)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "the scenario itself failed"
    return False


def _child(scenario: Callable[[Path], Any], folder: Path, moment: int) -> NoReturn:
    try:
        Death(moment).install()
        asyncio.run(scenario(folder))
    except BaseException as error:  # noqa: BLE001 (a forked copy of the test runner must not go on as one)
        os.write(2, f"{error!r}\n".encode())
        os._exit(1)
    os._exit(0)


@pytest.mark.parametrize("stride", [STRIDE, pytest.param(1, marks=pytest.mark.long)], ids=["sample", "all"])
@pytest.mark.parametrize("scenario", [connect_and_disconnect, change_profile])
def test_killed_between_any_two_steps_restore_gives_the_host_back(
    host: Namespace, tmp_path: Path, scenario: Callable[[Path], Any], stride: int
) -> None:
    """Whatever was done when the helper died is undone from the journal alone, and nothing else is touched."""
    etc = tmp_path / "etc"

    def state() -> dict[str, str]:
        found = fingerprint(host)
        # The kernel makes this one by itself for an interface that is up, sooner or later.
        routes = (line for line in found["routes, IPv6"].splitlines() if "ff00::/8" not in line)
        found["routes, IPv6"] = "\n".join(routes)
        path = etc / "resolv.conf"
        found["file"] = f"-> {path.readlink()}" if path.is_symlink() else path.read_text() if path.exists() else "none"
        found["folder"] = " ".join(sorted(p.name for p in etc.iterdir()))
        return found

    before = state()
    dirty = tried = 0
    for moment in itertools.count(1, stride):
        if not killed_at(host, tmp_path, scenario, moment):
            break
        tried += 1
        dirty += bool(differences(before, state()))
        with host.entered():
            assert asyncio.run(restore(Journal(tmp_path / "journal"))) == []
        assert differences(before, state()) == [], f"killed at moment {moment}"
        assert Journal(tmp_path / "journal").entries() == ()
    assert tried > 15
    assert dirty > tried // 2, "the positive control: most deaths leave something to undo"
