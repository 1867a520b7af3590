"""The log line of a refusal: one fixed format that people read and Fail2Ban's filter matches. Pure.

    refused from=203.0.113.7 why=bad_token addr=203.0.113.7 port=40312 more=0 said="laptop of bob"
    refused from=2001:db8:1:2::/64 why=not_tls addr=2001:db8:1:2::7 port=40313 more=2 said=""
    refused unproven=198.51.100.9 why=handshake_flood addr=198.51.100.9 port=51820 more=0 said=""

First who is to be banned for it, alone in its field, then numbers and our own words; what a stranger may choose comes
last, cut and escaped as in JSON, so that it can't forge another field or line. `unproven` stands where an address may be
somebody else's (a datagram's that no cookie has confirmed): nobody is banned for such a line.
"""

from __future__ import annotations

import json
import re

from msgspec import Struct

from slopn_helper.gateway.bans import Why
from slopn_helper.gateway.bans.sources import shown, source_of
from slopn_wire.profile import IPAddress

LOGGER = "slopn_helper.gateway.refusals"
"""The logger whose lines these are, at level warning; the filter takes no other's."""
LONGEST = 64
"""Characters of what the stranger said."""
_LINE = re.compile(r'refused (from|unproven)=(\S+) why=([a-z_]+) addr=(\S+) port=(\d+) more=(\d+) said="(.*)"')


class Refusal(Struct, frozen=True):
    """Somebody from the network was refused."""

    address: IPAddress
    why: Why
    port: int = 0
    """The stranger's; 0: unknown."""
    said: str = ""
    """A name that was given, or what came instead of TLS; empty: nothing worth telling. Never a token."""
    proven: bool = True
    """Whether the address is the sender's: a TCP connection was made, or a cookie came back (WireGuard's mac2)."""


def line(refusal: Refusal, more: int = 0) -> str:
    """The log line. `more`: refusals of this source since its last line that got none of their own."""
    address = refusal.address
    source = shown(source_of(address))
    field = "from" if refusal.proven else "unproven"
    # Without the zone of a link-local address: a name that this host has given, but a name.
    plain = str(address).partition("%")[0]
    return (
        f"refused {field}={source} why={refusal.why} addr={plain} port={refusal.port} more={more}"
        f" said={_quoted(refusal.said)}"
    )


def banned_for(text: str) -> str | None:
    """Who a line accuses, as Fail2Ban's filter reads it: `203.0.113.7`, `2001:db8::/64`; None: nobody."""
    found = _LINE.fullmatch(text)
    return None if found is None or found[1] != "from" else found[2]


def _quoted(text: str) -> str:
    # ASCII alone: no line separator of Unicode, no change of the writing direction. DEL is the one control among it.
    cut = text if len(text) <= LONGEST else text[:LONGEST] + "…"
    return json.dumps(cut, ensure_ascii=True).replace("\x7f", "\\u007f")
