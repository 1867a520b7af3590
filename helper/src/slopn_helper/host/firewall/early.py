"""The block at boot: put in force by a program that ends at once, and left for the helper to take over.

Loads neither netlink library nor journal nor event loop, since the network waits for it. The table needs no entry in
the undo journal: `restore` removes it by its name, and no boot begins with one.
"""

from __future__ import annotations

from slopn_helper.host.firewall import FirewallError, readback, ruleset
from slopn_helper.host.firewall.libnft import Nft
from slopn_helper.host.firewall.policy import Blocked


def block(*, allow_lan: bool, fwmark: int) -> None:
    """Close this host, in one transaction, to all that `Blocked` without endpoints doesn't let pass.

    Where the kernel can, the table is claimed with `persist`: it stays in force when this process ends, and the helper
    claims it and swaps its rules without an instant in between. Raises `FirewallError`.
    """
    policy = Blocked(allow_lan=allow_lan)
    nft = Nft()
    if nft.claim():
        present = readback.contents(nft.listing() or ())
        nft.run(ruleset.render_within(policy, fwmark=fwmark, present=present))
    else:
        nft.run(ruleset.render(policy, fwmark=fwmark))
    difference = readback.difference(ruleset.chains(policy, fwmark=fwmark), nft.listing() or ())
    if difference is not None:
        raise FirewallError(f"the rules in force are not those that were sent: {difference}")
