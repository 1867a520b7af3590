"""A web site that does what it can to reach the program behind the window, and says what it has found."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import unquote

from support.until import until

SENTENCE = '{"type": "remove_profile", "name": "foreign"}'
"""What it would have the helper do; nobody else says this."""

_PAGE = """<!doctype html><title>Foreign</title><h1>Foreign</h1><script>
const say = %(sentence)s;
const call = JSON.stringify({ id: 1, to: "ask", text: say });
const found = { page: location.href, reached: [] };
const tries = {
  api: () => window.pywebview.api.ask(say),
  events: () => document.dispatchEvent(new CustomEvent("slopn-say", { detail: call })),
  hear: () => window.slopnHear(call),
  own: () => window.webkit.messageHandlers.slopn.postMessage(call),
  stock: () => window.webkit.messageHandlers.jsBridge.postMessage(
    JSON.stringify({ funcName: "ask", params: [say], id: "1" })),
  opener: () => window.opener.pywebview.api.ask(say),
  parent: () => { if (parent === window) throw 0; return parent.pywebview.api.ask(say); },
};
function attack() {
  for (const [name, attempt] of Object.entries(tries)) {
    try { attempt(); if (name !== "events") found.reached.push(name); } catch { /* as it should be */ }
  }
}
attack();
window.addEventListener("pywebviewready", attack);
setTimeout(() => {
  attack();
  found.webkit = typeof window.webkit;
  found.pywebview = typeof window.pywebview;
  new Image().src = "/report?" + encodeURIComponent(JSON.stringify(found));
}, 1500);
</script>"""


class Foreign:
    """A context. `hits`: paths that were asked for. `reports`: what the page has found, wherever it was shown."""

    def __enter__(self) -> Self:
        self.hits: list[str] = []
        self.reports: list[dict[str, Any]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.hits.append(self.path)
                name, _, query = self.path.partition("?")
                if name == "/report":
                    site.reports.append(json.loads(unquote(query)))
                self.send_response(302 if name == "/redirect" else 200)
                if name == "/redirect":
                    self.send_header("Location", "/page")
                self.send_header("Content-Type", "text/html")
                if name == "/download":
                    self.send_header("Content-Disposition", "attachment; filename=x.bin")
                self.end_headers()
                self.wfile.write((_PAGE % {"sentence": json.dumps(SENTENCE)}).encode())

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="foreign")
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def report(self, timeout: float = 30.0) -> dict[str, Any]:
        """What the page has found, once it has tried everything."""
        until(lambda: bool(self.reports), timeout, "the foreign page has done what it can")
        return self.reports[-1]
