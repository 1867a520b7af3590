"""Where the gateway keeps what is its own."""

from __future__ import annotations

from pathlib import Path

from slopn_helper.gateway.paths import Paths


def test_another_directory_takes_all_with_it() -> None:
    """Two gateways with directories of their own have no file in common."""
    one, other = (Paths(Path(f"/{name}/state"), Path(f"/{name}/run")) for name in ("one", "other"))
    for paths in (one, other):
        assert paths.wireguard_key.is_relative_to(paths.state)
        assert paths.journal.is_relative_to(paths.state)
        assert paths.admin_socket.is_relative_to(paths.runtime)
    assert len({one.wireguard_key, one.journal, one.admin_socket, other.wireguard_key, other.journal}) == 5
