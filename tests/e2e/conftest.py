"""One lab for each module: building it takes longer than most tests in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.scene import Scene


@pytest.fixture(scope="module")
def shared_scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    """The module's lab, with the client's cables that its `UPLINKS` names; eth0 alone without one."""
    with Scene(getattr(request.module, "UPLINKS", ("eth0",))) as scene:
        yield scene


@pytest.fixture
def scene(shared_scene: Scene) -> Scene:
    """The module's lab: disconnected, default settings, the profile `lab`."""
    shared_scene.reset()
    return shared_scene
