"""The window's page with its fake helper, in Debian's Chromium."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from support.until import until
from tools import ui
from tools.console import CACHE

CHROMIUM = "/usr/bin/chromium"
Opener = Callable[..., Page]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing: a test that fails says what it saw."""


# On a machine that does much else, five seconds are no failure.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """Where the page with the fake helper is served, on this computer alone."""
    ui.build_fake()
    handler = functools.partial(_Quiet, directory=str(ui.FAKE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for a file's tests; root has no sandbox of Chromium's.

    While it is there an event loop runs in this thread, so that no other test could run its own: it ends with the file.
    """
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def opened(browser: Browser, address: str) -> Iterator[Opener]:
    """`opened(page="logs", scene="connected", …)`: the page as a person sees it. Whatever the page complains of fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_page(
        page: str = "status",
        *,
        scene: str = "disconnected",
        theme: str = "light",
        language: str = "en",
        width: int = 1000,
        height: int = 720,
        motion: str = "reduce",
        logs: int = 0,
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if theme == "dark" else "light",
            reduced_motion="reduce" if motion == "reduce" else "no-preference",
            locale="en-GB",
            timezone_id="Europe/Berlin",
        )
        contexts.append(context)
        found = context.new_page()
        found.set_default_timeout(10_000)
        found.on("pageerror", lambda error: complaints.append(str(error)))
        found.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
        stream = f"&logs={logs}" if logs else ""
        found.goto(f"{address}?scene={scene}&language={language}{stream}#{page}")
        until(lambda: found.evaluate("!!(window.fake && document.querySelector('main'))"), 10, "the page is there")
        return found

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, the accessibility checker."""
    ui.prepare()
    return (ui.UI / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
def pictures() -> Path:
    """Where screenshots go, to be looked at."""
    folder = CACHE / "ui-pictures"
    folder.mkdir(exist_ok=True)
    return folder
