"""A client with the real helper whose every packet is captured: what scenes with one gateway and with several have in common."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator

from support.capture import Capture, Tally
from support.generator import Generator
from support.helper_process import HelperProcess
from support.topology import WEB4, WEB6, Lab
from support.until import until

PROBES = 150
"""Packets that somebody must have tried to send before a count of leaks means something."""


class Watched:
    """What its subclasses make: a lab, a capture of what leaves its client, and the helper there."""

    lab: Lab
    capture: Capture
    helper: HelperProcess
    patience: float = 20.0
    """Seconds until `PROBES` packets must have been tried."""

    def slopn(self, *arguments: str, status: int = 0, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run `slopn`; it must end with `status`."""
        done = self.helper.cli(*arguments, input=text)
        said = f"slopn {' '.join(arguments)} ended with {done.returncode}: {done.stdout}{done.stderr}"
        assert done.returncode == status, f"{said}\n{self.helper.tail()}"
        return done

    def visitor(self, *, six: bool = False, seconds: float = 5.0) -> str | None:
        """Whom the web server sees when the client asks it by a new connection; None: nothing came back."""
        url = f"http://[{WEB6}]/" if six else f"http://{WEB4}/"
        done = self.lab.client.run(["curl", "-sS", "-m", str(seconds), url], check=False)
        return None if done.returncode else str(json.loads(done.stdout)["you"])

    @contextlib.contextmanager
    def somebody_sending(self) -> Iterator[Generator]:
        """Programs try to get out while this is entered. The capture must see that on an open host, or it proves nothing."""
        with Generator(self.lab.client, self.lab.uplinks) as generator:
            yield generator

    def leaks(self, generator: Generator) -> Tally:
        """What has got out since the capture's last reset, after `PROBES` more tries."""
        start = generator.tried_so_far()
        until(lambda: generator.tried_so_far() >= start + PROBES, self.patience, "the generator tries to get out")
        assert generator.running
        return self.capture.tally()
