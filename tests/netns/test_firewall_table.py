from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slopn_helper.host.firewall import Blocked, FirewallError, FirewallPolicy, Open, Tunnelled, ruleset
from slopn_helper.host.firewall.libnft import Nft
from slopn_helper.host.firewall.nftables import INVERSES, remove_all
from slopn_helper.host.firewall.readback import contents, difference
from slopn_helper.host.journal import Journal
from slopn_helper.host.restore import restore
from slopn_wire.events import PolicyKind
from slopn_wire.profile import Endpoint, IPAddress, IPNetwork
from support.fingerprint import differences, fingerprint
from support.firewall import FirewallProcess, HostFirewall, blocked, listing, supports_owned_tables, tunnelled
from support.netns import Namespace

OWNED = supports_owned_tables()
BOTH_WAYS = pytest.mark.parametrize("owned", [True, False], ids=["owned", "plain"])


@pytest.fixture
def host() -> Iterator[Namespace]:
    """A namespace with one device, which leads nowhere."""
    with Namespace("host") as made:
        made.ip("link add eth0 type veth peer name far0\nlink set eth0 up")
        yield made


@BOTH_WAYS
def test_must_1_each_policy_follows_each_other(host: Namespace, tmp_path: Path, owned: bool) -> None:
    """From any policy to any other, and to itself; what is in force is always exactly the last."""
    policies: dict[PolicyKind, FirewallPolicy] = {
        PolicyKind.OPEN: Open(),
        PolicyKind.BLOCKED: blocked(),
        PolicyKind.TUNNELLED: tunnelled(allow_lan=True),
    }
    with HostFirewall(host, tmp_path, owned=owned) as firewall:
        for before in policies.values():
            for kind, after in policies.items():
                firewall.apply(before)
                firewall.apply(after)
                assert firewall.in_force() is kind
                assert firewall.drift() is None


@BOTH_WAYS
def test_open_leaves_nothing_behind(host: Namespace, tmp_path: Path, owned: bool) -> None:
    """Rules, routes, sysctls: as before the first policy, and the journal is empty."""
    before = fingerprint(host)
    with HostFirewall(host, tmp_path, owned=owned) as firewall:
        firewall.apply(tunnelled())
        assert differences(before, fingerprint(host))
        firewall.apply(Open())
        assert differences(before, fingerprint(host)) == []
        assert firewall.journal.entries() == ()


@BOTH_WAYS
def test_must_1_a_refused_change_changes_nothing(
    host: Namespace, tmp_path: Path, owned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script that fails at its last line leaves the whole policy before it in force."""
    with HostFirewall(host, tmp_path, owned=owned) as firewall:
        firewall.apply(blocked())
        before = listing(host)
        bad = "add rule inet slopn output ip daddr 1.2.3.4 jump nowhere\n"
        replacing, filling = ruleset.replacing, ruleset.filling
        monkeypatch.setattr(ruleset, "replacing", lambda *a: replacing(*a) + bad)
        monkeypatch.setattr(ruleset, "filling", lambda *a: filling(*a) + bad)
        with pytest.raises(FirewallError, match="refused the rules"):
            firewall.apply(tunnelled())
        assert listing(host) == before
        assert firewall.drift() is None


@BOTH_WAYS
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_must_12_the_kernel_holds_exactly_what_was_rendered(host: Namespace, owned: bool, data: st.DataObject) -> None:
    """Any policy: nft takes the script, and what it lists is the same rules in the same order."""
    addresses = st.lists(st.ip_addresses(v=4) | st.ip_addresses(v=6), max_size=3, unique=True).map(tuple)
    hosts = st.ip_addresses(v=4) | st.ip_addresses(v=6)
    endpoints = st.lists(st.builds(Endpoint, hosts.map(str), st.integers(1, 65535)), max_size=3).map(tuple)
    interfaces = st.from_regex(r"[A-Za-z0-9_.=+-]{1,15}", fullmatch=True).filter(lambda name: name != "lo")
    networks = st.lists(st.ip_addresses().flatmap(networks_of), max_size=4).map(tuple)
    policy = data.draw(
        st.builds(Blocked, st.booleans(), endpoints, addresses, addresses, networks, networks)
        | st.builds(Tunnelled, st.booleans(), endpoints, interfaces, addresses, addresses, networks, networks)
    )
    mark = data.draw(st.integers(1, (1 << 32) - 1))
    with host.entered():
        nft = Nft()
        if owned and nft.claim():
            nft.run(ruleset.filling("inet", ruleset.chains(policy, fwmark=mark), contents(nft.listing() or ())))
        else:
            nft.run(ruleset.render(policy, fwmark=mark))
        found = nft.listing()
        nft.remove()
        devices = ruleset.device_chains(policy, ("eth0",), fwmark=mark)
        nft.run(ruleset.replacing("netdev", devices))
        frames = nft.listing("netdev")
        nft.remove("netdev")
    assert found is not None
    assert frames is not None
    assert difference(ruleset.chains(policy, fwmark=mark), found) is None
    assert difference(devices, frames) is None


def networks_of(address: IPAddress) -> st.SearchStrategy[IPNetwork]:
    """The networks that an address is in, but for the whole of its family."""
    return st.integers(1, address.max_prefixlen).map(lambda length: ip_network(f"{address}/{length}", strict=False))


def test_must_12_closing_leaves_the_policy_in_force(host: Namespace, tmp_path: Path) -> None:
    """The end of the firewall's object, thread and socket takes no rule away."""
    with HostFirewall(host, tmp_path) as firewall:
        firewall.apply(blocked())
        before = listing(host)
    found = listing(host)
    assert [item for item in found if "table" not in item] == [item for item in before if "table" not in item]


@BOTH_WAYS
def test_must_12_sigkill_leaves_the_policy_and_the_next_helper_adopts_it(
    host: Namespace, tmp_path: Path, owned: bool
) -> None:
    """The rules of a killed process stay as they are; a new process reads them, replaces them, and removes them."""
    holder = FirewallProcess(host, tmp_path / "first", owned=owned)
    assert holder.apply(tunnelled()) is None
    before = [item for item in listing(host) if "table" not in item]
    holder.kill()
    assert [item for item in listing(host) if "table" not in item] == before
    with HostFirewall(host, tmp_path, owned=owned) as firewall:
        assert firewall.in_force() is PolicyKind.TUNNELLED
        assert firewall.drift() == "a table of an earlier process is in force"
        firewall.apply(blocked())
        assert firewall.in_force() is PolicyKind.BLOCKED
        assert firewall.drift() is None
        firewall.apply(Open())
        assert listing(host) is None


def test_must_14_the_table_has_an_owner_where_the_kernel_knows_them(host: Namespace, tmp_path: Path) -> None:
    """nft shows the flag on Linux 6.9 and newer; elsewhere the table is a plain one."""
    with HostFirewall(host, tmp_path) as firewall:
        firewall.apply(blocked())
        shown = host.run("nft list table inet slopn").stdout
    assert ("flags owner" in shown) is OWNED


def test_must_14_nobody_else_can_touch_an_owned_table(host: Namespace, tmp_path: Path) -> None:
    """Foreign flush, delete and insert: no effect, not even for root. On a plain table they work, and drift tells."""
    attempts = (
        "nft flush ruleset",
        "nft delete table inet slopn",
        "nft insert rule inet slopn output accept",
        "nft delete table netdev slopn",
        "nft insert rule netdev slopn allowed accept",
    )
    for attempt in attempts:
        with HostFirewall(host, tmp_path, owned=False) as firewall:
            firewall.apply(blocked())
            assert host.run(attempt, check=False).returncode == 0
            assert firewall.drift() is not None
            firewall.apply(blocked())
            assert firewall.drift() is None
            firewall.apply(Open())
    if not OWNED:
        return
    with HostFirewall(host, tmp_path) as firewall:
        firewall.apply(blocked())
        for attempt in attempts:
            done = host.run(attempt, check=False)
            assert "flush" in attempt or "not permitted" in done.stderr
            assert firewall.drift() is None


def test_must_14_a_lost_owner_is_drift(host: Namespace, tmp_path: Path) -> None:
    """The rules are as they were, and anybody may change them: so they are claimed again."""
    if not OWNED:
        return
    with HostFirewall(host, tmp_path) as firewall:
        firewall.apply(blocked())
        assert firewall.drift() is None
        # What the process would lose with its socket, whoever closes it.
        firewall.firewall._thread.submit(setattr, firewall.firewall._tables, "_context", None).result()
        gc.collect()
        assert "flags owner" not in host.run("nft list table inet slopn").stdout
        assert firewall.drift() == "the table inet slopn has lost its owner"
        firewall.apply(blocked())
        assert firewall.drift() is None
        assert "flags owner" in host.run("nft list table inet slopn").stdout


def test_must_14_a_second_living_helper_is_refused(host: Namespace, tmp_path: Path) -> None:
    """Two processes don't fight for the table: the second is told, and the first one's policy stays."""
    if not OWNED:
        return
    holder = FirewallProcess(host, tmp_path / "first")
    assert holder.apply(tunnelled()) is None
    before = listing(host)
    with HostFirewall(host, tmp_path) as firewall:
        for policy in (blocked(), Open()):
            with pytest.raises(FirewallError, match=r"another running process|not permitted"):
                firewall.apply(policy)
        assert listing(host) == before
        assert firewall.in_force() is PolicyKind.TUNNELLED
    holder.kill()


@BOTH_WAYS
def test_must_14_unlock_opens_the_host_once_the_helper_is_dead(host: Namespace, tmp_path: Path, owned: bool) -> None:
    """`remove_all` in a fresh process removes what a killed helper left, and does nothing where there is nothing."""
    holder = FirewallProcess(host, tmp_path / "first", owned=owned)
    assert holder.apply(tunnelled()) is None
    if owned and OWNED:
        with host.entered(), pytest.raises(FirewallError, match="not permitted"):
            remove_all()
        assert listing(host) is not None
    holder.kill()
    with host.entered():
        remove_all()
        remove_all()
    assert listing(host) is None


@BOTH_WAYS
def test_the_journal_restores_an_open_host(host: Namespace, tmp_path: Path, owned: bool) -> None:
    """`restore` of the killed helper's journal removes the table and forgets it."""
    before = fingerprint(host)
    holder = FirewallProcess(host, tmp_path / "first", owned=owned)
    assert holder.apply(blocked()) is None
    holder.kill()
    journal = Journal(tmp_path / "first/journal")
    assert len(journal.entries()) == 2
    with host.entered():
        assert asyncio.run(restore(journal)) == []
    assert journal.entries() == ()
    assert differences(before, fingerprint(host)) == []


def test_a_helper_that_died_between_claim_and_rules_is_cleaned_up_after(host: Namespace, tmp_path: Path) -> None:
    """The empty orphan is one that libnftables 1.0 can't list: seen, and removed all the same."""
    journal = Journal(tmp_path / "journal")
    journal.record(*INVERSES)
    with host.entered():
        nft = Nft()
        assert nft.claim() is OWNED
        del nft
        gc.collect()
        assert asyncio.run(restore(journal)) == []
    assert listing(host) is None
    assert journal.entries() == ()


@BOTH_WAYS
def test_what_an_older_helper_left_goes_in_the_same_swap(host: Namespace, tmp_path: Path, owned: bool) -> None:
    """An orphan or plain table with other chains, hooks and sets is adopted and holds only ours afterwards."""
    commands = [
        "add chain inet slopn output { type filter hook output priority 10; policy drop; }",
        "add set inet slopn leftover { type ipv4_addr; }",
        "add chain inet slopn old",
        "add rule inet slopn old ip daddr @leftover accept",
        "add rule inet slopn output jump old",
    ]
    with host.entered():
        nft = Nft()
        if not (owned and nft.claim()):
            commands.insert(0, "add table inet slopn")
        nft.run("\n".join(commands))
        del nft
    with HostFirewall(host, tmp_path) as firewall:
        assert firewall.in_force() is PolicyKind.BLOCKED
        firewall.apply(tunnelled())
        assert firewall.drift() is None
        assert "leftover" not in host.run("nft list table inet slopn").stdout


def test_other_tables_are_left_alone(host: Namespace, tmp_path: Path) -> None:
    """What the host's own firewall has in its tables stays through every policy."""
    host.nft("table inet filter { chain input { type filter hook input priority 0; tcp dport 22 accept; }; }")
    before = host.run("nft list table inet filter").stdout
    with HostFirewall(host, tmp_path) as firewall:
        for policy in (blocked(), tunnelled(), Open()):
            firewall.apply(policy)
            assert host.run("nft list table inet filter").stdout == before
