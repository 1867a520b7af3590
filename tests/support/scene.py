"""A client with the real helper, its gateway, and a capture of all that leaves it: what the tests of the whole play with."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from types import TracebackType
from typing import Any, Self

from slopn_app.cli.channel import Channel
from slopn_app.cli.failure import Failure
from slopn_app.cli.report import status
from support.capture import Capture
from support.gateway import Gateway
from support.helper_process import HelperProcess
from support.topology import Lab
from support.until import Expired, until
from support.watched import Watched

PROFILE = "lab"


class Scene(Watched):
    """Up while entered: the helper answers, disconnected, with the gateway's profile `lab` and default settings.

    `reset` makes it so again between tests that share one.
    """

    def __init__(self, uplinks: Collection[str] = ("eth0",)) -> None:
        self.lab = Lab(uplinks=uplinks)
        self._stack = contextlib.ExitStack()
        self._changed: set[str] = set()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.lab)
            self.gateway = stack.enter_context(Gateway(self.lab))
            self.capture: Capture = stack.enter_context(self.lab.capture())
            self.helper = HelperProcess(self.lab.client)
            stack.callback(self.helper.__exit__)
            self.helper.start()
            self.add_profile(self.gateway.config())
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def reset(self) -> None:
        """As at the start, whatever the last test did: also after one that failed halfway."""
        # One that has just started says “disconnected” before it has looked at what is wanted.
        restarted = not self.helper.alive
        if restarted:
            self.helper.start()
        for key in sorted(self._changed):
            self.slopn("settings", "set", key, _DEFAULTS[key])
        self._changed.clear()
        if restarted or self.status()["state"] != "disconnected":
            self.slopn("disconnect", "--wait", "20")
        self.capture.reset()

    def setting(self, key: str, value: str) -> None:
        """Change a setting until the next `reset`."""
        self._changed.add(key)
        self.slopn("settings", "set", key, value)

    def add_profile(self, text: str, name: str = PROFILE) -> None:
        """Store `text`, instead of an earlier profile of that name."""
        self.slopn("import", "-", "--name", name, "--replace", text=text)

    def connect(self, name: str = PROFILE) -> None:
        """Connect and wait for it."""
        self.slopn("connect", name, "--wait", "20")

    def status(self) -> dict[str, Any]:
        """What `slopn status --json` says, without the cost of starting a program: for waiting and looking often.

        Raises `Failure` when the helper doesn't answer.
        """
        with Channel(str(self.helper.socket)) as channel:
            return {**status(channel.snapshot())}

    def wait_state(self, state: str, timeout: float = 15.0) -> dict[str, Any]:
        """Return the status once its `state` is the one given; a helper that doesn't answer meanwhile is waited for."""
        last: dict[str, Any] = {}

        def reached() -> bool:
            nonlocal last
            with contextlib.suppress(Failure):
                last = self.status()
            return last.get("state") == state

        try:
            until(reached, timeout, f"the state is {state}")
        except Expired as expired:
            raise AssertionError(f"{expired}; last status: {last}\n{self.helper.tail()}") from None
        return last

    def wg(self) -> WgDump:
        """What `wg show slopn0 dump` says."""
        return WgDump(self.lab.client.run("wg show slopn0 dump").stdout)


class WgDump:
    """wg(8)'s dump of an interface with one peer."""

    def __init__(self, text: str) -> None:
        interface, peer = (line.split("\t") for line in text.splitlines())
        self.public_key, self.listen_port, self.fwmark = interface[1], int(interface[2]), int(interface[3], 0)
        self.peer_key, self.preshared, self.endpoint, self.allowed_ips = peer[:4]
        self.handshake, self.rx_bytes, self.tx_bytes = map(int, peer[4:7])
        """Unix seconds, 0: none yet; bytes."""


_DEFAULTS = {
    "kill_switch": "on",
    "allow_lan": "no",
    "resolvers": "default",
    "dns_mechanism": "auto",
    "exclude": "none",
    "include": "all",
    "local_user": "yes",
    "log_level": "info",
    "log_addresses": "yes",
    "portal_url": "http://detectportal.firefox.com/success.txt",
}
