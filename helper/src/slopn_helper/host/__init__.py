"""Everything that changes or watches this machine: a package a capability, a module a mechanism."""

from __future__ import annotations

from slopn_helper.host.lean import spare

# All of it would bring a database into a privileged process, half a second to its start and 6 MB to its memory.
spare("pyroute2")
