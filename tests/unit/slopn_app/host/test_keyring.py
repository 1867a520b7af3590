from __future__ import annotations

import sys
import threading
from types import ModuleType
from typing import Any

import pytest
from keyring.errors import InitError, KeyringLocked

from slopn_app.credentials.vault import Locked, Unavailable
from slopn_app.host.keyring import PinnedKeyring

MODULE = "a_keyring_for_tests"


class Backend:
    """A keyring as the library's backends are, that fails as a test wants."""

    viable = True
    failure: Exception | None = None
    hang: threading.Event | None = None
    secrets: dict[tuple[str, str], str]

    def get_password(self, service: str, name: str) -> str | None:
        """See the library."""
        self._fail()
        return self.secrets.get((service, name))

    def set_password(self, service: str, name: str, secret: str) -> None:
        """See the library."""
        self._fail()
        self.secrets[service, name] = secret

    def delete_password(self, service: str, name: str) -> None:
        """See the library."""
        del self.secrets[service, name]

    def _fail(self) -> None:
        if self.hang is not None:
            self.hang.wait(20)
        if self.failure is not None:
            raise self.failure


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> type[Backend]:
    """The one that is pinned. Another one, in plain text, is set in the environment."""
    made = type("Backend", (Backend,), {"secrets": {}})
    module: Any = ModuleType(MODULE)
    module.Backend = made
    monkeypatch.setitem(sys.modules, MODULE, module)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyrings.alt.file.PlaintextKeyring")
    return made


def test_the_pinned_backend_is_used(backend: type[Backend]) -> None:
    """Whatever the environment says: secrets come and go there."""
    vault = PinnedKeyring(MODULE, "Backend")
    assert vault.get("x") is None
    vault.put("x", "a label", "secret")
    assert backend.secrets == {("slopn", "x"): "secret"}
    assert vault.get("x") == "secret"
    vault.delete("x")
    vault.delete("x")
    assert backend.secrets == {}


@pytest.mark.usefixtures("backend")
def test_what_is_not_installed_is_unavailable() -> None:
    """No other backend steps in."""
    with pytest.raises(Unavailable):
        PinnedKeyring("no_such_module", "Backend").get("x")


def test_what_is_not_viable_is_unavailable(backend: type[Backend]) -> None:
    """The library says so of a backend that can't work here."""
    backend.viable = False
    with pytest.raises(Unavailable, match="no keyring here"):
        PinnedKeyring(MODULE, "Backend").get("x")


@pytest.mark.parametrize(
    ("failure", "told"),
    [(KeyringLocked(), Locked), (InitError("broken"), Unavailable), (OSError("broken"), Unavailable)],
)
def test_failures_are_told_apart(backend: type[Backend], failure: Exception, told: type[Exception]) -> None:
    """A user can unlock, but not repair."""
    backend.failure = failure
    with pytest.raises(told):
        PinnedKeyring(MODULE, "Backend").get("x")


def test_one_that_hangs_is_given_up(backend: type[Backend]) -> None:
    """It may be waiting for a prompt that nobody sees."""
    backend.hang = threading.Event()
    with pytest.raises(Unavailable, match="doesn't answer"):
        PinnedKeyring(MODULE, "Backend", within=0.05).get("x")
    backend.hang.set()
