from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from slopn_helper.host import libnftables
from slopn_helper.host.firewall import FirewallError, owner
from slopn_helper.host.firewall.libnft import Nft

TABLE = {"table": {"family": "inet", "name": "slopn", "handle": 1}}


class FakeNftables:
    """The library's context: answers from `answers`, by command, and opens one netlink socket as the real one does."""

    sockets = 1

    def __init__(self) -> None:
        self._sockets = [socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) for _ in range(self.sockets)]
        self.json = False
        self.said: list[tuple[bool, str]] = []
        self.answers: dict[str, tuple[int, str, str]] = {}
        made.append(self)

    def set_json_output(self, on: bool) -> None:
        """How listings are printed."""
        self.json = on

    def cmd(self, command: str) -> tuple[int, str, str]:
        """Status, output, errors."""
        self.said.append((self.json, command))
        return self.answers.get(command, (0, "", ""))

    def close(self) -> None:
        """What the real one does when it is collected."""
        for sock in self._sockets:
            sock.close()


made: list[FakeNftables] = []


@pytest.fixture(autouse=True)
def library(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The library replaced by the fake."""
    monkeypatch.setattr(libnftables, "Nftables", FakeNftables)
    yield
    while made:
        made.pop().close()


def listed(*objects: object) -> tuple[int, str, str]:
    """A listing as libnftables prints it."""
    return 0, json.dumps({"nftables": [{"metainfo": {"version": "1.0.6"}}, *objects]}), ""


def test_a_missing_library_is_a_firewall_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says what to install."""

    def missing() -> None:
        raise OSError("libnftables.so.1: cannot open shared object file")

    monkeypatch.setattr(libnftables, "Nftables", missing)
    with pytest.raises(FirewallError, match=r"libnftables1\): libnftables\.so\.1"):
        Nft()


@pytest.mark.parametrize("count", [0, 2])
def test_a_socket_that_cannot_be_told_apart_is_refused(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """A claim through the wrong socket would make the table somebody else's."""
    monkeypatch.setattr(FakeNftables, "sockets", count)
    with pytest.raises(FirewallError, match=f"{count} netlink sockets"):
        Nft()


def test_the_socket_is_not_inherited() -> None:
    """A child that held it would go on owning the table after the helper's death."""
    with_flag = owner.netfilter_sockets()
    Nft()
    (fd,) = owner.netfilter_sockets() - with_flag
    import os

    assert not os.get_inheritable(fd)


def test_a_refused_script_is_an_error_with_the_reason() -> None:
    """The first line of what libnftables says comes through."""
    nft = Nft()
    made[0].answers["add x"] = (1, "", "\nError: syntax error\nadd x\n^^^\n")
    with pytest.raises(FirewallError, match=r"refused the rules: Error: syntax error$"):
        nft.run("add x")


def test_a_script_is_run_as_text_after_a_listing_as_json() -> None:
    """The two ways of asking don't get mixed up."""
    nft = Nft()
    made[0].answers["list table inet slopn"] = listed(TABLE)
    assert nft.listing() == [TABLE]
    nft.run("add y")
    assert made[0].said == [(True, "list table inet slopn"), (False, "add y")]


def test_a_table_that_is_not_there_is_none() -> None:
    """The library reports an error, and the list of tables says why."""
    nft = Nft()
    made[0].answers["list table inet slopn"] = (1, "", "Error: No such file or directory")
    made[0].answers["list tables inet"] = (0, "table inet other\n", "")
    assert nft.listing() is None


def test_a_listing_that_fails_is_not_taken_for_a_missing_table() -> None:
    """Whatever else went wrong must not look like an open host."""
    nft = Nft()
    made[0].answers["list table inet slopn"] = (1, "", "Error: Operation not permitted")
    made[0].answers["list tables inet"] = (0, "table inet other\ntable inet slopn\n", "")
    with pytest.raises(FirewallError, match="not permitted"):
        nft.listing()
    made[0].answers["list tables inet"] = (1, "", "Error: Operation not permitted")
    with pytest.raises(FirewallError, match="not permitted"):
        nft.listing()


def test_a_listing_that_is_no_json_is_an_error() -> None:
    """libnftables 1.0 stops in the middle of an orphan's flags, with status 0: nobody may take that for a listing."""
    nft = Nft()
    made[0].answers["list table inet slopn"] = (0, '{"nftables": [{"table": {"name": "slopn", "flags": \n', "")
    with pytest.raises(FirewallError, match="no JSON"):
        nft.listing()


def test_remove_deletes_only_what_is_there() -> None:
    """A second removal does nothing."""
    nft = Nft()
    made[0].answers["list tables inet"] = (0, "table inet other\ntable inet slopn\n", "")
    nft.remove()
    assert (False, "delete table inet slopn") in made[0].said
    made[0].said.clear()
    made[0].answers["list tables inet"] = (0, "", "")
    nft.remove()
    assert not any("delete" in command for _, command in made[0].said)


@pytest.mark.parametrize(
    ("error", "words"),
    [(PermissionError(1, "no"), "another running process"), (OSError(12, "no"), "could not be claimed")],
)
def test_a_claim_that_fails_says_why(monkeypatch: pytest.MonkeyPatch, error: OSError, words: str) -> None:
    """Another helper that lives, or something unforeseen."""

    def fail(*_: object) -> bool:
        raise error

    monkeypatch.setattr(owner, "claim", fail)
    with pytest.raises(FirewallError, match=words):
        Nft().claim()
