"""`slopn-helper` that kills itself with SIGKILL right after its n-th effect, and tells the test which one it was.

Run as a program with the helper's own arguments. The environment holds KILL_AFTER (a number, counted from 0; none: never)
and KILL_DIR, a folder in which `effects` lists what was carried out, one name a line, and which two gates lie at: the helper
waits for the file `closed.go` after its first closing policy, and for `opens.go` before a policy that opens.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from slopn_helper.__main__ import main
from slopn_helper.host.firewall.policy import Open
from slopn_helper.tunnel.driver import TunnelDriver
from slopn_helper.tunnel.effects import ApplyFirewall, Effect
from slopn_helper.tunnel.inputs import Input
from slopn_helper.tunnel.policy import closed

_do = TunnelDriver._do
_after = int(os.environ.get("KILL_AFTER", "-1"))
_dir = Path(os.environ["KILL_DIR"])
_done: list[str] = []


async def _do_and_die(driver: TunnelDriver, effect: Effect, tasks: Any) -> Input | None:
    if isinstance(effect, ApplyFirewall) and isinstance(effect.policy, Open) and (_dir / "closed").exists():
        await _gate("opens")
    follow = await _do(driver, effect, tasks)
    _done.append(type(effect).__name__)
    (_dir / "effects").write_text("\n".join(_done), encoding="ascii")
    if isinstance(effect, ApplyFirewall) and closed(effect.policy) and not (_dir / "closed").exists():
        await _gate("closed")
    if len(_done) - 1 == _after:
        os.kill(os.getpid(), signal.SIGKILL)
    return follow


async def _gate(name: str) -> None:
    (_dir / name).touch()
    while not (_dir / f"{name}.go").exists():  # noqa: ASYNC110 - the other side is another process
        await asyncio.sleep(0.005)


if __name__ == "__main__":
    TunnelDriver._do = _do_and_die  # type: ignore[method-assign, assignment]
    sys.exit(main())
