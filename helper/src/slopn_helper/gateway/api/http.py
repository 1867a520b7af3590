"""uvicorn's HTTP/1.1 with an end to everything that a stranger could draw out.

uvicorn 0.54 limits the pause between two requests alone: who sends a header's letters one by one holds a connection for
ever. Here a connection has so long to bring a request whole, and we to answer it; then it is cut.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from typing import Any, Protocol, cast

import h11
from msgspec import Struct
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from slopn_helper.gateway.api.messages import wrong
from slopn_helper.gateway.api.problems import Refused

_log = logging.getLogger(__name__)
# Below error it tells of strangers' mistakes, with no limit.
_quiet = logging.getLogger(f"{__name__}.uvicorn")
_quiet.setLevel(logging.ERROR)


class Patience(Struct, frozen=True, kw_only=True):
    """Seconds."""

    handshake: float = 5.0
    """For TLS's."""
    asking: float = 10.0
    """From the connection's start, or the last answer, until a request is there whole."""
    answering: float = 40.0
    """Until its answer is on its way: more than the registry waits for its turn, a lock and an answer."""
    idle: float = 5.0
    """Between two requests."""
    closing: float = 3.0
    """For TLS's farewell, and for requests in hand when the gateway ends."""


class Watcher(Protocol):
    """Is told what a connection does."""

    def waits(self) -> None:
        """For a request."""

    def works(self) -> None:
        """At an answer: a request is there whole."""

    def left(self) -> None:
        """It is closed."""

    def malformed(self, refused: Refused) -> None:
        """What came is no HTTP."""


def config(app: Callable[..., Any], patience: Patience) -> Config:
    """uvicorn's settings: HTTP/1.1 alone, nothing logged, nobody believed about other addresses than his own."""
    made = Config(
        app,
        http=H11Protocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=max(1, int(patience.idle)),
        h11_max_incomplete_event_size=8192,
    )
    made.load()
    return made


class Guarded(H11Protocol):
    """One connection, after its handshake."""

    def __init__(
        self, settings: Config, state: ServerState, patience: Patience, watcher: Watcher, peer: tuple[str, int]
    ) -> None:
        super().__init__(settings, state, {})
        self.logger = _quiet
        self._peer = peer
        self._patience = patience
        self._watcher = watcher
        self._timer: asyncio.TimerHandle | None = None
        self._working = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The handshake is over."""
        super().connection_made(transport)
        # uvicorn asks the socket, which doesn't know any more if the other side has gone meanwhile.
        self.client = self._peer
        self._within(self._patience.asking)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed, by whomever."""
        if self._timer is not None:
            self._timer.cancel()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)
        self._watcher.left()
        # Circles with what TLS has for this connection: the collector counts objects, and comes hundreds of megabytes late.
        released = cast("Any", self)
        released.transport = released.flow = released.cycle = None

    def data_received(self, data: bytes) -> None:
        """Some of a request, or of several."""
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """An answer is on its way."""
        if cast("asyncio.Transport | None", self.transport) is None:
            return
        self._working = False
        self._watcher.waits()
        if not self.transport.is_closing():
            self._within(self._patience.asking)
        super().on_response_complete()
        self._look()

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP; `msg` is uvicorn's, for everybody the same."""
        del msg
        if (error := sys.exception()) is not None:
            error.__traceback__ = None  # h11 raises it from itself: another circle, through all that is being done
        refused = wrong("it is no HTTP", None)
        self._watcher.malformed(refused)
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            answer = refused.answer(close=True)
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer.body)).encode())]
            response = h11.Response(
                status_code=answer.status, headers=[*headers, *answer.headers], reason=b"Bad Request"
            )
            for event in (response, h11.Data(data=answer.body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _look(self) -> None:
        cycle = cast("RequestResponseCycle | None", self.cycle)  # None before the first request, whatever its type says
        if not self._working and cycle is not None and not cycle.response_complete and not cycle.more_body:
            self._working = True
            self._watcher.works()
            self._within(self._patience.answering)

    def _within(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, self._cut)

    def _cut(self) -> None:
        if self._working:
            _log.warning("a request wasn't answered in %g s and is cut off", self._patience.answering)
        self.transport.abort()
