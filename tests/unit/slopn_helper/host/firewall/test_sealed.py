from __future__ import annotations

from ipaddress import ip_address

import pytest

from slopn_helper.host.firewall.policy import Inside
from slopn_helper.host.firewall.sealed import Sealed

SEALED = Sealed(Inside("slopn0", (ip_address("10.9.0.1"), ip_address("::ffff:10.9.0.1"), ip_address("fd09::1"))))


def test_each_chain_ends_with_a_refusal_of_all_else() -> None:
    """Whatever follows in the chain, nothing else goes through the tunnel: not to private addresses, not beside it."""
    for rules, device in ((SEALED.output(), "oifname"), (SEALED.forward(), "oifname"), (SEALED.input(), "iifname")):
        assert {rule[0] for rule in rules} == {f'{device} "slopn0"'}
        assert rules[-1][-1] in {"drop", "reject with icmpx admin-prohibited"}
        assert len(rules[-1]) == 2, "the last one has no condition but the device"


def test_only_the_protocols_port_of_the_gateway_is_open() -> None:
    """From its port to its port, once an address; nothing for others through this host."""
    for rules, field in ((SEALED.output(), "daddr"), (SEALED.input(), "saddr")):
        opened = [rule[1:] for rule in rules if rule[-1] == "accept"]
        ports = ("udp sport 17768", "udp dport 17768", "accept")
        assert opened == [(f"ip {field} 10.9.0.1", *ports), (f"ip6 {field} fd09::1", *ports)]
    assert not any(rule[-1] == "accept" for rule in SEALED.forward())


def test_without_a_demand_there_are_no_rules() -> None:
    """The tunnel's own rules say it all."""
    nothing = Sealed(None)
    assert (nothing.output(), nothing.input(), nothing.forward(), nothing.interface) == ((), (), (), None)


def test_a_name_that_ends_its_quotes_is_refused() -> None:
    """As everywhere."""
    with pytest.raises(ValueError, match="name"):
        Sealed(Inside('x" accept', ()))
