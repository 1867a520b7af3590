"""A renewed certificate is shown without a restart: many are renewed by a program every few weeks."""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import Protocol

from slopn_helper.gateway.certificate import CertificateError, Identity, context, own

EVERY = 60.0
"""Seconds between two looks."""
_log = logging.getLogger(__name__)


class Shows(Protocol):
    """Whoever makes the handshakes."""

    tls: ssl.SSLContext


class Freshness:
    """Looks whether the files have changed, and lets `door` show them if they are of use."""

    def __init__(self, identity: Identity, door: Shows) -> None:
        self._identity = identity
        self._door = door
        self._seen = self._stamp()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            self.look()

    def look(self) -> None:
        """Once. What is of no use is told in the log, and the certificate from before stays in use."""
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            found = own(self._identity.chain_pem_path, self._identity.key_path)
            tls = context(found)
        except CertificateError as error:
            _log.error("the certificate was changed and is of no use; the one before stays: %s", error)
            return
        if found.pin != self._identity.pin:
            # Every device knows the old key alone, and every link that was given out.
            _log.error(
                "the certificate was changed for one of another key, which no device knows; the one before stays"
            )
            return
        self._door.tls = tls
        _log.info("the certificate was renewed")

    def _stamp(self) -> tuple[object, ...]:
        found: list[object] = []
        for path in (self._identity.chain_pem_path, self._identity.key_path):
            try:
                status = path.stat()
            except OSError:
                found.append(None)
            else:
                found.append((status.st_mtime_ns, status.st_ino, status.st_size))
        return tuple(found)
