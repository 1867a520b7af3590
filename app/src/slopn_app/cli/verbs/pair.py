"""`slopn pair [--name NAME] [--rights RIGHTS]`."""

from __future__ import annotations

import argparse

from slopn_app.cli.failure import Failure, Status
from slopn_app.cli.output import put_json, say, warn
from slopn_app.cli.verb import Argument, Verb
from slopn_app.locale import t
from slopn_app.words import RIGHTS

VERB = Verb(
    "pair this program with the helper",
    (
        Argument(("--name",), "what it is called in `slopn devices`", {"metavar": "NAME"}),
        Argument(
            ("--rights",),
            "what it may do, with commas between: view, connect, configure; all if left out",
            {"metavar": "RIGHTS"},
            "view view,connect view,connect,configure",
        ),
        Argument(("--again",), "also if it is paired already; the old pairing ends", {"action": "store_true"}),
    ),
    "\n".join(
        (
            "Any verb pairs when it must; this one does nothing else, and lets you choose. For root and for installed",
            "programs no number is needed. Otherwise the helper shows one, and you repeat it here within two minutes:",
            "`sudo slopn devices` and the service's journal (`journalctl -u slopn-helper`) have it.",
            *(f"    {right}: {meaning}" for right, meaning in RIGHTS.items()),
            "The key belongs to you and this program. A script that shall be able to do less than you needs a key of its",
            "own: give it an XDG_STATE_HOME and SLOPN_KEYRING=no. That limits the script, not whatever else runs as you.",
        )
    ),
    examples=(
        ("slopn pair", ""),
        ("slopn pair --name backup --rights view", "it may look, and nothing else"),
        ("sudo slopn devices", "where the number stands"),
    ),
    see=("devices", "users"),
)


def run(arguments: argparse.Namespace) -> int:
    """Pair; status 0 if it is paired in the end, as asked."""
    rights = _rights(arguments.rights)
    from slopn_app.cli.channel import failure
    from slopn_app.cli.chosen import ChosenPairing
    from slopn_app.trouble import Trouble

    try:
        pairing = ChosenPairing(arguments.name, rights)
        before = pairing.device()
        device, problem = pairing.again() if arguments.again else (pairing.once(), "")
    except Trouble as trouble:
        raise failure(trouble) from None
    if problem:
        warn(problem)
    if device == before and (arguments.name is not None or arguments.rights is not None):
        raise Failure(
            Status.FAILED,
            t("This program is paired already, as device {device}.", device=device),
            t("Add --again for another pairing with that name and those rights; the old one ends."),
        )
    if arguments.json:
        put_json({"device": device, "paired": device != before})
    elif device == before:
        say(
            t("This program is paired already, as device {device}; `slopn devices` says what it may do.", device=device)
        )
    else:
        say(t("Paired as device {device}: it may {rights}.", device=device, rights=", ".join(rights)))
    return Status.DONE


def _rights(text: str | None) -> tuple[str, ...]:
    if text is None:
        return tuple(RIGHTS)
    wanted = {word.strip() for word in text.lower().split(",")}
    if not wanted or not wanted <= set(RIGHTS):
        raise Failure(Status.USAGE, f"--rights can't be {text!r}; it takes {', '.join(RIGHTS)}, with commas between.")
    return tuple(right for right in RIGHTS if right in wanted)
