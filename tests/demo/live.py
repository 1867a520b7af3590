"""The live line: `slopn watch` in the laptop's namespace, turned into the words that every front end uses."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from typing import Any, Self

from demo.screen import Screen
from slopn_app.cli.report import headline
from support.helper_process import BIN, HelperProcess


class Live:
    """Follows the helper while entered, over its deaths, and shows each state on the screen."""

    def __init__(self, helper: HelperProcess, screen: Screen) -> None:
        self._helper = helper
        self._screen = screen
        self._snapshot: Any = None

    def __enter__(self) -> Self:
        self._process = self._helper.namespace.popen(
            [str(BIN / "slopn"), "watch"],
            env=self._helper.front_end,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._thread = threading.Thread(target=self._follow, name="live", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._thread.join()

    def _follow(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            if message["type"] == "unreachable":
                self._snapshot = None
                self._screen.state("SloPN's service isn't running.", "Rules that were in force stay in force.", "")
                continue
            if message["type"] == "snapshot":
                self._snapshot = message
            elif message["type"] == "event" and self._snapshot is not None:
                self._fold(message["body"])
            if self._snapshot is not None:
                title, second = headline(self._snapshot, time.time())
                self._screen.state(title, second, self._snapshot["policy"])

    def _fold(self, body: dict[str, Any]) -> None:
        if body["type"] == "state":
            self._snapshot.update({key: value for key, value in body.items() if key != "type"})
        elif body["type"] in {"stats", "network"}:
            self._snapshot[body["type"]] = body.get("network", body)
        else:
            self._snapshot[body["type"]] = body[body["type"]]
