"""Who makes SloPN, and where it is found: what to put here before the first release. Others read it from here."""

from __future__ import annotations

MAINTAINER = "SloPN developers <developers@slopn.example>"
"""Name and address in every package. A release (`make dist ARGS="--tag …"`) refuses one at a host that nobody can have."""
REPOSITORY_URL = "https://packages.slopn.example"
"""Where apt/ and dnf/ are found unless SLOPN_REPOSITORY_URL or --url says otherwise: a host that nobody can have (RFC 2606)."""
NOBODYS = ".example"
"""How such hosts end."""
