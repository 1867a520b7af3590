"""The helper dies, stands still, or is starved."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from pathlib import Path

from leak.case import EVERY, Fault, Mode
from leak.memory import memory_taken_away
from leak.world import World
from support.until import until

_NO_GUARD = "anybody may change a plain table, and a helper that is dead or stands still puts nothing back"
_NO_OWNER = "the tables outlive the helper, their owner doesn't: until the next start root's programs may remove them"
_FLUSH = "nft flush ruleset"


def killed(world: World) -> None:
    """SIGKILL."""
    world.helper.kill()


def killed_while_connecting(world: World) -> None:
    """Right after the user has asked for a tunnel, with no gateway there."""
    world.gateway.stop()
    world.do("reconnect")
    world.wait_state("connecting")
    world.helper.kill()


def gateway_again(world: World) -> None:
    """The gateway is back, and so are we."""
    world.gateway.stop()
    world.gateway.start()
    world.reconnect()


def ended(world: World) -> None:
    """SIGTERM, as the service manager does it: tunnel, routes and DNS are undone, the block stays."""
    world.helper.terminate()


def killed_and_started(world: World) -> None:
    """Five times in a row, as a crash loop."""
    for _ in range(5):
        world.helper.kill()
        world.helper.start()


def stopped(world: World) -> None:
    """SIGSTOP."""
    os.kill(world.helper.pid, signal.SIGSTOP)


def goes_on(world: World) -> None:
    """SIGCONT."""
    os.kill(world.helper.pid, signal.SIGCONT)
    world.connected_again()


def stopped_and_flushed(world: World) -> None:
    """Nobody is there to put anything back."""
    stopped(world)
    world.lab.client.run(_FLUSH, check=False)
    world.tell_containers()


def killed_and_flushed(world: World) -> None:
    """The same, of a dead one."""
    killed(world)
    world.lab.client.run(_FLUSH, check=False)
    world.tell_containers()


def stopped_and_deleted(world: World) -> None:
    """The tunnel goes while nobody looks."""
    stopped(world)
    world.lab.client.ip("link del slopn0")


def out_of_memory(world: World) -> None:
    """The kernel's OOM killer, in a cgroup of the helper's own."""
    with memory_taken_away(world.helper.pid) as alive:

        def poked() -> bool:
            # Whoever asks makes it allocate.
            with contextlib.suppress(Exception):
                world.status()
            return not alive()

        until(poked, 30.0, "the OOM killer has ended the helper")
        assert world.helper.process is not None
        assert world.helper.process.wait(10.0) == -signal.SIGKILL


def no_more_files(world: World) -> None:
    """Not one more descriptor: EMFILE for whatever it begins now."""
    limit = len(list(Path(f"/proc/{world.helper.pid}/fd").iterdir()))
    resource.prlimit(world.helper.pid, resource.RLIMIT_NOFILE, (limit, limit))
    world.lab.client.ip("link del slopn0")


def restarted(world: World) -> None:
    """A new one takes over."""
    world.helper.kill()
    world.connected_again()


FAULTS = [
    Fault("helper: SIGKILL", killed, modes=EVERY),
    Fault("helper: SIGKILL while connecting", killed_while_connecting, gateway_again, modes=EVERY),
    Fault("helper: SIGKILL and start, five times", killed_and_started, tries=600),
    Fault("helper: SIGTERM", ended),
    Fault("helper: SIGSTOP", stopped, goes_on),
    Fault("helper: SIGSTOP, TUN deleted", stopped_and_deleted, goes_on),
    Fault(
        "helper: SIGSTOP, nft flush ruleset", stopped_and_flushed, goes_on, modes=EVERY, open={Mode.PLAIN: _NO_GUARD}
    ),
    Fault(
        "helper: SIGKILL, nft flush ruleset",
        killed_and_flushed,
        modes=EVERY,
        open={Mode.ON: _NO_OWNER, Mode.ALWAYS: _NO_OWNER, Mode.PLAIN: _NO_GUARD},
    ),
    Fault("helper: killed for want of memory", out_of_memory),
    Fault("helper: no descriptor left, TUN deleted", no_more_files, restarted),
]
