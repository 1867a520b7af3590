"""The real window with the real helper: what it says is so, what it is told happens, and it finds its way back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.scene import Scene
from support.screen import Screen
from support.window import Window


@pytest.fixture(scope="module")
def screen() -> Iterator[Screen]:
    """One for all."""
    with Screen() as screen:
        yield screen


@pytest.fixture
def window(scene: Scene, screen: Screen) -> Iterator[Window]:
    """A window that has reached the helper, past its first run."""
    with Window(screen, scene.helper.front_end) as window:
        window.js("await window.pywebview.api.local(JSON.stringify({do: 'ready'}))")
        yield window


def test_connect_and_disconnect(scene: Scene, window: Window) -> None:
    """By the one big control; the words follow the helper."""
    window.wait_text("Not protected", "h1")
    window.click("Connect")
    window.wait_text("Protected through lab", "h1")
    assert scene.status()["state"] == "connected"
    window.click("Disconnect")
    window.wait_text("Not protected", "h1")
    assert scene.status()["state"] == "disconnected"
