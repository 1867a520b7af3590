"""`slopn-gateway` in this process, on a gateway of its own in a folder: real settings, real SQLite, real keys."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from slopn_helper.gateway import certificate, cli, config, config_file, keys
from slopn_helper.gateway.config import Config, DatabaseSection
from slopn_helper.gateway.registry import Registry

ENDPOINT = "vpn.example.org"


@dataclass
class Cli:
    """One gateway, and what its administrator types."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    @property
    def config_file(self) -> Path:
        """Its settings."""
        return self.folder / "etc/gateway.toml"

    @property
    def state(self) -> Path:
        """Where its keys and its registry are."""
        return self.folder / "state"

    @property
    def paths(self) -> list[str]:
        """The options that name its places."""
        where = ["--config", str(self.config_file), "--state-dir", str(self.state)]
        return [*where, "--runtime-dir", str(self.folder / "run")]

    @property
    def config(self) -> Config:
        """Its settings."""
        return config_file.load(self.config_file)

    def make(self) -> None:
        """Settings, key and registry, as `init` leaves them."""
        settings = config.defaults(ENDPOINT, bytes(7))
        settings = msgspec.structs.replace(settings, database=DatabaseSection(f"sqlite:///{self.state}/registry.db"))
        self.config_file.parent.mkdir()
        self.config_file.write_text(config_file.write(settings), encoding="utf-8")
        self.config_file.chmod(0o600)
        keys.create(self.state / keys.NAME, owner=os.getuid())
        certificate.ensure(self.state / "certificate", ENDPOINT)
        (self.folder / "run").mkdir()

        async def create() -> None:
            registry = Registry(settings.database.url, secrets.token_bytes)
            await registry.create(config.lent(settings.pools))
            await registry.close()

        asyncio.run(create())

    def run(self, *words: str) -> tuple[int, str, str]:
        """Exit status, stdout, stderr."""
        self.capsys.readouterr()
        status = cli.main([*words, *self.paths])
        out, err = self.capsys.readouterr()
        return status, out, err

    def good(self, *words: str) -> str:
        """The same of what must go well: its stdout."""
        status, out, err = self.run(*words)
        assert (status, err) == (cli.DONE, ""), (status, out, err)
        return out

    def json(self, *words: str) -> Any:
        """The same of what answers in JSON."""
        return json.loads(self.good(*words, "--json"))

    def audit(self) -> list[dict[str, Any]]:
        """The audit log."""
        path = self.state / "audit.jsonl"
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        return [cast("dict[str, Any]", json.loads(line)) for line in text.splitlines()]
