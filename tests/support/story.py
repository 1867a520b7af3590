"""A fake helper that lives through the command line's guide: profiles are really parsed, one gateway never answers."""

from __future__ import annotations

import functools
import time

from msgspec.structs import replace

from slopn_helper import conf
from slopn_wire.commands import (
    ApplySettings,
    CheckEnrolment,
    Command,
    Connect,
    Diagnose,
    Disconnect,
    Enrol,
    ExportProfile,
    GetPairings,
    ImportProfile,
    Pause,
    Reconnect,
    RemoveProfile,
    RenameDevice,
    RenewEnrolment,
    Replay,
    RevokeDevice,
    Unlock,
)
from slopn_wire.devices import Device, PendingPairing, Right, ShownPairing
from slopn_wire.diagnosis import Check, Diagnosis, Replayed, ReplayedStep, Verdict
from slopn_wire.events import (
    DevicesChanged,
    Done,
    ErrorKind,
    Exported,
    Live,
    Network,
    Pairings,
    PolicyKind,
    ProfilesChanged,
    Refused,
    Result,
    SettingsChanged,
    Snapshot,
    StateChanged,
    Stats,
)
from slopn_wire.profile import DnsConfig, Endpoint
from slopn_wire.profile_replies import Enrolled
from slopn_wire.state import Connected, Connecting, Disconnected, ErrorCause, Step, TargetState, TunnelState
from support.fake_helper import FakeHelper
from support.samples import ENROLLED, LINK_HOLDS

NOW = 1_767_276_300.0
KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
PEER = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
BERLIN = f"""[Interface]
PrivateKey = {KEY}
Address = 10.8.0.2/32
DNS = 10.8.0.1
PostUp = iptables -A FORWARD -j ACCEPT
[Peer]
PublicKey = {PEER}
Endpoint = vpn.example.org:51820
AllowedIPs = 0.0.0.0/0, ::/0
"""
WG0 = f"""[Interface]
PrivateKey = {KEY}
Address = 10.9.0.2/32
[Peer]
PublicKey = {PEER}
Endpoint = 203.0.113.7:51820
AllowedIPs = 0.0.0.0/0, ::/0
"""

PRESENT = time.time()
LAPTOP = Device("9d00000000000000", "laptop", "bob", 1002, (Right.VIEW,), PRESENT, PRESENT + 3e7)
DEVICES = (
    Device("3f2a000000000000", "command line", "alice", 1001, tuple(Right), PRESENT, PRESENT + 3e7, PRESENT),
    LAPTOP,
)
WAITING = PendingPairing(
    "p", "backup script", "alice", 1001, "/usr/bin/python3.11", (Right.VIEW, Right.CONNECT), PRESENT + 100
)
CHECKS = (
    Check("dns", Verdict.BROKEN, "DNS doesn't go through the tunnel.", "Run `slopn reconnect`."),
    Check("kernel", Verdict.FINE, "The kernel has what the kill switch needs."),
)
RECORDING = '{"n":1,"at":1767276120.0,"v":"1.0","input":{"type":"connect_to","profile":"berlin"},"context":{}}\n'
RESOLVING, HANDSHAKE = Connecting("berlin"), Connecting("berlin", step=Step.HANDSHAKE)
STEPS = tuple(
    ReplayedStep(number, 1_767_276_120.0 + at, inp, state, state)
    for number, at, inp, state in (
        (1, 0, '{"type":"connect_to","profile":"berlin"}', RESOLVING),
        (2, 0.5, '{"type":"drifted"}', RESOLVING),
        (3, 0.75, '{"type":"drifted"}', RESOLVING),
        (4, 1.25, '{"type":"endpoints_resolved"}', HANDSHAKE),
    )
)
# What answers a command always in the same way.
ANSWERS: dict[type, Result] = {
    GetPairings: Pairings((ShownPairing(WAITING, "042137"),)),
    Diagnose: Diagnosis(CHECKS, {"rules.txt": "table inet slopn\n", "recorder.jsonl": RECORDING}),
    Replay: Replayed(STEPS, "1.0"),
    CheckEnrolment: LINK_HOLDS,
    Enrol: Enrolled(ENROLLED),
    RenewEnrolment: Enrolled(ENROLLED),
}
# What changes the story.
LIVED: tuple[type, ...] = (
    ImportProfile,
    RemoveProfile,
    ExportProfile,
    ApplySettings,
    RenameDevice,
    RevokeDevice,
    Connect,
    Reconnect,
    Disconnect,
    Pause,
    Unlock,
)


def _same(result: Result, _: Command) -> Result:
    return result


class Story:
    """A hub that lives through the guide: profiles are really parsed, the gateway of `office` never answers."""

    def __init__(self, helper: FakeHelper) -> None:
        self._helper = helper
        self._texts: dict[str, str] = {}
        helper.hub.view = Snapshot(
            version="1.0", policy=PolicyKind.OPEN, network=Network(True, "eth0"), devices=DEVICES
        )
        helper.hub.answers.update(dict.fromkeys(LIVED, self.answer))
        for kind, result in ANSWERS.items():
            helper.hub.answers[kind] = functools.partial(_same, result)
        helper.logs.add(NOW - 179, "warning", "tunnel.driver", "no answer from 203.0.113.5:51820")

    def answer(self, command: Command) -> Result:
        """As the real one would."""
        hub = self._helper.hub
        profiles = {profile.name: profile for profile in hub.view.profiles}
        match command:
            case ImportProfile(name=name, text=text, filename=filename):
                try:
                    parsed = conf.parse(text, filename)
                except conf.ConfError as error:
                    return Refused(ErrorKind.INVALID, str(error))
                profiles[name] = parsed.named(name)
                self._texts[name] = conf.write(profiles[name], parsed.secrets)
                hub.publish(ProfilesChanged(tuple(profiles[key] for key in sorted(profiles))))
                return Done(profiles[name].notes)
            case RemoveProfile(name=name):
                del profiles[name]
                hub.publish(ProfilesChanged(tuple(profiles.values())))
            case ExportProfile(name=name):
                return Exported(self._texts[name])
            case Connect(profile="office"):
                waiting = Connecting("office", 2, Step.HANDSHAKE, cause=ErrorCause.HANDSHAKE)
                before = hub.view
                self._enter(waiting, PolicyKind.BLOCKED, Live())
                # For the next example the tunnel to berlin is as it was.
                hub.view = replace(before, seq=hub.view.seq)
            case Connect() | Reconnect():
                state = Connected("berlin", (Endpoint("203.0.113.5", 51820),), "slopn0")
                profile = profiles["berlin"]
                live = Live("slopn0", profile.addresses, DnsConfig(profile.dns.servers), 1420, 1420)
                hub.publish(Stats(12_345_678, 987_654, NOW - 12))
                self._enter(state, PolicyKind.TUNNELLED, live)
            case Disconnect() | Unlock():
                self._enter(Disconnected(), PolicyKind.OPEN, Live())
            case Pause(seconds=seconds):
                self._enter(Disconnected("berlin"), PolicyKind.OPEN, Live(), time.time() + seconds)
            case RenameDevice(name=name):
                hub.publish(DevicesChanged((DEVICES[0], replace(LAPTOP, name=name))))
            case RevokeDevice():
                hub.publish(DevicesChanged(DEVICES[:1]))
            case ApplySettings(settings=settings):
                hub.publish(SettingsChanged(settings))
            case _:
                raise AssertionError(command)
        return Done()

    def _enter(self, state: TunnelState, policy: PolicyKind, live: Live, paused_until: float | None = None) -> None:
        hub = self._helper.hub
        target = TargetState.UNSECURED if isinstance(state, Disconnected) else TargetState.SECURED
        if paused_until is not None:
            target = TargetState.PAUSED
        since = NOW - 180 + hub.view.seq / 1000
        hub.publish(StateChanged(state, since, target, "berlin", paused_until, policy, live))
