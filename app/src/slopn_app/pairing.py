"""How a front end comes to a conversation with the helper: with its certificate, and paired first if it has none.

Blocking, for the command line as it is, for tray and window on a thread. Raises `slopn_app.trouble.Trouble` alone.
"""

from __future__ import annotations

import contextlib
import time

from slopn_app import link
from slopn_app.applicant import Applicant
from slopn_app.credentials.store import FILE, Held, Lost, Store
from slopn_app.credentials.vault import Locked, Unavailable
from slopn_app.locale import t
from slopn_app.trouble import FAILED, NOT_PAIRED, TIMED_OUT, Trouble, keyring_locked

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from typing import TypeVar

    from slopn_app.applicant import AskNumber
    from slopn_app.host.interfaces import Stream
    from slopn_app.host.parts import Host
    from slopn_app.link import Greeting, Link

    T = TypeVar("T")

NAMES = {"cli": "command line", "tray": "tray", "window": "window"}
"""What front ends are called in the list of paired ones, unless they say otherwise."""
_PATIENCE = 1.0
"""Seconds that a keyring may take before the helper, which waits meanwhile, may have given up."""


class Contact:
    """A stream that was greeted and is to become TLS by `context`, which has the front end's certificate."""

    def __init__(self, stream: Stream, greeting: Greeting, context: ssl.SSLContext) -> None:
        self.stream = stream
        self.greeting = greeting
        self.context = context


class Pairing:
    """One front end's standing with the helper at `path`. Not for two threads at a time.

    `front_end`: `cli`, `tray` or `window`. `ask`: for the number, if the helper wants one. `say`: tells the user something
    that has been done, a sentence. `name`, `rights`: how it is to be called and what it asks to be allowed, when it is
    paired; None: the usual name, all rights.
    """

    def __init__(
        self,
        front_end: str,
        host: Host,
        path: str,
        *,
        ask: AskNumber | None,
        say: Callable[[str], None],
        name: str | None = None,
        rights: tuple[str, ...] | None = None,
    ) -> None:
        self.path = path
        self._host = host
        self._applicant = Applicant(host, path, name or NAMES[front_end], rights, ask)
        self._say = say
        self._front_end = front_end
        self._opened: Store | None = None
        self._authority = ""
        self._held: Held | None = None
        self._context: ssl.SSLContext | None = None
        self._paired_anew = False
        self._tried: set[str] = set()

    def contact(self, timeout: float) -> Contact:
        """A stream that is ready for TLS, within `timeout` seconds and the time that a user needs for a number."""
        while True:
            stream, greeting = self._applicant.greet(timeout)
            try:
                begun = time.monotonic()
                context = self._identity(greeting)
                if context is not None and time.monotonic() - begun < _PATIENCE:
                    return Contact(stream, greeting, context)
                stream.close()
                if context is None:
                    self._pair(timeout)
            except BaseException:
                stream.close()
                raise

    def link(self, timeout: float) -> Link:
        """A blocking conversation. The caller closes it."""
        contact = self.contact(timeout)
        return link.secure(self._host.transport, contact.stream, contact.context, timeout)

    def refused(self, message: str, timeout: float) -> None:
        """The helper doesn't accept the certificate: find another one, or be paired again, once. Then connect anew."""
        held, self._held, self._context = self._held, None, None
        if held is None:
            return
        known = self._kept(lambda: self._store.read(self._authority))
        if known and known[0].key != held.key:
            return  # another program has renewed it meanwhile
        if len(known) > 1:
            self._kept(lambda: self._store.write(self._authority, self.path, known[1:]))
            return
        if self._paired_anew:
            raise Trouble(NOT_PAIRED, *message.splitlines())
        self._say(message.strip())
        self._tried = {held.key}
        self._pair(timeout)

    def device(self, timeout: float = 15.0) -> str | None:
        """Which device this front end is to the helper; None: it holds no certificate of this helper's."""
        stream, greeting = self._applicant.greet(timeout)
        stream.close()
        known = self._kept(lambda: self._store.read(greeting.fingerprint))
        return known[0].device if known else None

    def pair_anew(self, timeout: float) -> None:
        """Be paired once more, by name and rights as they are now. What was held before isn't revoked by that."""
        stream, greeting = self._applicant.greet(timeout)
        stream.close()
        self._authority, self._held, self._context = greeting.fingerprint, None, None
        self._tried = {held.key for held in self._kept(lambda: self._store.read(self._authority))}
        self._pair(timeout)

    def accepted(self) -> None:
        """The helper takes the certificate: what it replaced isn't needed any more. Raises nothing."""
        if self._held is None:
            return
        self._paired_anew = False
        self._store.used(self._authority, time.time())
        known = self._store.read(self._authority)
        if len(known) > 1 and known[0].key == self._held.key:
            with contextlib.suppress(OSError):  # the next time will do
                self._store.write(self._authority, self.path, known[:1])

    def due(self) -> bool:
        """Whether the certificate should be renewed."""
        return self._held is not None and self._held.due(time.time())

    def renew(self, conversation: Link, timeout: float) -> bool:
        """Get the next certificate; the present one holds on. False if that didn't work, or another program is at it."""
        held = self._held
        if held is None:
            return False
        try:
            with self._store.lock(0):
                known = self._store.read(self._authority)
                if not known or known[0].key != held.key:
                    return False
                renewed = self._applicant.renew(self._store, self._authority, held, conversation, timeout)
                self._store.write(self._authority, self.path, [renewed, held])
        except (Trouble, OSError, Locked, Unavailable):
            return False  # there are months left to try again
        # The next connection takes the new one.
        self._held = self._context = None
        return True

    def renew_apart(self, timeout: float) -> None:
        """As `renew`, if it is due, over a connection of its own. Raises nothing: there are months left to try again."""
        if not self.due():
            return
        try:
            conversation = self.link(timeout)
        except Trouble:
            return
        try:
            self.renew(conversation, timeout)
        finally:
            conversation.close()

    def _identity(self, greeting: Greeting) -> ssl.SSLContext | None:
        """A context with our certificate for this helper; None if there is none, or none whose key can be had."""
        if self._context is not None and self._authority == greeting.fingerprint:
            return self._context
        self._authority, self._held, self._context, self._tried = greeting.fingerprint, None, None, set()
        for _ in range(2):  # once more if another program renews just now
            known = self._kept(lambda: self._store.read(self._authority))
            for held in known:
                try:
                    context = link.client_context(greeting.authority)
                    self._host.load_key(context, held.certificate, self._store.key(self._authority, held))
                except Locked:
                    if self._host.graphical:
                        raise keyring_locked() from None
                except (Lost, Unavailable, OSError, ValueError):
                    self._tried.add(held.key)
                else:
                    self._held, self._context = held, context
                    return context
            if not known:
                break
        return None

    def _pair(self, timeout: float) -> None:
        """Get a certificate, unless another program of ours has been quicker."""
        try:
            with self._store.lock(timeout):
                known = self._store.read(self._authority)
                if not known or known[0].key in self._tried:
                    self._pair_alone(timeout)
        except TimeoutError:
            raise Trouble(
                TIMED_OUT,
                t("Another SloPN program is being paired right now."),
                t("Finish that first, then try again."),
            ) from None
        except OSError as error:
            raise _nowhere(error) from None

    def _pair_alone(self, timeout: float) -> None:
        authority = self._authority
        if self._store.elsewhere(self.path, authority):
            self._say(t("This computer's SloPN service has new keys; pairing again."))
        held, reason = self._applicant.pair(self._store, authority, timeout)
        self._store.write(authority, self.path, [held])
        self._paired_anew = True
        if held.place == FILE:
            path = self._store.file(authority, held.key)
            said = t(
                "This program's key is kept in {path}, which only you can read: {reason}.", path=path, reason=reason
            )
            self._say(said)

    @property
    def _store(self) -> Store:
        if self._opened is None:
            self._opened = self._kept(lambda: Store(self._front_end, self._host))
        return self._opened

    def _kept(self, do: Callable[[], T]) -> T:
        try:
            return do()
        except OSError as error:
            raise _nowhere(error) from None


def _nowhere(error: OSError) -> Trouble:
    return Trouble(
        FAILED,
        t(
            "There is no place for this program's key: {path}: {error}.",
            path=error.filename,
            error=error.strerror or error,
        ),
        t("Set XDG_STATE_HOME to a directory of yours."),
    )
