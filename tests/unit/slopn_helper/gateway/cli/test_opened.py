from __future__ import annotations

import asyncio

import pytest

from slopn_helper.gateway.cli import opened
from slopn_helper.gateway.registry.errors import WrongSchema
from support.gateway_cli import Cli


def test_a_registry_without_its_schema_is_refused(gateway: Cli) -> None:
    """An empty file isn't taken for a registry without devices."""
    (gateway.state / "registry.db").write_bytes(b"")

    async def look() -> None:
        async with opened.registry(gateway.config) as registry:
            await registry.devices()

    with pytest.raises(WrongSchema, match="slopn-gateway init"):
        asyncio.run(look())
