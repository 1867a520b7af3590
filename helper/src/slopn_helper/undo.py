"""The deliberate way back without a running helper: end it if it lives, undo everything, want nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import time

from slopn_helper.store import StateLocked, Store, StoreError

TERM_WITHIN = 20.0
KILL_WITHIN = 5.0
"""Seconds to end after SIGTERM, and after SIGKILL."""
_LOOK_EVERY = 0.05


def end_helper(store: Store) -> None:
    """End the helper that holds `store`, in order or by force, and hold it instead. Raises `StoreError`."""
    for number, within in ((signal.SIGTERM, TERM_WITHIN), (signal.SIGKILL, KILL_WITHIN)):
        deadline = time.monotonic() + within
        told: int | None = None
        while time.monotonic() < deadline:
            try:
                store.lock(unwritten=True)
            except StateLocked as locked:
                if locked.pid is not None and locked.pid != told:
                    told = locked.pid
                    # It may have ended meanwhile: then the next try holds the lock.
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(told, number)
                time.sleep(_LOOK_EVERY)
            else:
                return
    raise StoreError("the running helper can't be ended; nothing was changed")
