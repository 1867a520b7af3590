"""The keychain of macOS and the credential locker of Windows, by the library `keyring` with its backend pinned.

Left to itself that library takes any backend that is installed or set in the environment, `keyrings.alt`'s plain text
and chains of several among them.
"""

from __future__ import annotations

from importlib import import_module

from slopn_app.credentials.vault import WITHIN, Locked, Unavailable, bounded
from slopn_app.locale import t

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    T = TypeVar("T")

_SERVICE = "slopn"


class PinnedKeyring:
    """The backend `name` of `module` and no other. `within`: seconds for each call."""

    def __init__(self, module: str, name: str, within: float = WITHIN) -> None:
        self._module = module
        self._name = name
        self._within = within

    def get(self, name: str) -> str | None:
        """The secret `name`; None if there is none."""
        found = self._asked(lambda backend: backend.get_password(_SERVICE, name))
        return None if found is None else str(found)

    def put(self, name: str, label: str, secret: str) -> None:
        """Store it. These keyrings show `name` to people."""
        del label
        self._asked(lambda backend: backend.set_password(_SERVICE, name, secret))

    def delete(self, name: str) -> None:
        """Forget it."""
        if self.get(name) is not None:
            self._asked(lambda backend: backend.delete_password(_SERVICE, name))

    def _asked(self, ask: Callable[[Any], T]) -> T:
        def backend() -> T:
            from keyring.errors import KeyringError, KeyringLocked

            try:
                kind = getattr(import_module(self._module), self._name)
                if not kind.viable:
                    raise Unavailable(t("there is no keyring here"))
                return ask(kind())
            except KeyringLocked:
                raise Locked from None
            except (KeyringError, ImportError, OSError, RuntimeError) as error:
                raise Unavailable(t("the keyring refuses ({error})", error=error)) from None

        return bounded(backend, self._within)
