"""The kill switch in a namespace: held by this process, or by one of its own that a test can kill."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Self

from slopn_helper.host.firewall import Blocked, FirewallPolicy, Tunnelled
from slopn_helper.host.firewall.nftables import NftablesFirewall
from slopn_helper.host.journal import Journal
from slopn_wire.codec import decoder, encode
from slopn_wire.events import PolicyKind
from slopn_wire.profile import Endpoint
from support.gateway import CLIENT4, CLIENT6, TUNNEL4
from support.netns import Namespace
from support.topology import GATEWAY4, GATEWAY6, GATEWAY_PORT
from support.toy_tunnel import INTERFACE, MARK

ENDPOINTS = (Endpoint(GATEWAY4, GATEWAY_PORT), Endpoint(GATEWAY6, GATEWAY_PORT))
ADDRESSES = (ip_address(CLIENT4), ip_address(CLIENT6))
DNS = (ip_address(TUNNEL4),)


def blocked(*, allow_lan: bool = False) -> Blocked:
    """What is in force while connecting to the lab's gateway."""
    return Blocked(allow_lan=allow_lan, endpoints=ENDPOINTS, addresses=ADDRESSES)


def tunnelled(*, allow_lan: bool = False) -> Tunnelled:
    """What is in force while connected to the lab's gateway."""
    return Tunnelled(allow_lan=allow_lan, endpoints=ENDPOINTS, interface=INTERFACE, addresses=ADDRESSES, dns=DNS)


def supports_owned_tables() -> bool:
    """Whether this kernel knows tables with an owner that outlive it: Linux 6.9 and newer."""
    major, minor, *_ = os.uname().release.replace("-", ".").split(".")
    return (int(major), int(minor)) >= (6, 9)


class HostFirewall:
    """`NftablesFirewall` in `namespace`, with its journal in `directory`; its calls block. Closed at the end.

    Without a guard, unless a test asks for one: a plain table is here to show what others can do to it.
    """

    def __init__(
        self, namespace: Namespace, directory: Path, *, owned: bool = True, guard: bool | None = False
    ) -> None:
        self._namespace = namespace
        self.journal = Journal(directory / "journal")
        self.firewall = NftablesFirewall(self.journal, fwmark=MARK, owned=owned, guard=guard)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.firewall.close()

    def apply(self, policy: FirewallPolicy) -> None:
        """Put `policy` in force. Raises `FirewallError`."""
        with self._namespace.entered():
            asyncio.run(self.firewall.apply(policy, persist=False))

    def drift(self) -> str | None:
        """`Firewall.drift`."""
        with self._namespace.entered():
            return asyncio.run(self.firewall.drift())

    def links_changed(self) -> None:
        """`NftablesFirewall.links_changed`."""
        with self._namespace.entered():
            asyncio.run(self.firewall.links_changed())

    def in_force(self) -> PolicyKind:
        """What the kernel has."""
        with self._namespace.entered():
            return asyncio.run(self.firewall.in_force())


class FirewallProcess:
    """The same in a process of its own, which holds the table until `kill`; a plain one with `guard` is guarded."""

    def __init__(self, namespace: Namespace, directory: Path, *, owned: bool = True, guard: bool = False) -> None:
        directory.mkdir(exist_ok=True)
        how = ["owned" if owned else "plain", "guarded" if guard else "alone"]
        argv = [sys.executable, __file__, str(directory / "journal"), *how]
        path = os.pathsep.join(entry for entry in sys.path if entry)
        self._process = namespace.popen(
            argv, env={"PYTHONPATH": path}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def apply(self, policy: FirewallPolicy) -> str | None:
        """Put `policy` in force; the error's sentence, or None."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(encode(policy).decode() + "\n")
        self._process.stdin.flush()
        answer: str | None = json.loads(self._process.stdout.readline())
        return answer

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        self._process.kill()
        self._process.wait()


def listing(namespace: Namespace) -> Any:
    """The table as nft(8) lists it, without handles; None when there is none."""
    done = namespace.run(["nft", "-j", "list", "table", "inet", "slopn"], check=False)
    if done.returncode:
        return None
    objects = [item for item in json.loads(done.stdout)["nftables"] if "metainfo" not in item]
    return [{kind: {k: v for k, v in of.items() if k != "handle"} for kind, of in item.items()} for item in objects]


def _serve(journal: Path, *, owned: bool, guard: bool) -> None:
    """Apply one policy a line of standard input, and answer each with null or the error."""
    firewall = NftablesFirewall(Journal(journal), fwmark=MARK, owned=owned, guard=guard)
    read = decoder(FirewallPolicy)
    for line in sys.stdin:
        error = None
        try:
            asyncio.run(firewall.apply(read.decode(line), persist=False))
        except Exception as failure:  # noqa: BLE001 (the test wants to see whatever it was)
            error = str(failure)
        sys.stdout.write(json.dumps(error) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), owned=sys.argv[2] == "owned", guard=sys.argv[3] == "guarded")
