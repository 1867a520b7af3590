from __future__ import annotations

import pytest

from slopn_app.endpoint import DEFAULT, socket_path


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({}, "/run/slopn/helper.sock"),
        ({"SLOPN_SOCKET": "/tmp/x.sock"}, "/tmp/x.sock"),
        ({"SLOPN_SOCKET": ""}, DEFAULT),
    ],
)
def test_the_variable_overrides_the_packages_path(environ: dict[str, str], path: str) -> None:
    """$SLOPN_SOCKET, unless it is empty."""
    assert socket_path(environ) == path
