"""`slopn-helper` that never ends by itself: told to end, it is done with its work and then waits for a thread for ever.

Run as a program with the helper's own arguments. The watchdog comes after HANG_WITHIN seconds instead of its own time.
"""

from __future__ import annotations

import os
import sys
import time
from functools import partial

from slopn_helper import watchdog
from slopn_helper.__main__ import main
from slopn_helper.host.firewall.nftables import NftablesFirewall


def let_go_of_a_lock_that_nobody_gives_back(_: NftablesFirewall) -> None:
    """In the place of what ends the firewall's thread."""
    while True:
        time.sleep(60)


if __name__ == "__main__":
    NftablesFirewall.close = let_go_of_a_lock_that_nobody_gives_back  # type: ignore[method-assign, assignment]
    watchdog.start = partial(watchdog.start, within=float(os.environ["HANG_WITHIN"]))
    sys.exit(main())
