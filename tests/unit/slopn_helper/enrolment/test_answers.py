"""What a gateway answers becomes a profile, or is refused whole."""

from __future__ import annotations

from base64 import b64encode
from ipaddress import ip_address, ip_interface
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from slopn_helper.conf import parse, write
from slopn_helper.enrolment.answers import MOST_GATEWAYS, BadAnswer, make_profile, moved
from slopn_wire.enrolment_api import ApiGateway, Configuration
from slopn_wire.profile import Endpoint, PostQuantum, Profile
from support.fakes import SECRETS

NOW = 1_800_000_000.0


def gateway(number: int = 1, host: str = "", api: str = "vpn.example.org") -> ApiGateway:
    """One with a key of its own."""
    at = Endpoint(host or f"203.0.113.{number % 250}", 51820)
    return ApiGateway(at, number.to_bytes(32, "big"), b"p" * 32, Endpoint(api, 443))


ANSWER = Configuration(
    device="abcdefgh",
    name="laptop",
    addresses=(ip_interface("10.64.0.2/32"), ip_interface("fd00::2/128")),
    gateways=(gateway(1), gateway(2)),
    dns=(ip_address("10.64.0.1"),),
    search=("corp.example",),
    gateway_addresses=(ip_address("10.64.0.1"), ip_address("fd00::1")),
    expires=NOW + 90,
)


def test_an_answer_becomes_a_profile_that_a_file_could_be() -> None:
    """Its peer is the first gateway, all goes through it, and wg-quick could read it."""
    profile = make_profile(ANSWER, "office", NOW)
    (peer,) = profile.peers
    assert peer.public_key == b64encode(ANSWER.gateways[0].public_key).decode()
    assert peer.endpoint == ANSWER.gateways[0].endpoint
    assert profile.post_quantum is PostQuantum.ON
    assert profile.enrolment is not None
    assert [one.api.host for one in profile.enrolment.gateways] == ["vpn.example.org"] * 2
    assert profile.enrolment.inside == ANSWER.gateway_addresses
    again = parse(write(profile, SECRETS), "office.conf").named("office")
    assert again == replace(profile, enrolment=None, post_quantum=PostQuantum.OFF)


BAD: dict[str, dict[str, Any]] = {
    "no gateway": {"gateways": ()},
    "too many gateways": {"gateways": tuple(map(gateway, range(1, MOST_GATEWAYS + 2)))},
    "one key twice": {"gateways": (gateway(1), gateway(1))},
    "no key": {"gateways": (gateway(0),)},
    "a gateway inside its own tunnel": {"gateways": (gateway(1, "10.64.0.2"),)},
    "a multicast gateway": {"gateways": (gateway(1, "239.1.2.3"),)},
    "a gateway with a name that can't be": {"gateways": (gateway(1, "a b\n"),)},
    "an API with a name that can't be": {"gateways": (gateway(1, api="-x"),)},
    "a pin too short": {"gateways": (replace(gateway(1), pin=b"p"),)},
    "a port that can't be": {"gateways": (replace(gateway(1), endpoint=Endpoint("203.0.113.1", 70000)),)},
    "no address": {"addresses": ()},
    "the LAN's whole network": {"addresses": (ip_interface("192.168.1.7/16"),)},
    "loopback": {"addresses": (ip_interface("127.0.0.1/32"),)},
    "mapped": {"addresses": (ip_interface("::ffff:10.0.0.1/128"),)},
    "a zone": {"addresses": (ip_interface("fe80::1%eth0/128"),)},
    "a resolver of this host's own": {"dns": (ip_address("127.0.0.53"),)},
    "too many resolvers": {"dns": tuple(ip_address(f"10.0.0.{n}") for n in range(1, 100))},
    "a search domain with a newline": {"search": ("corp.example\nnameserver 6.6.6.6",)},
    "a search domain that is an address": {"search": ("fd00::1",)},
    "a gateway at our address": {"gateway_addresses": (ip_address("10.64.0.2"),)},
    "no time": {"expires": float("nan")},
    "no end": {"expires": float("inf")},
    "an id with terminal codes": {"device": "\x1b[2J"},
}


@pytest.mark.parametrize("what", BAD)
def test_what_would_harm_this_host_is_refused(what: str) -> None:
    """Each with a sentence in one line."""
    with pytest.raises(BadAnswer) as caught:
        make_profile(replace(ANSWER, **BAD[what]), "office", NOW)
    assert str(caught.value).isprintable()


ADDRESSES = st.ip_addresses()
INTERFACES = st.builds(
    lambda a, n: ip_interface(f"{a}/{min(n, a.max_prefixlen)}"), ADDRESSES, st.sampled_from([0, 8, 24, 32, 128])
)
HOSTS = st.ip_addresses().map(str) | st.from_regex(r"[a-z0-9.-]{1,12}", fullmatch=True) | st.text(max_size=6)
ENDPOINTS = st.builds(Endpoint, HOSTS, st.integers(-1, 70000))
ANSWERS = st.builds(
    Configuration,
    device=st.text(max_size=5),
    name=st.text(max_size=5),
    addresses=st.lists(INTERFACES, max_size=3).map(tuple),
    gateways=st.lists(
        st.builds(ApiGateway, ENDPOINTS, st.binary(min_size=31, max_size=32), st.binary(min_size=31, max_size=32), ENDPOINTS),
        max_size=3,
    ).map(tuple),
    dns=st.lists(ADDRESSES, max_size=3).map(tuple),
    search=st.lists(HOSTS, max_size=3).map(tuple),
    gateway_addresses=st.lists(ADDRESSES, max_size=3).map(tuple),
    expires=st.none() | st.floats(),
    post_quantum=st.booleans(),
)  # fmt: skip


@given(ANSWERS)
def test_whatever_is_answered_is_a_profile_or_a_sentence(answer: Configuration) -> None:
    """And what is taken holds no network of another's."""
    said: list[str] = []
    try:
        profile = make_profile(answer, "office", NOW)
    except BadAnswer as error:
        said.append(str(error))
    else:
        assert all(one.network.num_addresses == 1 for one in profile.addresses)
        assert not any(one.ip.is_loopback for one in profile.addresses)
    assert all(map(str.isprintable, said))


def test_a_renewal_keeps_the_gateway_in_use_and_the_users_choices() -> None:
    """Whichever answers names itself first; the stored one stays if it is still there."""
    before = replace(make_profile(ANSWER, "office", NOW), mtu=1300, post_quantum=PostQuantum.DEMAND)
    swapped = replace(ANSWER, gateways=(gateway(3), *ANSWER.gateways), post_quantum=False)
    after = make_profile(swapped, "office", NOW + 5, before)
    assert after.peers == before.peers
    assert (after.mtu, after.post_quantum) == (1300, PostQuantum.DEMAND)
    assert after.enrolment is not None
    assert len(after.enrolment.gateways) == 3
    assert not moved(before, after)
    for chosen in PostQuantum:
        mine = replace(before, post_quantum=chosen)
        for offered in (True, False):
            renewed = make_profile(replace(ANSWER, post_quantum=offered), "office", NOW, mine)
            assert renewed.post_quantum is chosen
    gone = make_profile(replace(ANSWER, gateways=(gateway(3),)), "office", NOW, before)
    assert gone.peers[0].endpoint == gateway(3).endpoint


@pytest.mark.parametrize("change", [{"addresses": (ip_interface("10.64.0.9/32"),)}, {"dns": ()}])
def test_other_addresses_or_resolvers_need_another_tunnel(change: dict[str, Any]) -> None:
    """What this host has set by them holds no longer."""
    before: Profile = make_profile(ANSWER, "office", NOW)
    assert moved(before, make_profile(replace(ANSWER, **change), "office", NOW, before))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.1.1", "fe80::1"])
def test_nobody_is_sent_to_this_computer(host: str) -> None:
    """A gateway that was broken into would have the helper knock at local services. Who was asked there himself may say so."""
    for sent in (gateway(1, host=host), gateway(1, api=host)):
        answer = replace(ANSWER, gateways=(sent,))
        with pytest.raises(BadAnswer):
            make_profile(answer, "office", NOW, asked="vpn.example.org")
        assert make_profile(answer, "office", NOW, asked=host).peers
