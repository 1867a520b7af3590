"""A blocking connection to the helper: its greeting in plain, then TLS, then frames of JSON.

Light on purpose: every `slopn status` imports it. Raises `slopn_app.trouble.Trouble` and nothing else.
"""

from __future__ import annotations

import json
import ssl
import time

from slopn_app.locale import t
from slopn_app.trouble import (
    FAILED,
    INCOMPATIBLE,
    INVALID,
    NOT_PAIRED,
    HungUp,
    Impostor,
    Late,
    Nonsense,
    Trouble,
    no_helper,
    not_permitted,
    not_reachable,
    other_version,
)
from slopn_wire.framing import MAX_MESSAGE, MAX_REQUEST, Deframer, FrameTooLarge, frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from slopn_app.host.interfaces import Stream, Transport

    Document = dict[str, Any]
    """A message of the wire as JSON: its tag in `type`, then its fields."""

PROTOCOL_MAJOR = 1
HOST = "helper.slopn"
MAX_GREETING = 1 << 14
# Written out to spare the import of `slopn_wire.greeting`; a unit test compares them.

NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME (x509_vfy.h): this computer's clock may be wrong, and then none could repair it."""
_CHUNK = 1 << 16
_GREETED_KINDS = frozenset({"not_permitted", "limited"})


class Greeting:
    """What the helper said first. `authority`: its certificate authority, PEM, and the SHA-256 of its DER, hex."""

    def __init__(self, authority: str, fingerprint: str, version: str) -> None:
        self.authority = authority
        self.fingerprint = fingerprint
        self.version = version


def greet(transport: Transport, path: str, timeout: float) -> tuple[Stream, Greeting]:
    """Connect and hear the greeting, both within `timeout` seconds. The stream is the caller's to close."""
    deadline = time.monotonic() + timeout
    stream = _connect(transport, path, timeout)
    try:
        return stream, _greeting(_first_frame(stream, deadline, timeout), path)
    except TimeoutError:
        stream.close()
        raise Late(timeout) from None
    except OSError:
        stream.close()
        raise HungUp from None
    except BaseException:
        stream.close()
        raise


def client_context(authority: str) -> ssl.SSLContext:
    """For TLS 1.3 with the helper whose certificates `authority` signs; the caller adds its own certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= NO_CHECK_TIME
    try:
        context.load_verify_locations(cadata=authority)
    except (OSError, ValueError) as error:
        raise Nonsense(f"its certificate authority can't be read ({error})") from None
    return context


def secure(transport: Transport, stream: Stream, context: ssl.SSLContext, timeout: float) -> Link:
    """Begin TLS on a stream that was greeted; it is closed when that fails."""
    stream.settimeout(timeout)
    try:
        return Link(transport.secure(stream, context, HOST))
    except TimeoutError:
        raise Late(timeout) from None
    except (OSError, ValueError) as error:
        raise handshake_failed(error) from None


def handshake_failed(error: Exception) -> Trouble:
    """What a failed TLS handshake means."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Trouble(
            INCOMPATIBLE,
            t("SloPN's service can't prove that it is itself."),
            t("Its certificate isn't signed by its own authority ({error}).", error=error.verify_message),
            t("Restart it with `sudo systemctl restart slopn-helper`."),
        )
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Trouble(
            INCOMPATIBLE, t("No safe connection with SloPN's service: {error}.", error=_reason(error) or error)
        )
    return HungUp()


class Link:
    """A conversation over `stream`, which it owns."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._frames = Deframer(MAX_MESSAGE)
        self._ready: Iterator[bytes] = iter(())
        self._last_id = 0
        self.early: list[Document] = []
        """What came while a reply was awaited, oldest first; the owner empties it."""

    def close(self) -> None:
        """Hang up."""
        self._stream.close()

    def ask(self, command: Document, timeout: float, key: str = "") -> Document:
        """The result of `command`, a refusal, too. `key`: see `slopn_wire.commands.Request`."""
        self._last_id += 1
        request: Document = {"id": self._last_id, "command": command}
        if key:
            request["key"] = key
        # A file's name may hold bytes that are no text; the wire takes text alone.
        payload = json.dumps(request, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")
        if len(payload) > MAX_REQUEST:
            raise Trouble(INVALID, t("That is too large: the helper takes {most} bytes at a time.", most=MAX_REQUEST))
        deadline = time.monotonic() + timeout
        try:
            self._stream.settimeout(timeout)
            self._stream.sendall(frame(payload))
        except TimeoutError:
            raise Late(timeout) from None
        except OSError:
            pass  # the helper hung up; what it said before is still to be read
        while True:
            message = self.receive(deadline)
            if message is None:
                raise Late(timeout)
            if message["type"] != "reply":
                self.early.append(message)
            elif message["id"] in {self._last_id, 0}:
                result: Document = message["result"]
                if message["id"] == self._last_id or result["type"] == "refused":
                    return result
                raise Nonsense("it replies to nothing")

    def receive(self, deadline: float | None) -> Document | None:
        """The next message; None once `deadline` (`time.monotonic()`) has passed."""
        while True:
            for payload in self._ready:
                return _message(payload)
            if deadline is not None and deadline <= time.monotonic():
                return None
            self._stream.settimeout(None if deadline is None else max(deadline - time.monotonic(), 0.001))
            try:
                data = self._stream.recv(_CHUNK)
            except TimeoutError:
                return None
            except ssl.SSLError as error:
                raise alerted(error) from None
            except OSError:
                data = b""
            if not data:
                raise HungUp
            self._ready = _frames(self._frames, data)


def _connect(transport: Transport, path: str, timeout: float) -> Stream:
    try:
        return transport.connect(path, timeout)
    except TimeoutError:
        raise Late(timeout) from None
    except PermissionError:
        raise not_permitted() from None
    except Impostor as error:
        raise Trouble(
            INCOMPATIBLE,
            t(
                "What listens at {path} isn't SloPN's service: it runs as user {uid}, not as root.",
                path=path,
                uid=error.uid,
            ),
            t("Nothing was sent to it."),
        ) from None
    except OSError as error:
        raise not_reachable(path, error.strerror or str(error)) from None


def _first_frame(stream: Stream, deadline: float, timeout: float) -> bytes:
    length = int.from_bytes(_exactly(stream, 4, deadline, timeout), "big")
    if length > MAX_GREETING:
        raise Nonsense(f"a greeting of {length} bytes; at most {MAX_GREETING} are allowed")
    return _exactly(stream, length, deadline, timeout)


def _exactly(stream: Stream, size: int, deadline: float, timeout: float) -> bytes:
    """No byte more: what follows the greeting is TLS's."""
    data = b""
    while len(data) < size:
        left = deadline - time.monotonic()
        if left <= 0:
            raise Late(timeout)
        stream.settimeout(left)
        more = stream.recv(size - len(data))
        if not more:
            raise HungUp
        data += more
    return data


def _greeting(payload: bytes, path: str) -> Greeting:
    said = _json(payload)
    try:
        tag, major, refused = said["type"], said["protocol"][0], said["refused"]
        authority, version = said["authority"], said["version"]
        refusal = None if refused is None else (refused["kind"], refused["message"])
    except (LookupError, TypeError):
        raise no_helper(path) from None
    words = [tag, authority, version, *(refusal or ())]
    if tag != "greeting" or not all(isinstance(word, str) for word in words):
        raise no_helper(path)
    if major != PROTOCOL_MAJOR:
        raise other_version(major, PROTOCOL_MAJOR)
    if refusal is not None:
        kind, message = refusal
        raise Trouble(kind if kind in _GREETED_KINDS else FAILED, *message.splitlines())
    return Greeting(authority, _fingerprint(authority), version)


def _fingerprint(authority: str) -> str:
    import hashlib

    try:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(authority)).hexdigest()
    except (TypeError, ValueError) as error:
        raise Nonsense(f"its certificate authority can't be read ({error})") from None


def alerted(error: ssl.SSLError) -> Trouble:
    """TLS 1.3's server judges the client's certificate after the client's handshake is over: an alert comes instead of data."""
    if "ALERT" in _reason(error):
        return Trouble(NOT_PAIRED, t("SloPN's service doesn't accept this program's certificate."))
    return HungUp()


def _reason(error: ssl.SSLError) -> str:
    """OpenSSL's own word; errors that Python makes itself have none."""
    return getattr(error, "reason", None) or ""


def _message(payload: bytes) -> Document:
    message = _json(payload)
    if not _typed(message):
        raise Nonsense("it has no type")
    if message["type"] == "reply" and not (isinstance(message.get("id"), int) and _typed(message.get("result"))):
        raise Nonsense("it replies to nothing")
    known: Document = message
    return known


def _json(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise Nonsense(error) from None


def _typed(message: Any) -> bool:
    return isinstance(message, dict) and isinstance(message.get("type"), str)


def _frames(frames: Deframer, data: bytes) -> Iterator[bytes]:
    try:
        yield from frames.feed(data)
    except FrameTooLarge as error:
        raise Nonsense(error) from None
