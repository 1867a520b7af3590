"""The real window, with a door for WebKitWebDriver that the product doesn't have. `python -m support.driven_window`."""

from __future__ import annotations

import sys
from typing import Any

from slopn_app.window import main
from slopn_app.window.libraries import WebKit2
from slopn_app.window.webkit import View
from support.window import BROWSER


def let_drive() -> None:
    """From now on views are for a driver."""
    setattr(View, "make_context", _make_context)  # noqa: B010 - what a checker needn't know
    setattr(View, "make_view", _make_view)  # noqa: B010


def _make_context(_: View) -> Any:
    context = WebKit2.WebContext.new_ephemeral()
    context.set_automation_allowed(True)
    return context


def _make_view(_: View, context: Any, manager: Any) -> Any:
    view = WebKit2.WebView(web_context=context, user_content_manager=manager, is_controlled_by_automation=True)

    def started(_: Any, session: Any) -> None:
        info = WebKit2.ApplicationInfo()
        info.set_name(BROWSER)
        session.set_application_info(info)
        session.connect("create-web-view", lambda *_: view)

    context.connect("automation-started", started)
    return view


if __name__ == "__main__":
    let_drive()
    raise SystemExit(main.run(sys.argv[1:]))
