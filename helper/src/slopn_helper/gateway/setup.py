"""Makes a machine a gateway, step by step; each step may be taken again, and says what it did.

What the steps change outside the gateway's own folders are files, noted first (`installed`), and units.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from msgspec import Struct

from slopn_helper.gateway import names
from slopn_helper.gateway.installed import Installed, Put
from slopn_helper.gateway.machine import Machine, MachineError, shipped
from slopn_wire.profile import IPNetwork

SERVICE = "slopn-gateway.service"
UNITS = Path("/etc/systemd/system")
DROP_IN = UNITS / f"{SERVICE}.d/registry.conf"
"""Where the unit is told that it may write to a registry outside its own folder."""
FAIL2BAN = Path("/etc/fail2ban")
FAIL2BAN_FILES = ("filter.d/slopn.conf", "filter.d/slopn-helper.conf", "action.d/slopn-nft.conf", "jail.d/slopn.conf")

_PACKAGED = "/usr/sbin/slopn-gateway"
_NOT_OURS = "{} is there already, and not as SloPN left it: it stays. Compare it with SloPN's own."


class Step(Struct, frozen=True):
    """What a step did."""

    changed: bool
    sentence: str
    good: bool = True
    """False: the administrator must do something."""


async def name_server(
    machine: Machine, installed: Installed, pools: Sequence[IPNetwork], *, own: bool
) -> AsyncIterator[Step]:
    """Have unbound answer devices where `own`, else nobody. Raises `InstallError`, `MachineError`."""
    path = machine.at(names.FILE)
    if not own:
        async for step in _without_names(machine, installed, path):
            yield step
        return
    anchor = names.ANCHOR if machine.at(names.ANCHOR).exists() else None
    put = installed.put(path, names.config(pools, anchor))
    if put is Put.FOREIGN:
        yield Step(changed=False, sentence=_NOT_OURS.format(path), good=False)
        return
    if put is Put.MADE:
        yield Step(changed=True, sentence=f"Names for devices: unbound's settings are in {path}.")
    if anchor is None:
        yield Step(
            changed=False,
            sentence="Names aren't validated (DNSSEC): `apt install dns-root-data`, then run this again.",
            good=False,
        )
    if not machine.has_systemd:
        sentence = f"Without systemd, start the name server yourself: `unbound -c {path}`."
        yield Step(changed=False, sentence=sentence, good=False)
        return
    unit = _put_unit(machine, installed, names.UNIT)
    if unit is Put.MADE:
        await machine.tell("daemon-reload")
    for step in await _running(machine, names.UNIT, restart=Put.MADE in {put, unit}):
        yield step


async def fail2ban(machine: Machine, installed: Installed) -> AsyncIterator[Step]:
    """Give Fail2Ban our filter, jail and action where it is installed. Raises `InstallError`, `MachineError`."""
    folder = machine.at(FAIL2BAN)
    if not folder.is_dir():
        sentence = "Fail2Ban isn't installed: the gateway's own bans keep attackers out."
        yield Step(changed=False, sentence=sentence)
        return
    made = []
    for name in FAIL2BAN_FILES:
        put = installed.put(folder / name, shipped(f"fail2ban/{name}"))
        if put is Put.FOREIGN:
            yield Step(changed=False, sentence=_NOT_OURS.format(folder / name), good=False)
        elif put is Put.MADE:
            made.append(name)
    if not made:
        return
    yield Step(changed=True, sentence=f"Fail2Ban has SloPN's files: {', '.join(made)} in {folder}.")
    if not machine.has_systemd or not await machine.is_so("is-active", "--quiet", "fail2ban.service"):
        sentence = "Fail2Ban doesn't run; without systemd's journal name a log file, as docs/bans.md says."
        yield Step(changed=False, sentence=sentence)
        return
    try:
        await machine.tell("reload", "fail2ban.service")
    except MachineError as error:
        # A jail that it can't start would take the administrator's other jails with it.
        installed.take(folder / "jail.d/slopn.conf")
        await machine.is_so("restart", "fail2ban.service")
        yield Step(
            changed=True, sentence=f"Fail2Ban didn't take SloPN's jail, which is away again: {error}", good=False
        )


async def service(
    machine: Machine, installed: Installed, *, restart: bool, registry: Path | None = None
) -> AsyncIterator[Step]:
    """Have systemd start the gateway now and at boot. Raises `InstallError`, `MachineError`.

    `registry`: the folder of a registry that isn't in the state directory.
    """
    if not machine.has_systemd:
        sentence = "systemd isn't in charge here: have `slopn-gateway serve` run by whatever is."
        yield Step(changed=False, sentence=sentence, good=False)
        return
    put = _put_unit(machine, installed, SERVICE)
    if put is Put.MADE:
        yield Step(changed=True, sentence=f"The unit {SERVICE} is in {machine.at(UNITS)}.")
    opened = _let_write(machine, installed, registry)
    if opened and registry is not None:
        yield Step(changed=True, sentence=f"It may write to {registry}: {machine.at(DROP_IN)}.")
    if put is Put.MADE or opened:
        await machine.tell("daemon-reload")
    for step in await _running(machine, SERVICE, restart=restart or opened or put is Put.MADE):
        yield step


async def stop(machine: Machine) -> AsyncIterator[Step]:
    """Have systemd end the gateway, and not start it again. Raises `MachineError`."""
    if machine.has_systemd:
        for unit in (names.UNIT, SERVICE):
            if await machine.is_so("is-enabled", "--quiet", unit) or await machine.is_so("is-active", "--quiet", unit):
                await machine.tell("disable", "--now", unit)
                yield Step(changed=True, sentence=f"{unit} is stopped, and isn't started any more.")


async def remove(machine: Machine, installed: Installed) -> AsyncIterator[Step]:
    """Take away what the steps above have put there; keys, devices and settings stay.

    Raises `InstallError`, `MachineError`.
    """
    taken = [path for path in installed.paths() if installed.take(path)]
    for path in taken:
        yield Step(changed=True, sentence=f"{path} is removed.")
    if machine.has_systemd and taken:
        await machine.tell("daemon-reload")
        if any(path.is_relative_to(machine.at(FAIL2BAN)) for path in taken):
            await machine.is_so("try-reload-or-restart", "fail2ban.service")


async def _without_names(machine: Machine, installed: Installed, path: Path) -> AsyncIterator[Step]:
    if path not in installed.paths():
        return
    if machine.has_systemd:
        await machine.tell("disable", "--now", names.UNIT)
    if installed.take(path):
        yield Step(changed=True, sentence="The gateway's own name server is away: devices are told others.")


async def _running(machine: Machine, unit: str, *, restart: bool) -> list[Step]:
    """Enabled and active, begun anew where `restart`."""
    steps = []
    if not await machine.is_so("is-enabled", "--quiet", unit):
        await machine.tell("enable", unit)
        steps.append(Step(changed=True, sentence=f"{unit} is started at each boot."))
    active = await machine.is_so("is-active", "--quiet", unit)
    if not active or restart:
        await machine.tell("restart", unit)
        steps.append(Step(changed=True, sentence=f"{unit} is {'restarted' if active else 'started'}."))
    return steps


def _let_write(machine: Machine, installed: Installed, folder: Path | None) -> bool:
    """Whether the drop-in had to be changed."""
    path = machine.at(DROP_IN)
    if folder is None:
        return path in installed.paths() and installed.take(path)
    text = f"# By `slopn-gateway init`, for database.url.\n[Service]\nReadWritePaths={folder}\n"
    return installed.put(path, text) is Put.MADE


def _put_unit(machine: Machine, installed: Installed, unit: str) -> Put:
    if machine.unit_file(unit) is not None:
        return Put.SAME
    path = machine.at(UNITS) / unit
    put = installed.put(path, unit_text(shipped(f"linux/units/{unit}"), *_program()))
    # An administrator's own unit of this name is his to answer for.
    return Put.SAME if put is Put.FOREIGN else put


def unit_text(text: str, command: str, folder: Path) -> str:
    """A unit of ours that starts `command`, a program below `folder`, instead of the packaged one."""
    hidden = folder.parts[1:2] in {("home",), ("root",)}
    return text.replace(_PACKAGED, command).replace(
        "ProtectHome=yes", "ProtectHome=read-only" if hidden and _PACKAGED in text else "ProtectHome=yes"
    )


def _program() -> tuple[str, Path]:
    """How this program is started by its absolute path, and where it is."""
    called = Path(sys.argv[0])
    if called.is_absolute() and called.name == "slopn-gateway":
        return str(called), called.parent
    beside = Path(sys.executable).with_name("slopn-gateway")
    if beside.exists():
        return str(beside), beside.parent
    return f"{sys.executable} -m slopn_helper.gateway", Path(sys.executable).parent
