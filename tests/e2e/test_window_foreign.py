"""Nobody but the window's own page reaches the program behind it: not by any way out of the page, and not from outside."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from slopn_app.window.policy import HOME
from support.desktop import DesktopSession
from support.foreign import SENTENCE, Foreign
from support.until import until
from support.window import ScriptError, Window

PYTHON = sys.executable


@pytest.fixture(scope="module")
def screen() -> Iterator[DesktopSession]:
    """One for all."""
    with DesktopSession() as screen:
        yield screen


@pytest.fixture
def other() -> Iterator[DesktopSession]:
    """Where `window` isn't: there is one for each user."""
    with DesktopSession() as screen:
        yield screen


@pytest.fixture
def foreign() -> Iterator[Foreign]:
    """The web site."""
    with Foreign() as foreign:
        yield foreign


@pytest.fixture(scope="module")
def window(screen: DesktopSession) -> Iterator[Window]:
    """One for all: each test leaves it where it was. There is no helper."""
    with Window(screen, {"SLOPN_SOCKET": str(screen.folder / "none")}) as window:
        window.js("window.marker = 1")
        yield window


WAYS = {
    "foreign page": "location.href = `${site}/page`",
    "redirect": "location.href = `${site}/redirect`",
    "replace": "location.replace(`${site}/page`)",
    "link": "click({ href: `${site}/page` })",
    "link to a new window": "click({ href: `${site}/page`, target: '_blank' })",
    "window.open": "window.open(`${site}/page`)",
    "download": "click({ href: `${site}/download`, download: 'x' })",
    "form": "const f = document.createElement('form'); f.action = `${site}/page`; document.body.append(f); f.submit()",
    "file": "location.href = 'file:///etc/passwd'",
    "file in a new window": "window.open('file:///etc/passwd')",
    "custom scheme": "location.href = 'slopn://import/x?conf=eA'",
    "own scheme, other host": "location.href = 'slopn-page://other/index.html'",
    "own scheme, other file": "location.href = 'slopn-page://window/assets/'",
    "data": "location.href = 'data:text/html,<h1>Foreign</h1>'",
    "blob": "location.href = URL.createObjectURL(new Blob(['<h1>Foreign</h1>'], { type: 'text/html' }))",
    "about:blank": "location.href = 'about:blank'",
    "javascript": "location.href = 'javascript:void(document.title = `Foreign`)'",
    "meta refresh": (
        "const m = document.createElement('meta'); m.httpEquiv = 'refresh'; m.content = `0;url=${site}/page`; "
        "document.head.append(m)"
    ),
    "frame": "frame({ src: `${site}/page` })",
    "frame of text": "frame({ srcdoc: '<script>parent.marker = 2</script>' })",
    "frame of data": "frame({ src: 'data:text/html,<h1>Foreign</h1>' })",
    "frame of a file": "frame({ src: 'file:///etc/passwd' })",
    "script from elsewhere": "const s = document.createElement('script'); s.src = `${site}/page`; document.head.append(s)",
    "script in the page": (
        "const s = document.createElement('script'); s.textContent = 'window.marker = 2'; document.head.append(s)"
    ),
    "picture": "new Image().src = `${site}/page`",
    "fetch": "await fetch(`${site}/page`).catch(() => 0)",
    "socket": "try { new WebSocket(site.replace('http', 'ws')) } catch { /* refused at once */ }",
    "beacon": "navigator.sendBeacon(`${site}/page`)",
    "prefetch": (
        "const l = document.createElement('link'); l.rel = 'prefetch'; l.href = `${site}/page`; document.head.append(l)"
    ),
    "eval": "try { eval('window.marker = 2') } catch { /* refused */ }",
    "worker": "try { new Worker(`${site}/page`) } catch { /* refused at once */ }",
}
_HELP = """
const site = arguments[0];
const click = (with_) => { const a = Object.assign(document.createElement("a"), with_); document.body.append(a); a.click(); };
const frame = (with_) => document.body.append(Object.assign(document.createElement("iframe"), with_));
"""
_FRAMES = "return [...document.querySelectorAll('iframe')].filter((f) => f.contentDocument?.body?.innerText).length"


@pytest.mark.parametrize("way", WAYS)
def test_no_way_leads_out(window: Window, foreign: Foreign, way: str) -> None:
    """Whatever the page does (or a hole in it is made to do), the view stays, and no byte goes anywhere."""
    window.js(_HELP + WAYS[way], foreign.url)
    # Two more turns through both processes, which take what is asked of them in order.
    for _ in range(2):
        assert window.js("await new Promise((go) => setTimeout(go, 100)); return window.marker") == 1
    assert window.address().partition("#")[0] == HOME
    assert foreign.hits == []
    assert window.js("return document.title") == "SloPN"
    assert window.js(_FRAMES) == 0
    assert window.js("return typeof window.pywebview.api.ask") == "function"


def test_the_driver_leads_nowhere_either(window: Window, foreign: Foreign) -> None:
    """A navigation that no page has asked for is refused like one."""
    with pytest.raises((ScriptError, OSError)):
        window.go(f"{foreign.url}/page", within=5.0)
    assert foreign.hits == []


def test_the_window_s_own_policy_holds(other: DesktopSession, foreign: Foreign, tmp_path: Path) -> None:
    """Not the page's word for it: a page without one runs its files alone, and reaches nobody."""
    (tmp_path / "page").mkdir()
    (tmp_path / "page/index.html").write_text(_STRANGE.replace("SITE", foreign.url))
    (tmp_path / "page/own.js").write_text("window.own = 1; try { eval('window.evil = 1') } catch { /* refused */ }")
    environ = {"SLOPN_SOCKET": str(other.folder / "none"), "PAGE": str(tmp_path / "page")}
    with Window(other, environ, program="support.strange_page_window") as window:
        until(lambda: window.js("return window.own") == 1, 20, "its file has run")
        found = window.js("return [window.inline, window.evil, getComputedStyle(document.body).color]")
        assert found == [None, None, "rgb(0, 0, 0)"]
        assert window.js("return await fetch('own.js').then(() => 'read', () => 'refused')") == "refused"
    assert foreign.hits == []


_STRANGE = """<!doctype html><title>SloPN</title><body style="color: red" onload="window.inline = 1">
<script>window.inline = 1</script><img src="SITE/picture"><link rel="stylesheet" href="SITE/style">
<iframe src="SITE/page"></iframe><script src="SITE/script"></script><object data="SITE/thing"></object>
<script src="own.js"></script>"""


@pytest.mark.parametrize("start", ["/page", "/redirect"])
def test_a_foreign_page_would_find_nothing(other: DesktopSession, foreign: Foreign, start: str) -> None:
    """Even without the rules: where another page is, there is no bridge, and what it says is heard by nobody."""
    missing = {"SLOPN_SOCKET": str(other.folder / "none")}
    with Window(other, missing, program="support.lax_window") as window:
        until(lambda: window.js("return typeof window.pywebview") == "object", 20, "our page has the bridge")
        window.go(foreign.url + start)
        report = foreign.report()
        assert report == {"page": f"{foreign.url}/page", "reached": [], "webkit": "undefined", "pywebview": "undefined"}
        heard = window.js("return typeof globalThis.slopnHear")
        assert heard == "undefined"


def test_stock_pywebview_would_be_reached(screen: DesktopSession, foreign: Foreign, tmp_path: Path) -> None:
    """The control: the same page calls Python in a window as pywebview makes it, so that it can find what there is."""
    file = tmp_path / "reached"
    process = screen.start(PYTHON, "-m", "support.stock_window", f"{foreign.url}/page", file, environ=_PATH)
    until(file.exists, 60, "the foreign page has called Python")
    assert file.read_text() == SENTENCE
    assert foreign.report()["webkit"] == "object"
    process.terminate()


_PATH = {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
