"""Every fault under every mode that applies, in the order in which the fewest worlds are made."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from leak.case import Fault, Mode
from leak.faults import boot, firewall, host, kills, neighbours, process, tunnel, underlay, wish

FAULTS: tuple[Fault, ...] = tuple(
    fault
    for module in (tunnel, underlay, neighbours, process, kills, firewall, wish, host, boot)
    for fault in module.FAULTS
)
assert len({fault.name for fault in FAULTS}) == len(FAULTS), "two faults have one name"

SAMPLE = frozenset(
    {
        ("TUN deleted", Mode.OFF),
        ("TUN deleted", Mode.ON),
        ("engine: all threads dead", Mode.ON),
        ("uplink: pulled", Mode.ALWAYS),
        ("DHCP: TunnelCrack, with the LAN allowed", Mode.ON),
        ("nft: flush ruleset", Mode.ON),
        ("helper: SIGKILL", Mode.ALWAYS),
        ("wish: another profile and back", Mode.ON),
        ("container: started meanwhile", Mode.ON),
    }
)
"""What `make test` tries."""


def cells(*, sample: bool) -> list[object]:
    """The sample, or all the rest, as pytest's parameters."""
    order = sorted(_all(), key=lambda cell: (cell[1] is Mode.PLAIN, cell[0].daemon or ""))
    return [
        pytest.param(fault, mode, id=f"{mode.value}: {fault.name}")
        for fault, mode in order
        if ((fault.name, mode) in SAMPLE) is sample
    ]


def _all() -> Iterable[tuple[Fault, Mode]]:
    return ((fault, mode) for fault in FAULTS for mode in fault.modes)
