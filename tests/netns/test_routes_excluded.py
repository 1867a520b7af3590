"""What the user wants outside the tunnel, by the kernel's own routing."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import msgspec
import pytest

from slopn_helper.host.journal import Journal
from slopn_helper.host.routes.linux import LinuxRouter
from support.fingerprint import differences, fingerprint
from support.netns import Namespace
from support.route_host import FAR4, FAR6, FULL, TUN, apply, drift, uplinked, way


@pytest.fixture
def client() -> Iterator[Namespace]:
    """A host with one uplink to a router, both families, and a TUN device."""
    with uplinked() as host:
        yield host


def test_what_is_excluded_stays_outside(client: Namespace, tmp_path: Path) -> None:
    """Those networks take the uplink, the rest the tunnel; no longer excluded, they take the tunnel; removed, all is as before."""
    router = LinuxRouter(Journal(tmp_path / "journal"))
    for config in (FULL, None):  # the device stays up, which is none of the routes' business
        apply(client, router, config)
    before = fingerprint(client)
    excluded = (ip_network("198.51.100.0/24"), ip_network("2001:db8:ffff::/48"))
    for full in (
        FULL,
        msgspec.structs.replace(FULL, routes=(ip_network("198.51.0.0/16"), ip_network("2001:db8::/32"))),
    ):
        apply(client, router, msgspec.structs.replace(full, excluded=excluded))
        assert (way(client, FAR4), way(client, FAR6)) == ("eth0", "eth0")
        assert (way(client, "198.51.101.1"), way(client, "2001:db8:fffe::1")) == (TUN, TUN)
        assert drift(client, router) is None
        apply(client, router, full)
        assert (way(client, FAR4), way(client, FAR6)) == (TUN, TUN)
    apply(client, router, None)
    assert differences(before, fingerprint(client)) == []


def test_a_resolver_in_an_excluded_network_stays_inside(client: Namespace, tmp_path: Path) -> None:
    """A route to one address is narrower than the network around it that is left out, in our table and in one of the profile's."""
    router = LinuxRouter(Journal(tmp_path / "journal"))
    routes = (*FULL.routes, ip_network("10.64.0.1/32"), ip_network("fd64::1/128"))
    excluded = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
    apply(client, router, msgspec.structs.replace(FULL, routes=routes, excluded=excluded))
    assert (way(client, "10.64.0.1"), way(client, "fd64::1")) == (TUN, TUN)
    assert (way(client, "10.64.0.2"), way(client, "fd64::2")) == ("eth0", "eth0")
