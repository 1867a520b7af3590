"""Man pages in mdoc(7), made from the verbs' descriptions: the same text as `--help`, for `man`. Pure."""

from __future__ import annotations

import re
from textwrap import wrap

from slopn_app.cli.main import FIRST_STEPS, GROUPS
from slopn_app.cli.verb import Argument, Verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Option = tuple[Sequence[str], str, str]
    """Names, what the value is called (empty: none), help."""

STATUSES = {
    0: "done",
    1: "failed",
    2: "wrong usage, or bad input",
    3: "the helper is not reachable",
    4: "not permitted",
    5: "timed out",
}
"""Exit statuses of `slopn`, as all its pages tell them."""
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_MACRO = re.compile(r"[A-Z][a-z]|[%A-Z][A-Z0-9]|[.,:;()\[\]?!|]")
# Words that mdoc takes for a macro's name, or for punctuation, where they stand as its argument.


def main_page(verbs: Mapping[str, Verb], date: str) -> str:
    """slopn(1): what there is. `date`: as 2026-01-31."""
    lines = _head("slopn", 1, "keep traffic inside a WireGuard tunnel", date)
    lines += [".Nm", ".Ar VERB", ".Op Ar ARGUMENTS", ".Op Fl Fl json"]
    lines += [".Nm", ".Fl Fl help | Fl Fl version"]
    lines += [".Sh DESCRIPTION", *_text("slopn asks SloPN's helper, a service that does the work with root's rights.")]
    lines += _text("The command itself has no rights and holds no state but the key that it is paired by.")
    lines += [".Pp", *_text("Every verb has a page of its own.")]
    for title, names in GROUPS.items():
        lines += [f".Ss {_words(title)}", ".Bl -tag -width disconnect"]
        for name in names:
            lines += [f".It Cm {name}", *_text(f"{verbs[name].summary};"), f".Xr slopn-{name} 1"]
        lines += [".El"]
    lines += [".Sh ENVIRONMENT", *_environment()]
    lines += _statuses()
    lines += [".Sh EXAMPLES", *_examples(FIRST_STEPS)]
    lines += [
        ".Sh SEE ALSO",
        *_references([*(f"slopn-{name}" for name in sorted(verbs))], [("slopn-helper", 8), ("wg", 8)]),
    ]
    return _page(lines)


def verb_page(name: str, verb: Verb, date: str) -> str:
    """slopn-VERB(1)."""
    lines = _head(f"slopn-{name}", 1, verb.summary, date)
    lines += [".Nm slopn", f".Cm {name}"]
    lines += [_synopsis(argument) for argument in verb.every if not argument.positional]
    lines += [_synopsis(argument) for argument in verb.arguments if argument.positional]
    lines += [".Sh DESCRIPTION", *_paragraphs(verb.about or f"{verb.summary[:1].upper()}{verb.summary[1:]}.")]
    lines += [".Pp", "The arguments are:", ".Bl -tag -width Ds"]
    for argument in (*verb.arguments, *(each for each in verb.every if each not in verb.arguments)):
        lines += [_item(argument.names, argument.metavar, argument), *_text(_sentence(argument.said))]
    lines += [".El", ".Sh ENVIRONMENT", *_environment(), *_statuses()]
    if verb.examples:
        lines += [".Sh EXAMPLES", *_examples(verb.examples)]
    lines += [".Sh SEE ALSO", *_references(["slopn", *(f"slopn-{other}" for other in sorted(verb.see))], [])]
    return _page(lines)


def program_page(
    name: str, summary: str, about: str, roles: Mapping[str, tuple[str, Sequence[Option]]], date: str
) -> str:
    """NAME(8), of a program whose first argument is a role: each with its help and its options."""
    lines = _head(name, 8, summary, date)
    for role in roles:
        lines += [".Nm", f".Cm {role}", ".Op Ar OPTIONS"]
    lines += [".Sh DESCRIPTION", *_paragraphs(about)]
    for role, (what, options) in roles.items():
        lines += [f".Ss {_words(f'{name} {role}')}", *_text(_sentence(what))]
        if options:
            lines += [".Bl -tag -width Ds"]
            for names, value, said in options:
                lines += [_item(names, value, None), *_text(_sentence(said))]
            lines += [".El"]
    lines += [".Sh SEE ALSO", *_references(["slopn"], [])]
    return _page(lines)


def _head(name: str, section: int, summary: str, date: str) -> list[str]:
    year, month, day = date.split("-")
    return [
        f".Dd {_MONTHS[int(month) - 1]} {int(day)}, {year}",
        f".Dt {name.upper()} {section}",
        ".Os SloPN",
        ".Sh NAME",
        f".Nm {name}",
        f".Nd {_words(summary.rstrip('.'))}",
        ".Sh SYNOPSIS",
    ]


def _page(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


def _synopsis(argument: Argument) -> str:
    metavar, many = argument.metavar, argument.options.get("nargs")
    if argument.positional:
        dots = " ..." if many in {"+", "*"} else ""
        return f".Ar {metavar}{dots}" if many in {None, "+"} else f".Op Ar {_words(metavar)}{dots}"
    value = f" Ar {metavar}" if metavar else ""
    return f".Op {_flag(argument.names[0])}{f' Op Ar {metavar}' if many == '?' else value}"


def _item(names: Sequence[str], value: str, argument: Argument | None) -> str:
    if argument is not None and argument.positional:
        return f".It Ar {_words(value)}"
    optional = argument is not None and argument.options.get("nargs") == "?"
    shown = f" Op Ar {value}" if optional else f" Ar {value}" if value else ""
    return f".It {' , '.join(map(_flag, names))}{shown}"


def _flag(name: str) -> str:
    return f"Fl Fl {name[2:]}" if name.startswith("--") else f"Fl {name[1:]}"


def _statuses() -> list[str]:
    lines = [".Sh EXIT STATUS", ".Bl -tag -width Ds"]
    for status, meaning in STATUSES.items():
        lines += [f".It {status}", *_text(f"{meaning[:1].upper()}{meaning[1:]}.")]
    return [*lines, ".El"]


def _environment() -> list[str]:
    return [
        ".Bl -tag -width SLOPN_SOCKET",
        ".It Ev SLOPN_SOCKET",
        *_text("The helper's socket, if it isn't /run/slopn/helper.sock."),
        ".It Ev SLOPN_KEYRING",
        *_text("Set to no: this program's key is kept in a file, whatever keyring there is."),
        ".It Ev NO_COLOR",
        *_text("Set to anything: no colours."),
        ".El",
    ]


def _examples(examples: Sequence[tuple[str, str]]) -> Iterator[str]:
    for number, (command, what) in enumerate(examples):
        yield from [".Pp"] if number else []
        if what:
            yield from _text(_sentence(what).removesuffix(".") + ":")
        yield f".Dl {_words(command)}"


def _references(pages: Sequence[str], others: Sequence[tuple[str, int]]) -> list[str]:
    found = [*((page, 1) for page in pages), *others]
    return [
        f".Xr {page} {section}{' ,' if number < len(found) else ''}" for number, (page, section) in enumerate(found, 1)
    ]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text and text[-1] not in ".!?" else f"{text[:1].upper()}{text[1:]}"


def _paragraphs(text: str) -> list[str]:
    """Running text; lines that are indented stand by themselves, and what comes behind them is a new paragraph."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith(" "):
            lines += [f".D1 {_words(line.strip())}"]
        else:
            lines += [*([".Pp"] if lines and lines[-1].startswith(".D1") else []), *_text(line)]
    return lines


def _text(text: str) -> list[str]:
    """Running text: each sentence on a line of its own, nothing in it is taken for a request."""
    sentences = re.split(r"(?<=[a-z0-9`)][.!?]) (?=[A-Z`])", text.strip())
    # No line of the source is longer than 80 bytes, mandoc(1) says; what is escaped gets longer.
    return [_guarded(line) for sentence in sentences for line in wrap(sentence, 60, break_on_hyphens=False)]


def _guarded(line: str) -> str:
    escaped = _escaped(line)
    return f"\\&{escaped}" if escaped[:1] in {".", "'"} else escaped


def _words(text: str) -> str:
    """The same as a macro's arguments."""
    return " ".join(f"\\&{word}" if _MACRO.fullmatch(word) else word for word in _escaped(text).split()).replace(
        '"', "\\(dq"
    )


def _escaped(text: str) -> str:
    replaced = text.replace("\\", "\\e").replace("`", "\\(ga").replace("-", "\\-").replace("'", "\\(aq")
    return replaced.replace("^", "\\(ha").replace("~", "\\(ti")
