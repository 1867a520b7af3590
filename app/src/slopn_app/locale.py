"""A person's language: English stands in the source, the others in assets/locale (gettext), the same ones for every front end.

Every `slopn status` imports this: what reads a catalogue is imported only for a language that has one.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import gettext
    from collections.abc import Mapping
    from pathlib import Path

HEALTH, REMEDY = "health", "remedy"
"""Contexts of a compiled catalogue: there it has a warning's two sentences by the warning's code."""
_LOCALES = ("LC_ALL", "LC_MESSAGES", "LANG")
_NONE = frozenset({"C", "POSIX"})
_speaking: gettext.NullTranslations | None = None  # None: English


def speak(language: str, environ: Mapping[str, str], folder: Path | None = None) -> str:
    """From now on say everything in `language`, `auto`: in that of `environ`; which one it has become.

    English where there is no catalogue. `folder`: where the catalogues are, if not where the program's other files are.
    """
    global _speaking  # noqa: PLW0603 - a program speaks one language at a time
    for code in _wanted(environ) if language == "auto" else (language,):
        if code == "en":
            break
        found = _catalogue(code, folder)
        if found is not None:
            _speaking = found
            return code
    _speaking = None
    return "en"


def t(msgid: str, **args: object) -> str:
    """`msgid` in the language that is spoken, with `args` for the words in braces."""
    speaking = _speaking  # another thread may change it
    return _fill(msgid if speaking is None else speaking.gettext(msgid), args)


def n(one: str, many: str, count: int, **args: object) -> str:
    """The form for `count`, which fills in `{count}` too."""
    speaking = _speaking
    form = (one if count == 1 else many) if speaking is None else speaking.ngettext(one, many, count)
    return _fill(form, {"count": count, **args})


def warned(code: str, text: str, remedy: str, args: Mapping[str, object]) -> tuple[str, str]:
    """What is wrong and what to do, of a warning of the health list; as the helper says it where there is no translation."""
    speaking = _speaking
    if speaking is None:
        return text, remedy
    what, then = speaking.pgettext(HEALTH, code), speaking.pgettext(REMEDY, code)
    # A catalogue gives back what it doesn't know.
    return text if what == code else _fill(what, args), remedy if then == code else _fill(then, args)


def _catalogue(code: str, folder: Path | None) -> gettext.NullTranslations | None:
    import gettext

    from slopn_app import assets

    file = (folder or assets.folder("locale")) / code / "LC_MESSAGES/slopn.mo"
    try:
        with file.open("rb") as stream:
            return gettext.GNUTranslations(stream)
    except (OSError, ValueError):
        return None


def _wanted(environ: Mapping[str, str]) -> list[str]:
    """Languages, the most wanted first: `de_AT.UTF-8:fr` is German, then French. As gettext(3) has it."""
    place = next((environ[name] for name in _LOCALES if environ.get(name)), "")
    if place.split(".")[0] in _NONE:
        return []  # whatever LANGUAGE says
    value = environ.get("LANGUAGE") or place
    codes = [word.split(".")[0].split("@")[0].split("_")[0].split("-")[0].lower() for word in value.split(":")]
    return [code for code in codes if code.isalpha()]  # never a path


def _fill(text: str, args: Mapping[str, object]) -> str:
    # In one go: what is filled in may hold braces of its own.
    first, *rest = text.split("{")
    return first + "".join(_filled(piece, args) for piece in rest)


def _filled(piece: str, args: Mapping[str, object]) -> str:
    name, end, after = piece.partition("}")
    return f"{args[name]}{after}" if end and name in args else "{" + piece
