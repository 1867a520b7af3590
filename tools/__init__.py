"""What `make` runs: set-up, checks, locks and the fresh-machine trial. Standard library of Python 3.11 alone.

Every module is started from the repository's root as `/usr/bin/python3 -m tools.NAME`.
"""

from __future__ import annotations
