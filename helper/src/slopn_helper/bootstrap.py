"""Chooses the parts for this platform. The only module of the helper that asks which platform it is."""

from __future__ import annotations

import sys
from pathlib import Path

from slopn_helper import wiring
from slopn_helper.parts import System
from slopn_helper.wiring import Options

__all__ = [
    "RUNTIME_DIR",
    "STATE_DIR",
    "Options",
    "installed_prefix",
    "run_client",
    "run_restore",
    "run_unlock",
    "system",
]

STATE_DIR = Options().state_dir
RUNTIME_DIR = Options().runtime_dir


def installed_prefix() -> Path | None:
    """The bundle of the front ends beside a frozen helper's own; None when this isn't one."""
    return Path(sys.executable).resolve().parents[1] / "slopn" if getattr(sys, "frozen", False) else None


if sys.platform == "linux":
    import asyncio
    import signal
    from collections.abc import Callable
    from functools import partial

    from slopn_helper import notify, undo
    from slopn_helper.engine.rust import RustEngine
    from slopn_helper.host import alone, portal
    from slopn_helper.host.accounts.nss import NssAccounts
    from slopn_helper.host.dns.manager import DnsManager
    from slopn_helper.host.facts.linux import LinuxFacts
    from slopn_helper.host.firewall import nftables, ruleset
    from slopn_helper.host.journal import Journal, RemoveNftTable, kernel_boot_id
    from slopn_helper.host.netmon.linux import NetlinkMonitor
    from slopn_helper.host.resolver import resolve
    from slopn_helper.host.restore import undo_entry
    from slopn_helper.host.routes import watch
    from slopn_helper.host.routes.linux import LinuxRouter
    from slopn_helper.host.seats.logind import LogindSeats
    from slopn_helper.ipc.endpoints import kept
    from slopn_helper.ipc.endpoints.unix import UnixEndpoint
    from slopn_helper.ipc.users import AllowedUsers
    from slopn_helper.parts import Back, Parts
    from slopn_helper.runner import FWMARK, INTERFACE
    from slopn_helper.secrets import forbid_dumps

    def system() -> System:
        """Linux: nftables, rtnetlink, systemd where there is one."""
        return System(
            boot=kernel_boot_id,
            harden=forbid_dumps,
            hold=alone.hold,
            end_other=undo.end_helper,
            on_stop=_on_stop,
            # A second restore takes the first for a helper and tells it to end: it shall wait for it instead.
            ignore_stop=lambda: _ignore(signal.SIGTERM),
            ready=lambda: notify.tell(notify.READY),
            stopping=lambda: notify.tell(notify.STOPPING),
            back=lambda journal: _back(journal, DnsManager(journal)),
            parts=_parts,
        )

    def _back(journal: Journal, dns: DnsManager) -> Back:
        remove_all = partial(asyncio.to_thread, nftables.remove_all)
        return Back(router=LinuxRouter(journal), dns=dns, undo=undo_entry, open=remove_all)

    def _parts(journal: Journal) -> Parts:
        dns = DnsManager(journal)
        firewall = nftables.NftablesFirewall(journal, fwmark=FWMARK)
        accounts = NssAccounts()

        async def choice() -> str:
            return (await dns.choice()).trace

        def door(runtime_dir: Path, users: AllowedUsers) -> UnixEndpoint:
            endpoint = UnixEndpoint(runtime_dir, accounts.group(), kept.by_systemd())

            def open_socket() -> None:
                endpoint.belong_to(accounts.group())
                endpoint.open_to_all(users.open_to_others())

            users.on_change(open_socket)
            open_socket()
            return endpoint

        return Parts(
            back=_back(journal, dns),
            firewall=firewall,
            engine=RustEngine(),
            monitor=NetlinkMonitor(INTERFACE),
            facts=LinuxFacts(ruleset.TABLE),
            accounts=accounts,
            seats=LogindSeats(),
            kept=(RemoveNftTable,),
            route_changes=watch.changes,
            other_vpns=watch.others,
            dns_choice=choice,
            resolve=resolve,
            portal=partial(portal.check, fwmark=FWMARK, timeout=portal.WITHIN),
            door=door,
            beside=(notify.keep_alive,),
            close=firewall.close,
        )

    def _on_stop(end: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end)

    def _ignore(number: signal.Signals) -> None:
        signal.signal(number, signal.SIG_IGN)

else:

    def system() -> System:
        """No parts are chosen for this system yet: nothing is changed. Raises `OSError`."""
        raise OSError(f"SloPN's service doesn't run on this system yet ({sys.platform})")


def run_client(options: Options) -> None:
    """See `wiring.run_client`."""
    wiring.run_client(system(), options)


def run_restore(state_dir: Path) -> list[str]:
    """See `wiring.run_restore`."""
    return wiring.run_restore(system(), state_dir)


def run_unlock(state_dir: Path) -> list[str]:
    """See `wiring.run_unlock`."""
    return wiring.run_unlock(system(), state_dir)
