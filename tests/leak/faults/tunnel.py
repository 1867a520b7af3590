"""The tunnel's device goes, or is changed, or its thread ends."""

from __future__ import annotations

from leak.case import Fault, Step
from leak.threads import Held, end_thread, engine_threads
from leak.world import World
from slopn_helper.runner import INTERFACE
from support.until import until


def ip(*commands: str) -> Step:
    """ip(8) on the client."""
    return lambda world: world.lab.client.ip("\n".join(commands), check=False)


def one_engine_thread_ends(world: World) -> None:
    """As a crash of one thread that takes nothing else along."""
    end_thread(world.helper.pid, engine_threads(world.helper.pid)[0])


def all_engine_threads_end(world: World) -> None:
    """The data plane is gone, and the device with nobody to read it is left."""
    for thread in engine_threads(world.helper.pid):
        end_thread(world.helper.pid, thread)


def engine_hangs(world: World) -> None:
    """Its threads stand still while the helper lives; then they go on."""
    with Held(world.helper.pid, engine_threads(world.helper.pid)):
        tried = world.tried()
        until(lambda: world.tried() > tried + 800, 20.0, "the senders go on")


def restart(world: World) -> None:
    """A user's last resort: end the helper, start it again."""
    world.helper.kill()
    world.connected_again()


def renamed_back(world: World) -> None:
    """The name is ours again, whoever has it."""
    world.lab.client.run(f"ip link del elsewhere; ip link set {INTERFACE} up", check=False)
    world.reconnect()


FAULTS = [
    Fault("nothing", lambda _: None),
    Fault("engine: one thread dead", one_engine_thread_ends, restart),
    Fault("engine: all threads dead", all_engine_threads_end, restart),
    Fault("engine: threads hang", engine_hangs),
    Fault("TUN deleted", ip(f"link del {INTERFACE}"), World.connected_again),
    Fault("TUN down", ip(f"link set {INTERFACE} down"), World.reconnect),
    Fault(
        "TUN renamed",
        ip(f"link set {INTERFACE} down", f"link set {INTERFACE} name elsewhere", "link set elsewhere up"),
        renamed_back,
    ),
    Fault("TUN: addresses flushed", ip(f"addr flush dev {INTERFACE}"), World.reconnect),
    Fault("TUN: its MTU changed", ip(f"link set {INTERFACE} mtu 1280")),
]
