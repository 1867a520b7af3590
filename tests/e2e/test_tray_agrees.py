"""200 random changes, restarts of the helper and lost events among them: the real tray in a real panel says what the helper said last."""

from __future__ import annotations

import logging
import random
import sys
import time
from pathlib import Path

from msgspec.structs import replace

from slopn_app.tray.looks import FILLING, look
from slopn_app.tray.sentences import headline
from slopn_wire.events import (
    EventBody,
    HealthChanged,
    PolicyKind,
    ProfilesChanged,
    Severity,
    Snapshot,
    Warning,  # noqa: A004 - the health list's word
)
from slopn_wire.state import AfterDisconnect, Connecting, Disconnecting, ErrorCause, ErrorState, Step
from support.desktop import DesktopSession
from support.desktop_tray import Tray
from support.fake_helper import FakeHelper
from support.samples import CONNECTED, DISCONNECTED
from support.until import until
from tools import icons

CHANGES = 200
SEED = 6
TIMEOUT = 20.0
PROGRAM = Path(sys.executable).with_name("slopn-tray")
STATES = (
    CONNECTED.state,
    DISCONNECTED.state,
    Connecting("berlin", step=Step.HANDSHAKE),
    Connecting("paris", 2, Step.RESOLVING, cause=ErrorCause.RESOLVE),
    Disconnecting("berlin", AfterDisconnect.NOTHING),
    ErrorState(ErrorCause.OFFLINE, "berlin"),
    ErrorState(ErrorCause.FIREWALL, "paris", blocking=False),
)
_log = logging.getLogger(__name__)


def test_the_tray_agrees(tmp_path: Path) -> None:
    """Icon, title and first lines, after each of the changes. How long the slowest took is logged."""
    icons.main()
    chance = random.Random(SEED)
    with DesktopSession(panel=True) as screen:
        helper = FakeHelper(tmp_path / "helper", everybody=True).__enter__()
        try:
            screen.start(PROGRAM, "--login", environ={"SLOPN_SOCKET": helper.path, "SLOPN_KEYRING": "no"})
            took = []
            with Tray(screen) as tray:
                tray.wait()
                for number in range(CHANGES):
                    if number % 40 == 39:
                        helper.stop()
                        until(lambda: tray.icon == "slopn-question", TIMEOUT, "nothing is known")
                        helper = FakeHelper(tmp_path / "helper", everybody=True).__enter__()
                    view = _change(helper, chance)
                    begun = time.monotonic()
                    until(lambda view=view: _agrees(tray, view), TIMEOUT, repr(view.state))  # type: ignore[misc]
                    took.append(time.monotonic() - begun)
        finally:
            helper.stop()
    took.sort()
    _log.warning("the tray agreed after %.0f ms, at most %.0f ms", took[len(took) // 2] * 1000, took[-1] * 1000)


def _change(helper: FakeHelper, chance: random.Random) -> Snapshot:
    """Another state, told by an event, or found out after events that were lost; the state it has become."""
    before = helper.run(lambda: helper.hub.view)
    health = (Warning("clock_wrong", Severity.WARNING, "It is late."),) if chance.random() < 0.3 else ()
    view = replace(
        before,
        state=chance.choice(STATES),
        policy=chance.choice(tuple(PolicyKind)),
        since=1.7e9 + chance.randrange(80_000),
        profiles=CONNECTED.profiles,
        health=health,
        stats=replace(before.stats, rx_bytes=before.stats.rx_bytes + 1),
    )
    if chance.random() < 0.3:
        # The numbers in between are missing: the tray must ask for the whole.
        helper.show(replace(view, seq=before.seq + chance.randrange(2, 9)))
        helper.publish(view.stats)
    else:
        helper.show(replace(before, profiles=CONNECTED.profiles, health=health))
        helper.publish(*_events(helper, view))
    return helper.run(lambda: helper.hub.view)


def _events(helper: FakeHelper, view: Snapshot) -> tuple[EventBody, ...]:

    state = helper.state(view.state, policy=view.policy, since=view.since)
    return ProfilesChanged(view.profiles), HealthChanged(view.health), state


def _agrees(tray: Tray, view: Snapshot) -> bool:
    title, line = headline(view, time.time())
    icon = look(view)
    same = tray.icon in FILLING if icon in FILLING else tray.icon == icon
    return same and tray.title.startswith(title) and _said(tray) == f"{title} · {line}"


def _said(tray: Tray) -> str:
    """The menu's first lines, up to the one that separates."""
    lines = []
    for child in tray.menu().children:
        if child.separator:
            break
        lines.append(child.label)
    return " · ".join(lines)
