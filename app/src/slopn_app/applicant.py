"""Asking the helper for a certificate: a new key, a request for it, and perhaps a number that the user must repeat."""

from __future__ import annotations

import os
import ssl
import time

from slopn_app import link
from slopn_app.credentials.store import FILE, KEYRING, Held, Store
from slopn_app.credentials.vault import Locked, Unavailable
from slopn_app.locale import t
from slopn_app.trouble import (
    FAILED,
    LIMITED,
    NOT_PAIRED,
    NOT_PERMITTED,
    TIMED_OUT,
    HungUp,
    Late,
    Nonsense,
    Trouble,
    keyring_locked,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from slopn_app.host.interfaces import Stream
    from slopn_app.host.parts import Host
    from slopn_app.link import Document, Greeting, Link

    AskNumber = Callable[["NumberWanted"], str | None]
    """Asks the user for the number; None: nobody is there to ask. Runs while the pairing waits, so it may take long."""

TRIES = 3
"""Numbers that the helper takes for one pairing."""
_KINDS = {"not_permitted": NOT_PERMITTED, "limited": LIMITED}
_LIMITED_PAUSE = 0.25


class NumberWanted:
    """The user is to repeat the number that the helper shows. `expires`: Unix time. `wrong`: about the last try, or empty."""

    def __init__(self, expires: float, wrong: str) -> None:
        self.expires = expires
        self.wrong = wrong


class Applicant:
    """A front end before the helper at `path`. Raises `Trouble`, and `OSError` where the disk fails.

    `name`: for people. `rights`: what it asks to be allowed; None: all. `ask`: None if there is nobody to ask.
    """

    def __init__(self, host: Host, path: str, name: str, rights: tuple[str, ...] | None, ask: AskNumber | None) -> None:
        self._host = host
        self._path = path
        self._name = name
        self._rights = rights
        self._ask = ask

    def greet(self, timeout: float) -> tuple[Stream, Greeting]:
        """Greeted, at last: a helper that has too much to do right now is asked again until the time is up."""
        deadline = time.monotonic() + timeout
        pause = _LIMITED_PAUSE
        while True:
            try:
                return link.greet(self._host.transport, self._path, max(deadline - time.monotonic(), 0.001))
            except Trouble as trouble:
                if trouble.kind == TIMED_OUT:
                    raise Late(timeout) from None
                if trouble.kind != LIMITED or time.monotonic() + pause > deadline:
                    raise
            time.sleep(pause)
            pause *= 2

    def pair(self, store: Store, authority: str, timeout: float) -> tuple[Held, str]:
        """Become a paired front end of the helper with this authority; why the key is in a file, or empty."""
        key, secret, request = self._new_key()
        place, reason = self._put_key(store, authority, key, secret)
        try:
            paired = self._certified(authority, request, timeout)
            return self._checked(paired, key, secret, place), reason
        except BaseException:
            store.drop_key(authority, key, place)
            raise

    def renew(self, store: Store, authority: str, held: Held, conversation: Link, timeout: float) -> Held:
        """The next certificate after `held`, its key in the same place. Raises `Locked`, `Unavailable` as well."""
        key, secret, request = self._new_key()
        store.put_key(authority, key, self._label, secret, held.place)
        try:
            paired = conversation.ask({"type": "renew", "request": request}, timeout)
            return self._checked(paired, key, secret, held.place)
        except BaseException:
            store.drop_key(authority, key, held.place)
            raise

    def _new_key(self) -> tuple[str, str, str]:
        """Its name, the key and a request for its certificate."""
        from slopn_app.credentials.keys import make_key

        return (os.urandom(8).hex(), *make_key(self._name))

    def _put_key(self, store: Store, authority: str, key: str, secret: str) -> tuple[str, str]:
        """Keep a key where it is safest; the place, and why it isn't the keyring."""
        try:
            store.put_key(authority, key, self._label, secret, KEYRING)
        except Locked:
            if self._host.graphical:
                raise keyring_locked() from None
            reason = t("the keyring is locked, and there is no screen to unlock it at")
        except Unavailable as error:
            reason = str(error)
        else:
            return KEYRING, ""
        store.put_key(authority, key, self._label, secret, FILE)
        return FILE, reason

    def _certified(self, authority: str, request: str, timeout: float) -> Document:
        command: Document = {"type": "pair", "name": self._name, "request": request}
        if self._rights is not None:
            command["rights"] = list(self._rights)
        reply = self._unpaired(authority, command, timeout)
        if reply["type"] == "number_needed":
            reply = self._confirmed(authority, reply["pairing"], reply["expires"], timeout)
        if reply["type"] == "refused":
            raise Trouble(_KINDS.get(reply["kind"], FAILED), *reply["message"].splitlines())
        return reply

    def _confirmed(self, authority: str, pairing: str, expires: float, timeout: float) -> Document:
        wrong = ""
        for _ in range(TRIES):
            number = None if self._ask is None else self._ask(NumberWanted(expires, wrong))
            if number is None:
                raise Trouble(
                    NOT_PAIRED,
                    t("This program isn't paired with SloPN's service yet."),
                    t("Run `slopn pair` in a terminal: it asks for a number, which `sudo slopn devices` shows"),
                    t("and the service's journal has, too: `journalctl -u slopn-helper`."),
                )
            command = {"type": "confirm_pairing", "pairing": pairing, "number": number}
            reply = self._unpaired(authority, command, timeout)
            if reply["type"] != "refused" or reply["kind"] != "invalid":
                return reply
            wrong = reply["message"]
            if time.time() >= expires:
                break
        raise Trouble(NOT_PAIRED, *wrong.splitlines())

    def _unpaired(self, authority: str, command: Document, timeout: float) -> Document:
        """Ask without a certificate. Over a connection of its own: the user may think for longer than the helper waits."""
        stream, greeting = self.greet(timeout)
        if greeting.fingerprint != authority:
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
