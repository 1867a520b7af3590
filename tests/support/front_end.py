"""A front end under test: its store, its pairing, what its user is asked and told."""

from __future__ import annotations

from typing import Any

from slopn_app.applicant import NumberWanted
from slopn_app.credentials.store import Store
from slopn_app.pairing import Pairing
from support.fake_helper import FakeHelper
from support.vault import FakeVault, host_with

TIMEOUT = 20.0


class FrontEnd:
    """A front end with a keyring of its own (None: none), whose user answers with `numbers`, the last again and again."""

    def __init__(
        self,
        path: str,
        *,
        vault: FakeVault | None = None,
        numbers: tuple[str | None, ...] = (),
        graphical: bool = False,
        name: str = "cli",
    ) -> None:
        self.said: list[str] = []
        self.wanted: list[NumberWanted] = []
        self._numbers = list(numbers)
        host = host_with(vault, graphical=graphical)
        self.store = Store(name, host)
        self.pairing = Pairing(name, host, path, ask=self._ask if numbers else None, say=self.said.append)

    def ask(self, command: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer to `command` (the snapshot if left out) over a connection of its own."""
        conversation = self.pairing.link(TIMEOUT)
        try:
            return conversation.ask(command or {"type": "get_snapshot"}, TIMEOUT)
        finally:
            conversation.close()

    def _ask(self, wanted: NumberWanted) -> str | None:
        self.wanted.append(wanted)
        return self._numbers.pop(0) if len(self._numbers) > 1 else self._numbers[0]


def devices(helper: FakeHelper) -> list[str]:
    """The names of all that are paired."""
    return helper.run(lambda: [device.name for device in helper.hub.devices])


def revoke(helper: FakeHelper) -> None:
    """End every pairing."""
    command = {"type": "revoke_device"}
    other = FrontEnd(helper.path, name="window")
    own = other.store
    other.ask()
    mine = own.read(authority_of(helper))[0].device
    for device in helper.run(lambda: helper.hub.devices):
        if device.id != mine:
            assert other.ask({**command, "device": device.id})["type"] == "done"


def authority_of(helper: FakeHelper) -> str:
    """The fingerprint under which credentials are kept."""
    return helper.gatekeeper.authority.fingerprint


def shown_number(helper: FakeHelper) -> str:
    """The last one that the helper has shown."""
    return next(
        word for word in helper.gatekeeper.shown[-1].replace(".", " ").split() if word.isdigit() and len(word) == 6
    )
