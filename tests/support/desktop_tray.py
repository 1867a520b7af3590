"""Icons in a session's panel and their menus, over D-Bus: StatusNotifierItem and com.canonical.dbusmenu, as the panel sees them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from jeepney import DBusAddress, MessageType, new_method_call  # type: ignore[import-untyped]

from support.desktop import WATCHER
from support.until import until

TIMEOUT = 20.0
_ITEM = "org.kde.StatusNotifierItem"
_MENU = "com.canonical.dbusmenu"
_PROPERTIES = "org.freedesktop.DBus.Properties"


class Refused(Exception):
    """The other end answers with an error."""


@dataclass
class Item:
    """One line of a menu."""

    number: int
    label: str
    enabled: bool
    toggle: str
    """`checkmark`, `radio` or nothing."""
    checked: bool
    separator: bool
    children: list[Item] = field(default_factory=list)

    def labels(self) -> list[str]:
        """Of what is below, separators left out."""
        return [child.label for child in self.children if not child.separator]

    def find(self, *path: str) -> Item:
        """The line of these labels, one below the other; each may be the beginning of one. Raises `LookupError`."""
        found = self
        for label in path:
            inside = [child for child in found.children if child.label.startswith(label)]
            if not inside:
                raise LookupError(f"{label!r} isn't among {found.labels()}")
            found = inside[0]
        return found


class Session(Protocol):
    """Somebody's desktop."""

    def bus(self) -> Any:
        """A connection of jeepney's to the session's bus; a context."""


class Tray:
    """The first icon that is called `name`, as the panel of `screen` has it; a context."""

    def __init__(self, screen: Session, name: str = "slopn") -> None:
        self._name = name
        self._bus = screen.bus()
        self._place: tuple[str, str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bus.close()

    def wait(self, timeout: float = TIMEOUT) -> Self:
        """Return once the icon is in the panel."""
        until(self.there, timeout, f"{self._name} is in the panel")
        return self

    def there(self) -> bool:
        """Whether the panel has it."""
        self._place = None
        for address in self._property(WATCHER, "/StatusNotifierWatcher", WATCHER, "RegisteredStatusNotifierItems"):
            owner, slash, path = address.partition("/")
            try:
                if self._property(owner, slash + path, _ITEM, "Id") == self._name:
                    self._place = owner, slash + path
            except Refused:
                continue  # it has gone
        return self._place is not None

    @property
    def icon(self) -> str:
        """The icon's name."""
        return str(self._of("IconName"))

    @property
    def title(self) -> str:
        """What is said of the icon."""
        return str(self._of("Title"))

    def menu(self) -> Item:
        """All of it."""
        owner, path = self._menu()
        self._call(owner, path, _MENU, "AboutToShow", "i", (0,))
        _, root = self._call(owner, path, _MENU, "GetLayout", "iias", (0, -1, []))
        return _item(root)

    def revision(self) -> int:
        """Rises with each change to which lines there are."""
        owner, path = self._menu()
        return int(self._call(owner, path, _MENU, "GetLayout", "iias", (0, 0, []))[0])

    def click(self, *path: str) -> None:
        """Choose a line by its label and those of the menus it is in. Raises `LookupError`, `PermissionError`."""
        item = self.menu().find(*path)
        if not item.enabled:
            raise PermissionError(f"{item.label} can't be chosen")
        owner, menu = self._menu()
        self._call(owner, menu, _MENU, "Event", "isvu", (item.number, "clicked", ("s", ""), int(time.time())))

    def _menu(self) -> tuple[str, str]:
        if self._place is None:
            self.wait()
        assert self._place is not None
        return self._place[0], str(self._of("Menu"))

    def _of(self, name: str) -> Any:
        if self._place is None:
            self.wait()
        assert self._place is not None
        return self._property(*self._place, _ITEM, name)

    def _property(self, owner: str, path: str, interface: str, name: str) -> Any:
        return self._call(owner, path, _PROPERTIES, "Get", "ss", (interface, name))[0][1]

    def _call(self, owner: str, path: str, interface: str, member: str, signature: str, body: tuple[Any, ...]) -> Any:
        call = new_method_call(DBusAddress(path, owner, interface), member, signature, body)
        reply = self._bus.send_and_get_reply(call, timeout=TIMEOUT)
        if reply.header.message_type is MessageType.error:
            raise Refused(f"{member}: {reply.body}")
        return reply.body


def _item(node: Any) -> Item:
    number, properties, children = node
    known = {name: value for name, (_, value) in properties.items()}
    return Item(
        number,
        known.get("label", "").replace("__", "_"),
        known.get("enabled", True),
        known.get("toggle-type", ""),
        known.get("toggle-state") == 1,
        known.get("type") == "separator",
        [_item(child) for _, child in children if child[1].get("visible", ("b", True))[1]],
    )
