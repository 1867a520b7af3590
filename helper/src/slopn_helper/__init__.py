"""The privileged half of SloPN: it owns tunnel, kill switch, DNS, routes and the state of all of them."""

from __future__ import annotations

__version__ = "0.1.0"
