"""A process that refuses everybody as the gateway will: each connection's words are a wrong token's name.

`refusing_gateway.py LOG builtin|lines [ALLOWED…]`: its refusals stand in LOG, and it bans by itself or leaves that to
Fail2Ban. On stdout: `ready`, then for each refusal the microseconds that line, count and ban have taken. A line on stdin
makes it heal.
"""

from __future__ import annotations

import asyncio
import sys
import time
from ipaddress import ip_address, ip_network
from pathlib import Path

from slopn_helper import logs
from slopn_helper.gateway.bans import Why, allow
from slopn_helper.gateway.bans.book import Book, Terms
from slopn_helper.gateway.bans.builtin import BuiltInBans
from slopn_helper.gateway.bans.edge import Edge
from slopn_helper.gateway.bans.lines import Refusal
from slopn_helper.host.firewall.libnft import Nft

PORT = 8443


async def main(log: str, who: str, *allowed: str) -> None:
    """Serve until killed."""
    logs.setup("info", file=Path(log))
    networks = allow.networks([ip_network(network) for network in allowed])
    bans = BuiltInBans(Book(Terms()), Edge(Nft()), time.time, enabled=who == "builtin")
    bans.start(networks)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = await reader.read(4096)
        address, port, *_ = writer.get_extra_info("peername")
        begun = time.perf_counter()
        bans.refused(Refusal(ip_address(address), Why.BAD_TOKEN, port, said.decode(errors="replace")))
        tell(str(round((time.perf_counter() - begun) * 1e6)))
        writer.write(b"401")
        writer.close()

    def heal() -> None:
        sys.stdin.readline()
        bans.heal(networks)
        tell("healed")

    server = await asyncio.start_server(serve, ["0.0.0.0", "::"], PORT)
    asyncio.get_running_loop().add_reader(sys.stdin, heal)
    tell("ready")
    await server.serve_forever()


def tell(what: str) -> None:
    """To the test."""
    sys.stdout.write(what + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
