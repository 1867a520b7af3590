"""Names for devices: unbound, under a unit and with settings of our own. Pure text.

Unbound and not dnsmasq, since it asks the internet's name servers itself: no third party learns what devices look up,
and answers are validated (DNSSEC); it is also what people put beside WireGuard on Debian. An instance of our own, since
one line `interface:` in unbound.conf.d would take the administrator's own unbound off the loopback.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from slopn_helper.gateway.pools import gateway_address
from slopn_wire.profile import IPNetwork

PROGRAM = Path("/usr/sbin/unbound")
FILE = Path("/etc/unbound/slopn-gateway.conf")
"""In a folder that Debian's AppArmor profile lets unbound read, and that its own unit doesn't."""
UNIT = "slopn-gateway-dns.service"
ANCHOR = Path("/usr/share/dns/root.key")
"""The root's key as Debian's package dns-root-data keeps it up to date."""
MARK = "# Made by `slopn-gateway init`"
"""How a file of ours begins: no other is ever replaced or removed."""
INSTALL = "apt install unbound dns-root-data"
"""What brings the server."""

_HEAD = f"""\
{MARK} for {UNIT} alone, and made anew by it: changes here are lost.
# To have devices use other resolvers, name them in /etc/slopn/gateway.toml (dns.servers).
server:
"""
_REST = """\
    # The addresses may come later than this server, and go while it runs.
    ip-freebind: yes
    port: 53

    # What is asked is written down nowhere; errors of the server itself go to the journal.
    verbosity: 0
    val-log-level: 0
    log-queries: no
    log-replies: no
    log-local-actions: no
    log-servfail: no
    use-syslog: no
    logfile: ""

    # The unit takes its privileges and its view of the file system.
    do-daemonize: no
    username: ""
    chroot: ""
    directory: ""
    pidfile: ""

    hide-identity: yes
    hide-version: yes
    hide-trustanchor: yes
    qname-minimisation: yes
    harden-below-nxdomain: yes
    harden-dnssec-stripped: yes
    harden-glue: yes
    aggressive-nsec: yes
    prefetch: yes
    minimal-responses: yes
    unwanted-reply-threshold: 1000000
"""
_END = """
remote-control:
    control-enable: no
"""


def config(pools: Iterable[IPNetwork], anchor: Path | None = ANCHOR) -> str:
    """unbound.conf(5): listens on the gateway's addresses inside alone, and answers devices alone.

    `anchor`: the root's key; None: there is none, and answers aren't validated.
    """
    networks = sorted(pools, key=lambda network: (network.version, network))
    lines = [_HEAD]
    lines += [f"    interface: {gateway_address(network)}\n" for network in networks]
    lines += ["    access-control: 0.0.0.0/0 refuse\n", "    access-control: ::/0 refuse\n"]
    lines += [f"    access-control: {network} allow\n" for network in networks]
    lines.append(_REST)
    if anchor is None:
        lines.append(
            '    # Without dns-root-data there is no key to validate answers by.\n    module-config: "iterator"\n'
        )
    else:
        lines.append(f'    trust-anchor-file: "{anchor}"\n')
    lines.append(_END)
    return "".join(lines)


def is_ours(text: str) -> bool:
    """Whether a file is one of these."""
    return text.startswith(MARK)
