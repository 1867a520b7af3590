"""What every request passes first: is the path there, is its source within its share, is the request whole and small.

It stands before the framework, so that what is turned away costs little; and a request is only taken in hand when it
has come in whole, so that whoever sends slowly keeps nobody else out.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from ipaddress import ip_address
from typing import Any

from slopn_helper.gateway.api.admission import Hands, Shares
from slopn_helper.gateway.api.description import METHODS
from slopn_helper.gateway.api.messages import too_large
from slopn_helper.gateway.api.problems import FAILED, Answer, Refused
from slopn_helper.gateway.bans.sources import source_of
from slopn_helper.gateway.status import Meter
from slopn_wire.enrolment_api import MOST_BYTES

_log = logging.getLogger(__name__)

# As ASGI has them (https://asgi.readthedocs.io, HTTP alone): Litestar and uvicorn have each their own names for it.
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]

Blame = Callable[[tuple[str, int], Refused], None]
"""Hears of each refusal, with address and port of whoever asked."""


class Gate:
    """An ASGI application before another one. `ticks`: a clock that never jumps."""

    def __init__(
        self,
        inner: Application,
        shares: Shares,
        hands: Hands,
        meter: Meter,
        blame: Blame,
        ticks: Callable[[], float],
    ) -> None:
        self._inner = inner
        self._shares = shares
        self._hands = hands
        self._meter = meter
        self._blame = blame
        self._ticks = ticks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. Raises nothing."""
        began = self._ticks()
        path = scope["path"]
        status = 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._pass(scope, receive, noting)
        except Refused as refused:
            self._blame(scope["client"], refused)
            await _send(noting, refused.answer(close=refused.problem.code == "too_large"))
        except Exception:  # noqa: BLE001 - whatever it is, who asked gets an answer and the log the rest
            _log.exception("%s %s failed", scope["method"], path if path in METHODS else "a request")
            if not status:
                await _send(noting, FAILED)
        if status:
            self._meter.request(path if path in METHODS else "other", status, self._ticks() - began)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Read whole before anything is refused: then the connection stays, and another one's handshake costs far more.
        body = await _whole(scope, receive)
        if body is None:
            return
        wait = self._shares.take(source_of(ip_address(scope["client"][0])), self._ticks())
        if wait is not None:
            sentence = "Too many requests come from your network: try again in a moment."
            raise Refused("too_many", sentence, retry_after=wait)
        method = METHODS.get(scope["path"])
        if method is None:
            raise Refused(
                "not_found", "There is nothing at this address. If your program asks for it, the gateway is too old."
            )
        if scope["method"] != method:
            raise Refused("method", f"This address takes {method} alone.", allow=method)
        if not self._hands.begin():
            sentence = "The gateway has too much to do: try again in a moment."
            raise Refused("unavailable", sentence, retry_after=1.0)
        try:
            await self._inner(scope, _replay(body, receive), send)
        finally:
            self._hands.end()


async def _whole(scope: Scope, receive: Receive) -> bytes | None:
    """The request's body; None: whoever sent it has gone. Raises `Refused` for a large one, without reading all of it."""
    length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    if len(length) > 9 or int(length) > MOST_BYTES:
        raise too_large()
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += bytes(message["body"])
        if len(body) > MOST_BYTES:
            raise too_large()
        if not message["more_body"]:
            return body


def _replay(body: bytes, receive: Receive) -> Receive:
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _send(send: Send, answer: Answer) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(answer.body)).encode()),
        *answer.headers,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})
