"""What most verbs begin with: the settings, the registry behind them, and the audit log."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from slopn_helper.gateway import audit, certificate, cli, config_file
from slopn_helper.gateway.audit import Audit
from slopn_helper.gateway.certificate import Identity
from slopn_helper.gateway.config import Config
from slopn_helper.gateway.paths import Paths

if TYPE_CHECKING:
    from slopn_helper.gateway.registry import Registry


def settings(arguments: argparse.Namespace) -> Config:
    """The gateway's settings. Raises `CliError` where there are none yet, `ConfigError`."""
    if not arguments.config.exists():
        raise cli.CliError(f"There is no gateway here yet ({arguments.config} is missing): run `slopn-gateway init`.")
    return config_file.load(arguments.config)


@asynccontextmanager
async def registry(config: Config) -> AsyncIterator[Registry]:
    """The registry, of this version's schema. Raises `RegistryError`."""
    from slopn_helper.gateway.registry import Registry

    opened = Registry(config.database.url, os.urandom)
    try:
        await opened.database.check()
        yield opened
    finally:
        await opened.close()


def identity(config: Config, paths: Paths) -> Identity:
    """The certificate that devices meet; none is made by looking. Raises `CertificateError`."""
    section = config.enrolment
    if section.certificate:
        return certificate.own(Path(section.certificate), Path(section.key))
    return certificate.own(paths.certificate / certificate.CHAIN, paths.certificate / certificate.KEY)


def log(arguments: argparse.Namespace) -> Audit:
    """The audit log, for whoever runs this."""
    return Audit(arguments.state_dir / audit.NAME, time.time, audit.whoever_runs(os.environ))
