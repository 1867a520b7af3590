"""`slopn-gateway`: verbs, exit statuses, and errors as sentences. A verb's module is imported when it is called."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from slopn_helper.gateway import cli


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out the verb that the arguments name; returns the exit status."""
    return cli.main(sys.argv[1:] if argv is None else list(argv))


if __name__ == "__main__":
    sys.exit(main())
