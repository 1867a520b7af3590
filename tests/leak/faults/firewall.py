"""Other programs with root's rights change the rules, the routes and what the kernel remembers of connections."""

from __future__ import annotations

import subprocess

from pyroute2.netlink.nfnetlink.nfctsocket import NFCTSocket

from leak.case import EVERY, Fault, Mode, Step, connected_again
from leak.faults.tunnel import ip
from leak.faults.underlay import then
from leak.world import World
from slopn_helper.runner import FWMARK
from support.topology import ETH0
from support.until import until

_GUARD = "anybody may change a plain table; the guard's gap is told of in docs/firewall.md"
_PLAIN_GAP = {Mode.PLAIN: _GUARD}
_TABLES = "nft delete table inet slopn", "nft delete table netdev slopn"
_INTRUDER = """
table inet intruder {
  chain output { type filter hook output priority -400; policy accept; accept; }
  chain forward { type filter hook forward priority -400; policy accept; accept; }
  chain marks { type route hook output priority -300; meta mark set %d; }
}
"""


def nft(*commands: str, times: int = 1) -> Step:
    """As root on the client; refused ones are what we hope for. The container engine then makes its table again."""

    def run(world: World) -> None:
        for _ in range(times):
            for command in commands:
                world.lab.client.run(command, check=False)
            world.tell_containers()

    return run


def intruder(mark: int) -> Step:
    """A table of somebody else's that comes before ours, accepts all, and gives packets a mark."""
    return lambda world: world.lab.client.nft(_INTRUDER % mark)


def no_intruder(world: World) -> None:
    """It goes again."""
    world.lab.client.run("nft delete table inet intruder", check=False)
    world.connected_again()


def elsewhere(world: World) -> None:
    """Another program's mark and policy rule: the kernel routes each packet again once it is marked."""
    world.lab.client.ip("rule add pref 5 fwmark 0x77 lookup main\n-6 rule add pref 5 fwmark 0x77 lookup main")
    world.lab.client.nft(_INTRUDER % 0x77)


def not_elsewhere(world: World) -> None:
    """Both go again."""
    world.lab.client.ip("rule del pref 5\n-6 rule del pref 5", check=False)
    no_intruder(world)


def flush_in_a_loop(world: World) -> None:
    """A firewall's script gone mad: flushes for a second, as fast as it can."""
    flood = world.lab.client.popen("while :; do nft flush ruleset; done", stderr=subprocess.DEVNULL)
    tried = world.tried()
    until(lambda: world.tried() > tried + 3000, 30.0, "the senders go on")
    flood.kill()
    flood.wait()
    world.tell_containers()


def forget_connections(world: World) -> None:
    """`conntrack -F`."""
    with world.lab.client.entered(), NFCTSocket() as conntrack:  # type: ignore[no-untyped-call]
        conntrack.flush()


def rules_of_networkd(world: World) -> None:
    """systemd-networkd at its start: every policy rule and route that isn't its own or the kernel's (both families)."""
    world.lab.client.run(
        f"""
        ip rule flush; ip -6 rule flush
        ip rule add pref 32766 lookup main; ip rule add pref 32767 lookup default
        ip -6 rule add pref 32766 lookup main
        ip route flush table {FWMARK}; ip -6 route flush table {FWMARK}
    """,
        check=False,
    )


def without_intruding_rules(world: World) -> None:
    """Those that were put before ours go."""
    world.lab.client.ip("rule del pref 10\n-6 rule del pref 10", check=False)
    world.connected_again()


FAULTS = [
    Fault("nft: flush ruleset", nft("nft flush ruleset"), modes=EVERY, open=_PLAIN_GAP),
    Fault("nft: flush ruleset, without a pause", flush_in_a_loop, modes=EVERY, open=_PLAIN_GAP),
    Fault("nft: our tables deleted", nft(*_TABLES), modes=EVERY, open=_PLAIN_GAP),
    Fault(
        "nft: our chains flushed",
        nft("nft flush chain inet slopn output; nft flush chain inet slopn forward", "nft flush table inet slopn"),
        modes=EVERY,
        open=_PLAIN_GAP,
    ),
    Fault(
        "nft: accept put first in our chains",
        nft("nft insert rule inet slopn output accept", "nft insert rule inet slopn forward accept"),
        modes=EVERY,
        open=_PLAIN_GAP,
    ),
    Fault("nft: an earlier chain accepts all", intruder(0), no_intruder, modes=EVERY),
    Fault(
        "nft: an earlier chain gives all our mark",
        intruder(FWMARK),
        no_intruder,
        modes=EVERY,
        passes=frozenset(
            {"unmarked/udp", "unmarked/udp6", "gateway/udp", "lan/udp", "lan/udp6", "lan/tcp", "lan/icmp"}
        ),
        why="who may set our mark reaches the endpoints and private addresses: docs/firewall.md, Frames",
    ),
    Fault("nft: an earlier chain sends all by the uplink", elsewhere, not_elsewhere, modes=EVERY),
    Fault("networkd: foreign rules and routes removed", rules_of_networkd),
    Fault(
        "rules: ours removed, IPv4 and IPv6",
        ip("rule flush", "rule add pref 32766 lookup main", "-6 rule flush", "-6 rule add pref 32766 lookup main"),
    ),
    Fault("rules: the tunnel's table emptied", ip(f"route flush table {FWMARK}", f"-6 route flush table {FWMARK}")),
    Fault(
        "rules: another one before ours",
        ip("rule add pref 10 lookup main", "-6 rule add pref 10 lookup main"),
        without_intruding_rules,
    ),
    Fault(
        "routes: the internet beside the tunnel, in its own table",
        ip(
            f"route add 198.51.100.0/24 via {ETH0.router4} dev eth0 table {FWMARK}",
            f"route add 2001:db8:ffff::/48 via {ETH0.router6} dev eth0 table {FWMARK}",
        ),
        then(
            ip(f"route del 198.51.100.0/24 table {FWMARK}", f"-6 route del 2001:db8:ffff::/48 table {FWMARK}"),
            connected_again,
        ),
    ),
    Fault("connection tracking flushed", forget_connections),
]
