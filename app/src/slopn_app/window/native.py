"""What the shell on pywebview asks of the system under it, and how it hears of files that are dropped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

SETTINGS = {
    "ALLOW_DOWNLOADS": False,
    "ALLOW_FILE_URLS": False,
    "OPEN_EXTERNAL_LINKS_IN_BROWSER": False,
    "OPEN_DEVTOOLS_IN_DEBUG": False,
    "REMOTE_DEBUGGING_PORT": None,
    "IGNORE_SSL_ERRORS": False,
}
"""pywebview's."""
DROPS = """(() => {
  const files = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  addEventListener("dragover", (event) => files(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    window.chrome?.webview?.postMessageWithAdditionalObjects?.("FilesDropped", event.dataTransfer.files);
  });
})()"""
"""WebView2 tells where files are only if the page hands them over; WKWebView and GTK do without."""


class NoView(Exception):
    """There is nothing here to show the page in; the message says what is missing, for people."""


class Native(Protocol):
    """What pywebview has no words for, by what is under it on this system."""

    gui: str
    """pywebview's name of it."""
    renderer: str
    """pywebview's name of the view in it."""

    def missing(self) -> str | None:
        """What this system lacks for it, in a sentence for people; None: nothing."""
        ...

    def fence(self, window: Any, may: Callable[[str], bool], leave: Callable[[], None]) -> None:
        """Let the view go nowhere but where it `may`, before it goes anywhere; and call `leave` when the session ends.

        On the desktop's thread, once the window is there.
        """
        ...

    def copy(self, window: Any, text: str) -> None:
        """Put text into the clipboard. On any thread but the desktop's."""
        ...


class Dropped(list[Any]):
    """What pywebview keeps of files that were dropped, which only native code adds to: names, and where they are.

    The event that it hands on to Python comes from the page, which could name any path.
    """

    def __init__(self, dropped: Callable[[Sequence[Path]], None]) -> None:
        super().__init__()
        self._dropped = dropped

    def __iadd__(self, files: Any) -> Self:  # type: ignore[misc]
        """Files, as pywebview notes them; they aren't kept."""
        paths = [Path(path) for _, path in files]
        if paths:
            self._dropped(paths)
        return self
