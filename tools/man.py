"""Write the man pages: `python -m tools.man FOLDER` makes man1/slopn.1, man1/slopn-VERB.1 and man8/slopn-helper.8."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from slopn_app.cli import man
from slopn_app.cli.main import VERBS, load
from slopn_helper.__main__ import _parser as helper_parser

ABOUT = """SloPN's privileged service: it owns the tunnel, the firewall, routes and DNS, and does what paired front ends ask.
It is started by the system; slopn(1) talks to it. The roles but client need no running service and are for root,
for the day when it doesn't run."""


def main() -> None:
    """Write them all into the folder that the first argument names. SOURCE_DATE_EPOCH sets their date."""
    folder = Path(sys.argv[1])
    date = time.strftime("%Y-%m-%d", time.gmtime(float(os.environ.get("SOURCE_DATE_EPOCH", time.time()))))
    for name, text in pages(date).items():
        path = folder / f"man{name[-1]}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def pages(date: str) -> dict[str, str]:
    """Each page's text by its file name. `date`: as 2026-01-31."""
    verbs = {name: load(name).VERB for name in VERBS}
    made = {"slopn.1": man.main_page(verbs, date)}
    made |= {f"slopn-{name}.1": man.verb_page(name, verb, date) for name, verb in verbs.items()}
    made["slopn-helper.8"] = man.program_page("slopn-helper", "SloPN's privileged service", ABOUT, roles(), date)
    return made


def roles() -> dict[str, tuple[str, list[man.Option]]]:
    """The helper's roles with their help and options, out of its own parser."""
    parser = helper_parser()
    (actions,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))  # noqa: SLF001 - argparse has no other way
    said = {choice.dest: choice.help or "" for choice in actions._choices_actions}  # noqa: SLF001 - as above
    return {name: (said.get(name, ""), _options(role)) for name, role in actions.choices.items()}


def _options(role: argparse.ArgumentParser) -> list[man.Option]:
    found: list[man.Option] = []
    for action in role._actions:  # noqa: SLF001 - as above
        if not action.option_strings or isinstance(action, argparse._HelpAction):  # noqa: SLF001 - as above
            continue
        value = "" if action.nargs == 0 else (action.metavar or action.dest.upper())
        choices = f"one of {', '.join(map(str, action.choices))}" if action.choices else ""
        # A default that is said in words may be one of this machine's.
        told = "default" in (action.help or "") or action.default in {None, argparse.SUPPRESS}
        default = "" if told else f"{action.default} if left out"
        found.append((action.option_strings, str(value), "; ".join(filter(None, (action.help, choices, default)))))
    return found


if __name__ == "__main__":
    main()
