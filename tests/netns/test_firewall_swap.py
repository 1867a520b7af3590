"""One policy follows another while packets are on their way through the rules: none finds a gap between the two.

In a swap of whole tables there is one: a packet that has passed the new chain before its rules hold, and comes to the old
one's place when that is gone. It takes something in between that keeps the packet, as an interrupt does; here it is
another firewall with many rules.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slopn_helper.host.firewall import Open, ruleset, tables
from slopn_helper.host.firewall.libnft import Nft
from support.firewall import HostFirewall, blocked, tunnelled
from support.netns import Namespace, veth
from support.toy_tunnel import MARK
from support.until import until

NEAR, FAR = "10.1.0.2", "10.1.0.1"
SWAPS = 40
OTHERS = (
    "table inet other {\n  chain out {\n    type filter hook output priority 0; policy accept;\n"
    + "".join(f"    meta mark {number:#x} counter\n" for number in range(1 << 20, (1 << 20) + 4000))
    + "  }\n}\n"
)
SENDER = f"""
import contextlib, socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    while True:
        with contextlib.suppress(OSError):
            sock.sendto(b"leakprobe", ("{FAR}", 9))
"""
COUNTER = "table ip lab { counter came { }; chain pre { type filter hook prerouting priority -300; udp dport 9 counter name came drop; }; }"

BOTH_WAYS = pytest.mark.parametrize("owned", [True, False], ids=["owned", "plain"])


class Traffic:
    """A host that sends without a pause, and a neighbour that counts what comes."""

    def __init__(self, host: Namespace, neighbour: Namespace) -> None:
        self.host = host
        self._neighbour = neighbour

    def came(self) -> int:
        """How many packets have arrived."""
        return int(self._neighbour.run("nft list counter ip lab came").stdout.split("packets")[1].split()[0])

    def leaked(self, swap: Callable[[int], None], times: int) -> int:
        """How many packets came during so many swaps, each with the other firewall's chain before the rules in force."""
        before = self.came()
        with self.host.entered():
            nft = Nft()
            for number in range(times):
                nft.run(OTHERS)
                swap(number)
                nft.run("delete table inet other")
        return self.came() - before


@pytest.fixture(autouse=True)
def _without_the_second_net(monkeypatch: pytest.MonkeyPatch) -> None:
    """The chains of the devices would catch most of what slips through here."""
    monkeypatch.setattr(tables, "ways_out", lambda _: frozenset())


@pytest.fixture
def traffic() -> Iterator[Traffic]:
    """Two namespaces and a cable; the address of the other end is known, and packets are on their way."""
    with Namespace("host") as host, Namespace("far") as neighbour:
        veth(host, "eth0", neighbour, "far0")
        neighbour.ip(f"addr add {FAR}/24 dev far0")
        neighbour.nft(COUNTER)
        link = neighbour.run("cat /sys/class/net/far0/address").stdout.strip()
        host.ip(f"addr add {NEAR}/24 dev eth0\nneigh replace {FAR} lladdr {link} dev eth0 nud permanent")
        made = Traffic(host, neighbour)
        senders = [host.popen([sys.executable, "-c", SENDER]) for _ in range(2)]
        try:
            until(lambda: made.came() > 1000, 10.0, "packets arrive while nothing holds them back")
            yield made
        finally:
            for sender in senders:
                sender.kill()
                sender.wait()


def test_must_1_a_swap_of_whole_tables_leaks(traffic: Traffic) -> None:
    """The positive control, and the reason for the way in which ours are replaced."""
    scripts = [ruleset.render(policy, fwmark=MARK) for policy in (blocked(), tunnelled())]
    with traffic.host.entered():
        nft = Nft()
        nft.run(scripts[1])
    assert leaks_at_last(lambda: traffic.leaked(lambda number: nft.run(scripts[number % 2]), SWAPS))


@BOTH_WAYS
def test_must_1_no_packet_slips_between_two_policies(traffic: Traffic, tmp_path: Path, owned: bool) -> None:
    """From one policy to the next, in both kinds of table."""
    with HostFirewall(traffic.host, tmp_path, owned=owned) as firewall:
        firewall.apply(tunnelled())
        assert traffic.leaked(lambda number: firewall.apply(tunnelled() if number % 2 else blocked()), SWAPS) == 0
        firewall.apply(Open())


@BOTH_WAYS
def test_must_1_no_packet_slips_through_while_a_new_helper_takes_over(
    traffic: Traffic, tmp_path: Path, owned: bool
) -> None:
    """What an earlier process has left stays in force until the rules of the next one are."""
    with HostFirewall(traffic.host, tmp_path, owned=owned) as firewall:
        firewall.apply(tunnelled())

    def taken_over(number: int) -> None:
        with HostFirewall(traffic.host, tmp_path, owned=owned) as firewall:
            firewall.apply(tunnelled() if number % 2 else blocked())

    assert traffic.leaked(taken_over, SWAPS) == 0


def leaks_at_last(leaked: Callable[[], int]) -> bool:
    """Whether anything leaks in ten goes."""
    return any(leaked() > 0 for _ in range(10))
