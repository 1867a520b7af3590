"""Refuses somebody a number of times, through the real log, as the gateway's unit does: `refusing_once.py ADDRESS TIMES SAID`."""

from __future__ import annotations

import sys
import time
from ipaddress import ip_address, ip_network
from typing import Any

from slopn_helper import logs
from slopn_helper.gateway.bans import Why
from slopn_helper.gateway.bans.book import Book, Terms
from slopn_helper.gateway.bans.builtin import BuiltInBans
from slopn_helper.gateway.bans.edge import Edge
from slopn_helper.gateway.bans.lines import Refusal


class NoNft:
    """The built-in bans are off."""

    def run(self, commands: str) -> None:
        """Nothing."""

    def listing(self, family: str, table: str) -> list[dict[str, Any]] | None:
        """Nothing."""


def main(address: str, times: str, said: str) -> None:
    """Write the lines and wait until they are written."""
    logs.setup("info")
    bans = BuiltInBans(Book(Terms(), [ip_network("::/0")]), Edge(NoNft()), time.time, enabled=False)
    for _ in range(int(times)):
        bans.refused(Refusal(ip_address(address), Why.BAD_TOKEN, 40312, said))
    logs.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
