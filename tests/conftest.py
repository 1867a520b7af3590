"""What every test needs of this machine, checked where it is needed: a test without its tools fails and says so."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

collect_ignore = ["windows"]
"""Those run on Windows' Python (`make test-windows`), with a conftest.py that asks Windows' libraries."""

_HERE = Path(__file__).parent
_NEED_ROOT = ("netns", "demo", "e2e", "bench", "packages")
_TOOLS = ("ip", "nft", "wg", "nsenter", "mount")


def missing() -> list[str]:
    """What this machine lacks for tests in network namespaces, a sentence each."""
    lacks = []
    if os.geteuid() != 0:
        lacks.append("It must run as root: network namespaces and TUN devices are made.")
    if not Path("/dev/net/tun").exists():
        lacks.append("There is no /dev/net/tun: load the module `tun`, or pass the device to the container.")
    lacks += [
        f"The program `{tool}` is not on the PATH: run `make setup`." for tool in _TOOLS if not shutil.which(tool)
    ]
    return lacks


@pytest.fixture(autouse=True, scope="session")
def nobodys_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What front ends are paired by goes into a folder of the test run's, never into a person's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state-home")))
        yield


@pytest.fixture(autouse=True, scope="session")
def interruptible() -> None:
    """A shell starts what it puts into the background with SIGINT ignored, and every program that is started from there."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def english() -> Iterator[None]:
    """What front ends say doesn't depend on who runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("LANGUAGE", "LC_ALL", "LC_MESSAGES"):
            patch.delenv(variable, raising=False)
        patch.setenv("LANG", "C.UTF-8")
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail, never skip, a test whose folder or mark needs more than this machine has."""
    below = item.path.relative_to(_HERE).parts if item.path.is_relative_to(_HERE) else ()
    if (below and below[0] in _NEED_ROOT) or item.get_closest_marker("root"):
        lacks = missing()
        if lacks:
            pytest.fail(" ".join(lacks), pytrace=False)
