"""A keyring that is a dictionary, and fails as a test wants."""

from __future__ import annotations

from slopn_app import bootstrap
from slopn_app.credentials.vault import Unavailable
from slopn_app.host.interfaces import Vault
from slopn_app.host.parts import Host


class FakeVault:
    """Every call raises `failure` if there is one."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.secrets: dict[str, str] = {}
        self.failure = failure

    def get(self, name: str) -> str | None:
        """See `Vault.get`."""
        self._fail()
        return self.secrets.get(name)

    def put(self, name: str, label: str, secret: str) -> None:
        """See `Vault.put`."""
        del label
        self._fail()
        self.secrets[name] = secret

    def delete(self, name: str) -> None:
        """See `Vault.delete`."""
        self._fail()
        self.secrets.pop(name, None)

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure


def host_with(vault: Vault | None, *, graphical: bool = False) -> Host:
    """This system's parts, but for the keyring; None: there is none."""

    def keyring() -> Vault:
        if vault is None:
            raise Unavailable("there is no keyring here")
        return vault

    real = bootstrap.host()
    return Host(real.transport, real.files, keyring, real.load_key, graphical=graphical)
