"""The Rust data plane, `slopn_engine`, behind the helper's `Engine` interface."""

from __future__ import annotations

import asyncio
import logging
import socket
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

import slopn_engine
from slopn_engine import Event
from slopn_helper.engine import (
    AnswerUnused,
    Counters,
    EngineConfig,
    EngineDown,
    EngineError,
    EngineEvent,
    EngineUp,
    HandshakeDone,
    HandshakeFlood,
    HandshakeStale,
    PathFound,
    PeerConfig,
    PeerCounters,
)
from slopn_helper.engine.listening import Listen, Unlisten, by_descriptor

# In the log there is one engine, whatever it is made of.
_log = logging.getLogger("slopn_helper.engine")
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

T = TypeVar("T")


class RustEngine:
    """One WireGuard interface at a time, in threads of this process. Belongs to one event loop.

    `EngineUp` is told on each `apply` of a configuration, before what follows from it. With `uapi`, `wg` works on the
    interface.
    """

    def __init__(self, *, offload: bool = True, uapi: bool = True, listen: Listen = by_descriptor) -> None:
        self._offload = offload
        self._uapi = uapi
        self._listen = listen
        self._unlisten: Unlisten | None = None
        self._engine: slopn_engine.Engine | None = None
        self._mtu = 0
        self._ended = False
        self._busy = asyncio.Lock()
        self._events: asyncio.Queue[EngineEvent] = asyncio.Queue()

    async def apply(self, config: EngineConfig | None) -> None:
        """Make `config` the whole desired state; None stops. Raises `EngineError`."""
        async with self._busy:
            if config is None:
                await self._stop()
                return
            if self._engine is not None and (self._ended or self._engine.interface != config.interface):
                await self._stop()
            if self._engine is None:
                await self._start(config)
            else:
                self._events.put_nowait(EngineUp(config.interface))
                await self._configure(self._engine, config)

    async def rebind(self) -> None:
        """Fresh sockets; sessions are kept. Raises `EngineError`, also while stopped."""
        async with self._busy:
            if self._engine is None:
                raise EngineError("The engine is stopped: it has no sockets to replace.")
            await _call(self._engine.rebind)

    async def set_preshared_keys(
        self, public_key: bytes, keys: Sequence[tuple[int, bytes | None]], *, initiate: bool = False
    ) -> None:
        """Give a peer these preshared keys, as `Rekeying` says. Raises `EngineError`."""
        async with self._busy:
            engine = self._engine
            if engine is None:
                raise EngineError("The engine is stopped: it has no peer to give a preshared key.")
            await _call(lambda: engine.set_preshared_keys(public_key, list(keys), initiate=initiate))

    async def change_peers(self, *, remove: Sequence[bytes] = (), put: Sequence[PeerConfig] = ()) -> None:
        """Remove peers, add or change others, as `Changing` says. Raises `EngineError`."""
        async with self._busy:
            engine = self._engine
            if engine is None or self._ended:
                raise EngineError("The engine is stopped: it has no peers to change.")
            await _call(lambda: engine.change_peers(list(remove), [_native(peer) for peer in put]))

    async def probe_path(self, public_key: bytes, targets: Sequence[tuple[str, str]], ceiling: int) -> None:
        """Find what the path to a peer carries, as `Measuring` says. Raises `EngineError`."""
        async with self._busy:
            engine = self._engine
            if engine is None:
                raise EngineError("The engine is stopped: it has no path to measure.")
            await _call(lambda: engine.probe_path(public_key, list(targets), ceiling))

    def counters(self) -> Counters:
        """Counters as of now; zeros while stopped."""
        if self._engine is None:
            return Counters()
        now = self._engine.counters()
        peers = tuple(
            PeerCounters(
                public_key=peer.public_key,
                endpoint=peer.endpoint,
                last_handshake=None if peer.last_handshake_ns is None else peer.last_handshake_ns / 1e9,
                rx_bytes=peer.rx_bytes,
                tx_bytes=peer.tx_bytes,
            )
            for peer in now.peers
        )
        handshakes = [peer.last_handshake for peer in peers if peer.last_handshake is not None]
        return Counters(now.rx_bytes, now.tx_bytes, max(handshakes, default=None), peers)

    async def events(self) -> AsyncIterator[EngineEvent]:
        """Events since the start, across stops and starts; each is given to one reader only."""
        while True:
            yield await self._events.get()

    async def _start(self, config: EngineConfig) -> None:
        def make() -> slopn_engine.Engine:
            if _is_taken(config.interface):
                # A TUN device that outlives its program can be opened by anybody: it has another's addresses.
                raise EngineError(f"another program has an interface called {config.interface}; remove it first")
            return slopn_engine.Engine(config.interface, mtu=config.mtu, offload=self._offload, uapi=self._uapi)

        engine = await _call(make)
        self._mtu = config.mtu
        self._ended = False
        self._engine = engine
        self._unlisten = self._listen(engine, lambda: self._drain(engine))
        try:
            await self._configure(engine, config)
        except BaseException:
            await self._stop()
            raise

    async def _configure(self, engine: slopn_engine.Engine, config: EngineConfig) -> None:
        peers = [_native(peer) for peer in config.peers]
        alternatives = {peer.public_key: list(peer.alternatives) for peer in config.peers if peer.alternatives}

        def change() -> None:
            if config.mtu != self._mtu:
                engine.set_mtu(config.mtu)
                self._mtu = config.mtu
            engine.apply(
                config.private_key,
                config.listen_port,
                config.fwmark,
                config.bind_device,
                peers,
                initiate=True,
                alternatives=alternatives,
            )

        await _call(change)

    async def _stop(self) -> None:
        engine, self._engine = self._engine, None
        if engine is None:
            return
        if self._unlisten is not None:
            self._unlisten()
        ended = self._ended
        await _call(engine.close)
        self._drain(engine)
        if not ended and not self._ended:
            self._events.put_nowait(EngineDown())
        self._ended = False

    def _drain(self, engine: slopn_engine.Engine) -> None:
        for event in engine.next_events():
            match event:
                case Event.Up():
                    self._events.put_nowait(EngineUp(engine.interface))
                case Event.Handshake(public_key, rtt, preshared):
                    took = "" if rtt is None else f" in {rtt * 1000:.0f} ms"
                    _log.debug("peer %s: a session is agreed%s", _short(public_key), took)
                    self._events.put_nowait(HandshakeDone(public_key, rtt, preshared))
                case Event.Unused(public_key, answers):
                    _log.debug("peer %s: asks again; answers not used: %d", _short(public_key), answers)
                    self._events.put_nowait(AnswerUnused(public_key, answers))
                case Event.Stale(public_key, age):
                    last = "never" if age is None else f"{age:.0f} s ago"
                    _log.info("peer %s: no answer; the last handshake: %s", _short(public_key), last)
                    self._events.put_nowait(HandshakeStale(public_key, age))
                case Event.Roamed(public_key, endpoint):
                    _log.info("peer %s: moved to %s port %d", _short(public_key), *endpoint)
                case Event.Flooded(endpoint, proven, handshakes):
                    doubt = "" if proven else ", an address that may be forged"
                    _log.debug("%d handshakes in a second from %s port %d%s", handshakes, *endpoint, doubt)
                    self._events.put_nowait(HandshakeFlood(endpoint, proven, handshakes))
                case Event.PathMtu(public_key, over6, mtu):
                    self._events.put_nowait(PathFound(public_key, mtu, over6))
                case Event.Log(level, text):
                    _log.log(_LEVELS[level], "%s", text)
                case Event.Down(reason):
                    self._ended = True
                    self._events.put_nowait(EngineDown(reason))
                case _:
                    _log.error("The engine tells of something unknown: %s.", type(event).__name__)


def _native(peer: PeerConfig) -> tuple[bytes, tuple[str, int] | None, list[str], bytes | None, int | None]:
    allowed = [str(net) for net in peer.allowed_ips]
    return peer.public_key, peer.endpoint, allowed, peer.preshared_key, peer.persistent_keepalive


def _is_taken(interface: str) -> bool:
    try:
        return socket.if_nametoindex(interface) > 0
    except OSError:
        return False


def _short(public_key: bytes) -> str:
    """The first characters in base64, as the engine itself names a peer."""
    return f"{b64encode(public_key[:3]).decode()}…"


async def _call(function: Callable[[], T]) -> T:
    """Run in a thread to its end, even when cancelled: what comes next must not meet it halfway."""
    future = asyncio.get_running_loop().run_in_executor(None, function)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        if not future.cancelled() and (error := future.exception()) is not None:
            _log.warning("Cancelled, and failed besides: %s", error)
        raise
    except (slopn_engine.EngineError, ValueError) as error:
        raise EngineError(str(error)) from error
