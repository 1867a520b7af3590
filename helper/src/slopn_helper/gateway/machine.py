"""The machine that a gateway is set up on: where its files are, and its service manager."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from slopn_helper.host import program

SYSTEMCTL = Path("/usr/bin/systemctl")
PATIENCE = 90.0
"""Seconds for one call: `start` waits until the service is ready."""
_SHIPPED = Path("/usr/share/slopn")
"""Where a package has what a checkout has below installers/."""

Control = Callable[..., Awaitable[program.Ended]]


class MachineError(Exception):
    """Something of the machine's didn't do what it was told; a sentence."""


async def systemctl(*words: str) -> program.Ended:
    """systemctl(1) with these arguments. Raises `ProgramError`."""
    return await program.run(SYSTEMCTL, *words, timeout=PATIENCE)


class Machine:
    """`root`: what its paths are below; `control`: systemctl(1)."""

    def __init__(self, root: Path = Path("/"), control: Control = systemctl) -> None:
        self._root = root
        self._control = control

    def at(self, path: str | Path) -> Path:
        """Where an absolute path is."""
        return self._root / Path(path).relative_to("/")

    @property
    def has_systemd(self) -> bool:
        """Whether systemd is in charge, sd_booted(3)."""
        return self.at("/run/systemd/system").is_dir()

    async def tell(self, *words: str) -> None:
        """Have systemd do something. Raises `MachineError` if it doesn't."""
        ended = await self._control(*words)
        if ended.status != 0:
            said = " ".join(ended.output.split())[:300]
            raise MachineError(f"`systemctl {' '.join(words)}` failed: {said or ended.status}.")

    async def is_so(self, *words: str) -> bool:
        """The answer to a question such as `is-active --quiet x.service`."""
        return (await self._control(*words)).status == 0

    def unit_file(self, unit: str) -> Path | None:
        """Where a package has put a unit; None: nowhere."""
        places = (self.at(folder) / unit for folder in ("/usr/lib/systemd/system", "/lib/systemd/system"))
        return next((place for place in places if place.exists()), None)


def shipped(name: str) -> str:
    """The text of a file that comes with SloPN, by its path below installers/. Raises `MachineError`."""
    for folder in (Path(__file__).resolve().parents[4] / "installers", _SHIPPED):
        path = folder / name
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise MachineError(f"SloPN's own file {name} isn't below {_SHIPPED}: install SloPN again.")
