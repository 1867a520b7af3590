"""The window without its rules: it lets itself be led anywhere, to see what a page would find there."""

from __future__ import annotations

import sys

from slopn_app.window import main, policy
from slopn_app.window.webkit import View

if __name__ == "__main__":
    View._on_load = lambda *_: None  # type: ignore[method-assign]
    policy.may = lambda *_, **__: True
    import support.driven_window as driven

    View.make_context = driven._make_context  # type: ignore[method-assign]
    View.make_view = driven._make_view  # type: ignore[method-assign]
    raise SystemExit(main.run(sys.argv[1:]))
