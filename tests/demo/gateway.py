"""The far end of the demo: a real `slopn-gateway serve`, which enrols the laptop by a link."""

from __future__ import annotations

import json
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from support.gateway import PeerSeen, seen_by
from support.gateway_process import GatewayProcess
from support.topology import DNS4, Lab

NETWORK = "100.80.0."
"""How the laptop's IPv4 address inside begins."""
LABEL = "laptop"


class FarEnd(GatewayProcess):
    """Up while entered; it gets ready beside all else, and `link` waits for it."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab.gateway, {"dns": {"servers": [DNS4]}}, level="info")
        self._thread = ThreadPoolExecutor(1, "gateway")
        self._link: Future[str] | None = None

    def __enter__(self) -> Self:
        self._link = self._thread.submit(self._make)
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()
        super().__exit__()

    def link(self) -> str:
        """What `slopn-gateway token create` has printed. Raises `AssertionError`, `RuntimeError` if it couldn't."""
        assert self._link is not None
        return self._link.result()

    def client(self) -> PeerSeen:
        """The laptop's counters."""
        (seen,) = seen_by(self.namespace, "slopngw0").values()
        return seen

    def _make(self) -> str:
        self.start()
        return str(json.loads(self.cli("token", "create", "--label", LABEL, "--json").stdout)["link"])
