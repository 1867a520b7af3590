"""What the view may load: the page, and nothing that anybody could make look like it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slopn_app.window.policy import CONTENT_SECURITY_POLICY, HOME, Asked, is_page, may, part

FOREIGN = (
    "http://127.0.0.1/index.html",
    "https://example.org/",
    "file:///etc/passwd",
    "slopn://import/x?conf=eA",
    "data:text/html,x",
    "blob:slopn-page://window/0b0e",
    "javascript:0",
    "about:blank",
    "",
    "slopn-page://window/",
    "slopn-page://window/index.html?x",
    "slopn-page://window/assets/../index.html",
    "slopn-page://window.example/index.html",
    "slopn-page://window@example/index.html",
    "slopn-page://window:80/index.html",
    "SLOPN-PAGE://window/index.html",
    " slopn-page://window/index.html",
    "slopn-page://window/index.html/x",
)


def test_the_page_may_be_loaded() -> None:
    """At its beginning, at a place in it, and its files."""
    assert may(Asked.NAVIGATION, HOME)
    assert may(Asked.NAVIGATION, f"{HOME}#logs")
    assert may(Asked.RESPONSE, f"{HOME}#logs")
    assert may(Asked.RESPONSE, "slopn-page://window/assets/index-x.js")


@pytest.mark.parametrize("uri", FOREIGN)
def test_nothing_else_is_navigated_to(uri: str) -> None:
    """Not even other addresses of our own scheme; and nothing is said to whoever is there."""
    assert not may(Asked.NAVIGATION, uri)
    assert not is_page(uri)


@pytest.mark.parametrize("uri", [HOME, *FOREIGN])
def test_no_new_window(uri: str) -> None:
    """Of anything, the page too: there is one window."""
    assert not may(Asked.NEW_WINDOW, uri)


def test_no_detour() -> None:
    """A redirect, a download or a failure is none of ours, wherever it leads."""
    assert not may(Asked.NAVIGATION, HOME, redirected=True)
    assert not may(Asked.RESPONSE, HOME, download=True)
    assert not may(Asked.RESPONSE, HOME, status=404)
    assert not may(Asked.RESPONSE, "http://127.0.0.1/")


def test_nowhere_is_not_the_page() -> None:
    """A view that has loaded nothing yet."""
    assert not is_page(None)


@given(st.text(max_size=40))
def test_whatever_comes_behind_the_page_is_not_the_page(more: str) -> None:
    """Unless it is a place in it."""
    assert may(Asked.NAVIGATION, HOME + more) == (not more or more.startswith("#"))


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        (HOME, "index.html"),
        (f"{HOME}#x", "index.html"),
        ("slopn-page://window/assets/a.js", "assets/a.js"),
        ("slopn-page://window/", None),
        ("slopn-page://window/../x", None),
        ("slopn-page://window/assets//a.js", None),
        ("slopn-page://window/%2e%2e/x", None),
        ("slopn-page://window/a\\b", None),
        ("slopn-page://window/a?b", None),
        ("slopn-page://other/index.html", None),
        ("http://window/index.html", None),
    ],
)
def test_parts_of_the_page(uri: str, name: str | None) -> None:
    """By plain names alone."""
    assert part(uri) == name


def test_the_policy_allows_no_code_but_the_files() -> None:
    """Neither text that becomes a script nor anything from elsewhere."""
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert CONTENT_SECURITY_POLICY.startswith("default-src 'none'; script-src 'self'; ")
