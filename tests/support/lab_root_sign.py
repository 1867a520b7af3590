"""Signs a zone from standard input with a fresh key: the key's record in the first line, then the zone.

A program of its own, since dnspython has to be told before its first import that our `cryptography` will do.
"""

from __future__ import annotations

import sys

import dns._features

# It asks for the very latest, and needs no more of it than ours has.
dns._features.force("dnssec", True)

import dns.dnssec  # noqa: E402
import dns.name  # noqa: E402
import dns.zone  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402
from dns.dnssectypes import Algorithm  # noqa: E402

AGE = 30 * 86400
"""Seconds for which the signatures hold."""


def main() -> None:
    """Sign it."""
    key = ec.generate_private_key(ec.SECP256R1())
    record = dns.dnssec.make_dnskey(key.public_key(), Algorithm.ECDSAP256SHA256, flags=257)
    zone = dns.zone.from_text(sys.stdin.read(), origin=dns.name.root, relativize=False)
    with zone.writer() as changes:
        dns.dnssec.sign_zone(zone, changes, keys=[(key, record)], lifetime=AGE, add_dnskey=True)
    sys.stdout.write(f". 172800 IN DNSKEY {record.to_text()}\n{zone.to_text(relativize=False)}")


if __name__ == "__main__":
    main()
