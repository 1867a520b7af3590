from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from slopn_app.credentials.keys import make_key, validity
from slopn_helper.ipc.certificates import read_request
from slopn_helper.ipc.pki import Authority


def test_the_helper_takes_the_request(tmp_path: Path) -> None:
    """What it issues holds for a year from now."""
    key, request = make_key("command line")
    read_request(request)
    assert key.startswith("-----BEGIN PRIVATE KEY-----")
    tmp_path.chmod(0o700)
    issued = Authority.open(tmp_path, time.time(), os.geteuid()).issue(request, "d", time.time())
    not_before, not_after = validity(issued.certificate)
    assert (not_before, not_after) == (issued.not_before, issued.not_after)


def test_each_key_is_another() -> None:
    """They are made by chance."""
    assert make_key("x")[0] != make_key("x")[0]


def test_what_is_no_certificate_is_refused() -> None:
    """Whatever a helper sends."""
    with pytest.raises(ValueError, match=r"."):
        validity("rubbish")
