"""When a window has painted for the first time, seconds after $BEGUN (Unix time). `python -m support.painted ours|bare`.

`bare`: a page of one word in a window as pywebview makes it. The end of the program is as abrupt as it is short.
"""

from __future__ import annotations

import math
import os
import sys
import time

_ASK = "(performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN) + performance.timeOrigin"
_BETWEEN = 0.02


def _end(milliseconds: float) -> None:
    sys.stdout.write(f"{milliseconds / 1000 - float(os.environ['BEGUN']):.3f}\n")
    sys.stdout.flush()
    os._exit(0)


def ours() -> None:
    """The product's window, with all that it does for safety."""
    from slopn_app.window import main
    from slopn_app.window.libraries import GLib
    from slopn_app.window.webkit import View

    load = View.load

    def watched(view: View) -> None:
        def look() -> bool:
            view.widget.evaluate_javascript(_ASK, -1, None, None, None, answered)
            return False

        def answered(_: object, task: object) -> None:
            found = view.widget.evaluate_javascript_finish(task).to_double()
            if math.isfinite(found):
                _end(found)
            GLib.timeout_add(int(_BETWEEN * 1000), look)

        load(view)
        GLib.timeout_add(int(_BETWEEN * 1000), look)

    setattr(View, "load", watched)  # noqa: B010 - what a checker needn't know
    main.run([])


def bare() -> None:
    """pywebview's least."""
    import webview

    window = webview.create_window("bare", html="<h1>Hello</h1>", width=900, height=680)
    assert window is not None

    def watch() -> None:
        while True:
            found = window.evaluate_js(_ASK)
            if isinstance(found, int | float) and math.isfinite(found):
                _end(found)
            time.sleep(_BETWEEN)

    webview.start(watch, gui="gtk")


if __name__ == "__main__":
    {"ours": ours, "bare": bare}[sys.argv[1]]()
