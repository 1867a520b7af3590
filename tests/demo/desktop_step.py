"""The step that only a demo with a desktop has: connect and disconnect by the window, and look at its pages."""

from __future__ import annotations

import time
from collections.abc import Iterator

from demo.desktop import Desktop
from demo.stage import PROFILE, Check, Stage
from demo.steps import Step
from support.gateway import Gateway
from support.topology import WEB_NAME

_OTHERS = ("Amsterdam", "Home", "Office, Zürich")
_FROM_INFO = """
const level = [...document.querySelectorAll("select")].find((one) => [...one.options].some((o) => o.value === "info"));
level.value = "info";
level.dispatchEvent(new Event("change", { bubbles: true }));
"""
"""What a user chooses who wants to see the tunnel's doings and no more."""
_WATCHED = 20.0
"""Seconds of traffic for the picture's graph."""


def by_window(stage: Stage) -> Iterator[Check]:
    """What a user does, with a mouse; each outcome as the helper has it."""
    desktop = stage.desktop
    assert desktop is not None
    config = Gateway(stage.lab).config()
    for name in _OTHERS:
        stage.helper.cli("import", "-", "--name", name, input=config)
    _traffic(stage)
    desktop.window.page("Status")
    yield Check(good=True, sentence=desktop.agrees())
    desktop.picture("status-connected")
    desktop.picture_of_menu("tray-menu")
    desktop.window.page("Profiles")
    desktop.window.wait_text(_OTHERS[-1])
    desktop.picture("profiles")
    desktop.window.page("Logs")
    desktop.window.wait_text("tunnel.driver")
    desktop.window.js(_FROM_INFO)
    desktop.picture("logs")
    desktop.window.page("Status")
    stage.kill_switch("always")
    desktop.window.click("Disconnect")
    yield _reached(stage, "disconnected", "The window's button disconnects.")
    yield Check(good=True, sentence=desktop.agrees())
    yield Check(
        desktop.window.headline() == "Blocked", "Without a tunnel nothing leaves, and the window says so: Blocked."
    )
    desktop.picture("status-blocked")
    stage.kill_switch("on")
    _connect(desktop)
    yield _reached(stage, "connected", "And connects again.")


def _connect(desktop: Desktop) -> None:
    """To the profile that was used last."""
    desktop.window.click("Connect")


def _reached(stage: Stage, state: str, sentence: str) -> Check:
    status = stage.helper.wait_state(state)
    return Check(status["state"] == state, sentence, f"{status}")


def _traffic(stage: Stage) -> None:
    """Something to see in the graph: downloads of differing speed."""
    end = time.monotonic() + _WATCHED
    rate = 1
    while time.monotonic() < end:
        rate = rate % 5 + 1
        command = [
            "curl",
            "-s",
            "-m",
            "2",
            "--limit-rate",
            f"{rate * 2}M",
            "-o",
            "/dev/null",
            f"http://{WEB_NAME}/file",
        ]
        stage.lab.client.run(command, check=False)


DESKTOP_STEP = Step(
    "desktop",
    "By the window",
    f"Tray and window have told the same all along. Now the window's buttons, with the profile {PROFILE}.",
    by_window,
    frozenset({"enrol", "connect"}),
)
