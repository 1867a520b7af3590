from __future__ import annotations

import ctypes
import importlib
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from slopn_helper.host.firewall import FirewallError
from slopn_helper.host.firewall.wfp.filters import Action, Filter, Layer, seen
from slopn_helper.host.firewall.wfp.structs import FWPM_FILTER0, Memory

MODULE = "slopn_helper.host.firewall.wfp.windows"
FILTERS = tuple(Filter(layer, 0, Action.BLOCK, "rest") for layer in (Layer.CONNECT_4, Layer.CONNECT_6))
ALREADY_EXISTS, NOT_FOUND, REFUSED = 0x80320009, 0x80320003, 5


class Dll:
    """A library whose calls are noted, answered by `answers` (0: it worked), and checked against their declared types."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.answers: dict[str, Callable[..., int]] = {}
        self._functions: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return self._functions.setdefault(name, self._function(name))

    def _function(self, name: str) -> Any:
        def call(*arguments: Any) -> int:
            assert len(arguments) == len(vars(call)["argtypes"]), name
            for argument, kind in zip(arguments, vars(call)["argtypes"], strict=True):
                kind.from_param(argument)
            self.calls.append(name)
            answer = self.answers.get(name)
            return 0 if answer is None else answer(*arguments)

        return call


@pytest.fixture
def dll(monkeypatch: pytest.MonkeyPatch) -> Iterator[Dll]:
    """All of Windows' libraries in one."""
    made = Dll()
    monkeypatch.setattr(ctypes, "WinDLL", lambda *_, **__: made, raising=False)
    monkeypatch.setattr(ctypes, "FormatError", lambda code: f"error {code:#x}", raising=False)
    monkeypatch.setattr(ctypes, "get_last_error", lambda: REFUSED, raising=False)
    yield made
    sys.modules.pop(MODULE, None)


@pytest.fixture
def windows(dll: Dll) -> ModuleType:
    """The module over it."""
    assert dll.calls == []
    sys.modules.pop(MODULE, None)
    return importlib.import_module(MODULE)


def listing(*filters: Filter) -> Callable[..., int]:
    """FwpmFilterEnum0 of the layers in turn: the first has these."""
    memory = Memory(str.encode)
    rows = [memory.filter(f) for f in filters]
    table = (ctypes.POINTER(FWPM_FILTER0) * len(rows))(*map(ctypes.pointer, rows))
    left = [len(rows)]

    def enumerate_(_engine: Any, _handle: Any, _most: int, entries: Any, number: Any) -> int:
        assert memory is not None, "what is told is held"
        if left[0]:
            entries._obj.contents = ctypes.cast(table, ctypes.POINTER(type(table[0]))).contents
        number._obj.value, left[0] = left[0], 0
        return 0

    return enumerate_


def test_one_transaction_replaces_everything(windows: ModuleType, dll: Dll) -> None:
    """Old filters go and new ones come within it, and the session is closed after it."""
    dll.answers["FwpmFilterEnum0"] = listing(FILTERS[0])
    windows.Windows().replace(FILTERS)
    told = [call for call in dll.calls if "Enum" not in call and call != "FwpmFreeMemory0"]
    assert told == [
        *("FwpmEngineOpen0", "FwpmTransactionBegin0", "FwpmFilterDeleteByKey0", "FwpmProviderAdd0", "FwpmSubLayerAdd0"),
        *("FwpmFilterAdd0", "FwpmFilterAdd0", "FwpmTransactionCommit0", "FwpmEngineClose0"),
    ]
    assert (
        dll.calls.count("FwpmFilterCreateEnumHandle0") == dll.calls.count("FwpmFilterDestroyEnumHandle0") == len(Layer)
    )


def test_without_filters_nothing_of_ours_is_left(windows: ModuleType, dll: Dll) -> None:
    """Sublayer and provider go too, and it is no error where they were never there."""
    dll.answers["FwpmSubLayerDeleteByKey0"] = dll.answers["FwpmProviderDeleteByKey0"] = lambda *_: NOT_FOUND
    windows.Windows().replace(())
    assert [c for c in dll.calls if "Enum" not in c] == [
        *("FwpmEngineOpen0", "FwpmTransactionBegin0", "FwpmSubLayerDeleteByKey0", "FwpmProviderDeleteByKey0"),
        *("FwpmTransactionCommit0", "FwpmEngineClose0"),
    ]


@pytest.mark.parametrize(
    "call", ["FwpmFilterAdd0", "FwpmSubLayerAdd0", "FwpmFilterCreateEnumHandle0", "FwpmFilterEnum0"]
)
def test_what_is_refused_changes_nothing(windows: ModuleType, dll: Dll, call: str) -> None:
    """The transaction is aborted, the session closed, and the error says what was refused."""
    dll.answers[call] = lambda *_: REFUSED
    with pytest.raises(FirewallError, match="error 0x5"):
        windows.Windows().replace(FILTERS)
    assert dll.calls[-2:] == ["FwpmTransactionAbort0", "FwpmEngineClose0"]
    assert "FwpmTransactionCommit0" not in dll.calls


def test_a_session_that_is_refused_is_no_session(windows: ModuleType, dll: Dll) -> None:
    """There is nothing to close."""
    dll.answers["FwpmEngineOpen0"] = lambda *_: REFUSED
    with pytest.raises(FirewallError, match="opening the filtering engine"):
        windows.Windows().present()
    assert dll.calls == ["FwpmEngineOpen0"]


def test_what_an_older_version_left_is_no_obstacle(windows: ModuleType, dll: Dll) -> None:
    """Provider and sublayer may be there; a filter that wasn't told of is replaced."""
    dll.answers["FwpmProviderAdd0"] = dll.answers["FwpmSubLayerAdd0"] = lambda *_: ALREADY_EXISTS
    answers = iter((ALREADY_EXISTS, 0, 0))
    dll.answers["FwpmFilterAdd0"] = lambda *_: next(answers)
    windows.Windows().replace(FILTERS)
    assert dll.calls.count("FwpmFilterDeleteByKey0") == 1
    assert dll.calls[-2:] == ["FwpmTransactionCommit0", "FwpmEngineClose0"]


def test_filters_are_read_back(windows: ModuleType, dll: Dll) -> None:
    """What one layer tells, and what it gave is given back."""
    dll.answers["FwpmFilterEnum0"] = listing(*FILTERS)
    assert windows.Windows().present() == {seen(f) for f in FILTERS}
    assert dll.calls.count("FwpmFreeMemory0") == 1


def test_an_access_list_that_cannot_be_read_is_an_error(windows: ModuleType, dll: Dll) -> None:
    """With Windows' number."""
    dll.answers["ConvertStringSecurityDescriptorToSecurityDescriptorW"] = lambda *_: 0
    with pytest.raises(FirewallError, match=f"error {REFUSED}"):
        windows.describe("nonsense")
