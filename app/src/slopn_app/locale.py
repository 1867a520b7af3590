"""A person's language: English stands in the source, the others in assets/locale (gettext), the same ones for every front end."""

from __future__ import annotations

import gettext
import re
from collections.abc import Mapping
from pathlib import Path

from slopn_app import assets

_VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
# In this order: gettext(3).
_HOLE = re.compile(r"\{(\w+)\}")
_speaking: gettext.NullTranslations = gettext.NullTranslations()


def speak(language: str, environ: Mapping[str, str], folder: Path | None = None) -> str:
    """From now on say everything in `language`, `auto`: in that of `environ`; which one it has become.

    English where there is no catalogue. `folder`: where the catalogues are, if not where the program's other files are.
    """
    global _speaking  # noqa: PLW0603 - a program speaks one language at a time
    for code in _wanted(environ) if language == "auto" else (language,):
        file = (folder or assets.folder("locale")) / code / "LC_MESSAGES/slopn.mo"
        if code == "en":
            break
        try:
            with file.open("rb") as stream:
                _speaking = gettext.GNUTranslations(stream)
        except (OSError, UnicodeDecodeError):
            continue
        return code
    _speaking = gettext.NullTranslations()
    return "en"


def t(msgid: str, **args: object) -> str:
    """`msgid` in the language that is spoken, with `args` for the words in braces."""
    return _fill(_speaking.gettext(msgid), args)


def n(one: str, many: str, count: int, **args: object) -> str:
    """The form for `count`, which fills in `{count}` too."""
    return _fill(_speaking.ngettext(one, many, count), {"count": count, **args})


def _wanted(environ: Mapping[str, str]) -> list[str]:
    """Languages, the most wanted first: `de_AT.UTF-8:fr` is German, then French."""
    value = next((environ[name] for name in _VARIABLES if environ.get(name)), "")
    return [word.split(".")[0].split("@")[0].split("_")[0].split("-")[0].lower() for word in value.split(":") if word]


def _fill(text: str, args: Mapping[str, object]) -> str:
    # In one go: what is filled in may hold braces of its own.
    return _HOLE.sub(lambda hole: str(args.get(hole[1], hole[0])), text)
