"""`slopn-helper` that gives a gateway two seconds to answer instead of ten, for tests of what comes after that."""

from __future__ import annotations

import sys

from slopn_helper.__main__ import main
from slopn_helper.tunnel.states import connecting

if __name__ == "__main__":
    connecting.HANDSHAKE_WITHIN = 2.0
    sys.exit(main())
