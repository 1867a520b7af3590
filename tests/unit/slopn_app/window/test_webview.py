"""The shell on pywebview: what it makes of it, whom it answers, and what closing means."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from slopn_app.preferences import Geometry
from slopn_app.window.native import NoView
from slopn_app.window.pages import Pages
from slopn_app.window.webview import FILES, WebviewShell
from support.fake_webview import FakeWebview, Window
from support.until import until


class Fence:
    """A `Native` that notes what it is asked."""

    gui = renderer = "fake"
    lacks: str | None = None
    fails = False

    def __init__(self) -> None:
        self.may: Callable[[str], bool] = lambda _: True
        self.leave: Callable[[], None] = lambda: None
        self.copied: list[str] = []

    def missing(self) -> str | None:
        """As the interface."""
        return self.lacks

    def fence(self, _window: Any, may: Callable[[str], bool], leave: Callable[[], None]) -> None:
        """As the interface."""
        if self.fails:
            raise RuntimeError
        self.may, self.leave = may, leave

    def copy(self, _window: Any, text: str) -> None:
        """As the interface."""
        self.copied.append(text)


class World:
    """A shell, and who hears from it, which answers each call with what it was."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / "index.html").write_text("<title>x</title>")
        self.folder = folder
        self._patch = monkeypatch
        self.native = Fence()
        self.hides = False
        self.kept: list[Geometry] = []
        self.heard: list[dict[str, Any]] = []
        self.files: list[Path] = []
        self.went = 0

    def run(self, live: Callable[[Window], None], renderer: str = "fake") -> FakeWebview:
        """Until `live` is over."""
        fake = FakeWebview(live, renderer)
        self._patch.setitem(sys.modules, "webview", fake)
        monkey_dom = type(sys)("webview.dom")
        self.drops: dict[str, Any] = {"num_listeners": 0, "paths": []}
        setattr(monkey_dom, "_dnd_state", self.drops)  # noqa: B010 - what a checker needn't know
        self._patch.setitem(sys.modules, "webview.dom", monkey_dom)
        place = Geometry(700, 500, 1, 2)
        self.shell = WebviewShell(Pages(self.folder), self.native, place, self.kept.append, lambda: self.hides)
        self.shell.run(self)
        return fake

    def called(self, text: str) -> None:
        """As the interface."""
        call = json.loads(text)
        self.heard.append(call)
        self.shell.deliver(json.dumps({"id": call["id"], "text": f"answer to {call['text']}"}), lambda: None)

    def dropped(self, paths: Sequence[Path]) -> None:
        """As the interface."""
        self.files += paths

    def gone(self) -> None:
        """As the interface."""
        self.went += 1


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """With a page."""
    return World(tmp_path, monkeypatch)


def load(window: Window) -> None:
    """A page has been loaded."""
    window.events.before_load.fire()
    window.events.loaded.fire()


def test_what_the_page_may_call(world: World) -> None:
    """Two functions by name, given as such: no object in which a name with dots would find more."""

    def live(window: Window) -> None:
        load(window)
        assert sorted(window.functions) == ["ask", "local"]
        assert window.functions["ask"]("{}") == "answer to {}"
        assert "error" in json.loads(window.functions["local"]({"do": "ready"}))

    fake = world.run(live)
    assert fake.window is not None
    assert "js_api" not in fake.window.made
    assert [(call["to"], call["text"]) for call in world.heard] == [("ask", "{}")]
    assert fake.started["private_mode"] is True
    assert fake.started["debug"] is fake.started["http_server"] is fake.window.made["easy_drag"] is False
    off = ("ALLOW_DOWNLOADS", "ALLOW_FILE_URLS", "OPEN_EXTERNAL_LINKS_IN_BROWSER")
    assert [fake.settings[name] for name in off] == [False, False, False]


@pytest.mark.parametrize("where", ["http://evil.example/", "about:blank", None])
def test_another_page_gets_no_answer(world: World, where: str | None) -> None:
    """It is led back to ours, which gets one."""

    def live(window: Window) -> None:
        load(window)
        window.url = where
        assert "error" in json.loads(window.functions["ask"]("x"))
        window.events.before_load.fire()
        window.events.loaded.fire()
        assert window.url == world.shell.page.home
        load(window)
        assert window.functions["ask"]("y") == "answer to y"

    world.run(live)
    assert [call["text"] for call in world.heard] == ["y"]


def test_the_fence_knows_one_page(world: World) -> None:
    """And says no to all else; if there can be none, nothing is shown."""

    def live(_: Window) -> None:
        assert world.native.may(f"{world.shell.page.home}#logs")
        for other in ("http://127.0.0.1/index.html", "file:///etc/passwd", "about:blank", ""):
            assert not world.native.may(other)

    world.run(live)
    world.native.fails = True
    lived: list[Window] = []
    assert world.run(lived.append).window.ended.is_set()  # type: ignore[union-attr]
    assert lived == []


def test_another_view_isn_t_taken(world: World) -> None:
    """Not Internet Explorer's for WebView2's, and nothing where there is nothing."""
    lived: list[Window] = []
    world.run(lived.append, renderer="mshtml")
    assert lived == []
    world.native.lacks = "It isn't there."
    with pytest.raises(NoView, match="It isn't there"):
        world.run(lived.append)


def test_pushes_are_ascii_and_for_our_page(world: World) -> None:
    """Handed over as one script; whoever waits for it hears, also if there is nobody to take it."""

    def live(window: Window) -> None:
        load(window)
        window.scripts.clear()
        for where in (world.shell.page.home, "http://evil.example/"):
            window.url = where
            taken = threading.Event()
            world.shell.deliver('{"pushes": [{"kind": "show", "page": "\\u00e9"}]}', taken.set)
            assert taken.wait(10)
        assert window.scripts == ['window.slopn?.receive([{"kind": "show", "page": "\\u00e9"}]); 0']

    world.run(live)


def test_closing(world: World) -> None:
    """With a tray it hides and the page sleeps; without one it is the end. Where the window was is kept."""

    def live(window: Window) -> None:
        world.hides = True
        assert window.events.closing.fire() == [False]
        until(lambda: "hide" in window.did and world.went == 1, 10, "it is hidden")
        world.shell.present()
        until(lambda: "show" in window.did, 10, "it is back")
        world.hides = False
        assert window.events.closing.fire() == [False]
        assert window.ended.wait(10)

    world.run(live)
    assert world.kept == [Geometry(800, 600, 10, 20)] * 2


def test_the_session_ends(world: World) -> None:
    """Nothing is held up, tray or no tray."""

    def live(window: Window) -> None:
        world.hides = True
        world.native.leave()
        assert window.events.closing.fire() == [True]

    world.run(live)


def test_maximized_keeps_its_former_size(world: World) -> None:
    """So that it has one to go back to."""

    def live(window: Window) -> None:
        window.events.maximized.fire()
        window.events.closing.fire()
        assert window.ended.wait(10)

    world.run(live)
    assert world.kept == [Geometry(700, 500, 1, 2, maximized=True)]


def test_files_are_dropped(world: World, tmp_path: Path) -> None:
    """As native code says where they are: the page has no say in it."""

    def live(window: Window) -> None:
        load(window)
        world.drops["paths"] += [("a.conf", str(tmp_path / "a.conf"))]
        until(lambda: bool(world.files), 10, "it is heard")
        window.url = "http://evil.example/"
        world.drops["paths"] += [("b.conf", "/b.conf")]
        world.shell.copy("end")
        until(lambda: bool(world.native.copied), 10, "all that came before is done")

    world.run(live)
    assert world.files == [tmp_path / "a.conf"]
    assert list(world.drops["paths"]) == []


@pytest.mark.parametrize(("chosen", "path"), [(("/x",), Path("/x")), ("/x", Path("/x")), (None, None), ((), None)])
def test_dialogs(world: World, chosen: Any, path: Path | None) -> None:
    """Whatever form the answer has on this system."""
    found: list[Any] = []

    def live(window: Window) -> None:
        window.chosen = chosen
        world.shell.place("name", found.append)
        until(lambda: len(found) == 1, 10, "a place")
        window.chosen = None if path is None else (str(path),)
        world.shell.pick(found.append)
        until(lambda: len(found) == 2, 10, "files")
        assert [dialog["kind"] for dialog in window.dialogs] == [30, 10]
        assert window.dialogs[1]["file_types"] == FILES

    world.run(live)
    assert found == [path, [] if path is None else [path]]


def test_a_file_is_watched(world: World, tmp_path: Path) -> None:
    """Written or replaced by whomever."""
    file, changed = tmp_path / "watched", threading.Event()

    def live(_: Window) -> None:
        world.shell.watch(file, changed.set)
        file.write_text("x")
        assert changed.wait(10)

    world.run(live)
