"""A test for each fault under each mode: what gets out meanwhile, and whether docs/security.md calls that closed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from leak.case import Fault, Mode, Row, run
from leak.cells import cells
from leak.conftest import Worlds


def check(worlds: Worlds, note: Callable[[Row], None], fault: Fault, mode: Mode) -> None:
    """Run the case, note what it found, and fail if that isn't what it has to be."""
    try:
        row = run(worlds.get(plain=mode is Mode.PLAIN, daemon=fault.daemon), fault, mode)
    except BaseException:
        worlds.end()
        raise
    note(row)
    assert row.verdict != "NO CONTROL", f"the senders, or the fault, let too little out of an open host: {row}"
    assert row.verdict != "LEAK", f"{row.fault}, {row.mode}: {row.leaked} {row.samples}"


@pytest.mark.leak
@pytest.mark.parametrize(("fault", "mode"), cells(sample=True))
def test_a_sample(worlds: Worlds, note: Callable[[Row], None], fault: Fault, mode: Mode) -> None:
    """Some faults of different kinds."""
    check(worlds, note, fault, mode)


@pytest.mark.leak
@pytest.mark.long
@pytest.mark.parametrize(("fault", "mode"), cells(sample=False))
def test_each_fault(worlds: Worlds, note: Callable[[Row], None], fault: Fault, mode: Mode) -> None:
    """All others, under all their modes."""
    check(worlds, note, fault, mode)
