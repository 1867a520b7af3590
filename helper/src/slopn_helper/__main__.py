"""`slopn-helper`: arguments, role, exit status."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from slopn_helper import __version__, bootstrap
from slopn_helper.logs import LEVELS
from slopn_helper.secrets import SecretError
from slopn_helper.store import StateLocked, StoreError

DONE, FAILED, USAGE, NOT_PERMITTED = 0, 1, 2, 4
"""Exit statuses, the same as those of `slopn`."""

RESTORED = "Everything that SloPN had changed on this computer is undone. Your traffic goes out directly."
UNLOCKED = f"{RESTORED} The kill switch no longer closes this computer while no tunnel is wanted."


def main(argv: Sequence[str] | None = None) -> int:
    """Run the role that the arguments name; returns the exit status."""
    arguments = _parser().parse_args(argv)
    os.umask(0o077)
    if os.geteuid() != 0:
        print("slopn-helper: must run as root", file=sys.stderr)
        return NOT_PERMITTED
    try:
        if arguments.role == "restore":
            return _told(bootstrap.run_restore(arguments.state_dir), RESTORED)
        if arguments.role == "unlock":
            return _told(bootstrap.run_unlock(arguments.state_dir), UNLOCKED)
        bootstrap.run_client(
            bootstrap.Options(
                state_dir=arguments.state_dir,
                runtime_dir=arguments.runtime_dir,
                log_level=arguments.log_level,
                log_file=arguments.log_file,
                prefix=arguments.prefix,
            )
        )
    except (StateLocked, StoreError, SecretError, OSError) as error:
        print(f"slopn-helper: {error}", file=sys.stderr)
        return FAILED
    return DONE


def _told(failed: list[str], done: str) -> int:
    for sentence in failed:
        print(f"slopn-helper: {sentence}", file=sys.stderr)
    if failed:
        return FAILED
    print(done)
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="slopn-helper", description="SloPN's privileged service.")
    parser.add_argument("--version", action="version", version=f"slopn-helper {__version__}")
    roles = parser.add_subparsers(dest="role", required=True, metavar="ROLE")
    client = roles.add_parser("client", help="be the service that front ends talk to")
    client.add_argument("--runtime-dir", type=Path, default=bootstrap.RUNTIME_DIR, help="where helper.sock is made")
    client.add_argument(
        "--log-level", choices=LEVELS, help="until the setting log_level is changed (default: the setting)"
    )
    client.add_argument("--log-file", type=Path, help="also write JSON lines here; turned over at a few megabytes")
    client.add_argument(
        "--prefix",
        type=Path,
        default=bootstrap.installed_prefix(),
        help="folder of SloPN's own front ends, which pair without a number (default: that of an installed helper)",
    )
    restore = roles.add_parser("restore", help="undo all of SloPN's changes to this computer, service dead or alive")
    unlock = roles.add_parser("unlock", help="as restore, and let the kill switch block no more while disconnected")
    for role in (client, restore, unlock):
        role.add_argument(
            "--state-dir", type=Path, default=bootstrap.STATE_DIR, help="profiles, keys, settings, journal"
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())
