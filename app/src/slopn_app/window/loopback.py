"""The page over HTTP, for views that can't be given a scheme of their own: to this computer alone, at an address nobody guesses.

What is served is the built page, which holds no secret. The address' random part keeps other programs from asking for it, the
checks of `Host` and `Origin` keep pages in the user's browser from it (DNS rebinding).
"""

from __future__ import annotations

import hmac
import re
import secrets
import threading
from collections.abc import Mapping
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from slopn_app.window import policy
from slopn_app.window.pages import Pages

_HOST = "127.0.0.1"
_META = re.compile(rb'<meta http-equiv="Content-Security-Policy"[^>]*>')
HEADERS = {
    **policy.HEADERS,
    "Content-Security-Policy": policy.CONTENT_SECURITY_POLICY.replace(
        "script-src 'self'", "script-src 'self' 'unsafe-eval'"
    ),
}
"""pywebview makes the functions of its bridge from text."""


class Answer(NamedTuple):
    """To one request. `kind`: MIME type."""

    status: int
    kind: str
    data: bytes


class Loopback:
    """Serves from a thread of its own, until it is closed. `home`: the page's address."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._token = secrets.token_urlsafe(24)
        loopback = self

        class Handler(BaseHTTPRequestHandler):
            server_version = "SloPN"
            sys_version = ""
            timeout = 10.0

            def do_GET(self) -> None:
                answer = loopback.answer(self.path, self.headers)
                self.send_response(answer.status)
                for name, value in {**HEADERS, "Content-Type": answer.kind}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.data)))
                self.end_headers()
                self.wfile.write(answer.data)

            def log_message(self, *_: object) -> None:
                """Nothing: the address is nobody's business."""

        self._server = ThreadingHTTPServer((_HOST, 0), Handler)
        self._server.daemon_threads = True
        self._host = f"{_HOST}:{self._server.server_port}"
        self._origin = f"http://{self._host}"
        self.home = f"{self._origin}/{self._token}/index.html"
        self._thread = threading.Thread(target=self._server.serve_forever, name="page", daemon=True)
        self._thread.start()

    def is_page(self, uri: str | None) -> bool:
        """Whether this is the page, at whatever place in it."""
        return uri is not None and uri.partition("#")[0] == self.home

    def answer(self, path: str, headers: Mapping[str, str] | Message) -> Answer:
        """What is sent for this request line's path; 403 to whoever isn't the view, 404 where there is nothing."""
        token, _, name = path.removeprefix("/").partition("/")
        asked = headers.get("Host") == self._host and headers.get("Origin", self._origin) == self._origin
        asked = asked and headers.get("Sec-Fetch-Site", "none") in {"none", "same-origin"}
        if not asked or not hmac.compare_digest(token.encode(), self._token.encode()):
            return Answer(403, "text/plain", b"")
        part = self._pages.answer(f"{policy.ORIGIN}/{name}")
        if part is None:
            return Answer(404, "text/plain", b"")
        # The page's own word is for views without pywebview; the header says the same, but for that.
        return Answer(200, part.kind, _META.sub(b"", part.data) if part.kind == "text/html" else part.data)

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
