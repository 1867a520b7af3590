"""What is put before the page's own scripts."""

from __future__ import annotations

import json

from slopn_app.window import messages, scripts


def test_what_is_handed_over_is_a_string_of_ascii() -> None:
    """Nothing in it can end the string, whatever a profile is called."""
    text = messages.pushed([{"kind": "link", "text": "</script>'\"`\\ \u2028 ä ${1}"}])
    script = scripts.hear(text)
    assert script.isascii()
    inside = script.removeprefix("globalThis.slopnHear?.(").removesuffix("); 0")
    assert json.loads(inside) == text


def test_the_scripts_are_for_the_page_alone() -> None:
    """By WebKit's own pattern."""
    assert scripts.ALLOWED == ["slopn-page://window/*"]
