"""wg-quick(8) made to use a userspace engine, also where the kernel knows WireGuard."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.engines import Engine
from support.netns import Namespace

_SHIM = """#!/bin/sh
case "$*" in *"type wireguard"*) echo "Error: Unknown device type." >&2; exit 2 ;; esac
exec {ip} "$@"
"""


class WgQuick:
    """wg-quick itself, unchanged, copied to `folder` beside an `ip` that knows no kernel WireGuard: it looks there first.

    Works in private namespaces, whose /etc/wireguard and /sys are their own.
    """

    def __init__(self, folder: Path) -> None:
        found, ip = shutil.which("wg-quick"), shutil.which("ip")
        if not found or not ip:
            raise FileNotFoundError("wg-quick or ip is missing: run `make setup`")
        self.program = Path(shutil.copy(found, folder / "wg-quick"))
        self._log = folder / "wg-quick.log"
        (folder / "ip").write_text(_SHIM.format(ip=ip), encoding="ascii")
        (folder / "ip").chmod(0o755)

    def configure(self, namespace: Namespace, interface: str, text: str) -> None:
        """Put `text` where wg-quick looks for `interface`, and hide the kernel's module from it."""
        namespace.run("[ ! -e /sys/module/wireguard ] || mount -t tmpfs tmpfs /sys/module")
        file = namespace.root() / "etc/wireguard" / f"{interface}.conf"
        file.parent.mkdir(exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(text, encoding="ascii")

    def run(self, namespace: Namespace, engine: Engine, verb: str, interface: str, *, then: str = "") -> None:
        """`wg-quick VERB INTERFACE`, and then a line of shell. Raises `RuntimeError` with what was printed."""
        env = engine.env | {"WG_QUICK_USERSPACE_IMPLEMENTATION": str(engine.program)}
        env.pop("WG_PROCESS_FOREGROUND", None)
        # Into a file: wireguard-go's daemon keeps the descriptors that wg-quick gives it, and a pipe would never end.
        done = namespace.run(f"exec >{self._log} 2>&1\n{self.program} {verb} {interface}\n{then}", env=env, check=False)
        if done.returncode:
            raise RuntimeError(
                f"wg-quick {verb} {interface}: {self._log.read_text(encoding='utf-8', errors='replace')}"
            )
