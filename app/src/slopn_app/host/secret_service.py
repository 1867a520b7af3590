"""The keyring of Linux desktops: the Secret Service API of freedesktop.org, version 0.2, over D-Bus.

GNOME's keyring, KDE's wallet and KeePassXC answer to it. We speak it by `jeepney`, on which the library `keyring` stands,
too: that one takes 0.1 s to import, picks whatever backend it finds, plain text among them, and opens a prompt for a
locked keyring. Nothing here ever prompts: what needs one is `Locked`.

The session is of the kind "plain", so the secret crosses the user's own bus, a Unix socket, as it is: whoever may listen
there may as well ask the keyring.
"""

from __future__ import annotations

import contextlib
import os

from jeepney import (  # type: ignore[import-untyped]
    DBusAddress,
    HeaderFields,
    MessageType,
    Properties,
    new_method_call,
)
from jeepney.bus import get_bus  # type: ignore[import-untyped]
from jeepney.bus_messages import message_bus  # type: ignore[import-untyped]
from jeepney.io.blocking import DBusConnection, prep_socket  # type: ignore[import-untyped]

from slopn_app.credentials.vault import WITHIN, Locked, Unavailable, bounded
from slopn_app.locale import t

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar

    T = TypeVar("T")

_SERVICE = "org.freedesktop.secrets"
_PATH = "/org/freedesktop/secrets"
_SECRET = "org.freedesktop.Secret"  # noqa: S105 - an interface's name
_NONE = "/"
_TYPE = "text/plain; charset=utf8"
_LOCKED_ERROR = f"{_SECRET}.Error.IsLocked"


class SecretService:
    """The user's default collection on the bus at `address`. `within`: seconds for each of the calls below."""

    def __init__(self, address: str, within: float = WITHIN) -> None:
        self._address = address
        self._within = within

    def get(self, name: str) -> str | None:
        """The secret `name`; None if there is none."""

        def ask(bus: _Bus) -> str | None:
            item = bus.item(name)
            if item is None:
                return None
            (secret,) = bus.call(item, "Item", "GetSecret", "o", bus.session())
            return bytes(secret[2]).decode()

        return self._asked(ask)

    def put(self, name: str, label: str, secret: str) -> None:
        """Store it, over one of that name."""

        def ask(bus: _Bus) -> None:
            properties = {
                f"{_SECRET}.Item.Label": ("s", label),
                f"{_SECRET}.Item.Attributes": ("a{ss}", _attributes(name)),
            }
            content = (bus.session(), b"", secret.encode(), _TYPE)
            item, prompt = bus.call(
                bus.collection(), "Collection", "CreateItem", "a{sv}(oayays)b", properties, content, True
            )
            if item == _NONE and prompt != _NONE:
                raise Locked

        self._asked(ask)

    def delete(self, name: str) -> None:
        """Forget it."""

        def ask(bus: _Bus) -> None:
            item = bus.item(name)
            if item is not None:
                bus.call(item, "Item", "Delete", "")

        self._asked(ask)

    def _asked(self, ask: Callable[[_Bus], T]) -> T:
        def connected() -> T:
            bus = prep_socket(get_bus(self._address), timeout=self._within)
            # Closed twice, by its owner as well: making that one may fail, and then it leaves the socket open.
            with contextlib.closing(bus), DBusConnection(bus) as connection:
                return ask(_Bus(connection, self._within))

        try:
            # Each wait has a time-out of its own; the thread is for the sum of them, and for those jeepney forgot.
            return bounded(connected, self._within)
        except TimeoutError:
            raise Unavailable(t("the keyring doesn't answer")) from None
        except (OSError, RuntimeError, ValueError, StopIteration) as error:
            raise Unavailable(t("the session bus can't be reached ({error})", error=error)) from None


class _Refused(Exception):
    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


class _Bus:
    """One connection, for one of the questions above."""

    def __init__(self, connection: Any, within: float) -> None:
        self._connection = connection
        self._within = within
        self._session = ""
        self._start()

    def session(self) -> str:
        """The path of a session, which the service forgets with the connection."""
        if not self._session:
            _, self._session = self.call(_PATH, "Service", "OpenSession", "sv", "plain", ("s", ""))
        return self._session

    def collection(self) -> str:
        """The default collection, unlocked."""
        (path,) = self.call(_PATH, "Service", "ReadAlias", "s", "default")
        if path == _NONE:
            # To make one, the service would ask the user for a password.
            raise Unavailable(t("the keyring hasn't been set up"))
        if self._property(path, "Collection", "Locked"):
            raise Locked
        return str(path)

    def item(self, name: str) -> str | None:
        """The path of the item `name`, unlocked."""
        found = self.call(self.collection(), "Collection", "SearchItems", "a{ss}", _attributes(name))[0]
        if not found:
            return None
        if self._property(found[0], "Item", "Locked"):
            raise Locked
        return str(found[0])

    def call(self, path: str, interface: str, method: str, signature: str, *arguments: Any) -> tuple[Any, ...]:
        """The reply's values."""
        address = DBusAddress(path, _SERVICE, f"{_SECRET}.{interface}")
        try:
            return self._reply(new_method_call(address, method, signature or None, arguments))
        except _Refused as error:
            if error.name == _LOCKED_ERROR:
                raise Locked from None
            raise Unavailable(t("the keyring refuses ({error})", error=f"{error.name}: {error}")) from None

    def _property(self, path: str, interface: str, name: str) -> Any:
        try:
            ((_, value),) = self._reply(Properties(DBusAddress(path, _SERVICE, f"{_SECRET}.{interface}")).get(name))
        except _Refused as error:
            raise Unavailable(t("the keyring refuses ({error})", error=f"{error.name}: {error}")) from None
        return value

    def _start(self) -> None:
        """Have the service started, if it can be: a call to one that isn't there would say less about why."""
        try:
            if not self._reply(message_bus.NameHasOwner(_SERVICE))[0]:
                self._reply(message_bus.StartServiceByName(_SERVICE))
        except _Refused as error:
            raise Unavailable(t("there is no keyring here ({error})", error=error.name.rpartition(".")[2])) from None

    def _reply(self, message: Any) -> tuple[Any, ...]:
        reply = self._connection.send_and_get_reply(message, timeout=self._within)
        if reply.header.message_type is MessageType.error:
            name = str(reply.header.fields.get(HeaderFields.error_name, "error"))
            raise _Refused(name, str(reply.body[0]) if reply.body else "")
        return tuple(reply.body)


def session_bus(environ: Mapping[str, str], uid: int) -> str:
    """The address of the user's session bus, as libdbus and sd-bus find it. Raises `Unavailable`."""
    stated = environ.get("DBUS_SESSION_BUS_ADDRESS")
    if stated:
        return stated
    directory = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}"
    path = f"{directory}/bus"
    try:
        if os.stat(path).st_uid == uid:  # noqa: PTH116 - pathlib is heavy
            return f"unix:path={path}"
    except OSError:
        pass
    raise Unavailable(t("there is no session bus here, and so no keyring"))


def _attributes(name: str) -> dict[str, str]:
    return {"application": "slopn", "key": name}
