"""Where a helper can die: after each of its effects, and around every step that changes the disk, the kernel or a daemon.

A step has a moment before it and one after it, a write one in its middle as well. `install` makes this process end by
SIGKILL at one moment; each that it comes to is written down, a line each, so that one life tells how many there are.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from slopn_helper.engine.rust import RustEngine
from slopn_helper.host import program, rtnl
from slopn_helper.host.dns import bus
from slopn_helper.host.firewall.libnft import Nft
from slopn_helper.tunnel.driver import TunnelDriver
from slopn_helper.tunnel.effects import ApplyFirewall

EFFECT, STEP, POWER = "effect", "step", "power"
_write = os.write
_RECORDER = ".jsonl"
"""The flight recorder writes at every step of the core, and none of that has to be undone."""


class Deaths:
    """The moments of this process. `at` is the kind and number (from 1) of the last one; None: it lives."""

    def __init__(self, at: tuple[str, int] | None, notes: Path) -> None:
        self._at = at
        self._counts = {EFFECT: 0, STEP: 0}
        self._notes = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def moment(self, kind: str, label: str) -> None:
        """Note it, and die if it is the one."""
        if self.comes(kind, label):
            self.die()

    def comes(self, kind: str, label: str) -> bool:
        """Note it; whether it is the one."""
        self._counts[kind] += 1
        self.note(f"{kind} {label}")
        return self._at == (kind, self._counts[kind])

    def note(self, line: str) -> None:
        """Write it down, whatever happens to this process."""
        _write(self._notes, f"{line}\n".encode())

    def die(self) -> None:
        """SIGKILL."""
        os.kill(os.getpid(), signal.SIGKILL)

    def install(self) -> None:
        """Put moments around everything that changes something."""
        for owner, name in (
            (os, "fsync"), (os, "ftruncate"), (os, "chown"), (os, "fchmod"),
            (Path, "replace"), (Path, "unlink"), (Path, "symlink_to"), (Path, "write_text"), (Path, "chmod"),
        ):  # fmt: skip
            setattr(owner, name, self._around(getattr(owner, name), name))
        os.write = self._torn_write  # type: ignore[assignment]
        for nft in ("run", "claim"):
            setattr(Nft, nft, self._around(getattr(Nft, nft), f"nft {nft}", about=False))
        bus.call = self._around_async(bus.call, "bus", lambda *args: str(args[2]))
        program._start = self._around_async(program._start, "program", lambda argv, *_: str(argv[1]))
        for engine in ("_start", "_configure", "_stop"):
            setattr(RustEngine, engine, self._around_async(getattr(RustEngine, engine), f"engine {engine[1:]}"))
        self._install_netlink()
        self._install_effects()

    def _around(self, function: Callable[..., Any], word: str, *, about: bool = True) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            label = f"{word} {_named(args[0])}" if about else word
            self.moment(STEP, f"before {label}")
            result = function(*args, **kwargs)
            self.moment(STEP, f"after {label}")
            return result

        return wrapped

    def _around_async(
        self, function: Callable[..., Any], word: str, about: Callable[..., str] = lambda *_: ""
    ) -> Callable[..., Any]:
        async def wrapped(*args: Any, **kwargs: Any) -> Any:
            label = f"{word} {about(*args)}".rstrip()
            self.moment(STEP, f"before {label}")
            result = await function(*args, **kwargs)
            self.moment(STEP, f"after {label}")
            return result

        return wrapped

    def _torn_write(self, descriptor: int, data: bytes) -> int:
        label = f"write {_named(descriptor)}"
        if label.endswith(_RECORDER):
            return _write(descriptor, data)
        self.moment(STEP, f"before {label}")
        if self.comes(STEP, f"within {label}"):
            _write(descriptor, bytes(data)[: len(data) // 2])
            self.die()
        written = _write(descriptor, data)
        self.moment(STEP, f"after {label}")
        return written

    def _install_netlink(self) -> None:
        deaths, real = self, rtnl.rtnetlink

        class Kernel:
            """The netlink socket, with moments around each change."""

            def __init__(self, ipr: Any) -> None:
                self._ipr = ipr

            def __getattr__(self, name: str) -> Any:
                call = getattr(self._ipr, name)
                if name not in {"link", "addr", "route", "rule"}:
                    return call

                async def changed(verb: str, **kwargs: Any) -> Any:
                    if verb == "dump":
                        return await call(verb, **kwargs)
                    deaths.moment(STEP, f"before netlink {name} {verb}")
                    result = await call(verb, **kwargs)
                    deaths.moment(STEP, f"after netlink {name} {verb}")
                    return result

                return changed

        @contextlib.asynccontextmanager
        async def rtnetlink() -> AsyncIterator[Any]:
            async with real() as ipr:
                yield Kernel(ipr)

        rtnl.rtnetlink = rtnetlink

    def _install_effects(self) -> None:
        real = TunnelDriver._do

        async def do(driver: TunnelDriver, effect: Any, *args: Any) -> Any:
            follow = await real(driver, effect, *args)
            policy = f" {type(effect.policy).__name__}" if isinstance(effect, ApplyFirewall) else ""
            self.moment(EFFECT, f"{type(effect).__name__}{policy}")
            return follow

        TunnelDriver._do = do  # type: ignore[method-assign, assignment]


def _named(thing: Any) -> str:
    """A file's name without what is random in it."""
    if isinstance(thing, int):
        thing = os.readlink(f"/proc/self/fd/{thing}")  # noqa: PTH115 (Path's own are the ones with moments)
    name = Path(os.fspath(thing)).name
    for word in (".tmp-", "pipe:", ".helper.sock."):
        if name.startswith(word):
            return word
    return re.sub(r"[0-9a-f]{16}", "…", name)
