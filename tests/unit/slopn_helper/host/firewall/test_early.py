"""The order of steps; what the kernel makes of them stands in tests/netns/test_firewall_early.py."""

from __future__ import annotations

from typing import Any

import pytest

from slopn_helper.host.firewall import Blocked, FirewallError, early, ruleset

MARK = 51820


class FakeKernel:
    """A table that takes any script, and shows `after` once one was run."""

    def __init__(self, *, can_own: bool, after: list[dict[str, Any]]) -> None:
        self.can_own = can_own
        self.scripts: list[str] = []
        self._after = after

    def claim(self) -> bool:
        """Whether it can be owned."""
        return self.can_own

    def run(self, script: str) -> None:
        """Remember it."""
        self.scripts.append(script)

    def listing(self) -> list[dict[str, Any]]:
        """Nothing before the first script."""
        return self._after if self.scripts else []


@pytest.mark.parametrize("can_own", [True, False])
def test_one_transaction_puts_the_block_in(monkeypatch: pytest.MonkeyPatch, can_own: bool) -> None:
    """Inside the claimed table, or as a whole table; never in two steps."""
    monkeypatch.setattr(early.readback, "difference", lambda *_: None)
    kernel = FakeKernel(can_own=can_own, after=[])
    monkeypatch.setattr(early, "Nft", lambda: kernel)
    early.block(allow_lan=True, fwmark=MARK)
    render = ruleset.render_within if can_own else ruleset.render
    assert kernel.scripts == [render(Blocked(allow_lan=True), fwmark=MARK)]


def test_what_is_not_in_force_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that reads back otherwise isn't taken for a block."""
    monkeypatch.setattr(early, "Nft", lambda: FakeKernel(can_own=True, after=[]))
    with pytest.raises(FirewallError, match="not those that were sent"):
        early.block(allow_lan=False, fwmark=MARK)
