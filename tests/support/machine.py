"""A machine to set a gateway up on: a folder for its file system, and a systemd that only remembers."""

from __future__ import annotations

from pathlib import Path

from slopn_helper.gateway.machine import Machine
from slopn_helper.host.program import Ended


class Systemd:
    """Units that are enabled or active, by systemctl(1)'s words. `broken`: a call that fails."""

    def __init__(self, broken: tuple[str, ...] = ()) -> None:
        self.enabled: set[str] = set()
        self.active: set[str] = set()
        self.told: list[tuple[str, ...]] = []
        """What was to be done, without the questions."""
        self._broken = broken

    async def __call__(self, *words: str) -> Ended:
        """One call."""
        unit = words[-1]
        match words[0]:
            case "is-enabled":
                return Ended(int(unit not in self.enabled), "")
            case "is-active":
                return Ended(int(unit not in self.active), "")
        self.told.append(words)
        if words == self._broken:
            return Ended(1, "Job failed.\nSee the journal.")
        match words[0]:
            case "enable":
                self.enabled.add(unit)
            case "restart":
                self.active.add(unit)
            case "disable":
                self.enabled.discard(unit)
                self.active.discard(unit)
        return Ended(0, "")


def machine(root: Path, systemd: Systemd | None = None, *, unbound: bool = True, fail2ban: bool = False) -> Machine:
    """With these programs installed; without a `systemd` none is in charge."""
    if systemd is not None:
        (root / "run/systemd/system").mkdir(parents=True)
    if unbound:
        for name in ("usr/sbin/unbound", "usr/share/dns/root.key"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).touch()
    if fail2ban:
        (root / "etc/fail2ban").mkdir(parents=True)
    return Machine(root, systemd or Systemd())
