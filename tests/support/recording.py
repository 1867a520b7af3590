"""What a driver does, on paper: inputs into the core, its effects done or failed, each step told to a recorder."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import NamedTuple

import msgspec

from slopn_helper.recorder import Recorder
from slopn_helper.tunnel.context import Context, ProfileFacts
from slopn_helper.tunnel.effects import ApplyFirewall, ConfigureHost, ResolveEndpoints, StartEngine, StopEngine
from slopn_helper.tunnel.inputs import (
    Connect,
    EffectFailed,
    EngineDown,
    EngineStarted,
    EngineStopped,
    ErrandChanged,
    HandshakeDone,
    HandshakeStale,
    HostConfigured,
    Input,
    NetworkChanged,
    Pause,
    Resolved,
    SettingsApplied,
    Started,
    Stopping,
    TimerFired,
)
from slopn_helper.tunnel.machine import step
from slopn_wire.commands import Disconnect, Reconnect
from slopn_wire.profile import Endpoint
from slopn_wire.settings import KillSwitchMode, Settings
from slopn_wire.state import Disconnected, TunnelState

ENDPOINTS = (Endpoint("203.0.113.5", 51820), Endpoint("2001:db8:1::5", 443))
PROFILES = {
    "berlin": ProfileFacts((ip_address("10.8.0.2"), ip_address("fd00:8::2")), (ip_address("10.8.0.1"),)),
    "paris": ProfileFacts((ip_address("10.9.0.2"),)),
    "other": ProfileFacts((ip_address("10.77.0.2"),)),
}
RESOLVERS = (ip_address("192.0.2.53"),)
INPUTS: tuple[Input, ...] = (
    Started("berlin"),
    Connect("berlin"),
    Connect("paris"),
    Connect("gone"),
    Disconnect(),
    Reconnect(),
    Pause("berlin"),
    Resolved((ENDPOINTS,)),
    HandshakeDone(),
    HandshakeStale(),
    EngineDown("the device was deleted"),
    NetworkChanged(online=True),
    NetworkChanged(online=False),
    TimerFired(),
    SettingsApplied(),
    SettingsApplied(host=True),
    ErrandChanged(),
    EffectFailed(ResolveEndpoints("berlin"), "vpn.example.org can't be resolved: 192.0.2.53 gave no answer"),
    EffectFailed(StartEngine("berlin", (ENDPOINTS,)), "no TUN device"),
    Stopping(),
)
SETTINGS = (Settings(), Settings(KillSwitchMode.ALWAYS, allow_lan=True), Settings(KillSwitchMode.OFF))
CONNECTING: tuple[Input, ...] = (Connect("berlin"), Resolved((ENDPOINTS,)), HandshakeDone())


class Noted(NamedTuple):
    """One step as the recorder was told of it."""

    at: float
    before: TunnelState
    inp: Input
    settings: Settings
    context: Context
    after: TunnelState


def drive(
    recorder: Recorder,
    inputs: Iterable[tuple[Input, Settings, float]],
    *,
    begin: float = 1_700_000_000.0,
    state: TunnelState | None = None,
) -> list[Noted]:
    """Each input under its settings and with its jitter, then what its effects cause. Returns all steps."""
    state = state or Disconnected()
    context = Context(PROFILES, RESOLVERS, pause_left=60.0)
    noted: list[Noted] = []
    for inp, settings, jitter in inputs:
        pending = [inp]
        while pending:
            now = msgspec.structs.replace(context, jitter=jitter)
            one = pending.pop(0)
            nxt = step(state, one, settings, now)
            noted.append(Noted(begin + len(noted) / 8, state, one, settings, now, nxt.state))
            recorder.note(*noted[-1])
            state = nxt.state
            for effect in nxt.effects:
                match effect:
                    case ApplyFirewall(policy=policy):
                        context = msgspec.structs.replace(context, in_force=policy)
                    case StartEngine():
                        pending.append(EngineStarted("slopn0"))
                    case StopEngine():
                        pending.append(EngineStopped())
                    case ConfigureHost():
                        pending.append(HostConfigured())
                    case _:
                        pass
    return noted
