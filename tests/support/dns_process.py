"""The host's DNS in a process of its own, inside a private namespace: commands on stdin, answers on stdout, JSON lines.

DNS_DIE_AT=n ends it by SIGKILL at the n-th moment; a moment is before and after each change of the disk, each call over
the bus and each start of a program.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from slopn_helper.host import program
from slopn_helper.host.dns import bus, watch
from slopn_helper.host.dns.manager import DnsManager
from slopn_helper.host.journal import Journal
from slopn_helper.host.restore import restore
from slopn_wire.profile import DnsConfig

log = logging.getLogger(__name__)


class Death:
    """Ends this process by SIGKILL at the n-th moment."""

    def __init__(self, at: int) -> None:
        self.left = at

    def moment(self) -> None:
        """Die, if it is time."""
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with a moment before and one after it."""

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.moment()
            result = function(*args, **kwargs)
            self.moment()
            return result

        return wrapped

    def around_async(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """As `around`, for a coroutine function."""

        async def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.moment()
            result = await function(*args, **kwargs)
            self.moment()
            return result

        return wrapped

    def install(self) -> None:
        """Put moments around what changes the host."""
        for owner, name in ((os, "fsync"), (Path, "replace"), (Path, "unlink")):
            setattr(owner, name, self.around(getattr(owner, name)))
        for module, name in ((bus, "call"), (program, "_start")):
            setattr(module, name, self.around_async(getattr(module, name)))


async def obey(dns: DnsManager, word: str, about: dict[str, Any]) -> Any:
    """Carry one command out and return its result."""
    config = DnsConfig(
        tuple(map(ip_address, about.get("servers", ()))), tuple(about.get("search", ())), tuple(about.get("match", ()))
    )
    match word:
        case "apply":
            dns.override = about.get("override")
            await dns.apply("slopn0", config)
            return [dns.name, dns.supports_split]
        case "reset":
            return await dns.reset()
        case "drift":
            return await dns.drift()
        case "trace":
            return (await dns.choice()).trace
        case "upstream":
            return list(map(str, await dns.upstream("slopn0")))
        case "check":
            return await dns.check("slopn0", config, blocked=about.get("blocked", True))
    raise ValueError(word)


async def main(journal_path: Path) -> None:
    """Serve commands until stdin ends. `changes` are told as they come, as `{"change": word}`."""
    dns = DnsManager(Journal(journal_path))
    watch.SETTLE = 0.2

    async def tell() -> None:
        async for word in dns.changes():
            say({"change": word})

    async with asyncio.TaskGroup() as group:
        beside = [group.create_task(dns.guard()), group.create_task(tell())]
        while line := await asyncio.to_thread(sys.stdin.readline):
            about = json.loads(line)
            try:
                say({"result": await obey(dns, about.pop("do"), about)})
            except Exception as error:
                log.exception("failed")
                say({"error": str(error)})
        for task in beside:
            task.cancel()


def say(answer: Any) -> None:
    """One line on stdout."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


async def put_back(journal_path: Path) -> list[str]:
    """What `slopn-helper restore` does about DNS."""
    journal = Journal(journal_path)
    failed = []
    try:
        await DnsManager(journal).reset()
    except Exception as error:  # noqa: BLE001 (all that matters is what it says)
        failed.append(str(error))
    return failed + await restore(journal)


if __name__ == "__main__":
    logging.basicConfig(level="INFO", format="%(levelname)s %(message)s")
    if sys.argv[2:] == ["restore"]:
        say(asyncio.run(put_back(Path(sys.argv[1]))))
    else:
        if at := int(os.environ.get("DNS_DIE_AT", "0")):
            Death(at).install()
        asyncio.run(main(Path(sys.argv[1])))
