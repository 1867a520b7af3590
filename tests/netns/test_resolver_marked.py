from __future__ import annotations

import asyncio
import os
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest

from slopn_helper.host.resolver import ResolveError, resolve
from support.internet import Internet
from support.netns import Namespace, veth

MARK = 51820
NAME = "gateway.example.net"
BLOCK = f"""
table inet test {{
  chain output {{
    type filter hook output priority 0; policy drop;
    oif lo accept
    icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept
    meta mark {MARK} meta l4proto {{ tcp, udp }} th dport 53 accept
  }}
}}
"""


def test_only_marked_questions_get_through_a_closed_firewall(tmp_path: Path) -> None:
    """With everything blocked but the helper's mark to port 53 an unmarked question fails and a marked one is answered.

    The server sees both: first, without the block, that the unmarked one would have come; then only the marked ones.
    """
    with Namespace("client") as client, Namespace("router") as router:
        veth(client, "eth0", router, "r0")
        client.ip("addr add 10.1.0.2/24 dev eth0\naddr add fd01::2/64 dev eth0 nodad")
        router.ip("addr add 10.1.0.1/24 dev r0\naddr add fd01::1/64 dev r0 nodad")
        control = tmp_path / f"{os.getpid()}.sock"
        with Internet(router, control, ("10.1.0.1", "fd01::1")) as internet, client.entered():
            internet.wait_ready()
            servers = (ip_address("10.1.0.1"), ip_address("fd01::1"))
            for server in servers:
                found = asyncio.run(resolve(NAME, [server], None, timeout=20.0))
                assert list(map(str, found)) == ["203.0.113.10", "2001:db8:9::10"]
            unmarked = len(internet.seen().dns)
            assert unmarked == 4
            client.nft(BLOCK)
            with pytest.raises(ResolveError):
                asyncio.run(resolve(NAME, servers, None, timeout=0.6))
            assert len(internet.seen().dns) == unmarked
            for server in servers:
                found = asyncio.run(resolve(NAME, [server], MARK, timeout=20.0))
                assert list(map(str, found)) == ["203.0.113.10", "2001:db8:9::10"]
            assert len(internet.seen().dns) == unmarked + 4
            with pytest.raises(ResolveError, match="no such name"):
                asyncio.run(resolve("nobody.example.net", servers, MARK, timeout=20.0))


def test_without_the_right_to_mark_nothing_is_asked() -> None:
    """A process that may not set the mark fails with the reason, instead of asking past the firewall's rule."""
    script = (
        "import asyncio, os; from ipaddress import ip_address; from slopn_helper.host.resolver import *\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "try: asyncio.run(resolve('x.example', [ip_address('127.0.0.1')], 51820, timeout=5))\n"
        "except ResolveError as error: print(error)\n"
    )
    with Namespace("client") as client:
        done = client.run([sys.executable, "-c", script], env={"PYTHONPATH": os.pathsep.join(sys.path)})
    assert "Operation not permitted" in done.stdout
