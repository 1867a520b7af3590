"""A control over a real store, with what it has told the tunnel: for the tests of what clients ask."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from slopn_helper.control import Control
from slopn_helper.host.firewall.policy import Blocked
from slopn_helper.hub import Hub
from slopn_helper.principal import ALL_RIGHTS, Principal
from slopn_helper.store import Store
from slopn_helper.tunnel.driver import Position
from slopn_helper.tunnel.inputs import TunnelCommand
from slopn_wire.commands import ApplySettings, Command, ImportProfile
from slopn_wire.diagnosis import Diagnosis, Replayed
from slopn_wire.events import Done, ErrorKind, Live, Refused, Result
from slopn_wire.settings import KillSwitchMode, Settings
from slopn_wire.state import Connecting

ROOT = Principal(uid=0, gid=0, pid=1, exe=None, rights=ALL_RIGHTS)
KEY = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="
CONF = (
    f"[Interface]\nPrivateKey = {KEY}\nAddress = 10.9.0.2/32\nPostUp = rm -rf /\n"
    "[Peer]\nPublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\nEndpoint = 192.0.2.1:51820\nAllowedIPs = 0.0.0.0/0\n"
)


class House:
    """A control over a real store in `directory`, with what it has told the tunnel."""

    def __init__(self, directory: Path) -> None:
        self.now = 1000.0
        self.store = Store(directory / "state")
        self.store.lock()
        self.hub = Hub()
        self.control = Control(self.hub, self.store, self.store.load(), lambda: self.now, boot="monday")
        self.posted: list[TunnelCommand] = []
        self.applied: list[Settings] = []
        self.slow = False
        self.control.connect_to(self)

    def post(self, command: TunnelCommand) -> None:
        """As the daemon."""
        self.posted.append(command)

    def count(self) -> None:
        """As the daemon."""

    async def diagnose(self) -> Diagnosis:
        """As the daemon."""
        return Diagnosis((), {"log": "all"})

    def replay(self, recording: bytes) -> Replayed:
        """As the daemon."""
        return Replayed((), recording.decode())

    def apply_settings(self, settings: Settings) -> asyncio.Event:
        """As the daemon."""
        self.applied.append(settings)
        holds = asyncio.Event()
        if not self.slow:
            holds.set()
        return holds

    def ask(self, command: Command) -> Result:
        """The answer to root."""
        return asyncio.run(self.control.submit(ROOT, command))

    def refused(self, command: Command, kind: ErrorKind = ErrorKind.INVALID) -> str:
        """The sentence of a refusal."""
        before = self.hub.snapshot()
        answer = self.ask(command)
        assert isinstance(answer, Refused)
        assert answer.kind is kind
        assert self.hub.snapshot() == before
        return answer.message

    def settle(self) -> None:
        """The tunnel comes to rest, closed, so that there is a health list."""
        self.hub.set_position(Position(Connecting("lab"), Blocked(), Blocked()), Live(), ())

    def set_kill_switch(self, mode: KillSwitchMode) -> None:
        """By the command."""
        assert self.ask(ApplySettings(msgspec.structs.replace(self.control.settings, kill_switch=mode))) == Done()

    def import_(self, name: str = "lab") -> Result:
        """One profile more."""
        return self.ask(ImportProfile(name, CONF, f"{name}.conf"))
