"""What happens in each recording of tests/data/events/."""

from __future__ import annotations

from ipaddress import ip_address

from msgspec.structs import replace

from model.stage import OTHER, PROFILE, Stage
from model.world import ENDPOINTS
from slopn_helper.tunnel.inputs import (
    Connect,
    HandshakeDone,
    HandshakeStale,
    NetworkChanged,
    Pause,
    Resolved,
    SettingsApplied,
    TimerFired,
)
from slopn_wire.commands import Disconnect
from slopn_wire.devices import Device, PendingPairing, Right
from slopn_wire.events import Network, Stats
from slopn_wire.logs import LogLevel, LogLine, Logs
from slopn_wire.profile import Endpoint
from slopn_wire.settings import KillSwitchMode
from slopn_wire.state import TargetState

LARGEST = (1 << 53) - 1
"""The largest whole number that every reader of JSON keeps."""
DEVICE = Device("d-1f", "command line", "ann", 1000, tuple(Right), 1_793_000_000.25, 1_824_536_000.25)
WINDOW = Device("d-2a", "Büro 🖥", "zoë", 4_294_967_294, (Right.VIEW,), 0.0, 1e10, 1_793_000_000.0)


async def connect(stage: Stage) -> None:
    """Up, traffic, roaming to another network, down."""
    stage.watch()
    stage.want(TargetState.SECURED, "a")
    up(stage)
    stage.hub.set_stats(Stats(148, 92, 1_793_000_002.0, ENDPOINTS[0]))
    stage.hub.set_stats(Stats(90_148, 4_092, 1_793_000_002.0, Endpoint("2001:db8::7", 443)))
    stage.hub.set_network(Network(online=False))
    stage.hub.set_network(Network(online=True, interface="eth0", mtu=1492))
    stage.want(TargetState.UNSECURED, "a")
    stage.play(Disconnect())
    stage.hub.set_stats(Stats())


async def handshake_failure(stage: Stage) -> None:
    """The gateway doesn't answer: try after try, then it does, then it falls silent."""
    stage.watch()
    stage.want(TargetState.SECURED, "a")
    stage.play(Connect("a"), Resolved((ENDPOINTS,)))
    for _ in range(3):
        stage.play(TimerFired(), TimerFired(), Resolved((ENDPOINTS,)))
    stage.play(HandshakeDone(), HandshakeStale(), NetworkChanged(online=False))


async def firewall_refused(stage: Stage) -> None:
    """What should be in force isn't: a warning, and the policy as it is."""
    stage.watch()
    stage.want(TargetState.SECURED, "b")
    stage.refuse(Connect("b"))
    stage.play()
    await stage.read()
    stage.play(TimerFired(), Resolved((ENDPOINTS,)))


async def pause(stage: Stage) -> None:
    """Paused while connected, and connected again when the time is up."""
    stage.watch()
    stage.want(TargetState.SECURED, "a")
    up(stage)
    stage.want(TargetState.PAUSED, "a", 1_793_000_600.75)
    stage.play(Pause("a"), pause_left=600.0)
    stage.want(TargetState.SECURED, "a")
    stage.play(TimerFired())
    stage.play(Resolved((ENDPOINTS,)), HandshakeDone())


async def profiles(stage: Stage) -> None:
    """Imported, replaced, removed; notes in any script."""
    stage.watch()
    notes = ("Zeile 7: „PostUp“ wird nie ausgeführt.", "第 8 行:PreDown  \t", 'line 9: "\\"', "🧅")
    stage.hub.set_profiles((replace(PROFILE, notes=notes), OTHER))
    stage.hub.set_profiles((OTHER,))
    bare = replace(OTHER, name="only-one", peers=(), table="off", listen_port=65535, fwmark=4_294_967_295)
    stage.hub.set_profiles((OTHER, bare))
    stage.hub.set_profiles(())


async def settings(stage: Stage) -> None:
    """Closed always, then open never; resolvers of both families."""
    stage.watch()
    for changed in (
        replace(stage.settings, kill_switch=KillSwitchMode.ALWAYS, allow_lan=True),
        replace(stage.settings, resolvers=(ip_address("192.0.2.53"), ip_address("2001:db8::53"))),
        replace(stage.settings, kill_switch=KillSwitchMode.OFF, log_level=LogLevel.DEBUG, log_addresses=False),
        replace(stage.settings, dns_mechanism="resolved", local_user=False),
    ):
        stage.settings = changed
        stage.hub.set_settings(changed)
        stage.play(SettingsApplied())


async def devices(stage: Stage) -> None:
    """One waits for its number, is paired, another one is revoked."""
    stage.hub.set_devices((DEVICE,))
    stage.watch()
    waiting = PendingPairing(
        "p-9", WINDOW.name, WINDOW.user, WINDOW.uid, "/home/zoë/“x” y/python3", (Right.VIEW, Right.CONNECT), 1e9 + 0.125
    )
    stage.hub.set_pairings((waiting, replace(waiting, id="p-10", program="")))
    stage.hub.set_pairings(())
    stage.hub.set_devices((DEVICE, WINDOW))
    stage.hub.set_devices((replace(DEVICE, name="  ", last_seen=1_793_000_000.0), WINDOW))
    stage.hub.set_devices((WINDOW,))


async def numbers(stage: Stage) -> None:
    """The largest and smallest that occur, and fractions that a double keeps."""
    stage.watch()
    for stats in (
        Stats(LARGEST, LARGEST - 1, 4_102_444_800.999999, Endpoint("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535)),
        Stats(1 << 32, (1 << 31) - 1, 0.1, Endpoint("0.0.0.1", 1)),
        Stats(0, 0, 1e-9, None),
    ):
        stage.hub.set_stats(stats)
    stage.hub.set_network(Network(online=True, interface="a" * 15, mtu=65536))


async def lagged(stage: Stage) -> None:
    """The front end reads too slowly, is told so, and asks for everything."""
    stage.begin("5f0c2a917be4d386", most_events=4)
    stage.watch()
    stage.hub.set_stats(Stats(1, 1))
    await stage.read()
    count(stage, 2, 12)
    await stage.read()
    count(stage, 12, 13)
    stage.watch()
    count(stage, 13, 15)


async def gap(stage: Stage) -> None:
    """Events are lost; those after them must not be applied: the view stays what it was, until its front end asks."""
    stage.watch()
    count(stage, 1, 4)
    await stage.read()
    stage.hub.set_profiles(())
    count(stage, 4, 9)
    await stage.read(lose=2)
    stage.ends_behind = True


async def gap_closed(stage: Stage) -> None:
    """The same; the front end asks for what it lacks, and gets it."""
    await gap(stage)
    stage.watch(stage.view.seq, stage.view.epoch)
    stage.ends_behind = False


async def resumed(stage: Stage) -> None:
    """The connection breaks and nothing is lost: the front end goes on where it was."""
    stage.watch()
    stage.want(TargetState.SECURED, "a")
    await stage.read()
    up(stage)
    stage.watch(stage.view.seq, stage.view.epoch)
    await stage.read()
    stage.watch(stage.view.seq, stage.view.epoch)
    stage.hub.set_stats(Stats(5, 6))


async def restarted(stage: Stage) -> None:
    """The helper is another one: its numbers begin anew, so what is asked for can't be continued."""
    stage.watch()
    stage.want(TargetState.SECURED, "a")
    up(stage)
    count(stage, 1, 6)
    await stage.read()
    stage.begin("02c6d1a4770f9e3b")
    stage.watch(stage.view.seq, stage.view.epoch)
    count(stage, 1, 3)


async def logs(stage: Stage) -> None:
    """Lines of the log come between events, and change nothing of what is shown."""
    stage.watch()
    stage.hub.set_stats(Stats(1, 1))
    await stage.read()
    lines = (
        LogLine(41, 1_793_000_001.001, "info", "tunnel.driver", "connecting to a: größer\nzweite Zeile"),
        LogLine(44, 1_793_000_001.5, "debug", "engine", "[redacted] \\x1b"),
    )
    stage.hear(Logs(lines, missed=2, epoch=stage.view.epoch))
    stage.hub.set_stats(Stats(2, 2))


def up(stage: Stage) -> None:
    """All the way to a tunnel."""
    stage.play(Connect("a"), Resolved((ENDPOINTS,)), HandshakeDone())


def count(stage: Stage, first: int, end: int) -> None:
    """An event for each number."""
    for number in range(first, end):
        stage.hub.set_stats(Stats(number, number * 2))
