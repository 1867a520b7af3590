"""WebView2's fence, on a form that isn't there."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from slopn_app.window.webview_windows import Edge
from support.fake_webview import Event


class Form(SimpleNamespace):
    """As pywebview's."""

    def Invoke(self, do: Any) -> None:  # noqa: N802 - .NET's name
        """On the form's thread."""
        self.invoked = True
        do()


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is in the clipboard of a .NET that isn't there."""
    copied: list[str] = []
    clipboard = SimpleNamespace(SetText=copied.append, Clear=copied.clear)
    made: dict[str, dict[str, Any]] = {
        "System": {"Action": lambda do: do},
        "System.Windows.Forms": {"CloseReason": SimpleNamespace(WindowsShutDown=6), "Clipboard": clipboard},
        "Microsoft.Web.WebView2.Core": {"CoreWebView2PermissionState": SimpleNamespace(Deny="deny")},
    }
    for name, things in made.items():
        module = ModuleType(name)
        vars(module).update(things)
        monkeypatch.setitem(sys.modules, name, module)
    return copied


def _form() -> Form:
    inner = SimpleNamespace(Settings=SimpleNamespace(), FrameNavigationStarting=Event(), PermissionRequested=Event())
    browser = SimpleNamespace(
        NavigationStarting=Event(), CoreWebView2InitializationCompleted=Event(), CoreWebView2=inner
    )
    return Form(webview=browser, FormClosing=Event())


@pytest.mark.usefixtures("copied")
def test_the_fence() -> None:
    """Only the page; no frames, no permissions, no tools; a shutdown isn't held up, and whoever closes is asked."""
    form, left = _form(), []
    Edge().fence(SimpleNamespace(native=form), lambda uri: uri == "page", lambda: left.append(1))
    for uri, cancelled in (("page", False), ("http://evil.example/", True)):
        asked = SimpleNamespace(Uri=uri, Cancel=False)
        form.webview.NavigationStarting.fire(None, asked)
        assert asked.Cancel is cancelled
    form.webview.CoreWebView2InitializationCompleted.fire(None, SimpleNamespace(IsSuccess=True))
    inner = form.webview.CoreWebView2
    assert inner.Settings.AreDevToolsEnabled is inner.Settings.AreHostObjectsAllowed is False
    frame, permission = SimpleNamespace(Cancel=False), SimpleNamespace(State=None)
    inner.FrameNavigationStarting.fire(None, frame)
    inner.PermissionRequested.fire(None, permission)
    assert (frame.Cancel, permission.State) == (True, "deny")
    for reason, held in ((3, True), (6, False)):
        closing = SimpleNamespace(CloseReason=reason, Cancel=True)
        form.FormClosing.fire(None, closing)
        assert closing.Cancel is held
    assert left == [1]


def test_the_clipboard(copied: list[str]) -> None:
    """On the form's thread; nothing empties it, since it takes no empty text."""
    form = _form()
    Edge().copy(SimpleNamespace(native=form), "text")
    assert (copied, form.invoked) == (["text"], True)
    Edge().copy(SimpleNamespace(native=form), "")
    assert copied == []


@pytest.mark.parametrize(("renderer", "lacks"), [("edgechromium", None), ("mshtml", "WebView2 Runtime")])
def test_what_is_missing(monkeypatch: pytest.MonkeyPatch, renderer: str, lacks: str | None) -> None:
    """Said before anything is shown."""
    module = ModuleType("webview.platforms.winforms")
    vars(module)["renderer"] = renderer
    monkeypatch.setitem(sys.modules, "webview.platforms.winforms", module)
    found = Edge().missing()
    assert found is None if lacks is None else lacks in (found or "")


def test_no_dotnet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Likewise."""
    monkeypatch.setitem(sys.modules, "webview.platforms.winforms", None)
    assert ".NET" in (Edge().missing() or "")
