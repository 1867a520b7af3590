"""The real helper, and a variant of it whose firewall is another kernel's, or is broken on purpose."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from support import helper_process
from support.helper_process import HelperProcess
from support.netns import Namespace

_VARIANT = Path(__file__).with_name("variant_helper.py")
_KILLING = Path(helper_process.__file__).with_name("killing_helper.py")


class LabHelper(HelperProcess):
    """`slopn-helper` as it is; `plain`: with tables that have no owner; `sabotage`: with a firewall that does nothing."""

    def __init__(self, namespace: Namespace, env: Mapping[str, str], *, plain: bool, sabotage: bool) -> None:
        variant = "sabotage" if sabotage else "plain" if plain else None
        super().__init__(namespace, env={**env, **({"VARIANT": variant} if variant else {})})
        self._variant = variant
        self._killing = False

    def command(self, *arguments: str) -> list[str]:
        """As the parent's, with the variant in place of the daemon."""
        argv = super().command(*arguments)
        if arguments[0] == "client" and self._killing:
            return [sys.executable, str(_KILLING), *argv[1:]]
        if arguments[0] == "client" and self._variant is not None:
            return [sys.executable, str(_VARIANT), *argv[1:]]
        return argv

    def spawn_to_be_killed(self, after: int) -> None:
        """Start the one that kills itself after its effect number `after`."""
        for gate in ("closed.go", "opens.go"):
            (self.dir / gate).touch()
        (self.dir / "closed").unlink(missing_ok=True)
        self._env |= {"KILL_AFTER": str(after), "KILL_DIR": str(self.dir)}
        self._killing = True
        try:
            self.spawn()
        finally:
            self._killing = False

    def last_effect(self) -> str:
        """The one after which it was killed."""
        return (self.dir / "effects").read_text(encoding="ascii").split()[-1]
