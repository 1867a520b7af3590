"""The user's part over the helper's socket: commands, and waiting for what they lead to. The helper may die at any moment."""

from __future__ import annotations

import os
import time
from typing import Any

from slopn_app.bootstrap import host
from slopn_app.link import Link
from slopn_app.pairing import Pairing
from slopn_app.trouble import Trouble
from support.until import until

PATIENCE = 20.0


class Died(Exception):
    """The helper has hung up, or never answered."""


class FrontEnd:
    """Paired once, it comes back to each helper over the same state directory. A context."""

    def __init__(self, socket: str) -> None:
        self._pairing = Pairing("cli", host(), socket, ask=None, say=lambda _: None)
        self._socket = socket
        self._link: Link | None = None

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        if self._link is not None:
            self._link.close()
            self._link = None

    def reach(self, alive: Any) -> None:
        """Connect to a helper that is starting. Raises `Died` once `alive()` is false."""
        self.close()
        deadline = time.monotonic() + PATIENCE
        while self._link is None:
            if not alive() or time.monotonic() > deadline:
                raise Died
            try:
                self._link = self._pairing.link(5.0) if os.path.exists(self._socket) else None  # noqa: PTH110 (often)
            except Trouble:
                self._link = None
            if self._link is None:
                time.sleep(0.005)

    def ask(self, kind: str, **about: Any) -> dict[str, Any]:
        """The result of a command. Raises `Died`; `AssertionError` if it is refused."""
        if self._link is None:
            raise Died
        key = "" if kind == "get_snapshot" else os.urandom(12).hex()
        try:
            result = self._link.ask({"type": kind, **about}, PATIENCE, key)
        except (Trouble, OSError):
            raise Died from None
        assert result["type"] != "refused", result
        return result

    def refused(self, kind: str, **about: Any) -> str:
        """Why a command is refused. `AssertionError` if it isn't."""
        assert self._link is not None
        result = self._link.ask({"type": kind, **about}, PATIENCE, os.urandom(12).hex())
        assert result["type"] == "refused", result
        return str(result["message"])

    def wait(self, state: str, profile: str | None = None) -> dict[str, Any]:
        """The snapshot once the tunnel is in that state, to that profile. Raises `Died`."""

        def there() -> dict[str, Any] | None:
            snapshot = self.ask("get_snapshot")
            now = snapshot["state"]
            return snapshot if now["type"] == state and profile in {None, now.get("profile")} else None

        found = until(there, PATIENCE, f"the tunnel is {state}")
        assert found is not None
        return found

    def set(self, **changed: Any) -> None:
        """Change some settings and leave the others."""
        settings = self.ask("get_snapshot")["settings"]
        self.ask("apply_settings", settings={**settings, **changed})
