"""A window as pywebview makes it, whose page leads to another one. `python -m support.stock_window URL FILE`.

What the other page has Python do is written to FILE.
"""

from __future__ import annotations

import sys
from pathlib import Path

import webview


class Api:
    """What the window's own page may call."""

    def __init__(self, file: str) -> None:
        self._file = file

    def ask(self, text: str) -> str:
        """Note it."""
        Path(self._file).write_text(text)
        return "{}"


if __name__ == "__main__":
    url, file = sys.argv[1:]
    page = f"<script>setTimeout(() => location.href = {url!r}, 500)</script>"
    webview.create_window("stock", html=page, js_api=Api(file))
    webview.start(gui="gtk")
