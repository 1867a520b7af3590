"""Bears helpers: a process that has imported everything and forks, so that a life costs no start of an interpreter.

JSON lines on stdin, an answer to each on stdout: `{"argv", "env", "log", "notes", "at"}` → `{"pid"}` of who runs
`slopn-helper`'s own `main` in a session of its own and dies at the moment `at`, or lives under `Power`'s eyes; `{"view": file}` → `{"pid"}` of who writes
there what the daemons on the bus say; `{"wait": pid}` → `{"status"}`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

from kills.deaths import Deaths
from kills.power import Power
from slopn_helper import __main__ as helper
from slopn_helper import bootstrap  # noqa: F401 (everything is imported before the first birth)
from slopn_helper.host.dns import bus, networkmanager, resolved


def main() -> None:
    """Serve until stdin ends."""
    for line in sys.stdin:
        about = json.loads(line)
        if "wait" in about:
            _, status = os.waitpid(about["wait"], 0)
            answer = {"status": os.waitstatus_to_exitcode(status)}
        else:
            pid = os.fork()
            if pid == 0:
                tell(Path(about["view"])) if "view" in about else live(about)
            answer = {"pid": pid}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def live(about: dict[str, Any]) -> NoReturn:
    """Be a helper, to the end."""
    status = 99
    try:
        os.setsid()
        log = os.open(about["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.environ.update(about["env"])
        notes = Path(about["notes"])
        if about["at"] is None:
            Power(Path(about["argv"][2]), notes).install()
        else:
            Deaths((str(about["at"][0]), int(about["at"][1])), notes).install()
        status = helper.main(about["argv"])
    except SystemExit as exit_:
        status = int(exit_.code or 0)
    except BaseException:  # noqa: BLE001 (a copy of the nursery must not go on as one)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


def tell(path: Path) -> NoReturn:
    """Write down whom the daemons ask, and end."""
    try:
        path.write_text(asyncio.run(view()), encoding="utf-8")
    except BaseException:  # noqa: BLE001 (as in `live`)
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


async def view() -> str:
    """Whom the daemons on the bus ask, as they say themselves."""
    lines = []
    if await bus.is_running(networkmanager.MANAGER):
        async with bus.connection("test") as link:
            found = networkmanager.parse(await bus.get(link, networkmanager.MANAGER, networkmanager.GLOBAL))
        lines.append(f"NetworkManager: {found}")
    if await resolved.is_running():
        async with bus.connection("test") as link:
            links = [(name, sorted(await bus.get(link, resolved.MANAGER, name))) for name in ("DNS", "Domains")]
        lines.append(f"resolved: {links}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
