"""Build the latest wireguard-go into .cache/bin: benchmarks and wg-quick tests measure themselves against it.

Nothing of it is shipped or committed. "Latest" is asked for once; `make clean` forgets it.
"""

from __future__ import annotations

import re

from tools.console import CACHE, output, say
from tools.golang import go, install

MODULE = "golang.zx2c4.com/wireguard"
PROGRAM = CACHE / "bin/wireguard-go"


def main() -> None:
    """Build it unless it is there, with the Go on PATH or the one from PyPI."""
    if install(MODULE, "latest", PROGRAM):
        say(f"   {version()}")


def version() -> str:
    """Module version built into the program, such as `v0.0.20250522` or a pseudo-version."""
    found = re.search(rf"mod\s+{re.escape(MODULE)}\s+(\S+)", output([go(), "version", "-m", PROGRAM]) or "")
    return f"{MODULE} {found[1]}" if found else "unknown"


if __name__ == "__main__":
    main()
