"""Boots with a real systemd: what leaves the computer before the helper is up, after its death, and after `unlock`.

Somebody sends from the first moment on, and the router counts what it sees.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.boot_lab import EARLY, HELPER, PROFILE, STATE, BootLab
from support.until import until


@pytest.fixture(scope="module")
def booted() -> Iterator[BootLab]:
    """One computer for all tests: installing takes longer than most of them."""
    with BootLab() as lab:
        yield lab


@pytest.fixture
def lab(booted: BootLab) -> BootLab:
    """Disconnected, mode `on`, the service enabled and running."""
    booted.system.run(["systemctl", "enable", "--now", "--quiet", HELPER])
    booted.slopn("unlock", "--yes")
    booted.capture.reset()
    return booted


def test_always_is_closed_from_before_the_network(lab: BootLab) -> None:
    """Nothing leaves between the network's start and the helper's, nor when the helper takes over."""
    lab.mode("always")
    lab.capture.reset()
    lab.reboot(helper=False)
    assert lab.leaks().total == 0
    assert "always" in lab.system.journal(EARLY)
    closed, network, sent = (lab.when(unit) for unit in (EARLY, "network-pre.target", "lab-network.service"))
    assert closed <= network <= sent
    lab.system.run(["systemctl", "start", HELPER])
    assert lab.status()["state"] == "disconnected"
    assert lab.leaks().total == 0


def test_a_block_that_fails_is_made_later(lab: BootLab) -> None:
    """A first start that ends in failure: the network comes up, and systemd closes the host after it."""
    lab.mode("always")
    once = "[Service]\nExecStartPre=/bin/sh -c 'test -e /run/tried || { touch /run/tried; exit 1; }'\n"
    lab.system.write(f"/etc/systemd/system/{EARLY}.d/once.conf", once)
    lab.reboot(helper=False)
    lab.system.wait_unit(EARLY)
    assert not lab.open_now()
    lab.system.run(f"test -e /run/tried; rm -r /etc/systemd/system/{EARLY}.d; systemctl daemon-reload")


def test_on_leaks_until_the_helper_starts(lab: BootLab) -> None:
    """The positive control, and what docs/security.md says of mode `on`: closed at once when the helper starts."""
    lab.slopn("connect", PROFILE, "--wait", "20")
    lab.gateway.stop()
    lab.reboot(helper=False)
    assert lab.open_now()
    lab.system.run(["systemctl", "start", HELPER])
    lab.wait_state("connecting")
    assert not lab.open_now()
    lab.gateway.start()
    lab.wait_state("connected")
    assert not lab.open_now()


def test_always_outlives_kill_and_power_cut(lab: BootLab) -> None:
    """The helper dies, comes back by systemd, dies again with the whole computer: nothing leaves from end to end."""
    lab.mode("always")
    lab.capture.reset()
    lab.system.run(["systemctl", "kill", "--signal=KILL", HELPER])
    until(lambda: lab.restarts() == 1, 20.0, "systemd has started the helper again")
    lab.system.wait_unit(HELPER)
    assert lab.leaks().total == 0
    lab.system.run(["systemctl", "kill", "--signal=KILL", HELPER])
    lab.reboot(off=lab.system.cut_power)
    assert lab.status()["state"] == "disconnected"
    assert lab.leaks().total == 0


def test_a_restart_is_closed_between_old_and_new(lab: BootLab) -> None:
    """As an upgrade does it; the table is the old helper's, then nobody's, then the new one's."""
    lab.mode("always")
    lab.capture.reset()
    for _ in range(3):
        lab.system.run(["systemctl", "restart", HELPER])
    assert lab.leaks().total == 0


def test_a_helper_that_hangs_is_started_again(lab: BootLab) -> None:
    """Its event loop stands still: systemd's watchdog misses its sign of life, and the host stays closed meanwhile."""
    lab.mode("always")
    lab.system.write(f"/etc/systemd/system/{HELPER}.d/soon.conf", "[Service]\nWatchdogSec=1\nTimeoutAbortSec=1\n")
    lab.system.run(f"systemctl daemon-reload; systemctl restart {HELPER}")
    lab.capture.reset()
    lab.system.run(["systemctl", "kill", "--signal=STOP", HELPER])
    until(lambda: lab.restarts() == 1, 30.0, "systemd has started the helper again")
    lab.system.wait_unit(HELPER)
    assert lab.leaks().total == 0
    lab.system.run(f"rm /etc/systemd/system/{HELPER}.d/soon.conf; systemctl daemon-reload")


@pytest.mark.parametrize("way", ["slopn", "slopn-helper"])
def test_unlock_opens_for_good(lab: BootLab, way: str) -> None:
    """With the helper, or without it on what the program at boot has made: open at once and after the next boot."""
    lab.mode("always")
    if way == "slopn":
        lab.slopn("unlock", "--yes")
    else:
        lab.reboot(helper=False)
        assert not lab.open_now()
        assert "goes out directly" in lab.system.run(["slopn-helper", "unlock"]).stdout
    assert lab.open_now()
    lab.reboot()
    assert lab.open_now()
    assert lab.status()["kill_switch"] == "on"


@pytest.mark.parametrize(("mode", "paused"), [("on", True), ("always", False)])
def test_a_pause_ends_with_the_boot(lab: BootLab, mode: str, paused: bool) -> None:
    """Paused is open in mode `on` only; after the boot the tunnel is wanted again, in both."""
    lab.mode(mode)
    lab.slopn("connect", PROFILE, "--wait", "20")
    lab.slopn("pause", "1h")
    lab.wait_state("disconnected")
    assert lab.open_now() is paused
    lab.gateway.stop()
    lab.capture.reset()
    lab.reboot()
    assert mode == "on" or lab.leaks().total == 0
    lab.wait_state("connecting")
    assert not lab.open_now()
    lab.gateway.start()
    lab.wait_state("connected")


def test_damaged_settings_are_always(lab: BootLab) -> None:
    """A power cut has left zeros: closed before the network is up, and the helper says so."""

    def cut_and_damage() -> None:
        lab.system.cut_power()
        lab.system.write(f"{STATE}/settings.json", "\0" * 300, 0o600)

    lab.mode("on")
    lab.reboot(off=cut_and_damage, helper=False)
    assert not lab.open_now()
    assert "damaged" in lab.system.journal(EARLY)
    lab.system.run(["systemctl", "start", HELPER])
    lab.wait_state("disconnected")
    assert not lab.open_now()
    assert "settings_damaged" in lab.slopn("status", "--json").stdout
