from __future__ import annotations

import sys
from ipaddress import ip_address, ip_network
from itertools import groupby
from pathlib import Path

import pytest
from msgspec import structs

from slopn_helper.host.firewall import Blocked, FirewallPolicy, Open, Tunnelled
from slopn_helper.host.firewall.policy import Inside
from slopn_helper.host.firewall.wfp.filters import Action, Field, Layer, Lifetime
from slopn_helper.host.firewall.wfp.plan import Us, interface_of, plan
from slopn_wire.profile import Endpoint

DATA = Path(__file__).parents[5] / "data/firewall/wfp"
US = Us("\\device\\harddiskvolume3\\slopn\\slopn-helper.exe\0".encode("utf-16-le"), 0x35000000000000)

ENDPOINTS = (Endpoint("203.0.113.10", 51820), Endpoint("2001:db8:9::10", 443))
RESOLVERS = (ip_address("192.0.2.53"), ip_address("2001:db8::53"))
PORTAL = (ip_address("192.0.2.80"), ip_address("2001:db8::80"))
APIS = (Endpoint("203.0.113.10", 443), Endpoint("2001:db8:203::10", 8443))
ADDRESSES = (ip_address("10.9.0.2"), ip_address("fd09::2"))
DNS = (ip_address("10.9.0.1"), ip_address("fd09::1"))
EXCLUDED = tuple(map(ip_network, ("192.168.7.0/24", "192.168.6.0/24", "2001:db8:77::/48")))
ONLY = tuple(map(ip_network, ("10.8.0.0/16", "fd08::/32")))
TUNNELLED = Tunnelled(allow_lan=False, endpoints=ENDPOINTS, interface="slopn0", addresses=ADDRESSES, dns=DNS)

GOLDEN: dict[str, FirewallPolicy] = {
    "blocked": Blocked(),
    "blocked_lan": Blocked(allow_lan=True),
    "connecting": Blocked(endpoints=ENDPOINTS, resolvers=RESOLVERS, portal=PORTAL, apis=APIS, addresses=ADDRESSES),
    "protecting": Blocked(True, ENDPOINTS, addresses=ADDRESSES, excluded=EXCLUDED, inside=Inside("slopn0", DNS)),
    "tunnelled": TUNNELLED,
    "tunnelled_any_dns": structs.replace(TUNNELLED, dns=(), allow_lan=True),
    "tunnelled_excluded": structs.replace(TUNNELLED, excluded=EXCLUDED),
    "tunnelled_only": structs.replace(TUNNELLED, only=ONLY),
}


def written(policy: FirewallPolicy, *, persist: bool = False) -> str:
    """The filters as a reader wants them: by layer, in the order in which they are asked."""
    order = {layer: number for number, layer in enumerate(Layer)}
    filters = sorted(plan(policy, US, persist=persist), key=lambda f: (order[f.layer], -f.weight))
    return "".join(f"{each}\n" for each in filters)


@pytest.mark.parametrize("name", GOLDEN)
def test_each_policy_is_its_golden_file(name: str) -> None:
    """The filters of a policy are reviewed as a file: a change of theirs is a change of that file."""
    assert written(GOLDEN[name]) == (DATA / f"{name}.txt").read_text(encoding="utf-8")


def test_always_is_its_golden_file() -> None:
    """What comes back at boot, and what doesn't."""
    assert written(TUNNELLED, persist=True) == (DATA / "tunnelled_always.txt").read_text(encoding="utf-8")


def test_there_is_no_golden_file_without_its_policy() -> None:
    """A file that nothing compares would be believed."""
    assert {path.stem for path in DATA.iterdir()} == {*GOLDEN, "tunnelled_always"}


def test_open_is_no_filter() -> None:
    """Not even of a boot."""
    assert plan(Open(), US, persist=True) == ()


@pytest.mark.parametrize("policy", GOLDEN.values(), ids=GOLDEN)
def test_every_layer_of_both_versions_is_closed(policy: FirewallPolicy) -> None:
    """A block of everything, unless only some networks belong to the tunnel."""
    rest = {f.layer for f in plan(policy, US, persist=False) if f.action is Action.BLOCK and not f.conditions}
    assert isinstance(policy, Blocked | Tunnelled)
    assert rest == (set() if policy.only else set(Layer))


@pytest.mark.parametrize("policy", GOLDEN.values(), ids=GOLDEN)
def test_filters_are_sound(policy: FirewallPolicy) -> None:
    """No two with the same key; conditions of a field stand together; a layer meets addresses of its own version alone."""
    filters = plan(policy, US, persist=True)
    assert len({f.key for f in filters}) == len(filters)
    for each in filters:
        fields = [field for field, _ in groupby(condition.field for condition in each.conditions)]
        assert len(fields) == len(set(fields))
        versions = {getattr(condition.value, "version", each.layer.version) for condition in each.conditions}
        assert versions <= {each.layer.version}
        assert 0 <= each.weight <= 15


@pytest.mark.parametrize("policy", GOLDEN.values(), ids=GOLDEN)
def test_no_two_of_one_weight_contradict_each_other(policy: FirewallPolicy) -> None:
    """Windows may ask those of one weight in any order."""
    actions: dict[tuple[Layer, int], set[Action]] = {}
    for each in plan(policy, US, persist=False):
        actions.setdefault((each.layer, each.weight), set()).add(each.action)
    assert all(len(those) == 1 for those in actions.values())


@pytest.mark.parametrize("policy", GOLDEN.values(), ids=GOLDEN)
def test_nothing_of_a_tunnel_or_of_ours_outlasts_the_computers_run(policy: FirewallPolicy) -> None:
    """A LUID is another device's after the next start, and nobody but the helper knows endpoints."""
    of_a_run = {Field.PROGRAM, Field.USER, Field.LOCAL_INTERFACE, Field.ARRIVAL_INTERFACE}
    lasting = [f for f in plan(policy, US, persist=True) if f.lifetime is not Lifetime.STATIC]
    assert lasting
    assert all(condition.field not in of_a_run for each in lasting for condition in each.conditions)


def test_ours_is_program_and_user_where_the_layer_knows() -> None:
    """Anybody may start our program, so that it alone says nothing."""
    ours = [f for f in plan(GOLDEN["connecting"], US, persist=False) if f.name == "ours"]
    known = {f.layer: {c.field for c in f.conditions} & {Field.PROGRAM, Field.USER} for f in ours}
    assert {layer: len(fields) for layer, fields in known.items()} == {
        Layer.CONNECT_4: 2, Layer.CONNECT_6: 2, Layer.TRANSPORT_4: 0, Layer.TRANSPORT_6: 0,
    }  # fmt: skip


def test_the_interface_must_be_known() -> None:
    """A filter for the interface number nothing would let out what it shouldn't."""
    assert [interface_of(policy) for policy in (Open(), Blocked(), TUNNELLED, GOLDEN["protecting"])] == [
        None, None, "slopn0", "slopn0",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="slopn0 has no LUID"):
        plan(TUNNELLED, US._replace(interface=None), persist=False)


@pytest.mark.parametrize("endpoint", [Endpoint("gateway.example.net", 51820), Endpoint("1.2.3.4", 0)])
def test_impossible_endpoints_are_refused(endpoint: Endpoint) -> None:
    """A name is resolved before it comes here; a port is not 0."""
    with pytest.raises(ValueError, match=r"."):
        plan(Blocked(endpoints=(endpoint,)), US, persist=False)


if __name__ == "__main__":
    DATA.mkdir(exist_ok=True)
    for each_name, each_policy in GOLDEN.items():
        (DATA / f"{each_name}.txt").write_text(written(each_policy), encoding="utf-8")
    (DATA / "tunnelled_always.txt").write_text(written(TUNNELLED, persist=True), encoding="utf-8")
    sys.stdout.write("written\n")
