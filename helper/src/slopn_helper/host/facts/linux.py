"""What a Linux host looks like, by rtnetlink(7), libnftables and files."""

from __future__ import annotations

import asyncio
import os
import platform
import re
import socket
import time
from pathlib import Path

import dns.message
import dns.rdatatype

from slopn_helper.host import libnftables, rtnl
from slopn_helper.host.facts import Filters, Link, Route, Rule, System
from slopn_helper.host.routes.plan import MAIN_TABLE, OWN_TABLE, PROTOCOL, UNICAST
from slopn_wire.profile import IPAddress

TUN = Path("/dev/net/tun")
RESOLVER_FILES = (
    Path("/etc/resolv.conf"),
    Path("/etc/nsswitch.conf"),
    Path("/run/systemd/resolve/resolv.conf"),
    Path("/run/NetworkManager/no-stub-resolv.conf"),
)
KEEPS_TABLES = (6, 9)
"""The kernel that brought `persist` to the owner of an nftables table."""
ANSWER_WITHIN = 1.5
TRIES = 2
_KERNELS_OWN = {253, MAIN_TABLE, 255}
"""Tables default, main, local: their rules are there from the start."""
_NOWHERE = {6, 7, 8}
"""RTN_BLACKHOLE, RTN_UNREACHABLE, RTN_PROHIBIT."""
_MOST_ROUTES = 2000
_TEXT_MOST = 16 << 10


class LinuxFacts:
    """`HostFacts`; `family` and `table` are our own table of the packet filter."""

    def __init__(self, table: str) -> None:
        self._table = table

    async def links(self) -> tuple[Link, ...]:
        """See `HostFacts.links`."""
        async with rtnl.rtnetlink() as ipr:
            return tuple(
                [
                    Link(row.name, row.mtu, row.usable, tuple(await rtnl.addresses(ipr, row.number)))
                    for row in await rtnl.links(ipr)
                ]
            )

    async def routes(self) -> tuple[Route, ...]:
        """See `HostFacts.routes`."""
        async with rtnl.rtnetlink() as ipr:
            names = {row.number: row.name for row in await rtnl.links(ipr)}
            tables = {MAIN_TABLE, OWN_TABLE} | {row.table for row in await rtnl.rules(ipr)} - {255}
            found: list[Route] = []
            for table in sorted(tables):
                rows = await rtnl.routes(ipr, table)
                found += [
                    _route(row, names) for row in rows[:_MOST_ROUTES] if row.kind == UNICAST or row.kind in _NOWHERE
                ]
            return tuple(found)

    async def rules(self) -> tuple[Rule, ...]:
        """See `HostFacts.rules`."""
        async with rtnl.rtnetlink() as ipr:
            return tuple(
                Rule(
                    row.version,
                    row.priority,
                    row.table,
                    row.fwmark,
                    row.inverted,
                    row.protocol,
                    _is_ours(row.protocol),
                    partial=row.selective or row.suppress_prefixlen is not None,
                )
                for row in sorted(await rtnl.rules(ipr))
                if row.table not in _KERNELS_OWN or row.suppress_prefixlen is not None or row.fwmark
            )

    async def filters(self) -> Filters:
        """See `HostFacts.filters`."""
        return await asyncio.to_thread(self._filters)

    async def system(self) -> System:
        """See `HostFacts.system`."""
        return System(_system_name(), platform.release(), _keeps_tables(platform.release()), _tun_problem())

    async def resolvers(self) -> str:
        """See `HostFacts.resolvers`."""
        return "\n".join(map(_shown, RESOLVER_FILES))

    async def answers(self, server: IPAddress, interface: str) -> float | None:
        """See `HostFacts.answers`: who serves the root zone, as any resolver asks at its start (RFC 8109)."""
        loop = asyncio.get_running_loop()
        question = dns.message.make_query(".", dns.rdatatype.NS)
        family = socket.AF_INET if server.version == 4 else socket.AF_INET6
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            # However routes and rules stand, this packet leaves through the tunnel or not at all.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
            sock.connect((str(server), 53))
            for _ in range(TRIES):
                begun = time.monotonic()
                try:
                    async with asyncio.timeout(ANSWER_WITHIN):
                        await loop.sock_sendall(sock, question.to_wire())
                        while not _answers(question, await loop.sock_recv(sock, 4096)):
                            pass
                except (TimeoutError, OSError):
                    continue
                return time.monotonic() - begun
        return None

    def _filters(self) -> Filters:
        nft = libnftables.Nftables()
        status, output, errors = nft.cmd("list tables")
        if status:
            raise OSError(f"nftables gives no list of its tables: {errors.strip()}")
        tables = [line.removeprefix("table ").strip() for line in output.splitlines() if line.startswith("table ")]
        # The packet filter of one family may need a sister in another, of the same name.
        own = [name for name in tables if name.split()[-1] == self._table]
        text = "".join(nft.cmd(f"list table {name}")[1] for name in own)
        closing = [name for name in closing_tables(nft.cmd("list chains")[1]) if name not in own]
        return Filters(text, tuple(name for name in tables if name not in own), tuple(closing))


def closing_tables(chains: str) -> list[str]:
    """The tables whose chain at the hook `output` drops by its policy, in what `nft list chains` prints."""
    found: list[str] = []
    table = ""
    for line in chains.splitlines():
        if line.startswith("table "):
            table = line.removeprefix("table ").rstrip(" {")
        elif " hook output " in line and "policy drop;" in line and table not in found:
            found.append(table)
    return found


def _route(row: rtnl.RouteRow, names: dict[int, str]) -> Route:
    return Route(
        table=row.table,
        destination=str(row.destination),
        via=None if row.gateway is None else str(row.gateway),
        device=None if row.device is None else names.get(row.device, f"#{row.device}"),
        metric=row.metric,
        protocol=row.protocol,
        unreachable=row.kind in _NOWHERE,
        ours=_is_ours(row.protocol),
    )


def _is_ours(protocol: int) -> bool:
    return protocol == PROTOCOL


def _system_name() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return "Linux"


def _keeps_tables(release: str) -> bool:
    found = re.match(r"(\d+)\.(\d+)", release)
    return found is not None and (int(found[1]), int(found[2])) >= KEEPS_TABLES


def _tun_problem() -> str | None:
    """The device is opened and closed: only an ioctl would make an interface."""
    try:
        os.close(os.open(TUN, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return f"{TUN}: {os.strerror(error.errno or 0)}"
    return None


def _shown(path: Path) -> str:
    leads = f" -> {path.readlink()}" if path.is_symlink() else ""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(_TEXT_MOST)
    except OSError as error:
        text = f"({os.strerror(error.errno or 0)})\n"
    return f"# {path}{leads}\n{text}"


def _answers(question: dns.message.Message, raw: bytes) -> bool:
    try:
        return question.is_response(dns.message.from_wire(raw))
    except Exception:  # noqa: BLE001 - dnspython raises many things at a malformed answer
        return False
