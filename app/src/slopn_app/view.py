"""Fold events into the snapshot. Pure; every front end draws from the result alone."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from slopn_wire.events import (
    Event,
    HealthChanged,
    NetworkInfo,
    ProfilesChanged,
    SettingsChanged,
    Snapshot,
    StateChanged,
    Stats,
)


class Gap(Exception):
    """An event is missing before this one: ask for a new snapshot."""


def apply(view: Snapshot, event: Event) -> Snapshot:
    """The view after `event`. Raises `Gap` unless its number follows the view's."""
    if event.seq != view.seq + 1:
        raise Gap(f"event {event.seq} after {view.seq}")
    match event.body:
        case StateChanged() as new:
            return replace(
                view,
                seq=event.seq,
                state=new.state,
                since=new.since,
                target=new.target,
                target_profile=new.target_profile,
                policy=new.policy,
                live=new.live,
            )
        case SettingsChanged(settings=settings):
            return replace(view, seq=event.seq, settings=settings)
        case ProfilesChanged(profiles=profiles):
            return replace(view, seq=event.seq, profiles=profiles)
        case HealthChanged(health=health):
            return replace(view, seq=event.seq, health=health)
        case NetworkInfo(network=network):
            return replace(view, seq=event.seq, network=network)
        case Stats() as stats:
            return replace(view, seq=event.seq, stats=stats)
        case _:
            assert_never(event.body)
