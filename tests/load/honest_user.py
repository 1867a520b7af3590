"""An honest user who looks again and again what the helper does, over a connection that stands and over a new one.

Arguments: socket, how often (0: until stdin ends). Prints a line once it has the first answer, and one JSON document in the
end: the seconds of each command, and what went wrong.
"""

from __future__ import annotations

import json
import sys
import threading
import time

from slopn_app.bootstrap import host
from slopn_app.link import Link
from slopn_app.pairing import Pairing
from slopn_app.trouble import Trouble

_PATIENCE = 30.0
_PAUSE = 0.05


class Honest:
    """What came of it so far."""

    def __init__(self, path: str) -> None:
        self._pairing = Pairing("cli", host(), path, ask=None, say=lambda _: None)
        self._standing = self._pairing.link(_PATIENCE)
        self.standing: list[float] = []
        """Seconds of each command over the connection that stands."""
        self.fresh: list[float] = []
        """Seconds of each connection, handshake and command."""
        self.problems: list[str] = []

    def look(self) -> None:
        """Once each way."""
        begun = time.monotonic()
        try:
            self._ask(self._standing)
            self.standing.append(time.monotonic() - begun)
            begun = time.monotonic()
            link = self._pairing.link(_PATIENCE)
            self._ask(link)
            link.close()
            self.fresh.append(time.monotonic() - begun)
        except Trouble as trouble:
            self.problems.append(f"{trouble.kind}: {trouble}")

    def _ask(self, link: Link) -> None:
        answer = link.ask({"type": "get_snapshot"}, _PATIENCE)
        if answer["type"] != "snapshot":
            self.problems.append(str(answer))


def main(path: str, times: int) -> None:
    """See the module."""
    honest = Honest(path)
    honest.look()
    _say({"ready": True})
    over = threading.Event()
    if not times:
        threading.Thread(target=_wait, args=(over,), daemon=True).start()
    while not over.wait(_PAUSE) and (not times or len(honest.fresh) <= times):
        honest.look()
    _say({"standing": honest.standing, "fresh": honest.fresh, "problems": honest.problems})


def _wait(over: threading.Event) -> None:
    sys.stdin.read()
    over.set()


def _say(document: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
