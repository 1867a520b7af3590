from __future__ import annotations

from slopn_app import bootstrap
from slopn_app.host.parts import Host


def test_each_part_is_in_its_place() -> None:
    """They come out as they were put in."""
    real = bootstrap.host()
    host = Host(real.transport, real.files, real.vault, real.load_key, graphical=True)
    assert (host.transport, host.files, host.vault, host.load_key) == (
        real.transport,
        real.files,
        real.vault,
        real.load_key,
    )
    assert host.graphical
