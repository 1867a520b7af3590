"""`make docs` and `make reference`: the pages that the code writes, docs/reference-*.md.

python -m tools.reference            writes them
python -m tools.reference --check    says which one isn't the code's any more
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any

from msgspec import NODEFAULT
from msgspec.structs import fields

from slopn_app.cli import man
from slopn_app.cli.main import GROUPS, VERBS, load
from slopn_app.cli.verb import Argument, Verb
from slopn_app.cli.verbs import settings as settings_verb
from slopn_app.preferences import Notifications, Preferences
from slopn_app.tray import main as tray
from slopn_helper.__main__ import _parser as helper_parser
from slopn_helper.gateway import cli as gateway
from slopn_helper.gateway.config import Config
from slopn_helper.gateway.config_file import _allowed, _meta, _toml
from slopn_helper.health import REGISTRY
from slopn_wire import words
from slopn_wire.settings import Settings
from slopn_wire.state import ErrorCause
from tools.console import ROOT, give_up
from tools.docstrings import attributes

FOLDER = ROOT / "docs"
_MADE = "*Made from the code by `make reference`.*"


def main() -> None:
    """Write the pages, or check them."""
    check = "--check" in sys.argv[1:]
    stale = []
    for name, text in pages().items():
        path = FOLDER / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not check:
                path.write_text(text, encoding="utf-8")
    if check and stale:
        give_up(f"{', '.join(stale)}: not what the code says; run `make reference`.")


def pages() -> dict[str, str]:
    """Each page's text by its file name in docs/."""
    made = {
        "reference-cli.md": _commands(),
        "reference-settings.md": _settings(),
        "reference-messages.md": _messages(),
    }
    return {name: "\n".join(lines) + "\n" for name, lines in made.items()}


def _commands() -> list[str]:
    lines = ["# All commands", "", _MADE, "", "With examples and what they print: [the command line](cli.md).", ""]
    verbs = {name: load(name).VERB for name in VERBS}
    for title, names in GROUPS.items():
        lines += [f"## {title}", ""]
        for name in names:
            lines += _verb(name, verbs[name])
    lines += ["## Exit statuses", "", *_table(("Status", "Means"), man.STATUSES.items()), ""]
    lines += ["## The tray", "", "```", tray._USAGE.strip(), "```", ""]  # noqa: SLF001 - its help has no other name
    lines += [
        "## The service",
        "",
        "For root; systemd starts the role `client`. The other three need no service that runs.",
        "",
    ]
    lines += _parser(helper_parser())
    lines += ["## The gateway", "", "For root, on a server of your own: [your own gateway](gateway.md).", ""]
    for name in gateway.VERBS:
        module = gateway.verb(name)
        parser = argparse.ArgumentParser(prog=f"slopn-gateway {name}", description=module.HELP)
        module.configure(parser)
        gateway.add_paths(parser)
        lines += _role(f"slopn-gateway {name}", module.HELP, parser)
    return lines[:-1]


def _verb(name: str, verb: Verb) -> list[str]:
    words_ = [f"slopn {name}", *(_synopsis(argument) for argument in verb.every)]
    lines = [f"### slopn {name}", "", _sentence(verb.summary), "", "```", " ".join(words_), "```", ""]
    lines += [*_list((_shown(argument), argument.said) for argument in verb.every), ""]
    if verb.about:
        lines += ["```text", *verb.about.splitlines(), "```", ""]
    if verb.examples:
        lines += _table(("Example", ""), ((f"`{command}`", what) for command, what in verb.examples))
        lines += [""]
    return lines


def _synopsis(argument: Argument) -> str:
    many = argument.options.get("nargs")
    dots = "…" if many in {"+", "*"} else ""
    if argument.positional:
        return f"{argument.metavar}{dots}" if many in {None, "+"} else f"[{argument.metavar}{dots}]"
    value = f" {argument.metavar}{dots}" if argument.metavar else ""
    return f"[{argument.names[-1]}{f' [{argument.metavar}]' if many == '?' else value}]"


def _shown(argument: Argument) -> str:
    names = (argument.metavar,) if argument.positional else argument.names
    value = f" {argument.metavar}" if argument.metavar and not argument.positional else ""
    return ", ".join(f"`{name}{value}`" for name in names)


def _parser(parser: argparse.ArgumentParser) -> list[str]:
    """Its roles, one below the other."""
    lines = []
    for name, about, role in _roles(parser):
        lines += _role(f"{parser.prog} {name}", about, role)
    return lines


def _role(title: str, about: str, parser: argparse.ArgumentParser, mark: str = "###") -> list[str]:
    lines = [f"{mark} {title}", "", _sentence(about), ""]
    if options := list(_options(parser)):
        lines += [*_list(options), ""]
    for name, further, role in _roles(parser):
        lines += _role(f"{title} {name}", further, role, f"{mark}#")
    return lines


def _roles(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """Name, help and parser of each. argparse has no other way to its parts than these."""
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            said = {choice.dest: choice.help or "" for choice in action._choices_actions}  # noqa: SLF001
            for name, role in action.choices.items():
                yield name, said.get(name, "") or role.description or "", role


def _options(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    for action in parser._actions:  # noqa: SLF001 - as above
        if isinstance(action, argparse._HelpAction | argparse._SubParsersAction):  # noqa: SLF001
            continue
        value = "" if action.nargs == 0 else str(action.metavar or action.dest.upper())
        names = action.option_strings or [value]
        space = f" {value}" if value and action.option_strings else ""
        said = (action.help or "").replace("%(default)s", str(action.default)).replace("%%", "%")
        if action.choices is not None:
            said = f"{said}: {', '.join(map(str, action.choices))}"
        if "default" not in said and action.default not in {None, False, argparse.SUPPRESS} and action.nargs != 0:
            said = f"{said}; {action.default} if left out"
        yield ", ".join(f"`{name}{space}`" for name in names), said


def _settings() -> list[str]:
    lines = ["# All settings", "", _MADE, "", "## The service's", ""]
    lines += ["Of the whole computer: `slopn settings`, or the window's page Settings.", ""]
    defaults = Settings()
    rows = []
    for key, (values, meaning) in settings_verb.SETTINGS.items():
        default = settings_verb._shown(key, _plain(getattr(defaults, key)))  # noqa: SLF001 - as `slopn settings` shows it
        rows.append((f"`{key}`", _values(values), f"`{default}`", _sentence(meaning)))
    lines += [*_table(("Setting", "Words", "At first", "What it does"), rows), ""]
    modes = attributes(type(defaults.kill_switch))
    lines += ["`kill_switch` closes this computer to traffic outside the tunnel:", ""]
    lines += [*_list((f"`{mode.value}`", modes[mode.name]) for mode in type(defaults.kill_switch)), ""]
    lines += [
        "Where only words such as `default`, `none` or `all` stand, addresses, networks or a web page are what is set else.",
        "",
    ]
    lines += [
        "## Each user's own",
        "",
        "In `~/.config/slopn/preferences.json`, written by the window, read by the tray.",
        "",
    ]
    lines += [*_table(("Key", "At first", "What it does"), _preferences()), ""]
    lines += [
        "## The gateway's",
        "",
        "In `/etc/slopn/gateway.toml`; `slopn-gateway init` writes it, with these words in it.",
        "",
    ]
    for section in fields(Config):
        lines += [f"### [{section.name}]", "", _sentence((section.type.__doc__ or "").strip()), ""]
        lines += [*_table(("Key", "Allowed", "If left out", "What it is"), _keys(section.type)), ""]
    return lines[:-1]


def _preferences() -> Iterator[tuple[str, str, str]]:
    for kind, before in ((Preferences, ""), (Notifications, "notifications.")):
        said = attributes(kind)
        for field in fields(kind):
            if not isinstance(field.default, Notifications):
                yield f"`{before}{field.encode_name}`", f"`{_json(field.default)}`", _sentence(said[field.name])


def _keys(section: Any) -> Iterator[tuple[str, str, str, str]]:
    for key in fields(section):
        meta = _meta(key)
        default = "must be said" if key.default is NODEFAULT else f"`{_toml(key.default)}`"
        yield f"`{key.name}`", _allowed(meta), default, str(meta.description)


def _messages() -> list[str]:
    lines = ["# All messages", "", _MADE, "", "What to do, by what you see: [troubleshooting](troubleshooting.md).", ""]
    lines += [
        "## Warnings",
        "",
        "In `slopn status` and in the window; names in braces are filled in. The code stands in `slopn status --json`.",
        "",
    ]
    for code, kind in REGISTRY.items():
        lines += [f"### {code}", "", f"*{kind.severity.value}* – {kind.text}", ""]
        lines += [f"→ {kind.remedy}", ""] if kind.remedy else []
    lines += ["## Why there is no tunnel", "", "`cause` in `slopn status --json`.", ""]
    for cause in ErrorCause:
        what, _, remedy = words.sentences(cause.value, "open")
        lines += [f"### {cause.value}", "", f"{what} ({words.short(cause.value)})", "", f"→ {remedy}", ""]
    return lines[:-1]


def _values(text: str) -> str:
    return ", ".join(f"`{value}`" for value in text.split())


def _plain(value: Any) -> Any:
    """As the wire has it."""
    return value.value if isinstance(value, Enum) else list(value) if isinstance(value, tuple) else value


def _json(value: Any) -> str:
    return "[]" if value == () else str(value).lower() if isinstance(value, bool) else f'"{value}"'


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> list[str]:
    def line(row: tuple[object, ...]) -> str:
        return f"| {' | '.join(_cell(str(each)) for each in row)} |"

    return [line(head), f"|{'---|' * len(head)}", *(line(row) for row in rows)]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _list(rows: Iterable[tuple[str, str]]) -> list[str]:
    return [f"* {name}: {text}" if text else f"* {name}" for name, text in rows]


def _sentence(text: str) -> str:
    if ":" not in text.partition(" ")[0]:
        text = f"{text[:1].upper()}{text[1:]}"
    return text if text[-1:] in {".", "!", "?", ""} else f"{text}."


if __name__ == "__main__":
    main()
