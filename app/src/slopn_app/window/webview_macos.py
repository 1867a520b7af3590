"""WKWebView, under pywebview's window of AppKit."""

from __future__ import annotations

import types
from collections.abc import Callable
from importlib import import_module
from typing import Any

_ALLOW, _CANCEL = 1, 0
"""WKNavigationActionPolicy."""
_DENY = 2
"""WKPermissionDecision."""


class Cocoa:
    """A `Native`."""

    gui = "cocoa"
    renderer = "wkwebview"

    def __init__(self) -> None:
        self._kept: list[Any] = []

    def missing(self) -> str | None:
        """As the interface: every macOS has it."""
        return None

    def fence(self, window: Any, may: Callable[[str], bool], leave: Callable[[], None]) -> None:
        """As the interface, by a delegate in the place of pywebview's, which allows every address."""
        view = import_module("webview.platforms.cocoa").BrowserView.instances[window.uid]
        appkit = import_module("AppKit")
        delegate = _delegate(type(view.webview.navigationDelegate()), may).alloc().init()
        view.webview.setNavigationDelegate_(delegate)
        view.webview.setUIDelegate_(delegate)
        # A delegate isn't retained by whom it serves.
        self._kept.append(delegate)
        center = appkit.NSWorkspace.sharedWorkspace().notificationCenter()
        name = appkit.NSWorkspaceWillPowerOffNotification
        self._kept.append(center.addObserverForName_object_queue_usingBlock_(name, None, None, lambda _: leave()))

    def copy(self, _window: Any, text: str) -> None:
        """As the interface."""
        appkit = import_module("AppKit")

        def copy() -> None:
            board = appkit.NSPasteboard.generalPasteboard()
            board.clearContents()
            board.setString_forType_(text, appkit.NSPasteboardTypeString)

        import_module("PyObjCTools.AppHelper").callAfter(copy)


def _delegate(base: Any, may: Callable[[str], bool]) -> Any:
    def webView_decidePolicyForNavigationAction_decisionHandler_(  # noqa: N802 - WKNavigationDelegate's name
        _self: Any, _view: Any, action: Any, handler: Callable[[int], None]
    ) -> None:
        frame = action.targetFrame()
        inside = frame is not None and bool(frame.isMainFrame())
        handler(_ALLOW if inside and may(str(action.request().URL().absoluteString())) else _CANCEL)

    def webView_createWebViewWithConfiguration_forNavigationAction_windowFeatures_(  # noqa: N802 - WKUIDelegate's
        _self: Any, _view: Any, _configuration: Any, _action: Any, _features: Any
    ) -> None:
        return None

    def webView_runOpenPanelWithParameters_initiatedByFrame_completionHandler_(  # noqa: N802 - WKUIDelegate's
        _self: Any, _view: Any, _parameters: Any, _frame: Any, handler: Callable[[Any], None]
    ) -> None:
        handler(None)

    def webView_requestMediaCapturePermissionForOrigin_initiatedByFrame_type_decisionHandler_(  # noqa: N802 - likewise
        _self: Any, _view: Any, _origin: Any, _frame: Any, _type: Any, handler: Callable[[int], None]
    ) -> None:
        handler(_DENY)

    methods = (
        webView_decidePolicyForNavigationAction_decisionHandler_,
        webView_createWebViewWithConfiguration_forNavigationAction_windowFeatures_,
        webView_runOpenPanelWithParameters_initiatedByFrame_completionHandler_,
        webView_requestMediaCapturePermissionForOrigin_initiatedByFrame_type_decisionHandler_,
    )
    body = {method.__name__: method for method in methods}
    return types.new_class("SlopnDelegate", (base,), exec_body=lambda space: space.update(body))
