"""`slopn-helper` with another firewall, chosen by VARIANT. Run as a program with the helper's own arguments.

`plain`: its tables have no owner, as on kernels before 6.9, so that anybody may change them and a guard puts them back.
`sabotage`: it says that it has closed the host, and hasn't. The lab must see that.
"""

from __future__ import annotations

import functools
import os
import sys
from typing import Any

from slopn_helper.__main__ import main
from slopn_helper.host.firewall import nftables


async def _nothing(*_: Any, **__: Any) -> None:
    """Claims to have applied the policy."""


if __name__ == "__main__":
    if os.environ["VARIANT"] == "sabotage":
        nftables.NftablesFirewall.apply = _nothing  # type: ignore[method-assign]
    else:
        nftables.NftablesFirewall.__init__ = functools.partialmethod(  # type: ignore[method-assign, assignment]
            nftables.NftablesFirewall.__init__, owned=False
        )
    sys.exit(main())
