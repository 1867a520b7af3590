"""What happens to a host's network while it moves about, and how it is put right again."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from support.topology import ETH0, WLAN0, Lab

Step = Callable[[Lab], None]


class Event(NamedTuple):
    """One change of the network under a tunnel."""

    name: str
    act: Step
    undo: Step
    dark: float = 0.0
    """Seconds without any network between the two; 0: there is always one."""


def _each(*devices: str, plug: bool) -> Step:
    def move(lab: Lab) -> None:
        for device in devices:
            (lab.plug if plug else lab.pull)(device)

    return move


def _client(batch: str) -> Step:
    return lambda lab: lab.client.ip(batch)


def _lease(old: str, new: str) -> Step:
    """Another address on the same network, as a DHCP client sets it: the new one first, then the routes come again."""
    return _client(f"""
        addr add {new}/24 dev eth0
        addr del {old}/24 dev eth0
        addr replace {new}/24 dev eth0
        route replace default via {ETH0.router4} dev eth0 metric {ETH0.metric}
    """)


CARRIER_LOSS = Event("carrier loss", _each("eth0", plug=False), _each("eth0", plug=True))
ROUTE_SWITCH = Event(
    "route switch",
    _client(f"""
        route add default via {WLAN0.router4} dev wlan0 metric 1
        route add default via {WLAN0.router6} dev wlan0 metric 1
    """),
    _client(f"""
        route del default via {WLAN0.router4} dev wlan0 metric 1
        route del default via {WLAN0.router6} dev wlan0 metric 1
    """),
)
NEW_ADDRESS = Event("new address", _lease(ETH0.client4, "10.1.0.77"), _lease("10.1.0.77", ETH0.client4))
BOTH_BACK = Event("both uplinks back", _each("eth0", "wlan0", plug=False), _each("eth0", "wlan0", plug=True), dark=2.0)
EVENTS = (CARRIER_LOSS, ROUTE_SWITCH, NEW_ADDRESS, BOTH_BACK)
