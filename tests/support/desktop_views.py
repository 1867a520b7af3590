"""Strategies for what a tray may be told: every state with every policy, and all that its words depend on."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from slopn_wire.events import PolicyKind, Severity, Snapshot, Warning  # noqa: A004 - the health list's word
from slopn_wire.profile import Profile
from slopn_wire.state import TargetState, TunnelState
from support.samples import BERLIN, CONNECTED
from support.wire import values

_TIMES = st.none() | st.floats(0, 4e9) | st.sampled_from([1e17, -1e17])
_WARNINGS = st.builds(Warning, st.sampled_from(["clock_wrong", "captive_portal"]), st.sampled_from(Severity), st.text())


def views() -> st.SearchStrategy[Snapshot]:
    """Also such as a helper would never say."""
    return st.builds(
        _view,
        state=values(TunnelState),
        policy=st.sampled_from(PolicyKind),
        target=st.sampled_from(TargetState),
        target_profile=st.none() | st.text(max_size=5),
        since=_TIMES.map(lambda time: time or 0.0),
        paused_until=_TIMES,
        next_try=_TIMES,
        health=st.lists(_WARNINGS, max_size=3).map(tuple),
        profiles=st.lists(st.text(max_size=5), max_size=9).map(_profiles),
    )


def _view(**fields: Any) -> Snapshot:
    return replace(CONNECTED, **fields)


def _profiles(names: list[str]) -> tuple[Profile, ...]:
    return tuple(replace(BERLIN, name=name) for name in names)
