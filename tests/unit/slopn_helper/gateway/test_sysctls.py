from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from msgspec.structs import replace

from slopn_helper.gateway import sysctls
from slopn_helper.gateway.net import GatewayNetError
from slopn_helper.gateway.net.policy import GatewayNetPolicy
from slopn_helper.host import sysctl
from slopn_helper.host.journal import Journal, SysctlWas

POLICY = GatewayNetPolicy(
    interfaces=("wg0",),
    pools=(ip_network("10.9.0.0/24"), ip_network("fd09::/64")),
    addresses=(ip_address("10.9.0.1"),),
    uplinks=("eth0",),
)
ACCEPT_RA, RP_FILTER = "net/ipv6/conf/eth0/accept_ra", "net/ipv4/conf/wg0/rp_filter"
FRESH = {sysctls.FORWARD4: "0", sysctls.FORWARD6: "0", ACCEPT_RA: "1", RP_FILTER: "0"}


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    """A journal, and a fresh host's settings in place of /proc/sys."""
    monkeypatch.setattr(sysctl, "ROOT", tmp_path / "sys")
    put(FRESH)
    return Journal(tmp_path / "journal", "boot")


def put(values: dict[str, str]) -> None:
    """Write settings."""
    for name, value in values.items():
        (sysctl.ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (sysctl.ROOT / name).write_text(value + "\n", encoding="ascii")


def now() -> dict[str, str]:
    """All settings."""
    return {name: sysctl.read(name) for name in FRESH}


def test_settings_are_made_once_and_put_back(journal: Journal) -> None:
    """The inverse is the host's own value, however often the policy is applied."""
    for _ in range(3):
        sysctls.apply(POLICY, journal)
    assert now() == {sysctls.FORWARD4: "1", sysctls.FORWARD6: "1", ACCEPT_RA: "2", RP_FILTER: "1"}
    assert journal.find(f"sysctl {ACCEPT_RA}") == SysctlWas(ACCEPT_RA, "1", "2")
    assert sysctls.missing(POLICY) == ()
    sysctls.undo(journal)
    assert now() == FRESH
    assert journal.entries() == ()


def test_routers_are_listened_to_before_the_host_is_one() -> None:
    """Between the two the kernel would forget its own default route."""
    names = [setting.name for setting in sysctls.wanted(POLICY)]
    assert names.index(ACCEPT_RA) < names.index(sysctls.FORWARD6)


@pytest.mark.parametrize(
    ("name", "value"), [(ACCEPT_RA, "0"), (ACCEPT_RA, "2"), (RP_FILTER, "2"), (sysctls.FORWARD4, "1")]
)
def test_an_administrators_choice_stays(journal: Journal, name: str, value: str) -> None:
    """It is neither changed nor put back."""
    put({name: value})
    sysctls.apply(POLICY, journal)
    assert now()[name] == value
    assert journal.find(f"sysctl {name}") is None


def test_a_family_without_a_pool_isnt_forwarded(journal: Journal) -> None:
    """Its settings are nobody's business."""
    sysctls.apply(replace(POLICY, pools=POLICY.pools[:1]), journal)
    assert now() == FRESH | {sysctls.FORWARD4: "1", RP_FILTER: "1"}


def test_interfaces_may_be_missing_and_forwarding_not(journal: Journal) -> None:
    """WireGuard's comes after the rules; a kernel without IPv6 can't forward it."""
    (sysctl.ROOT / RP_FILTER).unlink()
    sysctls.apply(POLICY, journal)
    (sysctl.ROOT / sysctls.FORWARD6).unlink()
    with pytest.raises(GatewayNetError, match="net/ipv6/conf/all/forwarding can't be read"):
        sysctls.apply(POLICY, journal)


def test_a_setting_that_cant_be_written_is_an_error_with_its_remedy(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a container whose /proc/sys is read-only; what is only a further wall stops nothing."""

    def refuse(change: SysctlWas) -> None:
        raise OSError(30, "Read-only file system", change.name)

    monkeypatch.setattr(sysctl, "write", refuse)
    with pytest.raises(
        GatewayNetError, match=r"forwarding can't be set to 1: .*; write it into a file of /etc/sysctl\.d"
    ):
        sysctls.apply(POLICY, journal)
    put({sysctls.FORWARD4: "1", sysctls.FORWARD6: "1"})
    sysctls.apply(POLICY, journal)


def test_nothing_is_changed_that_isnt_on_disk(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """As everywhere: the inverse first."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(journal, "record", full)
    with pytest.raises(GatewayNetError, match="no setting is changed"):
        sysctls.apply(POLICY, journal)
    assert now() == FRESH


def test_one_that_cant_be_put_back_stays_in_the_journal(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are."""
    sysctls.apply(POLICY, journal)
    real = sysctl.undo

    def undo(entry: SysctlWas) -> None:
        if entry.name == ACCEPT_RA:
            raise OSError(30, "Read-only file system")
        real(entry)

    monkeypatch.setattr(sysctl, "undo", undo)
    with pytest.raises(GatewayNetError, match="accept_ra can't be put back"):
        sysctls.undo(journal)
    assert now() == FRESH | {ACCEPT_RA: "2"}
    assert [entry.key for entry in journal.entries()] == [f"sysctl {ACCEPT_RA}"]
