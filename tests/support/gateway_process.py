"""The real gateway in a namespace: `slopn-gateway serve` with directories of its own, and the other verbs beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slopn_helper.gateway import keys
from support.netns import Namespace
from support.service_process import ServiceProcess
from support.topology import GATEWAY4
from support.until import until

ENDPOINT = GATEWAY4
POOL4, POOL6 = "100.80.0.0/20", "fd80::/64"
INSIDE4, INSIDE6 = "100.80.0.1", "fd80::1"
"""The gateway's own addresses inside, with the usual pools."""
ENROLMENT_PORT = 8443

Settings = Mapping[str, Mapping[str, object]]


class GatewayProcess(ServiceProcess):
    """`slopn-gateway serve` in `namespace`, up while entered. Everything ends with the namespace.

    `settings`: sections of gateway.toml that differ from those of `usual`. Its directory survives `kill`, so that `start`
    is a restart. `database`: a URL; by default a file of its own.
    """

    what = "the gateway"
    killed_within, ends_within = 30.0, 60.0

    def __init__(
        self,
        namespace: Namespace,
        settings: Settings | None = None,
        *,
        database: str | None = None,
        level: str = "debug",
    ) -> None:
        self.namespace = namespace
        self.dir = Path(tempfile.mkdtemp(prefix=f"{namespace.name}-serve-"))
        self.state, self.runtime, self.config = self.dir / "state", self.dir / "run", self.dir / "gateway.toml"
        self.database = database or f"sqlite:///{self.state}/registry.db"
        self.log_path = self.dir / "gateway.log"
        self._level = level
        self.options: tuple[str, ...] = ()
        """More arguments of `serve`, from the next start on."""
        for directory in (self.state, self.runtime):
            directory.mkdir(mode=0o700)
        self.address = str((settings or {}).get("wireguard", {}).get("endpoint", ENDPOINT))
        """Where devices send to."""
        self.private = keys.create(self.state / keys.NAME)
        self.configure(settings or {})

    def configure(self, settings: Settings) -> None:
        """Write gateway.toml; it counts from the next start on."""
        sections = usual(self.database)
        for name, values in settings.items():
            sections[name] = {**sections.get(name, {}), **values}
        self.config.write_text(_toml(sections), encoding="utf-8")
        self.config.chmod(0o600)

    def command(self, verb: str, *arguments: str) -> list[str]:
        """The argument vector of a verb with this gateway's directories, as it must be run inside the namespace."""
        paths = ["--config", self.config, "--state-dir", self.state, "--runtime-dir", self.runtime]
        return [sys.executable, "-m", "slopn_helper.gateway", verb, *arguments, *map(str, paths)]

    def spawn(self) -> None:
        """Start the process and return at once."""
        assert not self.alive, "the gateway is running already"
        with self.log_path.open("ab") as log:
            self.process = self.namespace.popen(
                self.command("serve", "--log-level", self._level, *self.options),
                stdout=log,
                stderr=log,
                env=_environment(),
            )

    def start(self, timeout: float = 60.0) -> None:
        """Start the process and return once devices are let in."""
        before = self.log().count(READY)
        self.spawn()

        def ready() -> bool:
            self.still_alive()
            return self.log().count(READY) > before

        try:
            until(ready, timeout, "the gateway is ready")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.tail()}") from None

    def cli(
        self,
        verb: str,
        *arguments: str,
        check: bool = True,
        input: str | None = None,  # noqa: A002 - as in subprocess.run
    ) -> subprocess.CompletedProcess[str]:
        """Run `slopn-gateway VERB …` against this gateway's directories; its status must be 0 unless `check` is off."""
        argv = self.command(verb, *arguments)
        return self.namespace.run(argv, check=check, input=input, timeout=60.0, env=_environment())

    def status(self) -> dict[str, Any]:
        """`slopn-gateway status --json`, decoded. Raises `RuntimeError` when the gateway doesn't answer."""
        decoded: dict[str, Any] = json.loads(self.cli("status", "--json").stdout)
        return decoded


READY = ": ready\n"
"""How the log's line ends that says so."""


def usual(database: str) -> dict[str, dict[str, object]]:
    """The settings of a gateway in the lab."""
    return {
        "wireguard": {"endpoint": ENDPOINT, "port": 51820, "interface": "slopngw0"},
        "pools": {"ipv4": [POOL4], "ipv6": [POOL6]},
        "enrolment": {"port": ENROLMENT_PORT},
        "database": {"url": database},
        "watch": {"port": 0},
    }


def _environment() -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join(sys.path)}


def _toml(sections: Settings) -> str:
    # JSON's strings, numbers, truth values and lists are TOML's as well.
    lines = []
    for name, values in sections.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"
