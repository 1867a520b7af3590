"""Chooses the parts for this platform and wires them up. The only module of the helper that asks which platform it is."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from pathlib import Path

import msgspec

from slopn_helper import health
from slopn_helper.control import Control
from slopn_helper.daemon import Daemon
from slopn_helper.hub import Hub
from slopn_helper.ipc.server import Server
from slopn_helper.logs import setup
from slopn_helper.runner import FWMARK, INTERFACE, HostRunner
from slopn_helper.store import Store

STATE_DIR = Path("/var/lib/slopn")
RUNTIME_DIR = Path("/run/slopn")
JOURNAL = "journal"
"""The undo journal's name in the state directory."""

_log = logging.getLogger(__name__)

if sys.platform == "linux":
    import grp
    from functools import partial

    from slopn_helper import undo
    from slopn_helper.engine.rust import RustEngine
    from slopn_helper.host.dns.manager import DnsManager
    from slopn_helper.host.firewall import nftables
    from slopn_helper.host.journal import Journal, RemoveNftTable
    from slopn_helper.host.netmon.linux import NetlinkMonitor
    from slopn_helper.host.resolver import resolve
    from slopn_helper.host.restore import restore
    from slopn_helper.host.routes.linux import LinuxRouter
    from slopn_helper.ipc.authz import GROUP
    from slopn_helper.ipc.endpoints.unix import UnixEndpoint
    from slopn_helper.secrets import forbid_dumps

    def run_client(state_dir: Path, runtime_dir: Path, log_level: str) -> None:
        """Be the helper until SIGTERM or SIGINT. Raises `StateLocked`, `StoreError`, `SecretError`, `OSError`."""
        logs = setup(log_level)
        forbid_dumps()
        store = Store(state_dir)
        store.lock()
        loaded = store.load()

        async def main() -> None:
            stop = asyncio.Event()
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, stop.set)
            hub = Hub()
            journal = Journal(state_dir / JOURNAL)
            damage = tuple(map(health.journal_damaged, journal.damage()))
            found = msgspec.structs.replace(loaded, warnings=(*loaded.warnings, *damage))
            control = Control(hub, store, logs, found)
            firewall = nftables.NftablesFirewall(journal, fwmark=FWMARK)
            dns = DnsManager(journal)
            engine = RustEngine()
            runner = HostRunner(
                control,
                firewall=firewall,
                router=LinuxRouter(journal),
                dns=dns,
                engine=engine,
                restore=partial(restore, journal, keep=(RemoveNftTable,), damage=False),
                resolve=resolve,
            )
            group = _group()
            server = Server(UnixEndpoint(runtime_dir, group), control, logs, group)
            daemon = Daemon(
                control=control,
                hub=hub,
                runner=runner,
                engine=engine,
                monitor=NetlinkMonitor(INTERFACE),
                dns=dns,
                serve=server.run,
            )
            await daemon.run(stop, lambda: _log.info("ready"))
            firewall.close()

        asyncio.run(main())

    def run_restore(state_dir: Path) -> list[str]:
        """Put the host back as it was, helper dead or alive, and want no tunnel any more.

        Returns a sentence for each thing that could not be put back. Raises `StoreError`, `OSError`.
        """
        setup("warning")
        # A second restore takes the first for a helper and tells it to end: it shall wait for it instead.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        store = Store(state_dir)
        undo.end_helper(store)
        journal = Journal(state_dir / JOURNAL)

        async def everything() -> list[str]:
            failed = await undo.all_of(DnsManager(journal).reset, partial(LinuxRouter(journal).apply, None))
            failed += await restore(journal)
            failed += await undo.all_of(partial(asyncio.to_thread, nftables.remove_all))
            return failed

        failed = asyncio.run(everything())
        store.want_nothing()
        return list(dict.fromkeys(failed))

    def _group() -> int | None:
        try:
            return grp.getgrnam(GROUP).gr_gid
        except KeyError:
            _log.info("there is no group %s: root alone may use the helper", GROUP)
            return None
