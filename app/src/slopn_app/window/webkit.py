"""The view that shows the page: WebKitGTK, with everything off that the page doesn't need.

Its scheme, its scripts and its rules are all there before the first load; bubblewrap's sandbox is round its processes.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from slopn_app.window import policy, scripts
from slopn_app.window.libraries import Gio, GLib, Soup, WebKit2
from slopn_app.window.pages import Pages
from slopn_app.window.policy import Asked

_LOG = logging.getLogger(__name__)
_SETTINGS = {
    "allow-file-access-from-file-urls": False,
    "allow-modal-dialogs": False,
    "allow-top-navigation-to-data-urls": False,
    "allow-universal-access-from-file-urls": False,
    "enable-back-forward-navigation-gestures": False,
    "enable-developer-extras": False,
    "enable-dns-prefetching": False,
    "enable-encrypted-media": False,
    "enable-fullscreen": False,
    "enable-html5-database": False,
    "enable-html5-local-storage": False,
    "enable-media": False,
    "enable-media-capabilities": False,
    "enable-media-stream": False,
    "enable-mediasource": False,
    "enable-offline-web-application-cache": False,
    "enable-page-cache": False,
    "enable-site-specific-quirks": False,
    "enable-webaudio": False,
    "enable-webgl": False,
    "enable-webrtc": False,
    "enable-write-console-messages-to-stdout": False,
    "javascript-can-access-clipboard": False,
    "javascript-can-open-windows-automatically": False,
    "media-playback-requires-user-gesture": True,
    # Text and a line: a graphics driver would only be one more thing that can fail.
    "hardware-acceleration-policy": WebKit2.HardwareAccelerationPolicy.NEVER,
}
_MOST_CRASHES = 3
"""Of the page's process in a minute, after which it isn't begun again."""


class View:
    """The page. `called`: it says something. `gone`: it isn't there, or begins anew. For the desktop's thread."""

    def __init__(
        self, pages: Pages, languages: Sequence[str], called: Callable[[str], None], gone: Callable[[], None]
    ) -> None:
        self._pages = pages
        self._called = called
        self._gone = gone
        self._crashes: deque[float] = deque(maxlen=_MOST_CRASHES)
        self.refused: Callable[[Asked, str], None] = lambda asked, uri: _LOG.warning("Refused: %s %s", asked.name, uri)
        manager = WebKit2.UserContentManager()
        manager.register_script_message_handler_in_world(scripts.HANDLER, scripts.WORLD)
        manager.connect(f"script-message-received::{scripts.HANDLER}", self._on_message)
        top, start = WebKit2.UserContentInjectedFrames.TOP_FRAME, WebKit2.UserScriptInjectionTime.START
        inner = WebKit2.UserScript.new_for_world(scripts.INNER, top, start, scripts.WORLD, scripts.ALLOWED, None)
        manager.add_script(inner)
        manager.add_script(WebKit2.UserScript.new(scripts.OUTER, top, start, scripts.ALLOWED, None))
        self.widget = self.make_view(self._context(languages), manager)
        settings = self.widget.get_settings()
        for name, value in _SETTINGS.items():
            if settings.find_property(name) is not None:
                settings.set_property(name, value)
        for signal, handler in (
            ("decide-policy", self._on_decide),
            ("create", lambda *_: None),
            ("permission-request", lambda _, request: (request.deny(), True)[1]),
            ("run-file-chooser", lambda _, request: (request.cancel(), True)[1]),
            ("authenticate", lambda _, request: (request.cancel(), True)[1]),
            ("script-dialog", lambda *_: True),
            ("enter-fullscreen", lambda *_: True),
            ("print", lambda *_: True),
            ("context-menu", self._on_menu),
            ("load-changed", self._on_load),
            ("load-failed", self._on_failed),
            ("web-process-terminated", self._on_terminated),
        ):
            self.widget.connect(signal, handler)

    def make_context(self) -> Any:
        """WebKit's own start, for tests to watch."""
        return WebKit2.WebContext.new_ephemeral()

    def make_view(self, context: Any, manager: Any) -> Any:
        """Likewise."""
        return WebKit2.WebView(web_context=context, user_content_manager=manager)

    def load(self) -> None:
        """Show the page from its beginning."""
        self.widget.load_uri(policy.HOME)

    def deliver(self, text: str, done: Callable[[], None]) -> None:
        """Hand text to the page, if it is the page that is there."""
        if not policy.is_page(self.widget.get_uri()):
            done()
            return

        def finished(view: Any, task: Any) -> None:
            try:
                view.evaluate_javascript_finish(task)
            except GLib.Error as error:
                _LOG.info("The page took nothing: %s", error.message)
            done()

        self.widget.evaluate_javascript(scripts.hear(text), -1, scripts.WORLD, None, None, finished)

    def _context(self, languages: Sequence[str]) -> Any:
        context = self.make_context()
        context.set_sandbox_enabled(True)
        context.set_cache_model(WebKit2.CacheModel.DOCUMENT_VIEWER)
        context.set_spell_checking_enabled(False)
        context.set_preferred_languages(list(languages))
        context.connect("download-started", lambda _, download: download.cancel())
        data = context.get_website_data_manager()
        data.set_network_proxy_settings(WebKit2.NetworkProxyMode.NO_PROXY, None)
        data.set_tls_errors_policy(WebKit2.TLSErrorsPolicy.FAIL)
        security = context.get_security_manager()
        security.register_uri_scheme_as_secure(policy.SCHEME)
        security.register_uri_scheme_as_cors_enabled(policy.SCHEME)
        security.register_uri_scheme_as_display_isolated(policy.SCHEME)
        context.register_uri_scheme(policy.SCHEME, self._on_request)
        return context

    def _on_request(self, request: Any) -> None:
        part = self._pages.answer(request.get_uri()) if request.get_http_method() == "GET" else None
        data = b"" if part is None else part.data
        response = WebKit2.URISchemeResponse.new(Gio.MemoryInputStream.new_from_bytes(GLib.Bytes.new(data)), len(data))
        response.set_status(404 if part is None else 200, None)
        kind = "text/plain" if part is None else part.kind
        response.set_content_type(kind)
        headers = Soup.MessageHeaders.new(Soup.MessageHeadersType.RESPONSE)
        # Once more: without it among the headers, `nosniff` refuses the style sheet.
        for name, value in {**policy.HEADERS, "Content-Type": kind}.items():
            headers.append(name, value)
        response.set_http_headers(headers)
        request.finish_with_response(response)

    def _on_message(self, _: Any, result: Any) -> None:
        if not policy.is_page(self.widget.get_uri()):
            _LOG.warning("Something that isn't the page has said something")
            return
        self._called(result.get_js_value().to_string())

    def _on_decide(self, _: Any, decision: Any, kind: Any) -> bool:
        download, redirected, status = False, False, 200
        if kind == WebKit2.PolicyDecisionType.RESPONSE:
            asked = Asked.RESPONSE
            response = decision.get_response()
            uri, status = response.get_uri(), response.get_status_code()
            download = not decision.is_mime_type_supported()
        else:
            new = kind == WebKit2.PolicyDecisionType.NEW_WINDOW_ACTION
            asked = Asked.NEW_WINDOW if new else Asked.NAVIGATION
            action = decision.get_navigation_action()
            uri, redirected = action.get_request().get_uri(), action.is_redirect()
        if policy.may(asked, uri, redirected=redirected, download=download, status=status):
            decision.use()
        else:
            self.refused(asked, uri)
            decision.ignore()
        return True

    def _on_load(self, view: Any, event: Any) -> None:
        if event == WebKit2.LoadEvent.STARTED:
            self._gone()
        elif event == WebKit2.LoadEvent.COMMITTED and not policy.is_page(view.get_uri()):
            # Nothing leads here. Whatever did, it ends here.
            _LOG.error("Left the page for %s", view.get_uri())
            self.load()

    def _on_failed(self, _view: Any, _event: Any, uri: str, error: Any) -> bool:
        _LOG.warning("%s: %s", uri, error.message)
        return True

    def _on_menu(self, _view: Any, menu: Any, _event: Any, hit: Any) -> bool:
        """Cut, copy, paste and the like, where there is text; nothing else of a browser's."""
        kept = {
            WebKit2.ContextMenuAction.COPY,
            WebKit2.ContextMenuAction.CUT,
            WebKit2.ContextMenuAction.DELETE,
            WebKit2.ContextMenuAction.PASTE,
            WebKit2.ContextMenuAction.SELECT_ALL,
        }
        for item in list(menu.get_items()):
            if item.get_stock_action() not in kept:
                menu.remove(item)
        return not (hit.context_is_editable() or hit.context_is_selection())

    def _on_terminated(self, _: Any, reason: Any) -> None:
        _LOG.error("The page's process has ended: %s", reason.value_nick)
        self._gone()
        now = time.monotonic()
        if len(self._crashes) == _MOST_CRASHES and now - self._crashes[0] < 60:
            return
        self._crashes.append(now)
        self.load()
