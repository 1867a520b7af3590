"""`make soak`: the engine at full rate for long, with sessions renewed, moves and loss: no memory grows, no session is lost.

Two engines in this process, streams both ways between them. Every two seconds the sessions are renewed; every five the client has
another address or fresh sockets; one datagram of a thousand is lost. Ends with exit status 1 and a sentence when a second passes
in which nothing gets through (`--stall` of them in a row), when memory grows, or when sessions aren't renewed as they should be.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial

from soak.run import Soak


def main(argv: Sequence[str] | None = None) -> int:
    """Run it, print a line a minute and the verdict."""
    parser = argparse.ArgumentParser(prog="make soak ARGS=…", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--loss", type=int, default=1, help="of a thousand datagrams")
    parser.add_argument("--stall", type=float, default=15, help="seconds without progress that are too many")
    parser.add_argument("--growth", type=int, default=4096, help="KiB of resident memory that are too many")
    args = parser.parse_args(argv)
    soak = Soak(
        60 * args.minutes, loss=args.loss, stall=args.stall, growth=args.growth, tell=partial(print, flush=True)
    )
    complaints = soak.run()
    print(soak.summary(), *complaints, sep="\n")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
