"""Under Wine some tests can't be real: they are strict expected failures there, and real on Windows."""

from __future__ import annotations

import ctypes

import pytest

MARK = "wine_pretends"


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest of our mark."""
    config.addinivalue_line("markers", f"{MARK}(what): Wine doesn't do that; the same test on a real Windows does")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Expect those to fail under Wine; one that passes is an error, so that its mark goes."""
    if not hasattr(ctypes.CDLL("ntdll"), "wine_get_version"):
        return
    for item in items:
        if mark := item.get_closest_marker(MARK):
            reason = f"Wine {mark.args[0]}; real: {item.nodeid} on the runner"
            item.add_marker(pytest.mark.xfail(strict=True, reason=reason))
