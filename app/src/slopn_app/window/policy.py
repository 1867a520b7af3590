"""What the window's view may load. Pure: asked before everything that would be loaded, it knows one page and nothing else.

The page has a scheme of its own, which nothing but this program serves and no network address can have. There is nothing to
open beside it: whatever is asked for and isn't the page itself is somebody else's, however it was asked for.
"""

from __future__ import annotations

from enum import Enum, auto
from urllib.parse import urlsplit

SCHEME = "slopn-page"
ORIGIN = f"{SCHEME}://window"
HOME = f"{ORIGIN}/index.html"

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; "  # a picture of a QR code that the user has chosen
    "connect-src 'none'; base-uri 'none'; form-action 'none'; frame-src 'none'; frame-ancestors 'none'; "
    "object-src 'none'; worker-src 'none'"
)
"""For every answer of ours; stricter than pywebview's bridge would allow, which needs 'unsafe-eval'."""

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), display-capture=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Asked(Enum):
    """What the view asks about."""

    NAVIGATION = auto()
    NEW_WINDOW = auto()
    RESPONSE = auto()


def may(asked: Asked, uri: str, *, redirected: bool = False, download: bool = False, status: int = 200) -> bool:
    """Whether the view may go on. `status`: of a response; `download`: it is to be kept, not shown.

    A navigation may lead to the page alone (a reload), a response may be the page's or of a part of it.
    """
    if redirected or download:
        return False
    match asked:
        case Asked.NAVIGATION:
            return is_page(uri)
        case Asked.RESPONSE:
            return uri.startswith(f"{ORIGIN}/") and status == 200
        case Asked.NEW_WINDOW:
            return False


def is_page(uri: str | None) -> bool:
    """Whether this is the page, at whatever place in it. Only then anything is said to it or heard from it."""
    return uri is not None and uri.partition("#")[0] == HOME


def part(uri: str) -> str | None:
    """Which of the page's files is asked for, as a path with slashes; None: none of ours could be.

    Which files there are, its folder says.
    """
    split = urlsplit(uri)
    if split.scheme != SCHEME or split.netloc != "window" or split.query:
        return None
    name = split.path.removeprefix("/")
    pieces = name.split("/")
    if not name or "\\" in name or "%" in name or any(piece in {"", ".", ".."} for piece in pieces):
        return None
    return name
