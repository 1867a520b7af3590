"""What a look at the gateway is answered, as an ASGI application: `/metrics`, `/healthz`, `/readyz`, `/status`."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from slopn_helper.gateway.status import GatewayStatus
from slopn_helper.gateway.watch.metrics import CONTENT_TYPE, Metrics
from slopn_wire import codec

_log = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Answer = tuple[int, str, bytes]
"""Status, content type, body."""
_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"


class App:
    """`private`: `/status` as well, which names devices and where they are."""

    def __init__(self, status: Callable[[], Awaitable[GatewayStatus]], metrics: Metrics, *, private: bool) -> None:
        self._status = status
        self._metrics = metrics
        self._private = private

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """One request, as ASGI has it."""
        del receive
        status, kind, body = await self.answer(scope["method"], scope["path"])
        headers = [
            (b"content-type", kind.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def answer(self, method: str, path: str) -> Answer:
        """What a request gets."""
        known = {"/healthz": self._health, "/readyz": self._ready, "/metrics": self._figures}
        if self._private:
            known["/status"] = self._all
        work = known.get(path)
        if work is None:
            return 404, _TEXT, b"Not here.\n"
        if method not in {"GET", "HEAD"}:
            return 405, _TEXT, b"GET alone.\n"
        return await work()

    async def _health(self) -> Answer:
        return 200, _TEXT, b"alive\n"

    async def _ready(self) -> Answer:
        found = await self._looked()
        ready = found is not None and found.serving and found.enrolling
        document = {
            "ready": ready,
            "serving": found is not None and found.serving,
            "enrolling": found is not None and found.enrolling,
            # The words alone: sentences may name things that loopback's users needn't know.
            "trouble": [] if found is None else [trouble.code for trouble in found.trouble],
        }
        return 200 if ready else 503, _JSON, codec.encode(document)

    async def _figures(self) -> Answer:
        return 200, CONTENT_TYPE, self._metrics.text(await self._looked())

    async def _all(self) -> Answer:
        found = await self._looked()
        if found is None:
            return 503, _JSON, codec.encode({"error": "the gateway can't say how it is; its log says why"})
        return 200, _JSON, codec.encode(found)

    async def _looked(self) -> GatewayStatus | None:
        """None: it can't be said now. What was counted can be told all the same."""
        try:
            return await self._status()
        except Exception:  # noqa: BLE001 (whatever it is, what was counted must still be told)
            _log.exception("the gateway's status can't be had")
            return None
