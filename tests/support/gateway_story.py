"""From a bare Debian to a device that browses, each command as it is typed, with its output and its time.

`python -m support.gateway_story` writes it into docs/gateway.md; tests/e2e/test_gateway_boot.py sees that it is still so.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from support.boot_gateway import FULL, BootGateway
from support.helper_process import HelperProcess
from support.topology import GATEWAY_NAME, WEB_NAME
from tools.console import ROOT

DOCUMENT = ROOT / "docs/gateway.md"
_BEGIN, _END = "<!-- transcript: `make gateway-transcript` writes it -->\n", "<!-- end of transcript -->\n"
_TIME = re.compile(r" +# \d+\.\d s$", re.MULTILINE)
_MASKS = (
    (re.compile(r"^[ █▀▄\n]*█[ █▀▄\n]*\n", re.MULTILINE), "(the link as a QR code)\n"),
    (re.compile(r"pin=[\w-]+&token=[\w-]+"), "pin=…&token=…"),
    # The networks for devices are made up by each gateway.
    (re.compile(r"\b100\.\d+\.\d+\."), "100.x.y."),
    (re.compile(r"\bfd[0-9a-f]{2}(?::[0-9a-f]{1,4}){2}::"), "fdxx:xxxx:xxxx::"),
    (re.compile(r"\b20\d\d-\d\d-\d\d(?: \d\d:\d\d)?"), "(date)"),
    # The path is measured meanwhile: told or not, as it comes.
    (re.compile(r"since \d\d:\d\d(?: · path MTU \d+)?"), "since (time)"),
    # The clock is that of the machine which the test runs on.
    (re.compile(r"^\w+ +clock: .*\n(?: {9}.*\n)?", re.MULTILINE), ""),
)


@dataclass(frozen=True)
class Told:
    """One command. `seconds`: until it had ended."""

    host: str
    shown: str
    status: int
    output: str
    seconds: float

    def text(self) -> str:
        """As a terminal shows it, without what differs from one time to the next."""
        output = self.output
        for pattern, instead in _MASKS:
            output = pattern.sub(instead, output)
        command = f"{self.host} {self.shown}"
        return f"{command:88}  # {self.seconds:.1f} s\n{output.strip()}\n"


class Story:
    """What was told so far of `boot` and the device with `helper`."""

    def __init__(self, boot: BootGateway, helper: HelperProcess) -> None:
        self.boot = boot
        self.helper = helper
        self.told: list[Told] = []

    def tell(self) -> None:
        """All of it. Raises `AssertionError` where a command fails."""
        self.server("slopn-gateway", "init", "--endpoint", GATEWAY_NAME, "--yes")
        self.server("slopn-gateway", "doctor")
        made = self.server("slopn-gateway", "token", "create", "--label", "laptop")
        link = next(line for line in made.splitlines() if line.startswith("slopn://"))
        self._say("laptop$", "slopn enrol 'slopn://enrol?…' --yes", lambda: self.helper.cli("enrol", link, "--yes"))
        self._say("laptop$", "slopn connect --wait", lambda: self.helper.cli("connect", "--wait", "60"))
        url = f"http://{WEB_NAME}/"
        self._say(
            "laptop$", f"curl {url}", lambda: self.boot.lab.client.run(["curl", "-sS", "-m", "10", url], check=False)
        )

    def server(self, program: str, *words: str) -> str:
        """One command on the server; its output."""
        return self._say("gateway#", " ".join((program, *words)), lambda: self.boot.call(*words, status=None))

    def transcript(self) -> str:
        """For docs/gateway.md."""
        return "```\n" + "\n".join(each.text() for each in self.told) + "```\n"

    def _say(self, host: str, shown: str, run: Callable[[], subprocess.CompletedProcess[str]]) -> str:
        begun = time.monotonic()
        done = run()
        self.told.append(Told(host, shown, done.returncode, done.stdout, time.monotonic() - begun))
        assert done.returncode == 0, f"{shown}: {done.stdout}{done.stderr}\n{self.boot.log()}\n{self.helper.tail()}"
        return done.stdout


def without_times(text: str) -> str:
    """The same, whatever the machine."""
    return _TIME.sub("", text)


def documented() -> str:
    """What docs/gateway.md has."""
    return DOCUMENT.read_text(encoding="utf-8").partition(_BEGIN)[2].partition(_END)[0]


def main() -> None:
    """Tell it and write it down."""
    with BootGateway(FULL) as boot, HelperProcess(boot.lab.client) as helper:
        story = Story(boot, helper)
        story.tell()
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(_BEGIN)
    if not rest:
        sys.exit(f"{DOCUMENT} has no place for a transcript: {_BEGIN.strip()}")
    DOCUMENT.write_text(before + _BEGIN + story.transcript() + _END + rest.partition(_END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
