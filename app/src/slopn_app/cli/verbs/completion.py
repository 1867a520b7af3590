"""`slopn completion SHELL`."""

from __future__ import annotations

import argparse
import sys

from slopn_app.cli.failure import Status
from slopn_app.cli.output import put_json
from slopn_app.cli.verb import Argument, Verb

_SHELLS = ("bash", "zsh", "fish")
VERB = Verb(
    "print a completion script for a shell",
    (Argument(("shell",), "bash, zsh or fish", {"choices": _SHELLS, "metavar": "SHELL"}, "bash zsh fish"),),
    "Verbs, options, profiles, devices, users, settings and their values are completed.",
    examples=(
        ("source <(slopn completion bash)", "bash, in ~/.bashrc"),
        ("slopn completion zsh > ~/.zfunc/_slopn", "zsh: a folder of $fpath"),
        ("slopn completion fish | source", "fish, in ~/.config/fish/config.fish"),
    ),
)


def run(arguments: argparse.Namespace) -> int:
    """Print the script."""
    from slopn_app.cli import shells
    from slopn_app.cli.main import VERBS, load
    from slopn_app.cli.verbs.settings import KEYS

    verbs = {name: load(name).VERB for name in VERBS}
    make = {"bash": shells.bash, "zsh": shells.zsh, "fish": shells.fish}[arguments.shell]
    script = make(verbs, KEYS)
    if arguments.json:
        put_json({"shell": arguments.shell, "script": script})
    else:
        sys.stdout.write(script)
    return Status.DONE
