"""The window without its rules: it lets itself be led anywhere, to see what a page would find there."""

from __future__ import annotations

import sys

from slopn_app.window import main, policy
from slopn_app.window.webkit import View
from support.driven_window import let_drive

if __name__ == "__main__":
    setattr(View, "_on_load", lambda *_: None)  # noqa: B010 - what a checker needn't know
    setattr(policy, "may", lambda *_, **__: True)  # noqa: B010
    let_drive()
    raise SystemExit(main.run(sys.argv[1:]))
