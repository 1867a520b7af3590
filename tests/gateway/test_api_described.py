"""Schemathesis: requests that nobody would write, made of the API's own description, against the running API.

It uses what it is answered, so its requests carry challenges that are good and come as far as the proof.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from support.enrolment import serving
from support.registry import opened

_PROGRAM = Path(sys.executable).with_name("schemathesis")


def schemathesis(address: str, about: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """All that it checks, of the document at `address`."""
    words = [str(_PROGRAM), "run", address, "--tls-verify=false", "--checks=all", "--no-color", *about]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, timeout=900)


@pytest.mark.parametrize(
    "about",
    [
        ["--phases=fuzzing", "--max-examples=15", "--seed=1"],
        pytest.param(["--max-examples=120", "--seed=2"], marks=pytest.mark.long),
        pytest.param(["--max-examples=120", "--seed=3", "--mode=negative"], marks=pytest.mark.long),
    ],
    ids=["short", "all", "wrong ones"],
)
def test_the_api_is_as_it_is_described(sqlite_url: str, tmp_path: Path, about: list[str]) -> None:
    """Every answer has a status, a type and a body that its description names; wrong is refused, right is not."""

    async def body() -> None:
        async with opened(sqlite_url) as registry, serving(registry, tmp_path) as world:
            address = f"https://127.0.0.1:{world.port}/v1/openapi.json"
            done = await asyncio.to_thread(schemathesis, address, about, tmp_path)
            assert done.returncode == 0, done.stdout + done.stderr
            asked = {path for path, _ in world.heard.requests}
            assert {"/v1/challenge", "/v1/enrol", "/v1/renew", "/v1/rotate"} <= asked
            assert await registry.devices() == ()

    asyncio.run(body())
