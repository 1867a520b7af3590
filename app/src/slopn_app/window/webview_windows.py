"""WebView2, under pywebview's window of Windows Forms."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

_SETTINGS = {
    "AreDefaultContextMenusEnabled": False,
    "AreDefaultScriptDialogsEnabled": False,
    "AreDevToolsEnabled": False,
    "AreHostObjectsAllowed": False,
    "IsBuiltInErrorPageEnabled": False,
    "IsGeneralAutofillEnabled": False,
    "IsPasswordAutosaveEnabled": False,
    "IsStatusBarEnabled": False,
}


class Edge:
    """A `Native`."""

    gui = "edgechromium"
    renderer = "edgechromium"

    def missing(self) -> str | None:
        """As the interface: pywebview would take Internet Explorer's view for it."""
        try:
            found = import_module("webview.platforms.winforms").renderer
        except Exception as error:  # noqa: BLE001 - .NET has its own exceptions, which are known once it is there
            return f"SloPN's window needs .NET Framework 4.6.2 or newer: {error}"
        if found != self.renderer:
            return "SloPN's window needs Microsoft's WebView2 Runtime, which isn't installed."
        return None

    def fence(self, window: Any, may: Callable[[str], bool], leave: Callable[[], None]) -> None:
        """As the interface."""
        form = window.native
        browser = form.webview
        core, forms = import_module("Microsoft.Web.WebView2.Core"), import_module("System.Windows.Forms")

        def starts(_: Any, asked: Any) -> None:
            if not may(str(asked.Uri)):
                asked.Cancel = True

        def frame_starts(_: Any, asked: Any) -> None:
            asked.Cancel = True

        def permission(_: Any, asked: Any) -> None:
            asked.State = core.CoreWebView2PermissionState.Deny

        def ready(_: Any, outcome: Any) -> None:
            if not outcome.IsSuccess:
                return
            inner = browser.CoreWebView2
            for name, value in _SETTINGS.items():
                setattr(inner.Settings, name, value)
            inner.FrameNavigationStarting += frame_starts
            inner.PermissionRequested += permission

        def closing(_: Any, asked: Any) -> None:
            if asked.CloseReason == forms.CloseReason.WindowsShutDown:
                leave()
                asked.Cancel = False

        browser.NavigationStarting += starts
        browser.CoreWebView2InitializationCompleted += ready
        form.FormClosing += closing

    def copy(self, window: Any, text: str) -> None:
        """As the interface: the clipboard is for threads like the form's (STA)."""
        system, forms = import_module("System"), import_module("System.Windows.Forms")
        window.native.Invoke(system.Action(lambda: forms.Clipboard.SetText(text) if text else forms.Clipboard.Clear()))
