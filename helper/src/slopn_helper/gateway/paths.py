"""Where the gateway keeps what is its own."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct


class Paths(Struct, frozen=True):
    """Directories and files of one gateway. All that lies in them is root's alone."""

    state: Path = Path("/var/lib/slopn/gateway")
    """Stays: keys, certificate, registry (SQLite), the journal of what was changed."""
    runtime: Path = Path("/run/slopn-gateway")
    """Gone after a boot: the administrator's socket."""
    config: Path = Path("/etc/slopn/gateway.toml")

    @property
    def wireguard_key(self) -> Path:
        """The gateway's WireGuard private key (`gateway.keys`)."""
        return self.state / "wireguard.key"

    @property
    def certificate(self) -> Path:
        """The folder of the certificate that we make, and of its key (`gateway.certificate`)."""
        return self.state / "certificate"

    @property
    def journal(self) -> Path:
        """What was changed on this machine, and how to change it back."""
        return self.state / "journal"

    @property
    def memory(self) -> Path:
        """Who was enrolled last, where the registry is elsewhere (`gateway.memory`)."""
        return self.state / "devices.json"

    @property
    def admin_socket(self) -> Path:
        """Where `slopn-gateway status` asks (`gateway.watch`)."""
        return self.runtime / "admin.sock"
