from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from slopn_app.host.notifications import DesktopNotifications
from support.until import until

TIMEOUT = 10.0


class FakeNotifier:
    """desktop-notifier's, with a desktop that leaves what was pressed on the screen."""

    made: ClassVar[list[FakeNotifier]] = []

    def __init__(self, name: str, icon: object) -> None:
        self.name, self.icon = name, icon
        self.screen: dict[str, Any] = {}
        self.sent: list[dict[str, Any]] = []
        self.closed: list[int] = []
        numbers = SimpleNamespace(inverse={})
        self._backend = SimpleNamespace(
            _platform_to_interface_notification_identifier=numbers,
            interface=SimpleNamespace(call_close_notification=self._close),
        )
        FakeNotifier.made.append(self)

    async def send(self, **what: Any) -> str:
        """It is shown."""
        if what["title"] == "broken":
            raise OSError("no bus")
        self.sent.append(what)
        name = f"id{len(self.sent)}"
        self.screen[name] = what
        self._backend._platform_to_interface_notification_identifier.inverse[name] = len(self.sent)
        return name

    async def clear(self, name: str) -> None:
        """Raises `KeyError` for what has been pressed."""
        del self.screen[name]

    async def _close(self, number: int) -> None:
        self.closed.append(number)


@pytest.fixture
def notifications(monkeypatch: pytest.MonkeyPatch) -> DesktopNotifications:
    """Over the fake."""
    FakeNotifier.made.clear()
    fake = SimpleNamespace(
        DesktopNotifier=FakeNotifier,
        Button=lambda title, on_pressed: (title, on_pressed),
        Icon=lambda path: path,
        Urgency=SimpleNamespace(Critical="critical", Normal="normal"),
    )
    monkeypatch.setitem(sys.modules, "desktop_notifier", fake)
    return DesktopNotifications("SloPN", Path("icon.png"))


def _sent() -> list[dict[str, Any]]:
    return FakeNotifier.made[0].sent if FakeNotifier.made else []


def test_one_takes_the_place_of_the_other(notifications: DesktopNotifications) -> None:
    """There is never more than one on the screen; `clear` takes the last one away."""
    notifications.clear()
    notifications.show("first", "a", (), urgent=False)
    notifications.show("second", "b", (("Do it", lambda: None),), urgent=True)
    until(lambda: len(_sent()) == 2, TIMEOUT, "both are sent")
    (notifier,) = FakeNotifier.made
    assert [each["title"] for each in notifier.screen.values()] == ["second"]
    assert [each["urgency"] for each in notifier.sent] == ["normal", "critical"]
    notifications.clear()
    until(lambda: not notifier.screen, TIMEOUT, "it is taken away")
    notifications.close()
    notifications.close()


def test_what_was_pressed_goes_away(notifications: DesktopNotifications) -> None:
    """Also where the desktop leaves it and the library has forgotten it."""
    pressed: list[int] = []
    notifications.show("lost", "a", (("Disconnect", lambda: pressed.append(1)),), urgent=False, clicked=lambda: None)
    until(_sent, TIMEOUT, "it is sent")
    (notifier,) = FakeNotifier.made
    notifier.screen.clear()
    ((_, press),) = notifier.sent[0]["buttons"]
    press()
    assert pressed == [1]
    until(lambda: notifier.closed == [1], TIMEOUT, "it is closed")
    notifications.close()


def test_a_desktop_that_shows_nothing_harms_nobody(notifications: DesktopNotifications) -> None:
    """And what comes next is tried all the same."""
    notifications.show("broken", "a", (), urgent=False)
    notifications.show("whole", "a", (), urgent=False)
    until(lambda: [each["title"] for each in _sent()] == ["whole"], TIMEOUT, "the next one")
    notifications.close()
