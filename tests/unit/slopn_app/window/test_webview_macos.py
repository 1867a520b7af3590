"""WKWebView's fence, on a view that isn't there."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any, Self

import pytest

from slopn_app.window.webview_macos import Cocoa


class Delegate:
    """pywebview's: it allows everything."""

    @classmethod
    def alloc(cls) -> Self:
        """As NSObject's."""
        return cls()

    def init(self) -> Self:
        """As NSObject's."""
        return self

    def didFinish(self) -> str:  # noqa: N802 - as AppKit's
        """Something that it goes on doing."""
        return "pywebview's"


class View:
    """With pywebview's delegate."""

    def __init__(self) -> None:
        self.navigation: Any = Delegate()
        self.ui: Any = self.navigation

    def navigationDelegate(self) -> Any:  # noqa: N802 - WKWebView's name
        """As WKWebView's."""
        return self.navigation

    def setNavigationDelegate_(self, delegate: Any) -> None:  # noqa: N802 - likewise
        """As WKWebView's."""
        self.navigation = delegate

    def setUIDelegate_(self, delegate: Any) -> None:  # noqa: N802 - likewise
        """As WKWebView's."""
        self.ui = delegate


class Board:
    """A pasteboard."""

    text = "old"

    def clearContents(self) -> None:  # noqa: N802 - NSPasteboard's name
        """As NSPasteboard's."""
        self.text = ""

    def setString_forType_(self, text: str, _kind: str) -> None:  # noqa: N802 - likewise
        """As NSPasteboard's."""
        self.text = text


class Mac:
    """What the modules of a Mac do."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.view, self.board = View(), Board()
        self.observers: list[Any] = []
        center = SimpleNamespace(
            addObserverForName_object_queue_usingBlock_=lambda *four: self.observers.append(four[3])
        )
        workspace = SimpleNamespace(notificationCenter=lambda: center)
        browser = SimpleNamespace(instances={"master": SimpleNamespace(webview=self.view)})
        made: dict[str, dict[str, Any]] = {
            "AppKit": {
                "NSWorkspace": SimpleNamespace(sharedWorkspace=lambda: workspace),
                "NSWorkspaceWillPowerOffNotification": "off",
                "NSPasteboard": SimpleNamespace(generalPasteboard=lambda: self.board),
                "NSPasteboardTypeString": "string",
            },
            "PyObjCTools.AppHelper": {"callAfter": lambda do: do()},
            "webview.platforms.cocoa": {"BrowserView": browser},
        }
        for name, things in made.items():
            module = ModuleType(name)
            vars(module).update(things)
            monkeypatch.setitem(sys.modules, name, module)


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> Mac:
    """One that isn't there."""
    return Mac(monkeypatch)


def _action(url: str, frame: bool | None) -> Any:
    target = None if frame is None else SimpleNamespace(isMainFrame=lambda: frame)
    address = SimpleNamespace(absoluteString=lambda: url)
    return SimpleNamespace(targetFrame=lambda: target, request=lambda: SimpleNamespace(URL=lambda: address))


@pytest.mark.parametrize(
    ("url", "main", "allowed"),
    [("page", True, 1), ("http://evil.example/", True, 0), ("page", False, 0), ("page", None, 0)],
)
def test_the_fence(mac: Mac, url: str, main: bool | None, allowed: int) -> None:
    """The page in the window itself; nothing in frames or new windows. The rest of pywebview's delegate stays."""
    left: list[int] = []
    Cocoa().fence(SimpleNamespace(uid="master"), lambda uri: uri == "page", lambda: left.append(1))
    found: list[Any] = []
    delegate = mac.view.navigation
    assert delegate is mac.view.ui
    delegate.webView_decidePolicyForNavigationAction_decisionHandler_(None, _action(url, main), found.append)
    delegate.webView_runOpenPanelWithParameters_initiatedByFrame_completionHandler_(None, None, None, found.append)
    assert found == [allowed, None]
    assert delegate.didFinish() == "pywebview's"
    mac.observers[0](None)
    assert left == [1]


def test_the_clipboard(mac: Mac) -> None:
    """What was there is gone."""
    assert Cocoa().missing() is None
    Cocoa().copy(None, "text")
    assert mac.board.text == "text"
