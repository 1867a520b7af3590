"""The roles of the client, wired of a system's parts: a table of wires, the same on every platform."""

from __future__ import annotations

import asyncio
import logging
import platform
import random
import time
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from slopn_helper import health, logs, watchdog
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
from slopn_helper.host.journal import Journal
from slopn_helper.host.portal import Verdict
from slopn_helper.host.restore import all_of, restore
from slopn_helper.hub import Hub
from slopn_helper.ipc.devices import DeviceBook
from slopn_helper.ipc.gatekeeper import Gatekeeper
from slopn_helper.ipc.pki import Authority
from slopn_helper.ipc.server import Server
from slopn_helper.ipc.users import AllowedUsers
from slopn_helper.logs import setup
from slopn_helper.others import Others
from slopn_helper.parts import System
from slopn_helper.recorder import FlightRecorder, replay
from slopn_helper.runner import FWMARK, INTERFACE, HostRunner
from slopn_helper.store import Loaded, Store
from slopn_helper.tunnel.context import Errand
from slopn_wire.events import Warning  # noqa: A004 - the health list's word
from slopn_wire.logs import LogFilter
from slopn_wire.settings import Settings

JOURNAL = "journal"
"""The undo journal's name in the state directory."""
ADDRESSES = "addresses.json"
"""Where gateways answered last, in the state directory."""
PENDING = "pending"
"""Keys that a gateway may know and no profile has yet, in the state directory."""
RECORDER = "recorder"
"""The flight recorder's folder in the state directory."""

_log = logging.getLogger(__name__)


class Options(msgspec.Struct, frozen=True):
    """How the helper was started."""

    state_dir: Path = Path("/var/lib/slopn")
    runtime_dir: Path = Path("/run/slopn")
    log_level: str | None = None
    """None: the setting says."""
    log_file: Path | None = None
    prefix: Path | None = None
    """Where our own front ends are installed: they pair in silence. None: nowhere."""


def run_client(system: System, options: Options) -> None:
    """Be the helper until it is told to end. Raises `StateLocked`, `StoreError`, `SecretError`, `OSError`."""
    lines = setup(options.log_level or "info", file=options.log_file)
    system.harden()
    store = Store(options.state_dir)
    store.lock()
    only = system.hold()
    loaded = store.load()
    logs.set_addresses(show=loaded.settings.log_addresses)
    if options.log_level is None:
        logs.set_level(loaded.settings.log_level)
    asyncio.run(_serve(system, options, store, loaded, lines))
    only.close()
    logs.close()


async def _serve(system: System, options: Options, store: Store, loaded: Loaded, lines: logs.LogStore) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end() -> None:
        system.stopping()
        if not stop.is_set():
            watchdog.start(loop)
        stop.set()

    system.on_stop(end)
    boot = system.boot()
    journal = Journal(options.state_dir / JOURNAL, boot)
    parts = system.parts(journal)
    firewall, router, dns = parts.firewall, parts.back.router, parts.back.dns
    users = AllowedUsers(options.state_dir, parts.accounts, local_user=loaded.settings.local_user)
    authority = Authority.open(options.state_dir, time.time())
    book = DeviceBook.open(options.state_dir, authority.fingerprint)
    found = (*loaded.warnings, *users.warnings, *_found(journal, authority, book))
    hub = Hub()
    lines.epoch = hub.snapshot().epoch
    control = Control(hub, store, msgspec.structs.replace(loaded, warnings=found), boot=boot)
    dataplane = Dataplane(parts.engine)
    runner = HostRunner(
        control,
        firewall=firewall,
        router=router,
        dns=dns,
        dataplane=dataplane,
        restore=partial(restore, journal, undo=parts.back.undo, keep=parts.kept, damage=False),
        gateways=Gateways(parts.resolve, LastGood(options.state_dir / ADDRESSES), FWMARK),
    )

    async def admit(errand: Errand) -> None:
        await daemon.admit(errand)

    way = Way(admit, parts.resolve, runner.around, FWMARK)
    pending = Pending(options.state_dir / PENDING)
    pending.open()
    enroller = Enroller(control, pending, way, device=platform.node())
    control.enrolments = enroller.do
    keeper = Keeper(hub, enroller.renew, chance=random.SystemRandom().random)
    recorder = FlightRecorder(options.state_dir / RECORDER)
    others = Others(hub, parts.facts, parts.other_vpns, INTERFACE)
    sources = Sources(
        snapshot=control.snapshot,
        log=lambda: lines.lines(LogFilter(), 0.0).lines,
        recording=recorder.read,
        host=parts.facts,
        firewall_drift=firewall.drift,
        routes_drift=router.drift,
        dns_drift=dns.drift,
        dns_choice=parts.dns_choice,
        undo=lambda: [entry.key for entry in journal.entries()],
        state_dir=options.state_dir,
        interface=INTERFACE,
        authority=lambda: (authority.made, authority.ends),
    )
    endpoint = parts.door(options.runtime_dir, users)
    gatekeeper = Gatekeeper(authority, book, users, control, show=logs.show, prefix=options.prefix)
    server = Server(
        endpoint, authority, gatekeeper, control, lines, user=lambda uid: parts.accounts.get(uid).name or str(uid)
    )

    async def look_for_portal() -> Verdict | None:
        return await parts.portal(control.settings.portal_url, runner.context().portal, device=runner.network.interface)

    def noted(*step: Any) -> None:
        recorder.note(time.time(), *step)
        keeper.moved()

    daemon = Daemon(
        control=control,
        hub=hub,
        runner=runner,
        engine=parts.engine,
        dataplane=dataplane,
        monitor=parts.monitor,
        dns=dns,
        portal=look_for_portal,
        rules=firewall,
        changes=(firewall.changes, dns.changes, parts.route_changes),
        serve=server.run,
        beside=(gatekeeper.run, partial(users.run, parts.seats), keeper.run, others.run, *parts.beside),
        diagnose=partial(diagnose, sources),
        replay=replay,
        note=noted,
        follow_settings=_Followed(loaded.settings, users),
    )

    def ready() -> None:
        _log.info("ready")
        system.ready()

    await daemon.run(stop, ready)
    parts.close()
    recorder.close()


def run_restore(system: System, state_dir: Path) -> list[str]:
    """Put the host back as it was, helper dead or alive, and want no tunnel any more.

    Returns a sentence for each thing that could not be put back. Raises `StoreError`, `OSError`.
    """
    setup("warning")
    # A second restore takes the first for a helper and tells it to end: it shall wait for it instead.
    system.ignore_stop()
    store = Store(state_dir)
    system.end_other(store)
    only = system.hold()
    journal = Journal(state_dir / JOURNAL, system.boot())

    async def everything() -> list[str]:
        back = system.back(journal)
        failed = await all_of(back.dns.reset, partial(back.router.apply, None))
        failed += await restore(journal, undo=back.undo)
        failed += await all_of(back.open)
        return failed

    failed = asyncio.run(everything())
    store.want_nothing()
    only.close()
    return list(dict.fromkeys(failed))


def run_unlock(system: System, state_dir: Path) -> list[str]:
    """As `run_restore`, and no setting closes this host again until somebody wants it closed."""
    failed = run_restore(system, state_dir)
    Store(state_dir).block_no_more()
    return failed


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
