"""The client's end of TLS over any stream, where there is no socket that `ssl` could take: OpenSSL works in memory."""

from __future__ import annotations

import contextlib
import ssl
from functools import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from slopn_app.host.interfaces import Stream

    T = TypeVar("T")

_CHUNK = 1 << 16


class TlsStream:
    """A `Stream` inside `stream`, which it owns. Raises `OSError` (`ssl.SSLError` is one) when the handshake fails."""

    def __init__(self, stream: Stream, context: ssl.SSLContext, name: str) -> None:
        self._stream = stream
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        try:
            self._until_done(self._tls.do_handshake)
        except BaseException:
            stream.close()
            raise

    def settimeout(self, value: float | None, /) -> None:
        """See `Stream.settimeout`: of each transfer below."""
        self._stream.settimeout(value)

    def recv(self, bufsize: int, /) -> bytes:
        """See `Stream.recv`."""
        try:
            return self._until_done(lambda: self._tls.read(bufsize))
        except ssl.SSLZeroReturnError:
            return b""

    def sendall(self, data: bytes, /) -> None:
        """See `Stream.sendall`."""
        view = memoryview(data)
        while view:
            view = view[self._until_done(partial(self._tls.write, view)) :]

    def close(self) -> None:
        """See `Stream.close`. Without TLS's own farewell: frames have their length, so nothing can be cut short unseen."""
        self._stream.close()

    def _until_done(self, step: Callable[[], T]) -> T:
        while True:
            try:
                done = step()
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()
            except ssl.SSLError:
                # The alert that says why; if it can't be sent, why is still the better thing to know.
                with contextlib.suppress(OSError):
                    self._flush()
                raise
            else:
                self._flush()
                return done

    def _flush(self) -> None:
        if data := self._outgoing.read():
            self._stream.sendall(data)

    def _fill(self) -> None:
        if data := self._stream.recv(_CHUNK):
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
