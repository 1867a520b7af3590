from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import pytest


@pytest.fixture
def values(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The Run key's, by a registry that is a dictionary."""
    found: dict[str, str] = {}

    @contextlib.contextmanager
    def key(*_: object) -> Iterator[None]:
        yield

    def query(_: object, name: str) -> str:
        if name not in found:
            raise FileNotFoundError(name)
        return found[name]

    def delete(_: object, name: str) -> None:
        if found.pop(name, None) is None:
            raise FileNotFoundError(name)

    def store(_key: object, name: str, _zero: int, _kind: int, value: str) -> None:
        found[name] = value

    registry = SimpleNamespace(
        HKEY_CURRENT_USER=1,
        KEY_SET_VALUE=2,
        REG_SZ=1,
        OpenKey=key,
        CreateKeyEx=key,
        QueryValueEx=query,
        SetValueEx=store,
        DeleteValue=delete,
    )
    monkeypatch.setitem(sys.modules, "winreg", registry)
    monkeypatch.delitem(sys.modules, "slopn_app.host.autostart_windows", raising=False)
    return found


def test_on_and_off(values: dict[str, str]) -> None:
    """The command is quoted; twice does no harm."""
    module = importlib.import_module("slopn_app.host.autostart_windows")
    autostart = module.RunKey("C:\\Program Files\\SloPN\\slopn-tray.exe")
    assert not autostart.enabled()
    for _ in range(2):
        autostart.enable(on=True)
        assert autostart.enabled()
    assert values == {"SloPN": '"C:\\Program Files\\SloPN\\slopn-tray.exe" --login'}
    for _ in range(2):
        autostart.enable(on=False)
        assert not autostart.enabled()
