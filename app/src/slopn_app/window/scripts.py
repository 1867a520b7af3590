"""What is put before the page's own scripts. Pure.

The way to Python is in a world of its own, which shares nothing with a page but the document: a page, ours or another, has
no `window.webkit`. Our page, and it alone, gets two scripts. `OUTER`, in its world, makes the two functions of the contract;
`INNER`, in the other, hands on what they say. On any other page there is neither, so that nobody there could say or hear
anything, whatever it did to get there.
"""

from __future__ import annotations

import json

from slopn_app.window import policy

WORLD = "slopn"
HANDLER = "slopn"
ALLOWED = [f"{policy.ORIGIN}/*"]
"""The pages that get the scripts, as WebKit's patterns have it."""

OUTER = """(() => {
  "use strict";
  const waiting = new Map();
  let number = 0;
  const call = (to) => (text) =>
    new Promise((resolve) => {
      number += 1;
      waiting.set(number, resolve);
      const detail = JSON.stringify({ id: number, to, text: String(text) });
      document.dispatchEvent(new CustomEvent("slopn-say", { detail }));
    });
  document.addEventListener("slopn-hear", (event) => {
    const heard = JSON.parse(event.detail);
    if (heard.pushes) {
      window.slopn?.receive(heard.pushes);
      return;
    }
    waiting.get(heard.id)?.(heard.text);
    waiting.delete(heard.id);
  });
  const api = Object.freeze({ ask: call("ask"), local: call("local") });
  Object.defineProperty(window, "pywebview", { value: Object.freeze({ api }) });
})();
"""

INNER = f"""(() => {{
  "use strict";
  const python = window.webkit.messageHandlers.{HANDLER};
  document.addEventListener("slopn-say", (event) => python.postMessage(String(event.detail)));
  globalThis.slopnHear = (detail) => void document.dispatchEvent(new CustomEvent("slopn-hear", {{ detail }}));
}})();
"""


def hear(text: str) -> str:
    """The script that hands ASCII JSON to the page, for `WORLD`."""
    return f"globalThis.slopnHear?.({json.dumps(text)}); 0"
