"""The role that closes the host before its network is up, in the kill switch's mode `always`.

Run once at boot, before network-pre.target: it reads the settings and nothing else, and what it can't read it takes for
`always`, as the helper does. A second wiring beside bootstrap.py, since that one's imports take longer than all of this.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

from slopn_helper.host.firewall import FirewallError
from slopn_helper.host.firewall.policy import Blocked
from slopn_helper.host.firewall.tables import Tables
from slopn_helper.store.documents import Damaged, NewerFormat, unpack
from slopn_wire.settings import KillSwitchMode, Settings

SETTINGS = "settings.json"
"""The settings' file in the state directory. Where there is none, nobody has asked for `always`."""
TRIES, PAUSE = 10, 0.2
"""So early in a boot something may be missing for a moment; the network waits. Seconds between two tries."""
_FWMARK = 51820
"""The helper's own mark. No rule of a block without endpoints lets it pass."""


class Wanted(NamedTuple):
    """What the settings ask for at boot."""

    block: bool
    allow_lan: bool
    why: str
    """For the journal, as a sentence's end."""


def run(state_dir: Path) -> str:
    """Close the host if the settings say so. Returns what was done, in a sentence. Raises `FirewallError`."""
    decided = wanted(state_dir / SETTINGS)
    if not decided.block:
        return f"Not blocked before the network is up: {decided.why}."
    # Where the kernel can, the tables stay in force when this process ends, and the helper claims them in turn and swaps
    # their rules without an instant in between. `restore` removes them by their name: the undo journal isn't needed.
    _apply(Blocked(allow_lan=decided.allow_lan))
    return f"Blocked before the network is up: {decided.why}."


def _apply(policy: Blocked) -> None:
    for left in reversed(range(TRIES)):
        try:
            return Tables(_FWMARK, owned=True).apply(policy)
        except FirewallError:
            if not left:
                raise
            time.sleep(PAUSE)
    return None


def wanted(path: Path) -> Wanted:
    """What the settings in the file `path` ask for; whatever is wrong with it, a host that was closed stays closed."""
    try:
        settings = unpack(path.read_bytes(), Settings)
    except FileNotFoundError:
        return Wanted(block=False, allow_lan=False, why="no settings were ever saved")
    except OSError as error:
        return Wanted(block=True, allow_lan=False, why=f"{path} can't be read ({error.strerror})")
    except NewerFormat as error:
        return Wanted(block=True, allow_lan=False, why=f"{path} was written by a newer SloPN ({error})")
    except Damaged:
        return Wanted(block=True, allow_lan=False, why=f"{path} is damaged")
    mode = settings.kill_switch
    return Wanted(mode is KillSwitchMode.ALWAYS, settings.allow_lan, f"the kill switch's mode is {mode.value}")
