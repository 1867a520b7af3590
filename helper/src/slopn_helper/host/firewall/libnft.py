"""The kill switch's context of libnftables, in this process.

A transaction takes milliseconds here, ten times less than starting nft(8). A context belongs to the network namespace
of the thread that made it, and to one thread at a time.
"""

from __future__ import annotations

import json
import os
import threading
from typing import Any, cast

from slopn_helper.host import libnftables
from slopn_helper.host.firewall import FirewallError, owner
from slopn_helper.host.firewall.readback import Objects
from slopn_helper.host.firewall.ruleset import FAMILY, TABLE

_OPENING = threading.Lock()
"""Which socket is a context's own is seen by what is new, so that one is opened at a time."""


class Nft:
    """One libnftables context and its netlink socket, which owns the tables that it claims.

    Raises `FirewallError` when the library is missing.
    """

    def __init__(self) -> None:
        with _OPENING:
            before = owner.netfilter_sockets()
            try:
                self._nft = libnftables.Nftables()
            except OSError as error:
                raise FirewallError(f"libnftables can't be loaded (Debian: libnftables1): {error}") from error
            made = owner.netfilter_sockets() - before
        if len(made) != 1:
            raise FirewallError(f"libnftables has opened {len(made)} netlink sockets where one was expected")
        self._socket = made.pop()
        # A child that inherited it would own the table on after our death.
        os.set_inheritable(self._socket, False)

    def run(self, commands: str) -> None:
        """Run an nft(8) script as one transaction. Raises `FirewallError` and changes nothing when it is refused."""
        self._nft.set_json_output(False)
        status, _, errors = self._nft.cmd(commands)
        if status:
            raise FirewallError(f"nftables refused the rules: {_first_line(errors)}")

    @property
    def port(self) -> int:
        """What the kernel knows this context by, as the owner of tables and the author of changes; 0 before the first."""
        return owner.port(self._socket)

    def claim(self, family: str = FAMILY) -> bool:
        """Own our table from now on. False where that is impossible: the plain table is then the way.

        Raises `FirewallError` when another living process owns it.
        """
        try:
            return owner.claim(self._socket, family, TABLE)
        except PermissionError as error:
            raise FirewallError(
                f"the table {family} {TABLE} belongs to another running process, or CAP_NET_ADMIN is missing"
            ) from error
        except OSError as error:
            raise FirewallError(f"the table {family} {TABLE} could not be claimed: {error}") from error

    def listing(self, family: str = FAMILY, table: str = TABLE) -> Objects | None:
        """What the kernel has in a table, handles included. None: there is no such table.

        Not for a table without an owner: libnftables 1.0 uses memory that it has freed when `persist` is its only flag.
        """
        status, objects, errors = self._list(f"list table {family} {table}")
        if not status:
            return objects
        # The library's only word for a missing table is a sentence, so its absence is made sure of.
        if self.is_there(family, table):
            raise FirewallError(f"nftables could not list its rules: {_first_line(errors)}")
        return None

    def is_there(self, family: str = FAMILY, table: str = TABLE) -> bool:
        """Whether there is such a table, whoever owns it."""
        # As text: the JSON names flags, and with it comes the fault that `listing` tells of.
        self._nft.set_json_output(False)
        status, output, errors = self._nft.cmd(f"list tables {family}")
        if status:
            raise FirewallError(f"nftables could not list its tables: {_first_line(errors)}")
        return f"table {family} {table}" in output.splitlines()

    def remove(self, family: str = FAMILY, table: str = TABLE) -> None:
        """Remove a table if it is there. Raises `FirewallError` when another living process owns it."""
        if self.is_there(family, table):
            self.run(f"delete table {family} {table}")

    def _list(self, command: str) -> tuple[int, list[dict[str, Any]], str]:
        self._nft.set_json_output(True)
        status, output, errors = self._nft.cmd(command)
        try:
            objects = cast("list[dict[str, Any]]", json.loads(output)["nftables"]) if output else []
        except ValueError as error:
            raise FirewallError(f"libnftables gave no JSON for “{command}”: {error}") from error
        return status, [item for item in objects if "metainfo" not in item], errors


def _first_line(errors: str) -> str:
    return next((line for line in errors.splitlines() if line.strip()), "no reason given").removeprefix(
        "internal:0:0-0: "
    )
