from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import msgspec
import pytest

from slopn_helper.gateway import checkup, config
from slopn_helper.gateway.checkup import OFF, Seen
from slopn_helper.gateway.config import BansSection, Config, DnsSection
from slopn_helper.gateway.net.doctor import Verdict

CONFIG = config.defaults("vpn.example.org", bytes(7))
OWN = ip_address("198.51.100.1")
WELL = Seen(
    enabled=True,
    udp=frozenset({51820}),
    tcp=frozenset({22, 8443}),
    endpoint=(OWN,),
    own=frozenset({OWN}),
    synchronised=True,
)
NO_BANS = msgspec.structs.replace(CONFIG, bans=BansSection(enabled=False))


def faults(seen: Seen, settings: Config = CONFIG) -> dict[str, str]:
    """What isn't well, by check."""
    found = [each for each in checkup.examine(settings, seen) if each.verdict is not Verdict.OK]
    assert all(each.remedy for each in found), found
    return {each.check: str(each.verdict) for each in found}


def test_a_good_gateway_has_no_fault() -> None:
    """And each check says so."""
    assert faults(WELL) == {}
    checks = [each.check for each in checkup.examine(CONFIG, WELL)]
    wanted = ["service", "key", "files", "certificate", "database", "port_udp", "port_tcp"]
    assert checks == [*wanted, "endpoint", "names", "clock", "bans"]


@pytest.mark.parametrize(
    ("change", "check", "verdict"),
    [
        ({"running": "It isn't running."}, "service", "failed"),
        ({"trouble": ("The engine died.",)}, "service", "warning"),
        ({"enabled": False}, "boot", "warning"),
        ({"key": "It is missing."}, "key", "failed"),
        ({"readable": ("/etc/slopn/gateway.toml",)}, "files", "failed"),
        ({"certificate": "It has expired."}, "certificate", "failed"),
        ({"database": "It can't be reached."}, "database", "failed"),
        ({"udp": frozenset({8443})}, "port_udp", "failed"),
        ({"tcp": frozenset({51820})}, "port_tcp", "failed"),
        ({"endpoint": ()}, "endpoint", "failed"),
        ({"endpoint": (OWN, ip_address("203.0.113.9"))}, "endpoint", "warning"),
        ({"names": "Nobody answers."}, "names", "failed"),
        ({"synchronised": False}, "clock", "warning"),
        ({"fail2ban": "there is no jail slopn"}, "bans", "warning"),
    ],
)
def test_each_fault_is_told_with_its_remedy(change: dict[str, Any], check: str, verdict: str) -> None:
    """That one alone."""
    assert faults(msgspec.structs.replace(WELL, **change)) == {check: verdict}


def test_somebody_must_ban() -> None:
    """The gateway or Fail2Ban; both is well, neither is bad."""
    without = msgspec.structs.replace(WELL, fail2ban=OFF)
    assert faults(without) == faults(WELL, NO_BANS) == {}
    assert faults(without, NO_BANS) == {"bans": "failed"}
    broken = msgspec.structs.replace(WELL, fail2ban="it doesn't answer")
    assert faults(broken, NO_BANS) == {"bans": "failed"}


def test_other_resolvers_need_no_name_server_here() -> None:
    """They are named."""
    settings = msgspec.structs.replace(CONFIG, dns=DnsSection((ip_address("9.9.9.9"),)))
    found = {each.check: each.sentence for each in checkup.examine(settings, WELL)}
    assert found["names"] == "Devices ask 9.9.9.9 for names."


def test_an_open_port_promises_nothing_of_the_way_there() -> None:
    """What the provider blocks can't be seen from here."""
    found = {each.check: each.remedy for each in checkup.examine(CONFIG, WELL)}
    assert "provider's firewall" in found["port_udp"]


HEAD = "  sl  local_address rem_address   st tx_queue rx_queue\n"


def test_listening_ports_are_read_of_the_kernels_tables() -> None:
    """Of both families; a connection isn't a listener."""
    tcp = f"{HEAD}   0: 0100007F:1F90 00000000:0000 0A 0:0\n   1: 0100007F:0016 0100007F:9999 01 0:0\n"
    tcp6 = f"{HEAD}   0: 00000000000000000000000001000000:20FB {'0' * 32}:0000 0A 0:0\n"
    assert checkup.listening([tcp, tcp6], "0A") == {8080, 8443}
    assert checkup.listening([HEAD, ""], "0A") == frozenset()
