"""What the window was started with, or asked to open while it runs: files, and `slopn://` links. Pure but for reading files.

`slopn://import/NAME?conf=TEXT` brings a wg-quick file, TEXT in base64url; `slopn://enrol?…` is an enrolment link
(`slopn_wire.enrolment`); `slopn://show/PAGE` shows a page of the window.
Nothing else is understood, and nothing is done by a link: the page shows what would be added, and the user decides.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from slopn_app.window import files, messages
from slopn_wire.enrolment import LinkError, parse_link

SCHEME = "slopn"
PAGES = ("status", "profiles", "devices", "logs", "health", "settings")
LONGEST = 64 << 10
"""Letters of a link: a wg-quick file is far shorter."""


class NotOpened(Exception):
    """What was given can't be opened; the message says why, for people."""


def pushes(words: Sequence[str]) -> list[dict[str, Any]]:
    """What the page is to hear of these arguments, absolute paths and links. Raises `NotOpened`."""
    found: list[dict[str, Any]] = []
    paths = []
    for word in words[: files.MOST + 1]:
        if word.startswith(f"{SCHEME}:"):
            found.append(link(word))
        else:
            paths.append(Path(word))
    try:
        picked = files.read(paths)
    except files.Unreadable as error:
        raise NotOpened(str(error)) from None
    return [*found, {"kind": "open", "files": picked}] if picked else found


def link(text: str) -> dict[str, Any]:
    """The push that a `slopn://` link stands for. Raises `NotOpened`."""
    if len(text) > LONGEST:
        raise NotOpened("The link is too long.")
    if text.lower().startswith(f"{SCHEME}://enrol?"):
        try:
            parse_link(text)
        except LinkError as error:
            raise NotOpened(str(error)) from None
        return {"kind": "enrol", "link": text.strip()}
    try:
        split = urlsplit(text)
    except ValueError:
        raise NotOpened("The link makes no sense.") from None
    what, name = split.netloc, unquote(split.path.removeprefix("/"))
    if split.scheme != SCHEME or split.fragment or not name or "/" in name:
        raise NotOpened("The link makes no sense.")
    query = parse_qsl(split.query, keep_blank_values=True)
    if what == "show" and name in PAGES and not query:
        return {"kind": "show", "page": name}
    if what == "import" and [key for key, _ in query] == ["conf"]:
        shown = f"{SCHEME}://import/{name}"  # without the key that is in it
        return {"kind": "open", "files": [messages.picked(f"{name}.conf", _decoded(query[0][1]))], "link": shown}
    raise NotOpened("The link makes no sense.")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.translate(_URL) + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise NotOpened("What is in the link makes no sense.") from None


_URL = str.maketrans("-_ ", "+/+")  # a plus sign in a query has become a space
