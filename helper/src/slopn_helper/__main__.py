"""`slopn-helper`: arguments, role, exit status."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from slopn_helper import __version__

DONE, FAILED, USAGE, NOT_PERMITTED = 0, 1, 2, 4
"""Exit statuses, the same as those of `slopn`."""

RESTORED = "Everything that SloPN had changed on this computer is undone. Your traffic goes out directly."
UNLOCKED = f"{RESTORED} The kill switch no longer closes this computer while no tunnel is wanted."


STATE_DIR = Path("/var/lib/slopn")
EARLY_BLOCK = "early-block"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the role that the arguments name; returns the exit status."""
    given = sys.argv[1:] if argv is None else list(argv)
    early = given[:1] == [EARLY_BLOCK]
    # The network waits for that role, and what the others import takes ten times as long as all of it.
    arguments = _early_parser().parse_args(given[1:]) if early else _parser().parse_args(given)
    os.umask(0o077)
    if os.geteuid() != 0:
        print("slopn-helper: must run as root", file=sys.stderr)
        return NOT_PERMITTED
    return _early_block(arguments.state_dir) if early else _run(arguments)


def _early_block(state_dir: Path) -> int:
    from slopn_helper import earlyboot
    from slopn_helper.host.firewall import FirewallError

    try:
        print(earlyboot.run(state_dir))
    except (FirewallError, OSError) as error:
        print(f"slopn-helper: this computer could not be closed before its network is up: {error}", file=sys.stderr)
        return FAILED
    return DONE


def _run(arguments: argparse.Namespace) -> int:
    from slopn_helper import bootstrap
    from slopn_helper.secrets import SecretError
    from slopn_helper.store import StateLocked, StoreError

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


def _early_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"slopn-helper {EARLY_BLOCK}")
    _add_state_dir(parser)
    return parser


def _parser() -> argparse.ArgumentParser:
    from slopn_helper import bootstrap
    from slopn_helper.logs import LEVELS

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
    early = roles.add_parser(EARLY_BLOCK, help="at boot: close this computer if the kill switch is always on")
    for role in (client, restore, unlock, early):
        _add_state_dir(role)
    return parser


def _add_state_dir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--state-dir", type=Path, default=STATE_DIR, help="profiles, keys, settings, journal")


if __name__ == "__main__":
    sys.exit(main())
