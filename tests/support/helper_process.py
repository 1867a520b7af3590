"""The real helper in a namespace, with its own /etc, /run, state and socket, and the real command line beside it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.netns import Namespace
from support.service_process import ServiceProcess
from support.until import until

BIN = Path(sys.executable).parent
"""Where `slopn`, `slopn-helper` and `slopn-engine` are: beside the Python that runs the tests."""


class HelperProcess(ServiceProcess):
    """`slopn-helper client` in `namespace` (a private one), up and answering while entered.

    State and runtime directories are fresh ones below a directory of its own, or those given; they survive `kill`, so
    that `start` is a restart. Everything ends with the namespace.
    """

    what = "the helper"
    killed_within, ends_within = 10.0, 15.0

    def __init__(
        self,
        namespace: Namespace,
        *,
        state_dir: Path | None = None,
        runtime_dir: Path | None = None,
        log_level: str = "debug",
        env: Mapping[str, str] | None = None,
    ) -> None:
        assert namespace.private, "the helper writes to /etc: give it a private namespace"
        self.namespace = namespace
        self.dir = Path(tempfile.mkdtemp(prefix=f"{namespace.name}-helper-"))
        self.state_dir = state_dir or self.dir / "state"
        self.runtime_dir = runtime_dir or self.dir / "run"
        self.socket = self.runtime_dir / "helper.sock"
        self.log_path = self.dir / "helper.log"
        self.log_level = log_level
        self._env = dict(env or {})

    @property
    def front_end(self) -> dict[str, str]:
        """A front end's environment: where this helper is, and a place of its own for what it is paired by."""
        return {"SLOPN_SOCKET": str(self.socket), "XDG_STATE_HOME": str(self.dir / "front-end")}

    def command(self, *arguments: str) -> list[str]:
        """The argument vector of `slopn-helper` with its directories, as it must be run inside the namespace."""
        verb, *rest = arguments
        runtime = ["--runtime-dir", str(self.runtime_dir)] if verb == "client" else []
        return [str(BIN / "slopn-helper"), verb, "--state-dir", str(self.state_dir), *runtime, *rest]

    def spawn(self) -> None:
        """Start the process and return at once."""
        assert not self.alive, "the helper is running already"
        with self.log_path.open("ab") as log:
            self.process = self.namespace.popen(
                self.command("client", "--log-level", self.log_level), env=self._env, stdout=log, stderr=log
            )

    def start(self, timeout: float = 15.0) -> None:
        """Start the process and return once it answers."""
        self.spawn()
        self.wait_ready(timeout)

    def wait_ready(self, timeout: float = 15.0) -> None:
        """Return once the helper answers on its socket; raises with the end of its log if it has died."""

        def answers() -> bool:
            self.still_alive()
            return self.socket.exists() and self.cli("status", "--json").returncode == 0

        until(answers, timeout, "the helper answers")

    def restore(self) -> subprocess.CompletedProcess[str]:
        """`slopn-helper restore`, as root would type it; the helper may be alive or dead."""
        return self.namespace.run(self.command("restore"), check=False, env=self._env)

    def cli(self, *arguments: str, input: str | None = None, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:  # noqa: A002 - as in subprocess.run
        """Run `slopn` with these arguments against this helper."""
        argv = [str(BIN / "slopn"), *arguments]
        env = {**self._env, **self.front_end}
        return self.namespace.run(argv, check=False, input=input, env=env, timeout=timeout)

    def status(self) -> dict[str, Any]:
        """`slopn status --json`, decoded. Raises `RuntimeError` when the helper does not answer."""
        done = self.cli("status", "--json")
        if done.returncode:
            raise RuntimeError(f"slopn status ended with {done.returncode}: {done.stderr or done.stdout}")
        decoded: dict[str, Any] = json.loads(done.stdout)
        return decoded

    def wait_state(self, state: str, timeout: float = 15.0) -> dict[str, Any]:
        """Return the status once its `state` is the one given; a helper that does not answer meanwhile is waited for."""
        last: dict[str, Any] = {}

        def reached() -> bool:
            nonlocal last
            with contextlib.suppress(RuntimeError):
                last = self.status()
            return last.get("state") == state

        try:
            until(reached, timeout, f"the state is {state}")
        except AssertionError as error:
            raise AssertionError(f"{error}; last status: {last}\n{self.tail()}") from None
        return last
