"""Rules that are the same in every policy: the link's own housekeeping, and how the rest is refused. `docs/firewall.md` gives
the reason for each.
"""

from __future__ import annotations

from slopn_helper.host.firewall.words import Rule

DNS_PORTS = "{ 53, 853, 5355 }"
REJECT = "reject with icmpx admin-prohibited"
RESET = "reject with tcp reset"

DHCP_OUT: tuple[Rule, ...] = (
    ("udp sport 68", "udp dport 67", "ip daddr 255.255.255.255", "accept"),
    ("ip6 saddr fe80::/10", "udp sport 546", "udp dport 547", "ip6 daddr { ff02::1:2, ff05::1:3 }", "accept"),
)
DHCP_IN: tuple[Rule, ...] = (
    ("meta nfproto ipv4", "udp sport 67", "udp dport 68", "accept"),
    ("ip6 saddr fe80::/10", "udp sport 547", "udp dport 546", "ip6 daddr fe80::/10", "accept"),
)
ON_LINK = "ip6 hoplimit 255"
"""RFC 4861: a router would have lowered it, so the packet comes from this link."""

NDP_OUT: tuple[Rule, ...] = (
    ("icmpv6 type nd-router-solicit", "ip6 daddr ff02::2", ON_LINK, "accept"),
    ("icmpv6 type nd-neighbor-solicit", "ip6 daddr { fe80::/10, ff02::1:ff00:0/104 }", ON_LINK, "accept"),
    ("icmpv6 type nd-neighbor-advert", "ip6 daddr { fe80::/10, ff02::1 }", ON_LINK, "accept"),
)
NDP_IN: tuple[Rule, ...] = (
    ("icmpv6 type { nd-router-advert, nd-redirect }", "ip6 saddr fe80::/10", ON_LINK, "accept"),
    ("icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert }", ON_LINK, "accept"),
)
BLOCK_DNS: tuple[Rule, ...] = (
    (f"tcp dport {DNS_PORTS}", RESET),
    (f"udp dport {DNS_PORTS}", REJECT),
)
REFUSALS: tuple[Rule, ...] = (
    # A reset for attempts alone: connections through the tunnel shall outlive a short block, and ICMP is soft to them.
    ("tcp flags syn", RESET),
    (REJECT,),
)
ICMP_ERRORS = {
    "icmp": "{ destination-unreachable, time-exceeded, parameter-problem }",
    "icmpv6": "{ destination-unreachable, packet-too-big, time-exceeded, parameter-problem }",
}
LINK = "@ll,96,16 { 0x806, 0x888e, 0x8809, 0x8863, 0x8864, 0x88e5 }"
"""ARP; EAPOL, without which there is no Wi-Fi; LACP; PPPoE and MACsec, whose devices have the rules themselves."""
STP = "@ll,0,48 0x180c2000000"
"""A bridge that falls silent makes loops (IEEE 802.1D); no bridge passes this address on."""
ETHERNET = "meta oiftype ether"
