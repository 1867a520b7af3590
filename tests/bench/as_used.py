"""An engine as the helper has it: in a Python with all its modules. `python -m bench.as_used IFNAME`, then `wg` tells it the rest."""

from __future__ import annotations

import signal
import sys

import slopn_engine
import slopn_helper.bootstrap  # noqa: F401 - for what it weighs


def main() -> None:
    """Serve until a signal ends it."""
    engine = slopn_engine.Engine(sys.argv[1])
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    del engine


if __name__ == "__main__":
    main()
