"""How each step can be made to fail: a demo that could not fail would show nothing. For `--break STEP` and its test."""

from __future__ import annotations

import re
from collections.abc import Callable

from demo.stage import Stage
from support.topology import WEB4, WLAN0


def _enrol(stage: Stage) -> None:
    """The link is one to another gateway: the key that it pins isn't that of the one which answers."""
    before, pin, after = re.split("(?<=pin=)([^&]+)", stage.link)
    stage.link = f"{before}{'B' if pin[0] == 'A' else 'A'}{pin[1:]}{after}"


def _connect(stage: Stage) -> None:
    """The gateway's WireGuard is dead; its host still answers pings."""
    stage.gateway.kill()


def _download(stage: Stage) -> None:
    """The download goes past the tunnel: its hash is right, and only the far end can tell."""
    stage.helper.cli("settings", "set", "kill_switch", "off")
    stage.lab.client.ip(f"rule add to {WEB4} lookup main priority 1")


def _cable(stage: Stage) -> None:
    """The second uplink is dead too."""
    stage.lab.router.ip(f"link set {WLAN0.router_device} down")


def _killed_open(stage: Stage) -> None:
    """Somebody else's firewall stops everything, so the capture sees nothing and would prove nothing."""
    stage.lab.client.nft(
        "table inet sabotage { chain output { type filter hook output priority -400; policy drop; oifname lo accept; }; }"
    )


def _killed_closed(stage: Stage) -> None:
    """The kill switch is off."""
    stage.helper.cli("settings", "set", "kill_switch", "off")


def _recover(stage: Stage) -> None:
    """The supervisor has given up: nobody starts the helper again."""
    stage.supervisor.give_up()


def _disconnect(stage: Stage) -> None:
    """A policy rule is left behind."""
    stage.lab.client.ip("rule add fwmark 7 lookup 51820 priority 77")


SABOTAGE: dict[str, Callable[[Stage], None]] = {
    "enrol": _enrol,
    "connect": _connect,
    "download": _download,
    "cable": _cable,
    "killed-open": _killed_open,
    "killed-closed": _killed_closed,
    "recover": _recover,
    "disconnect": _disconnect,
}
"""By the step's name; done right before the step begins."""
