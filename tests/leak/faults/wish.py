"""What the user does, and what the gateway does: connecting, switching, changing settings, waiting for somebody who is gone."""

from __future__ import annotations

from leak.case import CLOSED, EVERY, Fault, Mode
from leak.faults.process import gateway_again
from leak.faults.underlay import then
from leak.world import SECOND, World
from support.gateway import INTERFACE
from support.scene import PROFILE
from support.topology import GATEWAY_PORT

_BESIDE = "192.88.99.0/24"
_UNSECURED = "the wish is unsecured, and mode on is open then"


def switched(world: World) -> None:
    """To the other profile and back."""
    world.secure(SECOND)
    world.secure(PROFILE)


def reconnected(world: World) -> None:
    """Three times."""
    for _ in range(3):
        world.reconnect()


def lan_toggled(world: World) -> None:
    """Allowed and not, five times."""
    for _ in range(5):
        world.set(allow_lan=False)
        world.set(allow_lan=True)


def exclusions_toggled(world: World) -> None:
    """A network beside the tunnel and none, five times."""
    for _ in range(5):
        world.set(exclude=[_BESIDE])
        world.set(exclude=[])


def closed_modes_toggled(world: World) -> None:
    """From on to always and back, five times; in the end it is as it was."""
    begun = world.status()["kill_switch"]
    for _ in range(5):
        world.set(kill_switch="always")
        world.set(kill_switch="on")
    world.set(kill_switch=begun)


def off_for_a_moment(world: World) -> None:
    """Somebody switches it off and on again."""
    world.set(kill_switch="off")
    world.set(kill_switch="on")


def disconnected(world: World) -> None:
    """The user has done."""
    world.do("disconnect")


def secured(world: World) -> None:
    """And wants it again."""
    world.secure()


def paused(world: World) -> None:
    """For five minutes."""
    world.do("pause", seconds=300)


def storm(world: World) -> None:
    """Connect, reconnect and switch, without waiting for anything."""
    for _ in range(5):
        world.do("connect", profile=SECOND)
        world.do("connect", profile=PROFILE)


def gateway_gone(world: World) -> None:
    """It answers no more."""
    world.gateway.stop()


def gateway_moved(world: World) -> None:
    """It answers from another port, which is in no profile."""
    world.gateway.namespace.run(f"wg set {INTERFACE} listen-port {GATEWAY_PORT + 1}")


def gateway_back(world: World) -> None:
    """It is where it was."""
    world.gateway.namespace.run(f"wg set {INTERFACE} listen-port {GATEWAY_PORT}")
    world.reconnect()


def connecting_in_vain(world: World) -> None:
    """Asked for while the gateway is gone."""
    world.gateway.stop()
    world.do("connect", profile=PROFILE)
    world.wait_state("connecting")


FAULTS = [
    Fault("wish: another profile and back", switched),
    Fault("wish: reconnect, three times", reconnected),
    Fault("wish: a storm of connects", storm),
    Fault("wish: disconnect", disconnected, secured, open={Mode.ON: _UNSECURED}),
    Fault("wish: pause", paused, secured, open={Mode.ON: _UNSECURED}),
    Fault("settings: LAN allowed and not", lan_toggled, lan=True, modes=EVERY),
    Fault("settings: a network excluded and not", exclusions_toggled, modes=EVERY),
    Fault("settings: from on to always and back", closed_modes_toggled, modes=CLOSED),
    Fault("settings: off for a moment", off_for_a_moment, modes=(Mode.ON,), open={Mode.ON: "off is open"}),
    Fault("gateway: silent", gateway_gone, gateway_again, modes=EVERY),
    Fault("gateway: silent from the beginning", lambda _: None, gateway_again, begin=connecting_in_vain, modes=CLOSED),
    Fault("gateway: moved to another port", gateway_moved, gateway_back),
    Fault(
        "gateway: gone, then the cable too",
        then(gateway_gone, lambda world: world.lab.pull("eth0")),
        then(lambda world: world.lab.plug("eth0"), gateway_again),
    ),
]
