"""The real gateway in a namespace: `slopn-gateway serve` with directories of its own, and the other verbs beside it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from slopn_helper.gateway import keys
from support.netns import Namespace
from support.topology import GATEWAY4
from support.until import until

ENDPOINT = GATEWAY4
POOL4, POOL6 = "100.80.0.0/20", "fd80::/64"
INSIDE4, INSIDE6 = "100.80.0.1", "fd80::1"
"""The gateway's own addresses inside, with the usual pools."""
ENROLMENT_PORT = 8443

Settings = Mapping[str, Mapping[str, object]]


class GatewayProcess:
    """`slopn-gateway serve` in `namespace`, up while entered. Everything ends with the namespace.

    `settings`: sections of gateway.toml that differ from those of `usual`. Its directory survives `kill`, so that `start`
    is a restart. `database`: a URL; by default a file of its own.
    """

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
        self.process: subprocess.Popen[bytes] | None = None
        for directory in (self.state, self.runtime):
            directory.mkdir(mode=0o700)
        self.address = str((settings or {}).get("wireguard", {}).get("endpoint", ENDPOINT))
        """Where devices send to."""
        self.private = keys.create(self.state / keys.NAME)
        self.configure(settings or {})

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def configure(self, settings: Settings) -> None:
        """Write gateway.toml; it counts from the next start on."""
        sections = usual(self.database)
        for name, values in settings.items():
            sections[name] = {**sections.get(name, {}), **values}
        self.config.write_text(_toml(sections), encoding="utf-8")
        self.config.chmod(0o600)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        """The gateway's process id."""
        assert self.process is not None, "the gateway was never started"
        return self.process.pid

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
            if not self.alive:
                raise RuntimeError(f"the gateway ended with {self.process and self.process.returncode}:\n{self.tail()}")
            return self.log().count(READY) > before

        try:
            until(ready, timeout, "the gateway is ready")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.tail()}") from None

    def kill(self) -> None:
        """SIGKILL: it has no chance to put anything in order. Returns when it is gone."""
        self._end(signal.SIGKILL, 30.0)

    def terminate(self, timeout: float = 60.0) -> int:
        """SIGTERM: it ends in order. Returns its exit status."""
        self._end(signal.SIGTERM, timeout)
        assert self.process is not None
        return int(self.process.returncode)

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

    def log(self) -> str:
        """Everything that it has written, over all its starts."""
        return self.log_path.read_text(encoding="utf-8", errors="replace") if self.log_path.exists() else ""

    def tail(self, lines: int = 40) -> str:
        """The last lines of the log, for a failure's message."""
        return "\n".join(self.log().splitlines()[-lines:])

    def _end(self, number: int, timeout: float) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, number)
            self.process.wait(timeout)


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
