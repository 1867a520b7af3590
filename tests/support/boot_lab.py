"""A computer that boots with SloPN's package installed, a cable to the lab's router, and somebody who sends from the start.

What a kernel forgets with each boot, and a network namespace doesn't, is forgotten while the computer is off.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from support import generator_process
from support.boot import BootedSystem
from support.capture import Capture, Tally
from support.gateway import Gateway
from support.generator import plan
from support.topology import ETH0, Lab
from support.until import until
from support.watched import PROBES
from tools.deb import build

HELPER, EARLY = "slopn-helper.service", "slopn-early-block.service"
STATE = "/var/lib/slopn"
PROFILE = "lab"
_PROGRESS = "/run/lab-progress"
_NETWORK = """
[Unit]
Description=The lab's network, as ifupdown or NetworkManager would bring it up
DefaultDependencies=no
Wants=network.target
After=network-pre.target
Before=network.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/sbin/ip link set eth0 up
ExecStart=/sbin/ip -batch /etc/lab-network
[Install]
WantedBy=multi-user.target
"""
_SENDER = f"""
[Unit]
Description=The leak generator, from the first moment on
DefaultDependencies=no
[Service]
ExecStartPre=/usr/bin/touch {_PROGRESS}
ExecStart=/usr/bin/python3 {generator_process.__file__} ${{PLAN}}
EnvironmentFile=/etc/lab-plan
[Install]
WantedBy=sysinit.target
"""


class BootLab:
    """Up while entered: booted, the helper running, disconnected, with the gateway's profile `lab` and default settings.

    The computer sends all the time it is on; `capture` counts what the router sees of it. `packages`: .deb files instead of
    tools/deb.py's; `before` is called with the computer as it is without them. `there`: the distribution's packages that it
    has beside the usual ones. `suite`: see `BootedSystem`. `install` puts SloPN there, instead of dpkg and `packages`.
    """

    def __init__(
        self,
        packages: Sequence[Path] = (),
        before: Callable[[BootedSystem], None] = lambda _system: None,
        *,
        there: Iterable[str] = (),
        suite: str | None = None,
        install: Callable[[BootedSystem], None] | None = None,
    ) -> None:
        self._packages = packages
        self._before = before
        self._install = install
        self.lab = Lab(uplinks=("eth0",))
        sending = plan([ETH0], rounds_per_second=15.0, seconds=3600.0) | {"progress": _PROGRESS}
        self.system = BootedSystem(
            packages=there,
            suite=suite,
            namespace=self.lab.client,
            files={
                "/etc/lab-network": textwrap.dedent(ETH0.configure()).strip() + "\n",
                "/etc/lab-plan": f"PLAN='{json.dumps(sending)}'\n",
                # These options mount /proc anew, with the machine's boot_id in it: the system's own stands on top of the old one.
                f"/etc/systemd/system/{HELPER}.d/lab.conf": (
                    "[Service]\nProtectControlGroups=no\nProtectKernelTunables=no\nProtectProc=default\n"
                ),
                "/etc/systemd/system/lab-network.service": _NETWORK,
                "/etc/systemd/system/lab-sender.service": _SENDER,
            },
        )
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            folder = Path(tempfile.mkdtemp(prefix="slopn-test-"))
            stack.callback(shutil.rmtree, folder)
            stack.enter_context(self.lab)
            self.gateway = stack.enter_context(Gateway(self.lab))
            self.capture: Capture = stack.enter_context(self.lab.capture())
            stack.enter_context(self.system)
            self.system.run("systemctl enable lab-network lab-sender")
            self._before(self.system)
            if self._install is None:
                self.system.install(*(self._packages or (build(folder),)))
            else:
                self._install(self.system)
            self.slopn("import", "-", "--name", PROFILE, text=self.gateway.config())
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def slopn(self, *arguments: str, status: int = 0, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run `slopn` inside as root; it must end with `status`."""
        done = self.system.run(["slopn", *arguments], check=False, input=text)
        assert done.returncode == status, f"slopn {arguments}: {done}\n{self.system.journal(HELPER)[-4000:]}"
        return done

    def status(self) -> dict[str, Any]:
        """What `slopn status --json` says inside."""
        told: dict[str, Any] = json.loads(self.slopn("status", "--json").stdout)
        return told

    def wait_state(self, state: str) -> None:
        """Return once the tunnel's state is `state`."""
        until(lambda: self.status()["state"] == state, 20.0, f"the state is {state}")

    def mode(self, mode: str) -> None:
        """Set the kill switch."""
        self.slopn("settings", "set", "kill_switch", mode)

    def reboot(self, *, off: Callable[[], None] | None = None, helper: bool = True) -> None:
        """Off (in order, or as `off` does it), the kernel's memory gone, and on again.

        `helper=False`: SloPN's service doesn't start, so that the moment before it lasts as long as a test wants.
        """
        self.system.run(["systemctl", "enable" if helper else "disable", "--quiet", HELPER])
        (off or self.system.power_off)()
        self._forget()
        self.system.boot()

    def leaks(self) -> Tally:
        """What has left the computer in clear since the capture's last reset, after `PROBES` more tries to."""
        start = self._tried()
        until(lambda: self._tried() >= start + PROBES, 20.0, "the generator tries to get out")
        return self.capture.tally()

    def open_now(self) -> bool:
        """Whether anything gets out from now on."""
        self.capture.reset()
        return self.leaks().total > 0

    def restarts(self) -> int:
        """How often systemd has started the helper again by itself, since it was last started by somebody."""
        return int(self.system.run(["systemctl", "show", HELPER, "--value", "-P", "NRestarts"]).stdout)

    def when(self, unit: str) -> int:
        """Microseconds of a clock that nobody sets, at which `unit` became active; 0: it didn't in this boot."""
        return int(
            self.system.run(["systemctl", "show", unit, "--value", "-P", "ActiveEnterTimestampMonotonic"]).stdout
        )

    def _tried(self) -> int:
        return int(self.system.run(["cat", _PROGRESS]).stdout or 0)

    def _forget(self) -> None:
        client = self.lab.client
        client.ip("link set eth0 down")
        client.ip("addr flush dev eth0\nlink del slopn0\nroute flush table 51820\nrule flush protocol 151", check=False)
        client.ip("-6 route flush table 51820\n-6 rule flush protocol 151", check=False)
        client.run(["nft", "flush", "ruleset"])
