"""Who tries tokens at the real gateway's API is banned, by the gateway itself and by a real Fail2Ban; nobody else is."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import ssl
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from slopn_helper.gateway.bans import By
from slopn_helper.gateway.bans.edge import Edge
from slopn_helper.host.firewall.libnft import Nft
from support.bans_world import BYSTANDER4, BYSTANDER6, FORGERIES
from support.enrolment import DeviceKey, challenge
from support.fail2ban import fail2ban
from support.gateway_client import connect, knock, line, say
from support.gateway_device import Device
from support.gateway_process import GatewayProcess
from support.topology import ETH0, GATEWAY4, GATEWAY6, WEB4, Lab
from support.until import until

_log = logging.getLogger(__name__)
WITHIN = 60.0
NEIGHBOUR6 = "2001:db8:1::77"
"""Another address of the attacker's /64."""
SHOWN6 = "2001:db8:1::/64"
FORGERS = tuple(f"10.1.0.{number}" for number in range(70, 74))
OTHER_FORGERS = tuple(f"10.1.0.{number}" for number in range(80, 84))
"""One for five attempts: just after a lifted ban the gateway still takes failures for those that led to it."""
VICTIM4 = WEB4
"""Whose address the forgeries name."""
FORGED = tuple(said.replace(BYSTANDER4, VICTIM4).replace(BYSTANDER6, "2001:db8:ffff::9") for said in FORGERIES)


class World:
    """The gateway, whoever attacks it from the client's place, and a bystander at the web server's."""

    def __init__(self, lab: Lab, gateway: GatewayProcess) -> None:
        self.lab = lab
        self.gateway = gateway
        self.folder = gateway.dir
        """Where Fail2Ban keeps its log, once there is one."""
        with lab.gateway.entered():
            self._nft = Nft()

    def attempt(self, target: str, name: str = "laptop", source: str = "") -> int:
        """One enrolment by a token that nobody has made; the status."""

        async def run() -> int:
            async with line(self.lab.client, target, source) as there:
                return (await DeviceKey().enrol(there, secrets.token_bytes(32), name)).status

        return asyncio.run(run())

    def reaches(self, target: str, source: str = "") -> bool:
        """Whether the attacker gets a TCP connection."""
        try:
            connect(self.lab.client, target, source, timeout=1.0).close()
        except TimeoutError:
            return False
        return True

    def bystander_is_in(self) -> bool:
        """Whether somebody else's TLS is answered, from the address that is named."""

        async def run() -> bool:
            async with line(self.lab.web, GATEWAY4, VICTIM4) as there:
                return bool((await challenge(there))["challenge"])

        return asyncio.run(run())

    def built_in(self) -> list[str]:
        """Whom the gateway's own bans keep out, by the kernel's word; quick."""
        held = Edge(self._nft).read(time.time())
        return [] if held is None else [str(ban.source) for ban in held.bans]

    def by_fail2ban(self) -> str:
        """The sets of Fail2Ban's action as nft(8) prints them."""
        return self.lab.gateway.run("nft list table inet slopn_bans", check=False).stdout

    def bans(self) -> list[tuple[str, str]]:
        """As `slopn-gateway bans list` shows them: source, by whom."""
        listed = json.loads(self.gateway.cli("bans", "list", "--json").stdout)
        return [(each["source"], each["by"]) for each in listed["bans"]]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """The gateway at work, nobody banned. Its refusals are also in a file, as docs/bans.md has it for Fail2Ban."""
    with Lab(uplinks=("eth0",)) as lab:
        lab.client.sysctl({"net/ipv4/conf/all/rp_filter": "2"})
        addresses = [f"addr add {forger}/24 dev eth0" for forger in (*FORGERS, *OTHER_FORGERS)]
        lab.client.ip("\n".join([f"-6 addr add {NEIGHBOUR6}/64 dev eth0 nodad", *addresses]))
        with GatewayProcess(lab.gateway) as gateway:
            yield World(lab, gateway)


@pytest.fixture(scope="module")
def device(world: World) -> Iterator[Device]:
    """The attacker's own device, whose tunnel is UDP."""
    made = Device.enrol(world.gateway, world.lab.client)
    try:
        made.connect()
        yield made
    finally:
        made.close()


@pytest.mark.parametrize(
    ("target", "shown", "sources"),
    [(GATEWAY4, f"{ETH0.client4}/32", ("",)), (GATEWAY6, SHOWN6, (ETH0.client6, NEIGHBOUR6))],
    ids=["v4", "v6"],
)
def test_five_bad_tokens_are_a_ban(
    world: World, device: Device, target: str, shown: str, sources: tuple[str, ...]
) -> None:
    """By the gateway alone: TCP and the tunnel's UDP are dropped, of a /64's other addresses too; lifted, all is back."""
    for number in range(5):
        assert world.built_in() == [], number
        assert world.attempt(target) == 403
    answered = time.monotonic()
    until(world.built_in, WITHIN, "the gateway has banned")
    _log.warning("built in: %.1f ms after the fifth answer", (time.monotonic() - answered) * 1000)
    assert world.bans() == [(shown, By.GATEWAY)]
    for source in sources:
        assert not world.reaches(target, source)
    if target == GATEWAY4:
        assert not device.reaches(WEB4)
    assert world.bystander_is_in()
    world.gateway.cli("bans", "lift", shown)
    assert world.bans() == []
    for source in sources:
        assert world.reaches(target, source)
    if target == GATEWAY4:
        until(lambda: device.reaches(WEB4), WITHIN, "the tunnel is back")


def _put(world: World, source: str, said: str, where: str) -> None:
    """A failure with these words where a stranger can put some."""
    client, raw = world.lab.client, said.encode("utf-8", "surrogateescape")
    match where:
        case "name":
            world.attempt(GATEWAY4, said, source)
        case "sni":
            name = raw.replace(b"\0", b"?").decode("ascii", "replace").encode("ascii", "replace")[:250]
            asyncio.run(knock(client, GATEWAY4, source, name, ssl.TLSVersion.TLSv1_2))
        case "path":
            request = b"GET /" + raw + b" HTTP/1.1\r\nhost: " + raw + b"\r\n\r\n"
            asyncio.run(say(client, GATEWAY4, source, request))


def _forge(world: World, forgers: tuple[str, ...], is_banned: Callable[[str], bool]) -> None:
    """All twenty, five by each forger, in each place in turn; then just those are banned, and can be lifted."""
    for number, said in enumerate(FORGED):
        forger = forgers[number // 5]
        _put(world, forger, said, ("name", "sni", "path")[number % 3])
        if number % 5 == 4:
            until(partial(is_banned, forger), WITHIN, f"{forger} is banned (attempt {number})")
            assert world.bystander_is_in()
    assert {banned for banned, _ in world.bans()} == {f"{forger}/32" for forger in forgers}
    for forger in forgers:
        world.gateway.cli("bans", "lift", forger)
    assert world.bans() == []


def test_who_forges_bans_only_himself(world: World) -> None:
    """Newlines, terminal codes and others' addresses in names, in SNI and in paths: 20 tries, four bans, all the forgers'."""
    _forge(world, FORGERS, lambda forger: f"{forger}/32" in world.built_in())
    log = world.gateway.log()
    assert sum(log.count(f" refused from={forger} ") for forger in FORGERS) == len(FORGED)
    assert f"from={VICTIM4} " not in "".join(each.partition("said=")[0] for each in log.splitlines())


@pytest.fixture(scope="module")
def without(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """From here on the gateway leaves the bans to Fail2Ban, which reads the file that `--log-file` names."""
    folder = tmp_path_factory.mktemp("fail2ban")
    log = folder / "gateway.log"
    world.gateway.terminate()
    world.gateway.configure({"bans": {"enabled": False}})
    world.gateway.options = ("--log-file", str(log))
    with fail2ban(folder, world.lab.gateway, "pyinotify", log, at_home=True):
        world.gateway.start()
        world.folder = folder
        yield world


def _set_of(world: World, shown: str) -> bool:
    """Whether Fail2Ban's action keeps this source out."""
    return f"{shown.removesuffix('/32')} timeout" in world.by_fail2ban()


@pytest.mark.parametrize(
    "target", [pytest.param(GATEWAY4, id="v4"), pytest.param(GATEWAY6, id="v6", marks=pytest.mark.long)]
)
def test_fail2ban_bans_from_the_gateways_own_log(without: World, device: Device, target: str) -> None:
    """With the shipped filter, jail and action, the built-in bans off; seen and lifted by `slopn-gateway bans`."""
    shown = f"{ETH0.client4}/32" if target == GATEWAY4 else SHOWN6
    until(lambda: device.reaches(WEB4), WITHIN, "the tunnel is up")
    for _ in range(5):
        assert without.attempt(target) == 403
    answered = time.monotonic()
    until(lambda: _set_of(without, shown), WITHIN, "Fail2Ban has banned")
    _log.warning("Fail2Ban: %.0f ms after the fifth answer", (time.monotonic() - answered) * 1000)
    assert without.bans() == [(shown, By.FAIL2BAN)]
    for source in (ETH0.client6, NEIGHBOUR6) if target == GATEWAY6 else ("",):
        assert not without.reaches(target, source)
    if target == GATEWAY4:
        assert not device.reaches(WEB4)
    assert without.bystander_is_in()
    without.gateway.cli("bans", "lift", shown)
    assert without.bans() == []
    assert without.reaches(target)


@pytest.mark.long
def test_who_forges_has_fail2ban_ban_only_himself(without: World) -> None:
    """The same twenty; Fail2Ban finds the forger's address in them and no other."""
    _forge(without, OTHER_FORGERS, lambda forger: _set_of(without, f"{forger}/32"))
    log = (without.folder / "run/fail2ban.log").read_text(encoding="utf-8")
    assert sum(log.count(f"] Found {forger} ") for forger in OTHER_FORGERS) == len(FORGED)
    assert VICTIM4 not in log
