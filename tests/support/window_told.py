"""When the window said what: watched from inside the page, by the same clock as the test's."""

from __future__ import annotations

from typing import Any

from support.until import until
from support.window import Window

_WATCH = """
window.told = [];
const say = () => {
  const text = document.querySelector("h1")?.innerText ?? "";
  if (told.at(-1)?.text !== text) told.push({ text, at: Date.now() / 1000 });
};
new MutationObserver(say).observe(document.body, { childList: true, subtree: true, characterData: true });
say();
"""
_LOSE = """
const receive = window.slopn.receive;
window.lost = 0;
window.slopn.receive = (batch) => {
  const kept = batch.filter((push) => {
    const lose = window.loseNext && push.kind === "event" && push.event.body.type === "state";
    if (lose) { window.loseNext = false; window.lost += 1; }
    return !lose;
  });
  if (kept.length) receive.call(window.slopn, kept);
};
"""


class Told:
    """What the headline has said since this began; `lose_next` has the page lose the next event about the state."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._seen = 0
        window.js(_WATCH)
        window.js(_LOSE)

    def wait(self, title: str, since: float, timeout: float = 20.0) -> float:
        """Return how many seconds after `since` the headline began to say this, once it does."""
        found: list[dict[str, Any]] = []

        def said() -> bool:
            new = self._window.js("return window.told.slice(arguments[0])", self._seen)
            found[:] = [one for one in new if one["text"].startswith(title)]
            return bool(found)

        until(said, timeout, f"the window says {title!r}")
        self._seen = int(self._window.js("return window.told.length")) - 1
        return float(found[-1]["at"]) - since

    def lose_next(self) -> None:
        """On its way into the page."""
        self._window.js("window.loseNext = true")

    def lost(self) -> int:
        """How many were."""
        return int(self._window.js("return window.lost"))
