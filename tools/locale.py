"""One catalogue of words for tray, page and command line: assets/locale/LANGUAGE/slopn.po, in gettext's format.

`update` brings every catalogue the sentences of today's sources, `check` says what is missing, `compile` makes what programs
read: LC_MESSAGES/slopn.mo beside the .po for Python, which has the health list's sentences by their codes, too, and
app/ui/src/generated/locale/LANGUAGE.json for the page. Sentences are

* the first string of `t("…")`, the first two of `n("…", "…", count)`, in the page and in slopn_app;
* the strings of the tables in TABLES, which stand in Python as data.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import polib

from tools import ui_types

ROOT = Path(__file__).resolve().parents[1]
CATALOGUES = ROOT / "assets/locale"
PAGE = ROOT / "app/ui/src"
COMPILED = PAGE / "generated/locale"
TABLES = {
    "helper/wire/src/slopn_wire/words.py": ("_CAUSES", "_MEANINGS"),
    "app/src/slopn_app/words.py": ("STEPS", "RIGHTS", "BASES", "VERDICTS", "SEVERITIES"),
    "app/src/slopn_app/cli/verbs/unlock.py": ("_WHAT",),
    "helper/src/slopn_helper/health.py": ("REGISTRY",),
}
_STRING = r'"(?:[^"\\]|\\.)*"'
_CALL = re.compile(rf"(?<![\w.])([tn])\(\s*(?:({_STRING})(?:,\s*({_STRING}))?)?")
_HOLE = re.compile(r"\{\w+\}")
_UNREAD = ("lib/i18n.svelte.ts", "fake/", "generated/")
HEALTH, REMEDY = "health", "remedy"
"""Contexts of the health list's sentences by their codes, as slopn_app.locale has them."""
_FORMS = "X-Plural-Categories"
"""Header of a catalogue: the categories of CLDR in the order of msgstr[0], msgstr[1], …"""


class Sentence(NamedTuple):
    """What is to be translated. `plural`: the English form for many, or empty."""

    plural: str
    places: tuple[str, ...]


def main() -> int:
    """Do what the first word says."""
    jobs = {"update": update, "check": check, "compile": compile_all}
    if len(sys.argv) != 2 or sys.argv[1] not in jobs:
        print(f"One of {', '.join(jobs)}, please.", file=sys.stderr)
        return 1
    return jobs[sys.argv[1]]() or 0


def update() -> int:
    """Add what is new, drop what is gone; translations of what stays stay."""
    wanted = sentences()
    for path in catalogues():
        catalogue = _read(path)
        known = {entry.msgid: entry for entry in catalogue}
        fresh = _empty(catalogue.metadata)
        fresh.extend(_entry(msgid, wanted[msgid], known.get(msgid)) for msgid in sorted(wanted))
        fresh.save(str(path))
    return 0


def check() -> int:
    """1, with a line for each complaint, unless every catalogue has every sentence, translated, and no other."""
    wanted = sentences()
    complaints = [complaint for path in catalogues() for complaint in _complaints(path, wanted)]
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    if complaints:
        print("`.venv/bin/python -m tools.locale update` brings what is new; then translate it.", file=sys.stderr)
    return 1 if complaints else 0


def compile_all() -> None:
    """Make what programs read; a file that is right already is left alone."""
    page = set(page_sentences())
    COMPILED.mkdir(parents=True, exist_ok=True)
    for path in catalogues():
        catalogue, language = _read(path), path.parent.name
        binary = path.parent / "LC_MESSAGES/slopn.mo"
        binary.parent.mkdir(exist_ok=True)
        document = {
            "language": language,
            "forms": [form.strip() for form in catalogue.metadata[_FORMS].split(",")],
            "messages": {entry.msgid: _translations(entry) for entry in catalogue if entry.msgid in page},
        }
        text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        _write(COMPILED / f"{language}.json", text.encode())
        catalogue.extend(_by_code(catalogue))
        _write(binary, catalogue.to_binary())


def _by_code(catalogue: polib.POFile) -> list[polib.POEntry]:
    """The health list once more: a front end in Python knows a warning's code, and has no list of its own."""
    import polib

    said = {entry.msgid: entry.msgstr for entry in catalogue}
    return [
        polib.POEntry(msgctxt=context, msgid=code, msgstr=said[text])
        for code, texts in ui_types.warnings().items()
        for context, text in zip((HEALTH, REMEDY), texts, strict=False)
        if said.get(text)
    ]


def catalogues() -> list[Path]:
    """Every language's."""
    return sorted(CATALOGUES.glob("*/slopn.po"))


def sentences() -> dict[str, Sentence]:
    """Everything that a person may read, by its English. Raises `SystemExit` for a sentence that isn't a plain string."""
    found: dict[str, Sentence] = {}
    for msgid, plural, place in [*_from_page(), *_from_python(), *_from_tables()]:
        before = found.get(msgid, Sentence("", ()))
        found[msgid] = Sentence(plural or before.plural, tuple(dict.fromkeys((*before.places, place))))
    return found


def page_sentences() -> Iterator[str]:
    """Those that the page says: its own, and the health list's, whose templates it has by their codes."""
    yield from (msgid for msgid, _, _ in _from_page())
    yield from (msgid for msgid, _, place in _from_tables() if place.endswith("health.py"))


def _from_page() -> Iterator[tuple[str, str, str]]:
    for path in sorted([*PAGE.rglob("*.ts"), *PAGE.rglob("*.svelte")]):
        name = path.relative_to(PAGE).as_posix()
        if name.startswith(_UNREAD):
            continue
        place = path.relative_to(ROOT).as_posix()
        for call in _CALL.finditer(path.read_text(encoding="utf-8")):
            if call[2] is None or (call[1] == "n" and call[3] is None):
                raise SystemExit(f"{place}: {call[0]}…: what is translated must be a string in double quotes.")
            yield json.loads(call[2]), json.loads(call[3]) if call[1] == "n" else "", place


def _from_python() -> Iterator[tuple[str, str, str]]:
    for path in sorted((ROOT / "app/src/slopn_app").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id="t"), args=[ast.Constant(value=str(one)), *_]):
                    yield one, "", path.relative_to(ROOT).as_posix()
                case ast.Call(
                    func=ast.Name(id="n"), args=[ast.Constant(value=str(one)), ast.Constant(value=str(many)), *_]
                ):
                    yield one, many, path.relative_to(ROOT).as_posix()


def _from_tables() -> Iterator[tuple[str, str, str]]:
    for name, tables in TABLES.items():
        for node in ast.parse((ROOT / name).read_text(encoding="utf-8")).body:
            target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
            value = getattr(node, "value", None)
            if isinstance(target, ast.Name) and target.id in tables and isinstance(value, ast.Dict | ast.Tuple):
                for inner in value.values if isinstance(value, ast.Dict) else value.elts:
                    texts = (part.value for part in ast.walk(inner) if isinstance(part, ast.Constant))
                    yield from ((text, "", name) for text in texts if isinstance(text, str))


def _complaints(path: Path, wanted: dict[str, Sentence]) -> Iterator[str]:
    catalogue, name = _read(path), path.relative_to(ROOT).as_posix()
    known = {entry.msgid: entry for entry in catalogue if not entry.obsolete}
    forms = [form for form in catalogue.metadata.get(_FORMS, "").split(",") if form.strip()]
    if not forms:
        yield f"{name}: its header lacks {_FORMS}."
    yield from (f"{name}: not there: {msgid}" for msgid in sorted(wanted.keys() - known.keys()))
    yield from (f"{name}: nobody says any more: {msgid}" for msgid in sorted(known.keys() - wanted.keys()))
    for msgid in sorted(wanted.keys() & known.keys()):
        entry, holes = known[msgid], set(_HOLE.findall(msgid + wanted[msgid].plural))
        texts = list(entry.msgstr_plural.values()) if wanted[msgid].plural else [entry.msgstr]
        if entry.fuzzy or not all(texts) or (wanted[msgid].plural and len(texts) != len(forms)):
            yield f"{name}: not translated: {msgid}"
        elif any(not holes >= set(_HOLE.findall(text)) for text in texts) or holes - set(_HOLE.findall("".join(texts))):
            yield f"{name}: other words in braces than in English: {msgid}"


def _translations(entry: polib.POEntry) -> str | list[str]:
    return [entry.msgstr_plural[form] for form in sorted(entry.msgstr_plural)] if entry.msgid_plural else entry.msgstr


def _entry(msgid: str, sentence: Sentence, before: polib.POEntry | None) -> polib.POEntry:
    import polib

    entry = polib.POEntry(msgid=msgid, occurrences=[(place, "") for place in sentence.places])
    if sentence.plural:
        entry.msgid_plural = sentence.plural
        entry.msgstr_plural = before.msgstr_plural if before and before.msgstr_plural else {0: "", 1: ""}
    elif before:
        entry.msgstr = before.msgstr
    return entry


def _empty(metadata: dict[str, str]) -> polib.POFile:
    import polib

    fresh = polib.POFile(wrapwidth=128)
    fresh.metadata = metadata
    return fresh


def _read(path: Path) -> polib.POFile:
    # setup imports this module before polib is there.
    import polib

    return polib.pofile(str(path), encoding="utf-8", wrapwidth=128)


def _write(path: Path, data: bytes) -> None:
    if not path.is_file() or path.read_bytes() != data:
        path.write_bytes(data)


if __name__ == "__main__":
    sys.exit(main())
