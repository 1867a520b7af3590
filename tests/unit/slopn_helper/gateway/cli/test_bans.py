from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path

import pytest

from slopn_helper.gateway import cli
from slopn_helper.gateway.bans import Ban, BansError, By, Why
from slopn_helper.gateway.bans.book import Change, Put, Remove
from slopn_helper.gateway.bans.edge import Held
from slopn_helper.gateway.bans.view import BansView
from slopn_helper.gateway.cli import bans
from slopn_wire.profile import IPNetwork

STRANGER = ip_network("203.0.113.7/32")


class Kernel:
    """The gateway's table as `Edge` has it."""

    def __init__(self, broken: str = "") -> None:
        self.bans: dict[IPNetwork, Ban] = {}
        self.broken = broken

    def read(self, now: float) -> Held:
        """What is in force."""
        del now
        if self.broken:
            raise BansError(self.broken)
        return Held(tuple(self.bans.values()), (ip_network("198.51.100.0/24"),), 0)

    def apply(self, changes: Sequence[Change], now: float) -> None:
        """Set and lift."""
        del now
        for change in changes:
            if isinstance(change, Put):
                self.bans[change.ban.source] = change.ban
            elif isinstance(change, Remove):
                del self.bans[change.source]


class NoJail:
    """A host without Fail2Ban."""

    def is_there(self) -> bool:
        """It isn't."""
        return False

    def bans(self) -> tuple[Ban, ...]:
        """None."""
        return ()

    def lift(self, source: IPNetwork) -> bool:
        """Nothing."""
        del source
        return False


def run(kernel: Kernel, folder: Path, *words: str) -> int:
    """`slopn-gateway bans`, on this kernel."""
    parser = argparse.ArgumentParser()
    bans.configure(parser)
    arguments = parser.parse_args([*words, "--state-dir", str(folder)])
    return bans.run(arguments, lambda: BansView(kernel, NoJail(), time.time))  # type: ignore[arg-type]


def lines(folder: Path) -> list[str]:
    """What the audit log has."""
    path = folder / "audit.jsonl"
    return [json.loads(line)["what"] for line in path.read_text().splitlines()] if path.exists() else []


def test_somebody_is_kept_out_and_let_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Listed between, recorded both times."""
    kernel = Kernel()
    assert run(kernel, tmp_path, "add", "203.0.113.7", "--for", "2h") == cli.DONE
    assert kernel.bans[STRANGER].why is Why.BY_HAND
    capsys.readouterr()
    assert run(kernel, tmp_path, "list", "--json") == cli.DONE
    (listed,) = json.loads(capsys.readouterr().out)["bans"]
    assert (listed["source"], listed["by"]) == ("203.0.113.7/32", str(By.GATEWAY))
    assert abs(listed["until"] - listed["since"] - 7200) < 1
    assert run(kernel, tmp_path, "list") == cli.DONE
    assert "203.0.113.7  gateway  by_hand" in capsys.readouterr().out
    assert run(kernel, tmp_path, "lift", "203.0.113.7") == cli.DONE
    assert kernel.bans == {}
    assert run(kernel, tmp_path, "lift", "203.0.113.7") == cli.DONE
    assert "wasn't kept out" in capsys.readouterr().out
    assert lines(tmp_path) == ["ban.add", "ban.lift", "ban.lift"]


def test_whoever_is_allowed_is_never_kept_out(tmp_path: Path) -> None:
    """So that nobody locks himself out."""
    kernel = Kernel()
    with pytest.raises(cli.UsageError, match="allow list"):
        run(kernel, tmp_path, "add", "198.51.100.9")
    assert kernel.bans == {}


@pytest.mark.parametrize("source", ["", "bob", "203.0.113.0/24", "2001:db8::/48", "203.0.113.7/33"])
def test_what_is_no_source_is_a_sentence(tmp_path: Path, source: str) -> None:
    """Nothing is recorded of it."""
    with pytest.raises(cli.UsageError):
        run(Kernel(), tmp_path, "add", source)
    assert lines(tmp_path) == []


def test_what_cannot_be_asked_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty list that isn't known to be whole is no success."""
    kernel = Kernel("no netlink")
    assert run(kernel, tmp_path, "list") == cli.FAILED
    assert "There may be more: no netlink." in capsys.readouterr().out
    with pytest.raises(cli.CliError, match="no netlink"):
        run(kernel, tmp_path, "lift", "203.0.113.7")
