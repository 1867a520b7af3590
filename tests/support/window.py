"""The real window on a screen, driven through WebKitWebDriver as a user would, and looked into as none could."""

from __future__ import annotations

import contextlib
import json
import shlex
import socket
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

from support.desktop import DesktopSession, stop
from support.until import until

BROWSER = "SloPN"
"""What the driven window calls itself."""
TESTS = Path(__file__).resolve().parents[1]
_TIMEOUT = 60.0
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # W3C WebDriver, 11


class ScriptError(Exception):
    """A script raised, or a thing that was to be used isn't there."""


class Window:
    """A context. `environ`: where the helper is. `words`: its arguments. `program`: what is driven, as a module."""

    def __init__(
        self, screen: DesktopSession, environ: dict[str, str], *words: str, program: str = "support.driven_window"
    ) -> None:
        self.screen = screen
        self._environ = environ
        self._words = words
        self._program = program
        self._session = ""

    def __enter__(self) -> Self:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._driver = self.screen.start("WebKitWebDriver", f"--port={self._port}", "--host=127.0.0.1")
        try:
            until(self._listens, _TIMEOUT, "WebKitWebDriver listens")
            options = {"binary": str(self._script()), "args": list(self._words)}
            wanted = {"browserName": BROWSER, "webkitgtk:browserOptions": options}
            answer = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
            self._session = f"/session/{answer['sessionId']}"
            self._call("POST", f"{self._session}/timeouts", {"script": 120_000})
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._session:
            with contextlib.suppress(ScriptError, OSError):
                self._call("DELETE", self._session)
        stop(self._driver)

    def js(self, script: str, *arguments: Any) -> Any:
        """What a function body returns in the page's own world; a promise is waited for."""
        return self._call("POST", f"{self._session}/execute/sync", {"script": script, "args": list(arguments)})

    def text(self, selector: str = "body") -> str:
        """What a person reads there; nothing if it isn't there."""
        found: str = self.js("return document.querySelector(arguments[0])?.innerText ?? ''", selector)
        return found

    def headline(self) -> str:
        """The state in words, on the page Status."""
        return self.text("h1")

    def wait_text(self, wanted: str, selector: str = "body", timeout: float = 20.0) -> None:
        """Return once a person reads this there."""
        try:
            until(lambda: wanted in self.text(selector), timeout, f"the window says {wanted!r}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it says:\n{self.text()}") from None

    def wait_still(self) -> None:
        """Return once the page has been drawn as it is now, and nothing moves in it."""
        self.js("await Promise.all(document.getAnimations().map((one) => one.finished.catch(() => 0)))")
        self.js(
            "await new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(go, 200))))"
        )

    def click(self, label: str, kind: str = "button") -> None:
        """Press what has this name, by the mouse, once it is there."""
        path = f"//{kind}[normalize-space(.)={json.dumps(label)} or @aria-label={json.dumps(label)}]"
        found: list[Any] = []

        def there() -> bool:
            where = {"using": "xpath", "value": path}
            found[:] = self._call("POST", f"{self._session}/elements", where)
            return bool(found)

        until(there, 20.0, f"a {kind} {label!r} is there")
        self._call("POST", f"{self._session}/element/{found[0][_ELEMENT]}/click", {})

    def page(self, name: str) -> None:
        """Go to one of the window's pages by its name in the navigation."""
        self.click(name)
        until(lambda: self.address().endswith(f"#{name.lower()}"), 10.0, f"the page {name} is shown")

    def go(self, address: str, within: float = _TIMEOUT) -> None:
        """Lead the view elsewhere. Raises `OSError` if it hasn't got there in time."""
        self._call("POST", f"{self._session}/url", {"url": address}, within)

    def address(self) -> str:
        """Where the view is."""
        found: str = self._call("GET", f"{self._session}/url")
        return found

    def _script(self) -> Path:
        """A program without arguments of its own: the driver starts no other kind with an environment."""
        path = self.screen.folder / f"window-{self._port}"
        environ = {**self._environ, "PYTHONPATH": str(TESTS)}
        command = ["env", *(f"{name}={value}" for name, value in environ.items()), sys.executable, "-m", self._program]
        path.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        path.chmod(0o700)
        return path

    def _listens(self) -> bool:
        try:
            self._call("GET", "/status")
        except OSError:
            return False
        return True

    def _call(self, method: str, path: str, body: Any = None, within: float = _TIMEOUT) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}{path}",
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json"},
            method=method,
        )
        try:
            with _DIRECT.open(request, timeout=within) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            with error:
                found = json.load(error)["value"]
            raise ScriptError(f"{found['error']}: {found['message']}") from None


_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
