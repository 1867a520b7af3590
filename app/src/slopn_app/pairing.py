"""How a front end comes to a conversation with the helper: with its certificate, and paired first if it has none.

Blocking, for the command line as it is, for tray and window on a thread. Raises `slopn_app.trouble.Trouble` alone.
"""

from __future__ import annotations

import os
import ssl
import time

from slopn_app import link
from slopn_app.credentials.store import FILE, KEYRING, Held, Lost, Store
from slopn_app.credentials.vault import Locked, Unavailable
from slopn_app.trouble import (
    FAILED,
    KEYRING_LOCKED,
    LIMITED,
    NOT_PAIRED,
    NOT_PERMITTED,
    TIMED_OUT,
    HungUp,
    Late,
    Nonsense,
    Trouble,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from slopn_app.host.interfaces import Stream
    from slopn_app.host.parts import Host
    from slopn_app.link import Document, Greeting, Link

    T = TypeVar("T")
    AskNumber = Callable[["NumberWanted"], str | None]
    """Asks the user for the number; None: nobody is there to ask. Runs while the pairing waits, so it may take long."""

NAMES = {"cli": "command line", "tray": "tray", "window": "window"}
"""What front ends are called in the list of paired ones."""
TRIES = 3
"""Numbers that the helper takes for one pairing."""
_KINDS = {"not_permitted": NOT_PERMITTED, "limited": LIMITED}
_PATIENCE = 1.0
"""Seconds that a keyring may take before the helper, which waits meanwhile, may have given up."""
_LIMITED_PAUSE = 0.25


class NumberWanted:
    """The user is to repeat the number that the helper shows. `expires`: Unix time. `wrong`: about the last try, or empty."""

    def __init__(self, expires: float, wrong: str) -> None:
        self.expires = expires
        self.wrong = wrong


class Contact:
    """A stream that was greeted and is to become TLS by `context`, which has the front end's certificate."""

    def __init__(self, stream: Stream, greeting: Greeting, context: ssl.SSLContext) -> None:
        self.stream = stream
        self.greeting = greeting
        self.context = context


class Pairing:
    """One front end's standing with the helper at `path`. Not for two threads at a time.

    `front_end`: `cli`, `tray` or `window`. `ask`: for the number, if the helper wants one. `say`: tells the user something
    that has been done, a sentence.
    """

    def __init__(
        self, front_end: str, host: Host, path: str, *, ask: AskNumber | None, say: Callable[[str], None]
    ) -> None:
        self.path = path
        self._name = NAMES[front_end]
        self._host = host
        self._ask = ask
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
            deadline = time.monotonic() + timeout
            stream, greeting = self._greet(deadline, timeout)
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

    def accepted(self) -> None:
        """The helper takes the certificate: what it replaced isn't needed any more."""
        if self._held is None:
            return
        self._paired_anew = False
        self._store.used(self._authority, time.time())
        known = self._store.read(self._authority)
        if len(known) > 1 and known[0].key == self._held.key:
            self._kept(lambda: self._store.write(self._authority, self.path, known[:1]))

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
                key, secret, request = self._new_key()
                self._store.put_key(self._authority, key, self._label, secret, held.place)
                try:
                    paired = conversation.ask({"type": "renew", "request": request}, timeout)
                    renewed = self._checked(paired, key, secret, held.place)
                except BaseException:
                    self._store.drop_key(self._authority, key, held.place)
                    raise
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

    def _greet(self, deadline: float, timeout: float) -> tuple[Stream, Greeting]:
        """Greeted, at last: a helper that has too much to do right now is asked again."""
        pause = _LIMITED_PAUSE
        while True:
            try:
                return link.greet(self._host.transport, self.path, max(deadline - time.monotonic(), 0.001))
            except Trouble as trouble:
                if trouble.kind == TIMED_OUT:
                    raise Late(timeout) from None
                if trouble.kind != LIMITED or time.monotonic() + pause > deadline:
                    raise
            time.sleep(pause)
            pause *= 2

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
                        raise _locked() from None
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
                TIMED_OUT, "Another SloPN program is being paired right now.", "Finish that first, then try again."
            ) from None
        except OSError as error:
            raise _nowhere(error) from None

    def _pair_alone(self, timeout: float) -> None:
        authority = self._authority
        if self._store.elsewhere(self.path, authority):
            self._say("This computer's SloPN service has new keys; pairing again.")
        key, secret, request = self._new_key()
        place, reason = self._put_key(key, secret)
        try:
            paired = self._certified(request, timeout)
            held = self._checked(paired, key, secret, place)
        except BaseException:
            self._store.drop_key(authority, key, place)
            raise
        self._store.write(authority, self.path, [held])
        self._paired_anew = True
        if place == FILE:
            path = self._store.file(authority, key)
            self._say(f"This program's key is kept in {path}, which only you can read: {reason}.")

    def _new_key(self) -> tuple[str, str, str]:
        """Its name, the key and a request for its certificate."""
        from slopn_app.credentials.keys import make_key

        return (os.urandom(8).hex(), *make_key(self._name))

    def _put_key(self, key: str, secret: str) -> tuple[str, str]:
        """Keep a key where it is safest; the place, and why it isn't the keyring."""
        try:
            self._store.put_key(self._authority, key, self._label, secret, KEYRING)
        except Locked:
            if self._host.graphical:
                raise _locked() from None
            reason = "the keyring is locked, and there is no screen to unlock it at"
        except Unavailable as error:
            reason = str(error)
        else:
            return KEYRING, ""
        self._store.put_key(self._authority, key, self._label, secret, FILE)
        return FILE, reason

    def _certified(self, request: str, timeout: float) -> Document:
        reply = self._unpaired({"type": "pair", "name": self._name, "request": request}, timeout)
        if reply["type"] == "number_needed":
            reply = self._confirmed(reply["pairing"], reply["expires"], timeout)
        if reply["type"] == "refused":
            raise Trouble(_KINDS.get(reply["kind"], FAILED), *reply["message"].splitlines())
        return reply

    def _confirmed(self, pairing: str, expires: float, timeout: float) -> Document:
        wrong = ""
        for _ in range(TRIES):
            number = None if self._ask is None else self._ask(NumberWanted(expires, wrong))
            if number is None:
                raise Trouble(
                    NOT_PAIRED,
                    "This program isn't paired with SloPN's service yet.",
                    "Run `slopn pair` in a terminal: it asks for a number, which `sudo slopn devices` shows",
                    "and the service's journal has, too: `journalctl -u slopn-helper`.",
                )
            command = {"type": "confirm_pairing", "pairing": pairing, "number": number}
            reply = self._unpaired(command, timeout)
            if reply["type"] != "refused" or reply["kind"] != "invalid":
                return reply
            wrong = reply["message"]
            if time.time() >= expires:
                break
        raise Trouble(NOT_PAIRED, *wrong.splitlines())

    def _unpaired(self, command: Document, timeout: float) -> Document:
        """Ask without a certificate. Over a connection of its own: the user may think for longer than the helper waits."""
        stream, greeting = self._greet(time.monotonic() + timeout, timeout)
        if greeting.fingerprint != self._authority:
            stream.close()
            raise HungUp  # another helper by now: what was begun with the first is over
        context = link.client_context(greeting.authority)
        conversation = link.secure(self._host.transport, stream, context, timeout)
        try:
            return conversation.ask(command, timeout)
        finally:
            conversation.close()

    def _checked(self, paired: Document, key: str, secret: str, place: str) -> Held:
        """What the helper issued, if it fits the key."""
        from slopn_app.credentials.keys import validity

        if paired["type"] != "paired":
            raise Nonsense(f"{paired['type']} for a request to be paired")
        try:
            device, certificate = paired["device"], paired["certificate"]
            not_before, not_after = validity(certificate)
            self._host.load_key(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), certificate, secret)
        except (LookupError, TypeError, ValueError, OSError) as error:
            raise Nonsense(error) from None
        return Held(device, certificate, key, place, not_before, not_after)

    @property
    def _label(self) -> str:
        """What a person sees in the keyring's window."""
        return f"SloPN: key of the {self._name}"

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


def _locked() -> Trouble:
    return Trouble(
        KEYRING_LOCKED,
        "Your keyring is locked, and this program's key belongs into it.",
        "Unlock it (logging in at the screen does, or the program Passwords and Keys), then try again.",
        "To keep the key in a file instead that only you can read: SLOPN_KEYRING=no slopn pair.",
    )


def _nowhere(error: OSError) -> Trouble:
    return Trouble(
        FAILED,
        f"There is no place for this program's key: {error.filename}: {error.strerror or error}.",
        "Set XDG_STATE_HOME to a directory of yours.",
    )
