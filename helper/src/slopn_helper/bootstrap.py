"""Chooses the parts for this platform and wires them up. The only module of the helper that asks which platform it is."""

from __future__ import annotations

import asyncio
import logging
import platform
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from slopn_helper import health, logs
from slopn_helper.addresses import LastGood
from slopn_helper.control import Control
from slopn_helper.daemon import Daemon
from slopn_helper.dataplane import Dataplane
from slopn_helper.diagnose import diagnose
from slopn_helper.diagnose.facts import Sources
from slopn_helper.enrolment.enroller import Enroller
from slopn_helper.enrolment.keeper import Keeper
from slopn_helper.enrolment.pending import Pending
from slopn_helper.enrolment.way import Way
from slopn_helper.gateways import Gateways
from slopn_helper.hub import Hub
from slopn_helper.ipc.devices import DeviceBook
from slopn_helper.ipc.gatekeeper import Gatekeeper
from slopn_helper.ipc.pki import Authority
from slopn_helper.ipc.server import Server
from slopn_helper.ipc.users import AllowedUsers
from slopn_helper.logs import setup
from slopn_helper.others import Others
from slopn_helper.recorder import FlightRecorder, replay
from slopn_helper.runner import FWMARK, INTERFACE, HostRunner
from slopn_helper.store import Loaded, Store
from slopn_helper.tunnel.context import Errand
from slopn_wire.events import Warning  # noqa: A004 - the health list's word
from slopn_wire.logs import LogFilter
from slopn_wire.settings import Settings

STATE_DIR = Path("/var/lib/slopn")
RUNTIME_DIR = Path("/run/slopn")
JOURNAL = "journal"
"""The undo journal's name in the state directory."""
ADDRESSES = "addresses.json"
"""Where gateways answered last, in the state directory."""
PENDING = "pending"
"""Keys that a gateway may know and no profile has yet, in the state directory."""
PORTAL_WITHIN = 5.0
"""Seconds that a look for a captive portal may take."""
RECORDER = "recorder"
"""The flight recorder's folder in the state directory."""

_log = logging.getLogger(__name__)


class Options(msgspec.Struct, frozen=True):
    """How the helper was started."""

    state_dir: Path = STATE_DIR
    runtime_dir: Path = RUNTIME_DIR
    log_level: str | None = None
    """None: the setting says."""
    log_file: Path | None = None
    prefix: Path | None = None
    """Where our own front ends are installed: they pair in silence. None: nowhere."""


def installed_prefix() -> Path | None:
    """The bundle of the front ends beside a frozen helper's own; None when this isn't one."""
    return Path(sys.executable).resolve().parents[1] / "slopn" if getattr(sys, "frozen", False) else None


if sys.platform == "linux":
    from functools import partial

    from slopn_helper import notify, undo, watchdog
    from slopn_helper.engine.rust import RustEngine
    from slopn_helper.host import alone, portal
    from slopn_helper.host.accounts.nss import NssAccounts
    from slopn_helper.host.dns.manager import DnsManager
    from slopn_helper.host.facts.linux import LinuxFacts
    from slopn_helper.host.firewall import nftables, ruleset
    from slopn_helper.host.journal import Journal, RemoveNftTable, kernel_boot_id
    from slopn_helper.host.netmon.linux import NetlinkMonitor
    from slopn_helper.host.portal import Verdict
    from slopn_helper.host.resolver import resolve
    from slopn_helper.host.restore import all_of, restore
    from slopn_helper.host.routes import watch
    from slopn_helper.host.routes.linux import LinuxRouter
    from slopn_helper.host.seats.logind import LogindSeats
    from slopn_helper.ipc.endpoints import kept
    from slopn_helper.ipc.endpoints.unix import UnixEndpoint
    from slopn_helper.secrets import forbid_dumps

    def run_client(options: Options) -> None:
        """Be the helper until SIGTERM or SIGINT. Raises `StateLocked`, `StoreError`, `SecretError`, `OSError`."""
        lines = setup(options.log_level or "info", file=options.log_file)
        forbid_dumps()
        store = Store(options.state_dir)
        store.lock()
        only = alone.hold()
        loaded = store.load()
        logs.set_addresses(show=loaded.settings.log_addresses)
        if options.log_level is None:
            logs.set_level(loaded.settings.log_level)
        asyncio.run(_serve(options, store, loaded, lines))
        only.close()
        logs.close()

    async def _serve(options: Options, store: Store, loaded: Loaded, lines: logs.LogStore) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def end() -> None:
            notify.tell(notify.STOPPING)
            if not stop.is_set():
                watchdog.start(loop)
            stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end)
        journal = Journal(options.state_dir / JOURNAL)
        accounts = NssAccounts()
        users = AllowedUsers(options.state_dir, accounts, local_user=loaded.settings.local_user)
        authority = Authority.open(options.state_dir, time.time())
        book = DeviceBook.open(options.state_dir, authority.fingerprint)
        found = (*loaded.warnings, *users.warnings, *_found(journal, authority, book))
        hub = Hub()
        lines.epoch = hub.snapshot().epoch
        control = Control(hub, store, msgspec.structs.replace(loaded, warnings=found), boot=kernel_boot_id())
        firewall = nftables.NftablesFirewall(journal, fwmark=FWMARK)
        router = LinuxRouter(journal)
        dns = DnsManager(journal)
        engine = RustEngine()
        dataplane = Dataplane(engine)
        runner = HostRunner(
            control,
            firewall=firewall,
            router=router,
            dns=dns,
            dataplane=dataplane,
            restore=partial(restore, journal, keep=(RemoveNftTable,), damage=False),
            gateways=Gateways(resolve, LastGood(options.state_dir / ADDRESSES), FWMARK),
        )

        async def admit(errand: Errand) -> None:
            await daemon.admit(errand)

        way = Way(admit, resolve, runner.around, FWMARK)
        pending = Pending(options.state_dir / PENDING)
        pending.open()
        enroller = Enroller(control, pending, way, device=platform.node())
        control.enrolments = enroller.do
        keeper = Keeper(hub, enroller.renew, chance=random.SystemRandom().random)
        recorder = FlightRecorder(options.state_dir / RECORDER)
        facts = LinuxFacts(ruleset.TABLE)
        others = Others(hub, facts, watch.others, INTERFACE)
        sources = Sources(
            snapshot=control.snapshot,
            log=lambda: lines.lines(LogFilter(), 0.0).lines,
            recording=recorder.read,
            host=facts,
            firewall_drift=firewall.drift,
            routes_drift=router.drift,
            dns_drift=dns.drift,
            dns_choice=lambda: _trace(dns),
            undo=lambda: [entry.key for entry in journal.entries()],
            state_dir=options.state_dir,
            interface=INTERFACE,
            authority=lambda: (authority.made, authority.ends),
        )
        endpoint = UnixEndpoint(options.runtime_dir, accounts.group(), kept.by_systemd())
        gatekeeper = Gatekeeper(authority, book, users, control, show=logs.show, prefix=options.prefix)
        server = Server(
            endpoint, authority, gatekeeper, control, lines, user=lambda uid: accounts.get(uid).name or str(uid)
        )

        def open_socket() -> None:
            endpoint.belong_to(accounts.group())
            endpoint.open_to_all(users.open_to_others())

        users.on_change(open_socket)
        open_socket()

        async def look_for_portal() -> Verdict | None:
            return await portal.check(
                control.settings.portal_url,
                runner.context().portal,
                fwmark=FWMARK,
                device=runner.network.interface,
                timeout=PORTAL_WITHIN,
            )

        def noted(*step: Any) -> None:
            recorder.note(time.time(), *step)
            keeper.moved()

        daemon = Daemon(
            control=control,
            hub=hub,
            runner=runner,
            engine=engine,
            dataplane=dataplane,
            monitor=NetlinkMonitor(INTERFACE),
            dns=dns,
            portal=look_for_portal,
            rules=firewall,
            changes=(firewall.changes, dns.changes, watch.changes),
            serve=server.run,
            beside=(gatekeeper.run, partial(users.run, LogindSeats()), notify.keep_alive, keeper.run, others.run),
            diagnose=partial(diagnose, sources),
            replay=replay,
            note=noted,
            follow_settings=_Followed(loaded.settings, users),
        )

        def ready() -> None:
            _log.info("ready")
            notify.tell(notify.READY)

        await daemon.run(stop, ready)
        firewall.close()
        recorder.close()

    def run_restore(state_dir: Path) -> list[str]:
        """Put the host back as it was, helper dead or alive, and want no tunnel any more.

        Returns a sentence for each thing that could not be put back. Raises `StoreError`, `OSError`.
        """
        setup("warning")
        # A second restore takes the first for a helper and tells it to end: it shall wait for it instead.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        store = Store(state_dir)
        undo.end_helper(store)
        only = alone.hold()
        journal = Journal(state_dir / JOURNAL)

        async def everything() -> list[str]:
            failed = await all_of(DnsManager(journal).reset, partial(LinuxRouter(journal).apply, None))
            failed += await restore(journal)
            failed += await all_of(partial(asyncio.to_thread, nftables.remove_all))
            return failed

        failed = asyncio.run(everything())
        store.want_nothing()
        only.close()
        return list(dict.fromkeys(failed))

    def run_unlock(state_dir: Path) -> list[str]:
        """As `run_restore`, and no setting closes this host again until somebody wants it closed."""
        failed = run_restore(state_dir)
        Store(state_dir).block_no_more()
        return failed

    async def _trace(dns: DnsManager) -> str:
        return (await dns.choice()).trace

    def _found(journal: Journal, authority: Authority, book: DeviceBook) -> list[Warning]:
        """What isn't as it should be at the start, beside profiles, settings and wish."""
        found = [health.warning("journal_damaged", what=sentence) for sentence in journal.damage()]
        lost = authority.lost or book.lost
        if lost:
            found.append(health.warning("pairings_lost", why=lost))
        if time.time() < authority.made:
            found.append(health.warning("clock_wrong"))
        return found


class _Followed:
    """Settings that are neither the tunnel's nor DNS's: what is logged, and who may use SloPN."""

    def __init__(self, settings: Settings, users: AllowedUsers) -> None:
        self._now = settings
        self._users = users

    def __call__(self, settings: Settings) -> None:
        """Let `settings` hold. A level given on the command line holds until the setting changes."""
        before, self._now = self._now, settings
        if settings.log_level is not before.log_level:
            logs.set_level(settings.log_level)
        logs.set_addresses(show=settings.log_addresses)
        self._users.set_local_user(settings.local_user)
