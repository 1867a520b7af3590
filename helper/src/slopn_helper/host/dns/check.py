"""Do names resolve, and through the tunnel alone? Looked at once the tunnel is up, and now and then after that.

The tunnel's servers are asked for the root's name servers through the tunnel's own device, which tells nobody anything
and can't go beside it. Of the host's own way only what is on this host is asked; whom it would ask beyond is read.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Sequence
from ipaddress import ip_address
from typing import NamedTuple

import dns.exception
import dns.flags
import dns.message

from slopn_wire.profile import DnsConfig, IPAddress

TIMEOUT = 6.0
"""Seconds that the tunnel's servers have altogether, in three tries each."""
TRIES = 3
STUB = "127.0.0.53"
"""Where systemd-resolved answers."""
SILENT, ELSEWHERE = "dns_silent", "dns_elsewhere"
"""Codes of the health list."""
_LISTED = 3
"""Servers that programs ask at most."""


class Finding(NamedTuple):
    """What is wrong: a code of the health list, and what is to be filled into its sentence."""

    code: str
    what: str


class Facts(NamedTuple):
    """What was seen."""

    servers: tuple[IPAddress, ...]
    """The tunnel's."""
    answered: tuple[IPAddress, ...]
    """Those of them that answered through the tunnel."""
    asked: tuple[str, ...]
    """Whom this host's programs ask, in order."""
    deaf: tuple[str, ...] = ()
    """Those of `asked` on this host itself that didn't answer."""
    split: bool = False
    """Only some names belong to the tunnel: the others may well go elsewhere."""
    blocked: bool = True
    """The firewall refuses DNS beside the tunnel."""


def verdict(facts: Facts) -> Finding | None:
    """What is wrong, the gravest alone; None: nothing. Pure."""
    if not facts.servers:
        return None
    ours = {str(server) for server in facts.servers}
    asked = facts.asked[:_LISTED]
    elsewhere = [server for server in asked if server not in ours and not is_local(server)]
    first = bool(elsewhere) and elsewhere[0] == asked[0]
    if elsewhere and not facts.split and (first or not facts.blocked):
        what = f"This computer's programs ask {' and '.join(elsewhere)}, beside the tunnel"
        return Finding(ELSEWHERE, f"{what}, where the firewall refuses it" if facts.blocked else what)
    if not facts.answered:
        names = " and ".join(map(str, facts.servers))
        return Finding(
            SILENT, f"The tunnel's name server{'s' if len(facts.servers) > 1 else ''} {names} gave no answer"
        )
    if facts.deaf:
        return Finding(SILENT, f"This computer's own name server {facts.deaf[0]} gave no answer")
    if not asked:
        return Finding(SILENT, "This computer's programs know no name server")
    return None


async def look(
    interface: str, config: DnsConfig, asked: Sequence[str], *, split: bool, blocked: bool, port: int = 53
) -> Finding | None:
    """Ask, and judge. None: all is well."""
    local = [server for server in asked[:_LISTED] if is_local(server) and ip_address(server) not in config.servers]
    answers = await asyncio.gather(
        *(answers_query(server, interface, port=port) for server in config.servers),
        *(answers_query(ip_address(server), None, port=port) for server in local),
    )
    count = len(config.servers)
    return verdict(
        Facts(
            servers=config.servers,
            answered=tuple(s for s, there in zip(config.servers, answers[:count], strict=True) if there),
            asked=tuple(asked),
            deaf=tuple(s for s, there in zip(local, answers[count:], strict=True) if not there),
            split=split,
            blocked=blocked,
        )
    )


async def answers_query(server: IPAddress, interface: str | None, *, port: int = 53) -> bool:
    """Whether `server` answers anything at all, asked through the device `interface` if one is named."""
    family = socket.AF_INET if server.version == 4 else socket.AF_INET6
    loop = asyncio.get_running_loop()
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        try:
            if interface is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
            sock.connect((str(server), port))
        except OSError:
            return False
        query = dns.message.make_query(".", "NS", id=secrets.randbelow(0x10000))
        for _ in range(TRIES):
            try:
                async with asyncio.timeout(TIMEOUT / TRIES):
                    await loop.sock_sendall(sock, query.to_wire())
                    while not _is_answer(await loop.sock_recv(sock, 4096), query):
                        pass
            except TimeoutError:
                continue
            except OSError:
                # Refused by the firewall or the server's host: another try may find it back.
                await asyncio.sleep(TIMEOUT / TRIES / 4)
                continue
            return True
    return False


def is_local(server: str) -> bool:
    """Whether the address is this host's own, whatever network it is on."""
    try:
        return ip_address(server).is_loopback
    except ValueError:
        return False


def _is_answer(wire: bytes, query: dns.message.Message) -> bool:
    try:
        answer = dns.message.from_wire(wire, ignore_trailing=True)
    except dns.exception.DNSException:
        return False
    return answer.id == query.id and bool(answer.flags & dns.flags.QR)
