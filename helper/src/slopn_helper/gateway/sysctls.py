"""The kernel settings that a server needs to forward for devices, journalled before they are changed.

Linux, Documentation/networking/ip-sysctl.rst.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from msgspec import Struct

from slopn_helper.gateway.net import GatewayNetError
from slopn_helper.gateway.net.policy import GatewayNetPolicy
from slopn_helper.host import sysctl
from slopn_helper.host.journal import Journal, SysctlWas

log = logging.getLogger(__name__)

FORWARD4 = "net/ipv4/ip_forward"
FORWARD6 = "net/ipv6/conf/all/forwarding"


class Setting(Struct, frozen=True):
    """What one kernel setting shall be."""

    name: str
    """Below /proc/sys, with slashes."""
    value: int
    instead_of: tuple[int, ...]
    """Changed from these alone: any other value is somebody's choice that does as well, or that isn't ours to judge."""
    needed: bool
    """Without it devices have no network; else it's a further wall, and nothing that may be missing stops anything."""


def wanted(policy: GatewayNetPolicy) -> tuple[Setting, ...]:
    """What `policy` needs, in the order in which it has to be set."""
    versions = {pool.version for pool in policy.pools}
    settings: list[Setting] = []
    if 6 in versions:
        # First, since a router forgets what it has learnt from routers, its own default route as well, unless told to.
        settings += [Setting(f"net/ipv6/conf/{name}/accept_ra", 2, (1,), needed=False) for name in policy.uplinks]
        settings.append(Setting(FORWARD6, 1, (0,), needed=True))
    if 4 in versions:
        # 2 would be loose: then the larger of this and of `all` counts, and nothing is to be had.
        settings += [Setting(f"net/ipv4/conf/{name}/rp_filter", 1, (0,), needed=False) for name in policy.interfaces]
        settings.append(Setting(FORWARD4, 1, (0,), needed=True))
    return tuple(settings)


def missing(policy: GatewayNetPolicy) -> tuple[SysctlWas, ...]:
    """The inverses of what is to be changed. Raises `GatewayNetError` where the kernel lacks what is needed."""
    changes: list[SysctlWas] = []
    for setting in wanted(policy):
        try:
            was = sysctl.read(setting.name)
        except OSError as error:
            if setting.needed:
                raise GatewayNetError(
                    f"{setting.name} can't be read, so nothing would be forwarded: {error}"
                ) from error
            # The interface isn't there yet, or has no such family.
            continue
        if was in {str(value) for value in setting.instead_of}:
            changes.append(SysctlWas(setting.name, was, str(setting.value)))
    return tuple(changes)


def apply(policy: GatewayNetPolicy, journal: Journal) -> None:
    """Make the settings what `policy` needs, their inverses on disk first; idempotent. Raises `GatewayNetError`."""
    changes = missing(policy)
    try:
        journal.record(*changes)
    except OSError as error:
        raise GatewayNetError(f"the journal can't be written, so no setting is changed: {error}") from error
    needed = {setting.name for setting in wanted(policy) if setting.needed}
    for change in changes:
        try:
            sysctl.write(change)
        except OSError as error:
            if change.name in needed:
                raise GatewayNetError(
                    f"{change.name} can't be set to {change.ours}: {error}; write it into a file of /etc/sysctl.d"
                ) from error
            log.warning("gateway: %s can't be set to %s: %s", change.name, change.ours, error)


def undo(journal: Journal, names: Iterable[str] | None = None) -> None:
    """Put back what the journal has, last first, or of that only `names`; nothing to put back is no error.

    Raises `GatewayNetError` for what can't be put back, after all the rest was.
    """
    chosen = None if names is None else set(names)
    done: list[str] = []
    failed: list[str] = []
    for entry in reversed(journal.entries()):
        if not isinstance(entry, SysctlWas) or (chosen is not None and entry.name not in chosen):
            continue
        try:
            sysctl.undo(entry)
            done.append(entry.key)
        except OSError as error:
            failed.append(f"{entry.name} can't be put back: {error}")
    journal.forget(*done)
    if failed:
        raise GatewayNetError("; ".join(failed))
