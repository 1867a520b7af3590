"""The socket follows its group."""

from __future__ import annotations

import contextlib
import grp
import os
import stat
from pathlib import Path

from slopn_helper.ipc.endpoints.unix import UnixEndpoint

NOBODY = 65534


def test_the_group_may_come_and_go(tmp_path: Path) -> None:
    """One that is made while the helper runs lets its members in at once; one that is gone lets nobody in."""
    group = grp.getgrgid(NOBODY).gr_gid
    with contextlib.closing(UnixEndpoint(tmp_path, None)) as listening:
        for now, closed in ((group, 0o660), (None, 0o600)):
            listening.belong_to(now)
            listening.open_to_all(False)
            found = listening.path.lstat()
            assert stat.S_IMODE(found.st_mode) == closed
            assert found.st_gid == (os.getegid() if now is None else now)
