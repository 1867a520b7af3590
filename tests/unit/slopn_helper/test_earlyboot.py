from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from slopn_helper import earlyboot
from slopn_helper.host.firewall import Blocked, FirewallError, FirewallPolicy
from slopn_helper.runner import FWMARK
from slopn_helper.store import Store
from slopn_wire.settings import KillSwitchMode, Settings

Closed = list[tuple[int, FirewallPolicy]]


class FakeTables:
    """Takes any policy; `told` has those of all."""

    told: Closed
    refusals: int
    """So many of the next policies are refused."""

    def __init__(self, fwmark: int, *, owned: bool) -> None:
        assert owned
        self._fwmark = fwmark

    def apply(self, policy: FirewallPolicy) -> None:
        """Remember it, or refuse it."""
        if FakeTables.refusals:
            FakeTables.refusals -= 1
            raise FirewallError("nftables isn't there yet")
        self.told.append((self._fwmark, policy))


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> Closed:
    """What the firewall was told."""
    told: Closed = []
    monkeypatch.setattr(FakeTables, "told", told, raising=False)
    monkeypatch.setattr(FakeTables, "refusals", 0, raising=False)
    monkeypatch.setattr(earlyboot, "PAUSE", 0)
    monkeypatch.setattr(earlyboot, "Tables", FakeTables)
    return told


def saved(directory: Path, settings: Settings) -> Path:
    """A state directory as the helper leaves it."""
    store = Store(directory, os.getuid())
    store.lock()
    store.save_settings(settings)
    store.unlock()
    return directory


@pytest.mark.parametrize("allow_lan", [False, True])
def test_always_closes(tmp_path: Path, closed: Closed, allow_lan: bool) -> None:
    """With the LAN as the settings have it, and the mark that the helper's packets carry later."""
    state = saved(tmp_path, Settings(kill_switch=KillSwitchMode.ALWAYS, allow_lan=allow_lan))
    assert earlyboot.run(state).startswith("Blocked")
    assert closed == [(FWMARK, Blocked(allow_lan=allow_lan))]


@pytest.mark.parametrize("refusals", [1, earlyboot.TRIES - 1, earlyboot.TRIES])
def test_a_refused_block_is_tried_again(tmp_path: Path, closed: Closed, refusals: int) -> None:
    """While the network waits, for a while; then the unit fails."""
    state = saved(tmp_path, Settings(kill_switch=KillSwitchMode.ALWAYS))
    FakeTables.refusals = refusals
    if refusals < earlyboot.TRIES:
        earlyboot.run(state)
        assert closed == [(FWMARK, Blocked())]
    else:
        with pytest.raises(FirewallError, match="there yet"):
            earlyboot.run(state)


@pytest.mark.parametrize("mode", [KillSwitchMode.ON, KillSwitchMode.OFF])
def test_no_other_mode_does(tmp_path: Path, closed: Closed, mode: KillSwitchMode) -> None:
    """And it says which one it is."""
    said = earlyboot.run(saved(tmp_path, Settings(kill_switch=mode)))
    assert said == f"Not blocked before the network is up: the kill switch's mode is {mode.value}."
    assert closed == []


def test_a_new_installation_stays_open(tmp_path: Path, closed: Closed) -> None:
    """Nobody has asked for anything yet."""
    earlyboot.run(tmp_path / "none")
    assert closed == []


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 400, b"{}", b'{"version": 1, "content": {}', b'{"version": 99}', b"[" * 9000]
)
def test_what_cannot_be_understood_is_always(tmp_path: Path, closed: Closed, content: bytes) -> None:
    """A power cut may leave anything; the LAN isn't let through on a guess."""
    (tmp_path / earlyboot.SETTINGS).write_bytes(content)
    earlyboot.run(tmp_path)
    assert closed == [(FWMARK, Blocked())]


def test_a_newer_format_is_always(tmp_path: Path, closed: Closed) -> None:
    """The helper will not start on it, so nobody else would close the host."""
    (tmp_path / earlyboot.SETTINGS).write_text('{"version": 99, "content": {"kill_switch": "on"}}')
    assert "newer SloPN" in earlyboot.run(tmp_path)
    assert len(closed) == 1


def test_what_cannot_be_read_is_always(tmp_path: Path, closed: Closed) -> None:
    """A folder stands for a disk that gives an error: root may read all else."""
    (tmp_path / earlyboot.SETTINGS).mkdir()
    assert "can't be read" in earlyboot.run(tmp_path)
    assert len(closed) == 1


def test_little_is_loaded() -> None:
    """The network waits for this: no event loop, no cryptography, no netlink library."""
    show = "import slopn_helper.__main__, slopn_helper.earlyboot, sys; print(*sys.modules)"
    path = os.pathsep.join(entry for entry in sys.path if entry)
    argv = [sys.executable, "-c", show]
    done = subprocess.run(argv, env={"PYTHONPATH": path}, capture_output=True, text=True, check=True)
    names = done.stdout.split()
    loaded = {name.partition(".")[0] for name in names}
    assert not loaded & {"asyncio", "cryptography", "dbus_fast", "structlog", "ssl", "dns", "slopn_engine"}
    # An empty place is kept for it: `host.lean`.
    assert not [name for name in names if name.startswith("pyroute2.")]
    assert "msgspec" in loaded
